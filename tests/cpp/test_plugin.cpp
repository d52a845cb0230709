// What the LAMMPS plugin reads: zip archives whatever is in them, SHA-256, metadata.
#include <memory>
#include <optional>

#include "exported_metadata.h"
#include "helpers.hpp"
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
  return file + directory + "PK\5\6" + zeros(4) + little_endian(entries.size(), 2) + little_endian(entries.size(), 2) +
         little_endian(directory.size(), 4) + little_endian(file.size(), 4) + zeros(2);
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

std::string sha256_of(const std::string &text, std::size_t piece) {
  Sha256 sha;
  for (std::size_t start = 0; start < text.size(); start += piece)
    sha.update(text.data() + start, std::min(piece, text.size() - start));
  return sha.hex_digest();
}

const std::string kMetadata = R"({"format_version": 2, "model_type": "DP", "elements": ["Cu", "O"], "cutoff": 6.0,
  "dtype": "mixed", "pwmlff_version": "0.1.0", "torch_version": "2.13.0", "table": null, "family": "dp",
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
  CHECK_MESSAGE_HAS(message_of([] { ZipArchive archive(""); }), "table of contents is missing");
  const std::string twice = zip_of({{"a/x", "1"}, {"b/x", "2"}});
  CHECK_MESSAGE_HAS(message_of([&] { ZipArchive archive(twice); }), "'b/x' is there twice");
  const std::string compressed = zip_of({{"a/x", "1", 8}});
  CHECK_MESSAGE_HAS(message_of([&] { ZipArchive(compressed).find("x"); }), "'x' is compressed");
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
  for (int trial = 0; trial < 20000; ++trial) {
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
