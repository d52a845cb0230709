// What the LAMMPS plugin reads of nep.txt: the files of tests/models/data/nep, and all the ways in which they are
// damaged.
#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>

#include "elements.h"
#include "families.hpp"
#include "helpers.hpp"
#include "json.h"
#include "nep_input.h"
#include "nep_parser.h"
#include "nep_words.h"

using namespace LAMMPS_NS;

namespace {

std::string content_of(const std::string &name) {
  std::ifstream file(std::string(PWMLFF_TEST_NEP) + "/" + name, std::ios::binary);
  REQUIRE(file.good());
  std::ostringstream content;
  content << file.rdbuf();
  return content.str();
}

std::vector<std::string> lines_of(const std::string &text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

// A file with other lines, by their numbers; null leaves one out, and one after the last is added.
std::string changed(const std::string &text, const json &changes) {
  std::map<std::size_t, const json *> by_number;
  for (const auto &change : changes.items()) by_number[std::stoul(change.key())] = &change.value();
  const std::vector<std::string> lines = lines_of(text);
  std::string result;
  for (std::size_t number = 1; number <= lines.size() + 1; ++number) {
    const auto change = by_number.find(number);
    if (change == by_number.end())
      result += number <= lines.size() ? lines[number - 1] + "\n" : "";
    else if (!change->second->is_null())
      result += change->second->get<std::string>() + "\n";
  }
  return result;
}

std::string in_words(std::string message) {
  const std::string unit = "Å", word = "Angstrom";
  for (std::size_t at = message.find(unit); at != std::string::npos; at = message.find(unit, at))
    message.replace(at, unit.size(), word);
  return message;
}

std::string refusal(const std::string &content) {
  return message_of([&] { parse_nep(content); });
}

constexpr const char *kFiles[] = {"nep3.txt", "nep4.txt", "nep5_zbl.txt", "nep4_zbl_flexible.txt"};

// Of two atoms of the first and the last element.
std::vector<double> gradients(const std::string &content) {
  const ModelInput input = nep_input(parse_nep(content));
  REQUIRE(input.stored());
  const pwmlff::Extent extent = pwmlff::extent(*input.stored());
  input.metadata.check_number_of_elements(extent.n_types);
  input.metadata.check_reach(extent.reach);
  const auto evaluator = pwmlff::make_evaluator(*input.stored());
  const double vectors[] = {1.3, 0.5, 0, -1.3, -0.5, 0};
  const std::int64_t start[] = {0, 1, 2}, types[] = {0, evaluator->n_types() - 1};
  const std::int64_t pair_types[] = {types[1], types[0]};
  double energies[2];
  std::vector<double> result(6);
  evaluator->evaluate({vectors, start, pair_types, types}, energies, result.data(), nullptr, 0, 2);
  return result;
}

std::vector<double> numbers_of(const std::string &name, std::size_t n_header_lines) {
  std::vector<double> numbers;
  const std::vector<std::string> lines = lines_of(content_of(name));
  for (std::size_t k = n_header_lines; k < lines.size(); ++k) numbers.push_back(std::stod(lines[k]));
  return numbers;
}

}  // namespace

TEST_CASE("damaged nep.txt are refused as in Python") {
  const json cases = json::parse(content_of("damaged.json"));
  REQUIRE(cases.size() > 100);
  for (const json &damage : cases) {
    const std::string content = changed(content_of(damage["file"].get<std::string>()), damage["lines"]);
    CHECK(refusal(content) == in_words(damage["says"].get<std::string>()));
  }
}

TEST_CASE("numbers of a nep.txt are where they should be") {
  const NepFile file = parse_nep(content_of("nep5_zbl.txt"));
  const std::vector<double> numbers = numbers_of("nep5_zbl.txt", 7);
  CHECK(file.version == 5);
  CHECK(file.elements == std::vector<std::string>{"Te", "Pb"});
  CHECK(file.cutoffs == std::vector<double>{5, 4, 4.5, 3.5});
  CHECK(file.extras == std::vector<std::int64_t>{1, 0, 0, 0, 0, 0});
  CHECK(file.width() == 5);
  const std::size_t size = 2 * (5 + 2) + 1;  // of a net
  REQUIRE(file.nets.size() == 2 * size);
  for (std::size_t k = 0; k < 2 * size; ++k)
    CHECK(file.nets[k] == numbers[k] + ((k + 1) % size == 0 ? numbers[2 * size] : 0.0));
  std::size_t place = 2 * size + 1;
  for (const std::vector<double> *array : {&file.radial, &file.angular}) {
    const std::size_t n_functions = array->size() / 8;
    for (std::size_t nk = 0; nk < 2 * n_functions; ++nk)
      for (std::size_t pair = 0; pair < 4; ++pair, ++place)
        CHECK((*array)[pair * 2 * n_functions + nk] == numbers[place]);
  }
  CHECK(file.scaler == std::vector<double>(numbers.begin() + place, numbers.end()));
  const double sum = 0.7 * (covalent_radius(52) + covalent_radius(82));
  REQUIRE(file.repulsion.size() == 40);
  CHECK(file.repulsion[10] == 0);
  CHECK(file.repulsion[11] == doctest::Approx(std::min(2.5, sum)).epsilon(1e-15));
  CHECK(file.repulsion[12] == 0.18175);
}

TEST_CASE("one net and one bias of a nep.txt are those of all elements") {
  const NepFile three = parse_nep(changed(content_of("nep3.txt"), json::object()));
  CHECK(three.nets.size() == 2 * 7 + 1);
  const NepFile four = parse_nep(content_of("nep4.txt"));
  CHECK(four.nets[14] == four.nets[29]);
  CHECK(four.nets[0] != four.nets[15]);
}

TEST_CASE("repulsions of a nep.txt, universal, by covalent radii and of pairs") {
  const std::string zbl = content_of("nep5_zbl.txt");
  const NepFile universal = parse_nep(changed(zbl, {{"2", "zbl 1 2"}}));
  for (int pair = 0; pair < 4; ++pair) {
    CHECK(universal.repulsion[10 * pair] == 1);
    CHECK(universal.repulsion[10 * pair + 1] == 2);
  }
  const NepFile old = parse_nep(changed(zbl, {{"2", "zbl 1 2"}, {"3", "cutoff 5 4 60 30 -1 -1 0.6"}}));
  CHECK(old.repulsion[1] == doctest::Approx(0.6 * 2 * 1.64));
  CHECK(old.repulsion[0] == old.repulsion[1] / 2);
  CHECK(old.repulsion[11] == 2);
  const NepFile flexible = parse_nep(content_of("nep4_zbl_flexible.txt"));
  const std::vector<double> numbers = numbers_of("nep4_zbl_flexible.txt", 7);
  const double *rows = numbers.data() + numbers.size() - 30;
  for (int pair = 0; pair < 4; ++pair)
    for (int k = 0; k < 10; ++k) CHECK(flexible.repulsion[10 * pair + k] == rows[10 * (pair / 2 + pair % 2) + k]);
}

TEST_CASE("cutoffs of a nep.txt by covalent radii") {
  const std::string text = content_of("nep4_zbl_flexible.txt");
  const NepFile bounded = parse_nep(changed(text, {{"3", "cutoff 9 8 60 30 2.5 2 -1"}}));
  const double radii[] = {0.84, 1.34667};
  for (int k = 0; k < 4; ++k) CHECK(bounded.cutoffs[k] == doctest::Approx(radii[k / 2] * (k % 2 ? 4 : 5)));
  const NepFile other = parse_nep(changed(text, {{"3", "cutoff 4.2 3.3 60 30 2.5 2 -1"}}));
  CHECK(other.cutoffs == std::vector<double>{4.2, 3.3, 4.2, 3.3});
}

TEST_CASE("other ends of lines and digits") {
  const NepFile file = parse_nep(content_of("nep4.txt"));
  std::string windows;
  for (const std::string &line : lines_of(content_of("nep4.txt"))) windows += line + "\r\n";
  CHECK(parse_nep(windows + "\r\n \n").nets == file.nets);
  CHECK(finite_number("+.5E+01") == 5.0);
  CHECK(finite_number("3.") == 3.0);
  CHECK(finite_number("-1e-400") == 0.0);
  for (const char *word : {"", "+", ".", "e5", "1e", "1e+", "nan", "inf", "1e400", "0x10", "1_0", "1,5", "--1", "1 2"})
    CHECK_MESSAGE(!finite_number(word), word);
  CHECK(whole_number("12") == 12);
  for (const char *word : {"", "-1", "+1", "1.0", "1234567890"}) CHECK_MESSAGE(!whole_number(word), word);
}

TEST_CASE("a nep.txt makes a model that the kernels take") {
  for (const char *name : kFiles)
    for (const double number : gradients(content_of(name))) CHECK(std::isfinite(number));
}

TEST_CASE("nep.txt with random damage are refused, or evaluated") {
  std::mt19937 generator(7);
  const auto pick = [&](const auto &choices) { return choices[generator() % std::size(choices)]; };
  const char *const words[] = {"0",   "1",   "2",  "5",  "60",    "0.7",  "-1",    "1e30", "nan", "x",
                               "2.5", "3.5", "19", "20", "16384", "nep5", "l_max", "1e-9", "4",   "9999999999"};
  int n_taken = 0;
  for (int trial = 0; trial < 3000; ++trial) {
    std::string text = content_of(pick(kFiles));
    for (unsigned n = generator() % 3 + 1; n > 0 && !text.empty(); --n) {
      const std::size_t reach = generator() % 2 ? std::min<std::size_t>(text.size(), 80) : text.size();
      const std::size_t start = generator() % reach, end = text.find_first_of(" \n", start);
      const std::size_t length = std::min(end, text.size()) - start;
      switch (generator() % 4) {
        case 0: text.replace(start, length, pick(words)); break;
        case 1: text.replace(start, 1, 1, static_cast<char>(generator())); break;
        case 2: text.erase(start, generator() % 40); break;
        default: text.insert(start, std::string(pick(words)) + "\n"); break;
      }
    }
    const std::string refused = message_of([&] { gradients(text); });
    n_taken += refused.empty();
    const bool names_a_line = refused.substr(0, 5) == "line ";
    CHECK_MESSAGE((refused.empty() || names_a_line), refused);
  }
  CHECK(n_taken > 30);
}

TEST_CASE("elements") {
  CHECK(atomic_number("H") == 1);
  CHECK(atomic_number("Og") == 118);
  for (const char *word : {"", "h", "Xx", "H ", "HHe"}) CHECK(atomic_number(word) == 0);
  CHECK(covalent_radius(1) == 0.426667);
  CHECK(covalent_radius(94) == 2.06667);
  for (const int number : {-1, 0, 95, 118}) CHECK(covalent_radius(number) == 0);
}
