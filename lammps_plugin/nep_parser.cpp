// SPDX-License-Identifier: GPL-2.0-or-later

#include "nep_parser.h"

#include "elements.h"
#include "nep_lines.h"
#include "nep_words.h"

#include <algorithm>
#include <array>
#include <string>
#include <tuple>
#include <utility>

using namespace LAMMPS_NS;

namespace {

constexpr double LARGEST_CUTOFF = 20.0;    // Angstrom; as in run files
constexpr std::int64_t LARGEST_ORDER = 19, LARGEST_L = 8, WIDEST_LAYER = 16384;
constexpr double UNIVERSAL_SCREENING[] = {0.18175, 3.1998, 0.50986, 0.94229,
                                          0.28022, 0.4029, 0.02817, 0.20162};
constexpr const char *KINDS = "nep3, nep4 or nep5, with or without _zbl";

// suffixes of models that are something else
constexpr std::pair<std::string_view, const char *> FOREIGN[] = {
    {"charge_vdw", "with charges and van der Waals terms"},
    {"charge", "with charges"},
    {"vdw", "with van der Waals terms"},
    {"dipole", "of dipoles"},
    {"polarizability", "of polarizabilities"},
    {"temperature", "that depends on temperature"},
    {"spin", "with spins"},
};

struct Extra {
  const char *name;
  std::int64_t least_l;
};
constexpr Extra EXTRAS[NepFile::N_EXTRAS] = {{"222", 2}, {"1111", 1}, {"112", 2},
                                             {"123", 3}, {"233", 3},  {"134", 4}};

// Where the repulsion of pairs of elements is told.
enum class Ranges { NONE, HERE, AT_THE_END };

struct Zbl {
  Ranges ranges = Ranges::NONE;
  double inner = 0.0, outer = 0.0, factor = 0.0;    // factor: of covalent radii, 0 for none
  double inner_share = 0.0;                         // of a range that covalent radii bound
};

// nep4_zbl_charge1 and so on
bool is_foreign(std::string_view kind, std::string_view suffix)
{
  const auto skip = [&kind](std::string_view text) {
    const bool is_there = kind.substr(0, text.size()) == text;
    if (is_there) kind.remove_prefix(text.size());
    return is_there;
  };
  const auto is_digit = [](char c) { return '0' <= c && c <= '9'; };
  if (!skip("nep") || kind.empty() || !is_digit(kind.front())) return false;
  kind.remove_prefix(1);
  skip("_zbl");
  return skip("_") && skip(suffix) && std::all_of(kind.begin(), kind.end(), is_digit);
}

class Parser {
 public:
  explicit Parser(std::string_view content) : lines_(content) {}
  NepFile parse();

 private:
  // each reads one line
  bool first_line();    // returns whether there is a repulsion
  Zbl zbl();
  void cutoff(Zbl &zbl);
  std::pair<std::int64_t, std::int64_t> orders(const std::string &keyword);
  void l_max();
  void neurons();

  void numbers(const Zbl &zbl);
  std::vector<double> block(const std::string &name, std::int64_t size);
  std::vector<double> coefficients(const std::string &name, std::int64_t n, std::int64_t k);

  std::vector<double> bounded(double cutoff, double factor) const;
  void set_repulsion(const Zbl &zbl);
  void set_repulsion(const std::vector<double> &rows, std::size_t first_line);
  void set_repulsion(std::int64_t i, std::int64_t j, const double *row);
  void check_reach(std::size_t line) const;
  std::vector<double> covalent_radii() const;

  NepLines lines_;
  std::int64_t n_missing_ = 0;    // numbers
  NepFile file_;
};

NepFile Parser::parse()
{
  const bool has_zbl = first_line();
  const std::size_t zbl_line = lines_.number() + 1;
  Zbl repulsion = has_zbl ? zbl() : Zbl();
  cutoff(repulsion);
  std::tie(file_.n_radial, file_.n_angular) = orders("n_max");
  std::tie(file_.k_radial, file_.k_angular) = orders("basis_size");
  l_max();
  neurons();
  numbers(repulsion);
  check_reach(zbl_line);
  return std::move(file_);
}

bool Parser::first_line()
{
  const auto words = lines_.next_words(std::string(KINDS) + ", and the elements");
  const std::string kind = words.empty() ? "" : shown(words[0]);
  const char *foreign = nullptr;
  for (const auto &[suffix, meaning] : FOREIGN)
    if (!foreign && is_foreign(kind, suffix)) foreign = meaning;
  for (const char *old : {"nep", "nep_zbl", "nep1", "nep1_zbl", "nep2", "nep2_zbl"})
    if (kind == old) foreign = "of an older version";
  if (foreign)
    NepLines::fail(1, "`" + kind + "` is a NEP " + foreign +
                          ", which pwmlff does not read; it reads " + KINDS);
  const bool has_zbl = kind.size() == 8 && kind.substr(4) == "_zbl";
  const bool is_known = kind.substr(0, 3) == "nep" && (kind.size() == 4 || has_zbl) &&
                        '3' <= kind[3] && kind[3] <= '5';
  if (!is_known) lines_.refuse(KINDS);
  file_.version = kind[3] - '0';

  for (std::size_t k = 2; k < words.size(); k++) file_.elements.push_back(shown(words[k]));
  if (file_.elements.empty() || whole_number(words[1]) != file_.n_types())
    lines_.refuse("`" + kind + "`, the number of elements, and their symbols");
  for (auto symbol = file_.elements.begin(); symbol != file_.elements.end(); ++symbol) {
    if (atomic_number(*symbol) == 0) NepLines::fail(1, "`" + *symbol + "` is no element");
    if (std::find(file_.elements.begin(), symbol, *symbol) != symbol)
      NepLines::fail(1, *symbol + " is there twice");
  }
  return has_zbl;
}

Zbl Parser::zbl()
{
  const std::string expected =
      "`zbl` with an inner and a larger outer radius in Angstrom and perhaps "
      "a factor above 0, or `zbl 0 0`";
  const auto numbers = lines_.values("zbl", expected, {2, 3}, finite_number);
  if (numbers == std::vector<double>{0.0, 0.0}) return {Ranges::AT_THE_END};
  const bool has_factor = numbers.size() == 3;
  if (!(0 <= numbers[0] && numbers[0] < numbers[1] && (!has_factor || numbers[2] > 0)))
    lines_.refuse(expected);
  if (has_factor) covalent_radii();    // whether all are known
  return {Ranges::HERE, numbers[0], numbers[1], has_factor ? numbers[2] : 0.0};
}

void Parser::cutoff(Zbl &zbl)
{
  const std::size_t n_types = file_.elements.size();
  const std::string more = n_types > 1 ? ", or both " + std::to_string(n_types) + " times," : "";
  const std::string expected = "`cutoff` with a radial and an angular cutoff in Angstrom" + more +
                               " and two numbers of neighbours";
  const auto numbers = lines_.values("cutoff", expected, {2, 4, 7, 2 * n_types + 2}, finite_number);
  const std::size_t n_cutoffs = numbers.size() == 2 * n_types + 2 ? 2 * n_types : 2;
  const auto words = words_of(lines_.line());
  for (std::size_t k = 1 + n_cutoffs; k < std::min(words.size(), 3 + n_cutoffs); k++)
    if (!whole_number(words[k])) lines_.refuse(expected);
  for (std::size_t t = 0; t < n_types; t++) {
    const double radial = numbers[2 * t % n_cutoffs], angular = numbers[(2 * t + 1) % n_cutoffs];
    if (!(0 < angular && angular <= radial && radial <= LARGEST_CUTOFF))
      NepLines::fail(lines_.number(),
                     "expected " + short_text(LARGEST_CUTOFF) +
                         " >= radial cutoff >= angular cutoff > 0 in Angstrom, got " +
                         short_text(radial) + " and " + short_text(angular));
    file_.cutoffs.insert(file_.cutoffs.end(), {radial, angular});
  }
  if (numbers.size() != 7) return;
  for (std::size_t c = 0; c < 2 && numbers[4] > 0; c++) {
    const std::vector<double> bound = bounded(numbers[c], numbers[4 + c]);
    for (std::size_t t = 0; t < n_types; t++) file_.cutoffs[2 * t + c] = bound[t];
  }
  if (zbl.ranges == Ranges::HERE && numbers[6] > 0) {
    covalent_radii();
    zbl.factor = numbers[6];
    zbl.inner_share = 0.5;
  }
}

// Cutoffs whose means are  min(cutoff, factor (R_i + R_j))  with covalent radii R.
std::vector<double> Parser::bounded(double cutoff, double factor) const
{
  const std::vector<double> radii = covalent_radii();
  bool is_never_less = true, is_never_more = factor > 0;
  for (const double r_i : radii)
    for (const double r_j : radii) {
      is_never_less = is_never_less && factor * (r_i + r_j) >= cutoff;
      is_never_more = is_never_more && factor * (r_i + r_j) <= cutoff;
    }
  std::vector<double> result(radii.size(), cutoff);
  if (is_never_less) return result;
  if (!is_never_more)
    NepLines::fail(lines_.number(),
                   "covalent radii bound the cutoffs of some pairs of elements only, which pwmlff "
                   "does not read");
  std::transform(radii.begin(), radii.end(), result.begin(),
                 [factor](double radius) { return 2 * factor * radius; });
  return result;
}

std::pair<std::int64_t, std::int64_t> Parser::orders(const std::string &keyword)
{
  const std::string expected =
      "`" + keyword + "` with two integers from 0 to " + std::to_string(LARGEST_ORDER);
  const auto numbers = lines_.values(keyword, expected, {2}, whole_number);
  if (std::max(numbers[0], numbers[1]) > LARGEST_ORDER) lines_.refuse(expected);
  return {numbers[0] + 1, numbers[1] + 1};
}

void Parser::l_max()
{
  const std::string expected = "`l_max` with an integer from 0 to " + std::to_string(LARGEST_L) +
                               ", then 0 or 2 (or 1), then one to five times 0 or 1";
  const auto numbers = lines_.values("l_max", expected, {3, 4, 5, 6, 7}, whole_number);
  const auto is_switch = [](std::int64_t number) { return number <= 1; };
  if (numbers[0] > LARGEST_L || numbers[1] > 2 ||
      !std::all_of(numbers.begin() + 2, numbers.end(), is_switch))
    lines_.refuse(expected);
  file_.l_max = numbers[0];
  file_.extras.assign(NepFile::N_EXTRAS, 0);
  for (std::size_t k = 1; k < numbers.size(); k++) file_.extras[k - 1] = numbers[k] > 0;
  for (int k = 0; k < NepFile::N_EXTRAS; k++)
    if (file_.extras[k] && EXTRAS[k].least_l > file_.l_max)
      NepLines::fail(lines_.number(), std::string("the invariant ") + EXTRAS[k].name +
                                          " needs l up to " + std::to_string(EXTRAS[k].least_l) +
                                          ", got " + std::to_string(file_.l_max));
}

void Parser::neurons()
{
  const std::string expected =
      "`ANN` with 1 to " + std::to_string(WIDEST_LAYER) + " neurons, and 0";
  const auto numbers = lines_.values("ANN", expected, {2}, whole_number);
  if (!(1 <= numbers[0] && numbers[0] <= WIDEST_LAYER && numbers[1] == 0)) lines_.refuse(expected);
  file_.n_neurons = numbers[0];
}

void Parser::numbers(const Zbl &zbl)
{
  const std::int64_t n_types = file_.n_types(), n_nets = file_.version == 3 ? 1 : n_types;
  const bool has_own_biases = file_.version == 5;
  const std::int64_t size = file_.n_neurons * (file_.width() + 2) + has_own_biases;
  const std::int64_t n_rows =
      zbl.ranges == Ranges::AT_THE_END ? n_types * (n_types + 1) / 2 * NepFile::N_PAIR_NUMBERS : 0;
  const std::int64_t n_coefficients =
      (file_.n_radial * file_.k_radial + file_.n_angular * file_.k_angular) * n_types * n_types;
  n_missing_ = n_nets * size + 1 + n_coefficients + file_.width() + n_rows -
               static_cast<std::int64_t>(lines_.n_left());
  const std::size_t first =
      lines_.number() + static_cast<std::size_t>(n_nets * size + 1 + n_coefficients) + 1;

  std::vector<std::vector<double>> nets;
  for (std::int64_t t = 0; t < n_nets; t++)
    nets.push_back(block(file_.version == 3 ? "the net" : "the net of " + file_.elements[t], size));
  const double common_bias = block("the common bias", 1)[0];
  file_.nets.reserve(static_cast<std::size_t>(n_types * (size + !has_own_biases)));
  for (std::int64_t t = 0; t < n_types; t++) {
    const std::vector<double> &net = nets[n_nets == 1 ? 0 : t];
    file_.nets.insert(file_.nets.end(), net.begin(), net.end());
    if (has_own_biases)
      file_.nets.back() += common_bias;
    else
      file_.nets.push_back(common_bias);
  }
  file_.radial = coefficients("radial c_nk", file_.n_radial, file_.k_radial);
  file_.angular = coefficients("angular c_nk", file_.n_angular, file_.k_angular);
  file_.scaler = block("q_scaler", file_.width());
  const std::vector<double> rows = block("the repulsion", n_rows);
  lines_.expect_end();

  const auto negative = std::find_if(file_.scaler.begin(), file_.scaler.end(),
                                     [](double number) { return number < 0; });
  if (negative != file_.scaler.end())
    NepLines::fail(first + (negative - file_.scaler.begin()),
                   "expected a q_scaler from 0 on, got " + short_text(*negative));
  if (zbl.ranges == Ranges::HERE) set_repulsion(zbl);
  if (zbl.ranges == Ranges::AT_THE_END) set_repulsion(rows, first + file_.scaler.size());
}

std::vector<double> Parser::block(const std::string &name, std::int64_t size)
{
  return lines_.numbers(name, size, n_missing_);
}

// [n, k, T, T] in the file, the last index that of the neighbour; here by types first
std::vector<double> Parser::coefficients(const std::string &name, std::int64_t n, std::int64_t k)
{
  const std::int64_t n_pairs = file_.n_types() * file_.n_types();
  const std::vector<double> numbers = block(name, n * k * n_pairs);
  std::vector<double> result(numbers.size());
  for (std::int64_t c = 0; c < n * k; c++)
    for (std::int64_t pair = 0; pair < n_pairs; pair++)
      result[pair * n * k + c] = numbers[c * n_pairs + pair];
  return result;
}

void Parser::set_repulsion(const Zbl &zbl)
{
  std::vector<double> radii(file_.elements.size(), 0.0);
  if (zbl.factor > 0) radii = covalent_radii();
  std::array<double, NepFile::N_PAIR_NUMBERS> row{zbl.inner, zbl.outer};
  std::copy(std::begin(UNIVERSAL_SCREENING), std::end(UNIVERSAL_SCREENING), row.begin() + 2);
  for (std::int64_t i = 0; i < file_.n_types(); i++)
    for (std::int64_t j = i; j < file_.n_types(); j++) {
      if (zbl.factor > 0) {
        row[1] = std::min(zbl.outer, zbl.factor * (radii[i] + radii[j]));
        row[0] = zbl.inner_share * row[1];
      }
      set_repulsion(i, j, row.data());
    }
}

void Parser::set_repulsion(const std::vector<double> &rows, std::size_t first_line)
{
  const double *row = rows.data();
  for (std::int64_t i = 0; i < file_.n_types(); i++)
    for (std::int64_t j = i; j < file_.n_types(); j++, row += NepFile::N_PAIR_NUMBERS) {
      const double inner = row[0], outer = row[1];
      if (!((0 <= inner && inner < outer) || (inner == 0 && outer == 0)))
        NepLines::fail(first_line + (row - rows.data()),
                       "expected a repulsion from an inner to a larger outer radius, got " +
                           short_text(inner) + " and " + short_text(outer));
      set_repulsion(i, j, row);
    }
}

void Parser::set_repulsion(std::int64_t i, std::int64_t j, const double *row)
{
  file_.repulsion.resize(file_.n_types() * file_.n_types() * NepFile::N_PAIR_NUMBERS);
  for (const std::int64_t pair : {i * file_.n_types() + j, j * file_.n_types() + i})
    std::copy(row, row + NepFile::N_PAIR_NUMBERS,
              file_.repulsion.begin() + pair * NepFile::N_PAIR_NUMBERS);
}

// GPUMD takes the neighbours within the angular cutoff, where a farther repulsion would end in a
// step.
void Parser::check_reach(std::size_t line) const
{
  if (file_.repulsion.empty()) return;
  const std::int64_t n_types = file_.n_types();
  for (std::int64_t i = 0; i < n_types; i++)
    for (std::int64_t j = 0; j < n_types; j++) {
      const double reach = file_.repulsion[(i * n_types + j) * NepFile::N_PAIR_NUMBERS + 1];
      const double angular = (file_.cutoffs[2 * i + 1] + file_.cutoffs[2 * j + 1]) / 2;
      if (reach > angular * (1 + 1e-9))
        NepLines::fail(line, "the repulsion of " + file_.elements[i] + " and " + file_.elements[j] +
                                 " reaches to " + short_text(reach) +
                                 " Angstrom, expected at most their angular cutoff " +
                                 short_text(angular) + " Angstrom");
    }
}

std::vector<double> Parser::covalent_radii() const
{
  std::vector<double> radii;
  for (const std::string &element : file_.elements) {
    radii.push_back(covalent_radius(atomic_number(element)));
    if (radii.back() == 0.0)
      NepLines::fail(lines_.number(), "no covalent radius of " + element + " is known");
  }
  return radii;
}

}    // namespace

std::int64_t NepFile::width() const
{
  std::int64_t n_invariants = l_max;
  for (const std::int64_t extra : extras) n_invariants += extra;
  return n_radial + n_angular * n_invariants;
}

NepFile LAMMPS_NS::parse_nep(std::string_view content)
{
  return Parser(content).parse();
}
