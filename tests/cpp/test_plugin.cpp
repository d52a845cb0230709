// What the LAMMPS plugin reads: zip archives whatever is in them, SHA-256, metadata.
#include <cmath>
#include <iterator>
#include <limits>
#include <map>
#include <memory>
#include <optional>

#include "exported_metadata.h"
#include "families.hpp"
#include "helpers.hpp"
#include "model_digest.h"
#include "sha256.h"
#include "zip_archive.h"

using namespace LAMMPS_NS;

namespace {

std::string little_endian(std::uint64_t value, int n_bytes) {
  std::string bytes;
  for (int k = 0; k < n_bytes; ++k) bytes += static_cast<char>(value >> (8 * k) & 255);
  return bytes;
}

struct Entry {
  std::string name, content;
  int method = 0;
};

std::string sha256_of(const std::string &text, std::size_t piece) {
  Sha256 sha;
  for (std::size_t start = 0; start < text.size(); start += piece)
    sha.update(text.data() + start, std::min(piece, text.size() - start));
  return sha.hex_digest();
}

// With the digest at its end that a file of this content has.
std::string sealed(const std::string &content) {
  return content + sha256_of(content, content.size());
}

// A zip file as PKWARE's APPNOTE describes it; the local headers have an extra field, as TorchScript's have.
std::string zip_of(const std::vector<Entry> &entries) {
  const auto zeros = [](int n) { return std::string(n, '\0'); };
  const std::string extra = "FB" + little_endian(3, 2) + "pad";
  std::string file, directory;
  for (const auto &[name, content, method] : entries) {
    const std::string sizes = little_endian(content.size(), 4) + little_endian(content.size(), 4);
    directory += "PK\1\2" + zeros(6) + little_endian(method, 2) + zeros(8) + sizes + little_endian(name.size(), 2) +
                 zeros(12) + little_endian(file.size(), 4) + name;
    file += "PK\3\4" + zeros(4) + little_endian(method, 2) + zeros(8) + sizes + little_endian(name.size(), 2) +
            little_endian(extra.size(), 2) + name + extra + content;
  }
  return sealed(file + directory + "PK\5\6" + zeros(4) + little_endian(entries.size(), 2) +
                little_endian(entries.size(), 2) + little_endian(directory.size(), 4) + little_endian(file.size(), 4) +
                little_endian(ZipArchive::COMMENT_SIZE, 2));
}

const std::string kZip = zip_of({{"model/data/0", "0123456789"}, {"model/extra/text", "words"}, {"model/none", ""}});

// Reads all entries of bytes that may be damaged, from memory that ends with them: whatever lies outside is an error
// for the address sanitizer. Returns whether nothing was wrong.
bool read(const std::string &bytes) {
  const std::unique_ptr<char[]> memory(new char[bytes.size()]);
  std::copy(bytes.begin(), bytes.end(), memory.get());
  const std::string_view content(memory.get(), bytes.size());
  const std::string message = message_of([&] {
    const ZipArchive archive(content);
    for (const char *path : {"data/0", "extra/text", "none", "absent"}) {
      const std::optional<std::string_view> entry = archive.find(path);
      if (!entry || entry->empty()) continue;
      REQUIRE(entry->data() >= content.data());
      REQUIRE(entry->data() + entry->size() <= content.data() + content.size());
      unsigned sum = 0;
      for (const char byte : *entry) sum += static_cast<unsigned char>(byte);
      CHECK(sum <= 255 * entry->size());
    }
  });
  return message.empty();
}

const std::string kMetadata = R"({"format_version": 2, "model_type": "DP", "elements": ["Cu", "O"], "cutoff": 6.0,
  "dtype": "mixed", "pwmlff_version": "0.1.0", "torch_version": "2.13.0", "table": null, "family": "dp",
  "units": {"length": "angstrom", "energy": "eV"},
  "arrays": {"mean": {"record": "data/0", "dtype": "float64", "shape": [2]}}})";

std::string with(const std::string &old, const std::string &replacement) {
  std::string text = kMetadata;
  return text.replace(text.find(old), old.size(), replacement);
}

std::string complaint(const std::string &text) {
  return message_of([&] { ExportedMetadata::parse(text); });
}

}  // namespace

TEST_CASE("entries of a zip archive") {
  const ZipArchive archive(kZip);
  CHECK(archive.find("data/0") == "0123456789");
  CHECK(archive.find("extra/text") == "words");
  CHECK(archive.find("none") == "");
  CHECK_FALSE(archive.find("data/1"));
  CHECK(read(kZip));
}

TEST_CASE("zip archives that cannot be used say why") {
  CHECK_MESSAGE_HAS(message_of([] { ZipArchive archive(""); }), "does not end in the SHA-256");
  const std::string twice = zip_of({{"a/x", "1"}, {"b/x", "2"}});
  CHECK_MESSAGE_HAS(message_of([&] { ZipArchive archive(twice); }), "'b/x' is there twice");
  const std::string compressed = zip_of({{"a/x", "1", 8}});
  CHECK_MESSAGE_HAS(message_of([&] { ZipArchive(compressed).find("x"); }), "'x' is compressed");
}

TEST_CASE("a digest covers every byte") {
  check_digest(kZip);
  for (std::size_t position = 0; position < kZip.size(); ++position) {
    std::string damaged = kZip;
    damaged[position] = static_cast<char>(damaged[position] ^ 1);
    CHECK(message_of([&] { check_digest(damaged); }) != "");
  }
}

TEST_CASE("truncated zip archives are never read beyond their end") {
  for (std::size_t size = 0; size < kZip.size(); ++size) CHECK_FALSE(read(kZip.substr(0, size)));
}

TEST_CASE("zip archives with damaged bytes are never read beyond their end") {
  for (std::size_t position = 0; position < kZip.size(); ++position)
    for (int bit = 0; bit < 8; ++bit) {
      std::string damaged = kZip;
      damaged[position] = static_cast<char>(damaged[position] ^ (1 << bit));
      read(damaged);
    }
  std::mt19937 generator(12);
  for (int trial = 0; trial < 30000; ++trial) {
    std::string damaged = kZip;
    for (int change = 0; change < 4; ++change)
      damaged[generator() % damaged.size()] = static_cast<char>(generator() % 3 == 0 ? 255 : generator());
    read(damaged);
  }
}

TEST_CASE("SHA-256 of the messages of FIPS 180-4 and of NIST") {
  const std::pair<std::string, std::string> published[] = {
      {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
      {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
      {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
       "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
      {std::string(1000000, 'a'), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
  };
  for (const auto &[text, expected] : published)
    for (const std::size_t piece : {std::size_t{1}, std::size_t{63}, std::size_t{64}, std::size_t{1000}})
      CHECK(sha256_of(text, piece) == expected);
}

TEST_CASE("metadata of a model") {
  const ExportedMetadata metadata = ExportedMetadata::parse(kMetadata);
  CHECK(metadata.model.elements == std::vector<std::string>{"Cu", "O"});
  CHECK(metadata.model.cutoff == 6.0);
  CHECK(metadata.model.dtype == "mixed");
  CHECK_FALSE(metadata.model.has_tables);
  CHECK(metadata.family == "dp");
  REQUIRE(metadata.arrays.count("mean") == 1);
  CHECK(metadata.arrays.at("mean").record == "data/0");
  CHECK(metadata.arrays.at("mean").shape == pwmlff::Shape{2});
  metadata.model.check_number_of_elements(2);
  CHECK_MESSAGE_HAS(message_of([&] { metadata.model.check_number_of_elements(3); }), "it names 2 elements");
  CHECK_FALSE(ExportedMetadata::parse(with("\"dp\"", "null")).family);
}

TEST_CASE("metadata that cannot be used say why") {
  CHECK_MESSAGE_HAS(complaint(""), "without pwmlff metadata");
  CHECK_MESSAGE_HAS(complaint("{"), "not valid JSON");
  CHECK_MESSAGE_HAS(complaint("[1]"), "not valid JSON");
  CHECK_MESSAGE_HAS(complaint(with("_version\": 2", "_version\": 9")), "it has format version 9");
  CHECK_MESSAGE_HAS(complaint(with("_version\": 2", "_version\": \"2\"")), "format_version is not a number");
  CHECK_MESSAGE_HAS(complaint(with("\"cutoff\"", "\"cutofF\"")), "lacks 'cutoff'");
  CHECK_MESSAGE_HAS(complaint(with("6.0", "-6.0")), "cutoff is not a positive number");
  CHECK_MESSAGE_HAS(complaint(with("6.0", "1000")), "cutoff is 1000 Angstrom, expected at most 20");
  CHECK_MESSAGE_HAS(complaint(with("\"Cu\"", "\"Xx\"")), "'Xx', which is no element");
  CHECK_MESSAGE_HAS(complaint(with("\"Cu\"", "\"O\"")), "holds 'O' twice");
  CHECK_MESSAGE_HAS(complaint(with("[2]", "[18446744073709551615]")), "'mean' cannot be found");
  CHECK_MESSAGE_HAS(complaint(with("[2]", "[1e30]")), "'mean' cannot be found");
  CHECK_MESSAGE_HAS(complaint(with("\"eV\"", "\"Ha\"")), "its unit of energy is Ha, expected eV");
  CHECK_MESSAGE_HAS(complaint(with("\"length\"", "\"width\"")), "its units lack that of length");
  CHECK_MESSAGE_HAS(complaint(with("\"DP\"", "\"D\\nP\"")), "model_type is not a name");
  CHECK_MESSAGE_HAS(complaint(with("\"mixed\"", std::string(100000, '['))), "not valid JSON");
  CHECK_MESSAGE_HAS(complaint(with("\"mixed\"", std::string(100000, '[') + std::string(100000, ']'))), "is not a text");
  CHECK_MESSAGE_HAS(complaint(with("6.0", "1e999")), "not valid JSON");
  CHECK_MESSAGE_HAS(complaint(with("[\"Cu\", \"O\"]", "[]")), "element list is empty");
  CHECK_MESSAGE_HAS(complaint(with("\"O\"", "8")), "not a name");
  CHECK_MESSAGE_HAS(complaint(with("mixed", "half")), "dtype is \"half\"");
  CHECK_MESSAGE_HAS(complaint(with("[2]", "\"two\"")), "'mean' cannot be found");
  for (std::size_t size = 0; size < kMetadata.size(); ++size) CHECK(complaint(kMetadata.substr(0, size)) != "");
}

TEST_CASE("metadata of other kinds of values end in a message, never in another exception") {
  const std::string values[] = {"\"DP\"",
                                "2",
                                "[\"Cu\", \"O\"]",
                                "6.0",
                                "\"mixed\"",
                                "\"dp\"",
                                "\"data/0\"",
                                "\"float64\"",
                                "[2]",
                                "{\"record\": \"data/0\", \"dtype\": \"float64\", \"shape\": [2]}"};
  for (const std::string &old : values)
    for (const char *other : {"null", "true", "-1", "1e300", "\"\"", "[]", "[[]]", "{}", "[null]", "[-1.5]"})
      complaint(with(old, other));
}

namespace {

// A stored model as a file has it: names, and shapes in the order of the JSON text.
struct Stored {
  std::string family;
  std::map<std::string, std::vector<double>> numbers;
  std::map<std::string, std::vector<std::int64_t>> integers;
  std::map<std::string, pwmlff::Shape> shapes;

  pwmlff::StoredModel model() const {
    pwmlff::StoredModel result{family, {}};
    for (const auto &[name, values] : numbers)
      result.arrays[name] = {pwmlff::DType::float64, shapes.at(name), values.data()};
    for (const auto &[name, values] : integers)
      result.arrays[name] = {pwmlff::DType::int64, shapes.at(name), values.data()};
    return result;
  }

  void set(const std::string &name, pwmlff::Shape shape, std::vector<double> values) {
    numbers[name] = std::move(values);
    shapes[name] = std::move(shape);
  }
  void set_integers(const std::string &name, pwmlff::Shape shape, std::vector<std::int64_t> values) {
    integers[name] = std::move(values);
    shapes[name] = std::move(shape);
  }
};

// A small Deep Potential of two types.
Stored small_model(bool has_tables) {
  Stored stored{"dp", {}, {}, {}};
  stored.set("switch", {2}, {0.5, 4.0});
  stored.set("mean", {2}, {0.1, 0.2});
  stored.set("scale", {2, 4}, std::vector<double>(8, 0.7));
  stored.set("n_neighbors", {}, {12});
  stored.set("energy_shift", {2}, {-1, -2});
  stored.set("repulsion.range", {2, 2, 2}, {0, 1.4, 0.7, 1.3, 0.7, 1.3, 0, 0});
  stored.set("repulsion.screening", {2, 2, 8}, random_numbers<double>(32, 4));
  stored.set("repulsion.charges", {2}, {29, 8});
  stored.set("repulsion.strength", {}, {14.4});
  stored.set_integers("n_axis", {}, {2});
  stored.set_integers("double_geometry", {}, {1});
  stored.set("fitting", {2, 3 * 10 + 4}, random_numbers<double>(2 * 34, 1));
  stored.set_integers("fitting.widths", {1}, {3});
  stored.set_integers("fitting.activation", {}, {0});
  if (has_tables) {
    stored.set("tables", {8, 4, 4}, random_numbers<double>(128, 2));
    stored.set("tables.grids", {2, 3}, {0, 3, 1, 0, 3, 1});
    stored.set("tables.dx", {}, {0.1});
  } else {
    stored.set("embedding", {4, 2 * 3 + 4 * 4}, random_numbers<double>(4 * 22, 2));
    stored.set_integers("embedding.widths", {2}, {2, 4});
    stored.set_integers("embedding.activation", {}, {1});
  }
  return stored;
}

// A small NEP of two types.
Stored small_nep(bool has_tables) {
  Stored stored{"nep", {}, {}, {}};
  stored.set("cutoff", {2, 2}, {4.0, 3.0, 4.0, 3.5});
  stored.set_integers("l_max", {}, {4});
  stored.set_integers("extras", {6}, {1, 1, 0, 0, 1, 0});
  if (has_tables) {
    stored.set("radial.table", {2, 2, 5, 4, 3}, random_numbers<double>(240, 5));
    stored.set("angular.table", {2, 2, 3, 4, 2}, random_numbers<double>(96, 6));
  } else {
    stored.set("radial", {2, 2, 3, 4}, random_numbers<double>(48, 5));
    stored.set("angular", {2, 2, 2, 3}, random_numbers<double>(24, 6));
  }
  stored.set("net", {2, 3 * (17 + 2) + 1}, random_numbers<double>(2 * 58, 7));
  stored.set("scaler", {17}, random_numbers<double>(17, 8));
  stored.set_integers("double_geometry", {}, {1});
  return stored;
}

// Evaluates a model that is accepted: then nothing may lie outside of its arrays. Returns why it is not.
std::string evaluate(const Stored &stored) {
  return message_of([&] {
    const pwmlff::StoredModel model = stored.model();
    model.check_finite();
    const auto evaluator = pwmlff::make_evaluator(model);
    CHECK(pwmlff::extent(model).n_types == evaluator->n_types());
    const double vectors[] = {1, 0.5, 0, -1, -0.5, 0};
    const std::int64_t start[] = {0, 1, 2}, types[] = {0, evaluator->n_types() - 1};
    const std::int64_t pair_types[] = {types[1], types[0]};
    double energies[2], gradients[6];
    evaluator->evaluate({vectors, start, pair_types, types}, energies, gradients, nullptr, 0, 2);
  });
}

}  // namespace

TEST_CASE("stored models that cannot be say why") {
  const std::int64_t largest = std::numeric_limits<std::int64_t>::max();
  for (const bool has_tables : {false, true}) {
    const Stored good = small_model(has_tables);
    CHECK(evaluate(good) == "");
    CHECK(pwmlff::extent(good.model()).reach == 4.0);
    const auto with_integers = [&](const std::string &name, std::vector<std::int64_t> values) {
      Stored bad = good;
      bad.set_integers(name, bad.shapes[name].empty() ? pwmlff::Shape{} : pwmlff::Shape{std::int64_t(values.size())},
                       values);
      return evaluate(bad);
    };
    CHECK_MESSAGE_HAS(with_integers("fitting.widths", {1000000, -17, 14, 32}), "layers of 1 to 16384 neurons");
    CHECK_MESSAGE_HAS(with_integers("fitting.widths", {16384, 16384, 16384}), "the array 'fitting'");
    CHECK_MESSAGE_HAS(with_integers("fitting.widths", std::vector<std::int64_t>(101, 1)), "1 to 100 layers");
    for (const std::int64_t n_axis : {std::int64_t{0}, std::int64_t{-1}, std::int64_t{5}, largest})
      CHECK_MESSAGE_HAS(with_integers("n_axis", {n_axis}), "axis features");
    const auto with = [&](const std::string &name, std::size_t index, double value) {
      Stored bad = good;
      bad.numbers[name][index] = value;
      return evaluate(bad);
    };
    for (const auto &[name, values] : good.numbers)
      CHECK_MESSAGE_HAS(with(name, values.size() - 1, NAN), "'" + name + "' of the dp model holds a number");
    CHECK_MESSAGE_HAS(with("scale", 3, 0), "a scale above 0");
    CHECK_MESSAGE_HAS(with("n_neighbors", 0, 0), "a number of neighbours above 0");
    CHECK_MESSAGE_HAS(with("switch", 0, 4), "a switch from an inner to an outer radius");
    CHECK_MESSAGE_HAS(with("repulsion.charges", 0, -1), "nuclear charges above 0");
    CHECK_MESSAGE_HAS(with("repulsion.range", 3, 0.7), "ranges from an inner to an outer radius");
    if (!has_tables) continue;
    for (const double count : {-1.0, 2.5, 4.0, 1e300})
      CHECK_MESSAGE_HAS(with("tables.grids", 1, count), "the dp model");
    CHECK_MESSAGE_HAS(with("tables.dx", 0, 0), "intervals of a width");
  }
}

TEST_CASE("stored NEPs that cannot be say why") {
  for (const bool has_tables : {false, true}) {
    const Stored good = small_nep(has_tables);
    CHECK(evaluate(good) == "");
    CHECK(pwmlff::extent(good.model()).reach == 4.0);
    const auto with_integer = [&](const std::string &name, std::size_t index, std::int64_t value) {
      Stored bad = good;
      bad.integers[name][index] = value;
      return evaluate(bad);
    };
    for (const std::int64_t l_max : {std::int64_t{-1}, std::int64_t{9}, std::numeric_limits<std::int64_t>::max()})
      CHECK_MESSAGE_HAS(with_integer("l_max", 0, l_max), "0 to 8 as l_max");
    CHECK_MESSAGE_HAS(with_integer("l_max", 0, 2), "an l_max of 3 or more for the invariant 233, got 2");
    CHECK_MESSAGE_HAS(with_integer("extras", 2, -1), "6 extras of 0 or 1");
    CHECK_MESSAGE_HAS(with_integer("extras", 2, 1), "the array 'scaler'");
    CHECK_MESSAGE_HAS(with_integer("double_geometry", 0, 2), "'double_geometry' to be 0 or 1");
    for (const auto &[name, values] : good.numbers) {
      Stored bad = good;
      bad.numbers[name].back() = NAN;
      CHECK_MESSAGE_HAS(evaluate(bad), "'" + name + "' of the nep model holds a number");
    }
    Stored bad = good;
    bad.numbers["cutoff"][1] = 0;
    CHECK_MESSAGE_HAS(evaluate(bad), "cutoffs above 0");
    if (!has_tables) continue;
    bad = good;
    bad.shapes["radial.table"] = {2, 2, 4, 5, 3};
    CHECK_MESSAGE_HAS(evaluate(bad), "radial tables of 4 or 6 terms, got [2, 2, 4, 5, 3]");
    bad.set("radial.table", {2, 2, 5, 6, 3}, random_numbers<double>(360, 5));
    CHECK_MESSAGE_HAS(evaluate(bad), "tables of one order, got [2, 2, 5, 6, 3] and [2, 2, 3, 4, 2]");
    bad.shapes.erase("angular.table");
    bad.numbers.erase("angular.table");
    CHECK_MESSAGE_HAS(evaluate(bad), "lacks the array 'angular.table'");
  }
}

TEST_CASE("stored models with any numbers and shapes are refused, or evaluated within their arrays") {
  std::mt19937 generator(3);
  const auto pick = [&](auto &map) {
    auto entry = map.begin();
    std::advance(entry, generator() % map.size());
    return entry;
  };
  const double odd[] = {0, -1, 1e-300, 1e300, 1e18, 2.5, 3, 1};
  const std::int64_t odd_integers[] = {0, -1, 1, 2, 3, 5, 1 << 14, std::int64_t{1} << 62, -(std::int64_t{1} << 62)};
  for (int trial = 0; trial < 30000; ++trial) {
    Stored stored = trial % 4 < 2 ? small_nep(trial % 4 == 0) : small_model(trial % 4 == 2);
    for (unsigned change = 0; change <= generator() % 3; ++change) {
      switch (generator() % 5) {
        case 0: {
          auto &values = pick(stored.numbers)->second;
          values[generator() % values.size()] = odd[generator() % std::size(odd)];
          break;
        }
        case 1:
        case 2: {
          auto &values = pick(stored.integers)->second;
          values[generator() % values.size()] = odd_integers[generator() % std::size(odd_integers)];
          break;
        }
        case 3: {  // another number of dimensions, of as many numbers
          auto &[name, shape] = *pick(stored.shapes);
          if (generator() % 2 == 0)
            shape.push_back(1);
          else if (!shape.empty() && shape.front() % 2 == 0)
            shape.front() /= 2;  // fewer than there are
          break;
        }
        default: {
          const std::string name = pick(stored.shapes)->first;
          stored.numbers.erase(name);
          stored.integers.erase(name);
          stored.shapes.erase(name);
        }
      }
      if (stored.numbers.empty() || stored.integers.empty()) break;
    }
    evaluate(stored);
  }
}
