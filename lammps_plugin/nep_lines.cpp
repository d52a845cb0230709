// SPDX-License-Identifier: GPL-2.0-or-later

#include "nep_lines.h"

#include "nep_words.h"

#include <algorithm>
#include <stdexcept>

using namespace LAMMPS_NS;

NepLines::NepLines(std::string_view content) : rest_(content)
{
  for (std::size_t n = 1; !content.empty(); n++) {
    const std::size_t end = std::min(content.find('\n'), content.size());
    if (!stripped(content.substr(0, end)).empty()) n_lines_ = n;
    content.remove_prefix(std::min(end + 1, content.size()));
  }
}

bool NepLines::next()
{
  if (++number_ > n_lines_) return false;
  line_ = rest_.substr(0, rest_.find('\n'));
  rest_.remove_prefix(std::min(line_.size() + 1, rest_.size()));
  return true;
}

std::vector<std::string_view> NepLines::next_words(const std::string &expected)
{
  if (!next()) fail(number_, "expected " + expected + ", but the file ends here");
  return words_of(line());
}

template <typename Number>
std::vector<Number> NepLines::values(const std::string &keyword, const std::string &expected,
                                     const std::vector<std::size_t> &counts,
                                     std::optional<Number> (*read)(std::string_view))
{
  const std::vector<std::string_view> words = next_words(expected);
  std::vector<Number> numbers;
  for (std::size_t k = 1; k < words.size(); k++)
    if (const std::optional<Number> number = read(words[k])) numbers.push_back(*number);
  if (words.empty() || words[0] != keyword || numbers.size() < words.size() - 1 ||
      std::find(counts.begin(), counts.end(), numbers.size()) == counts.end())
    refuse(expected);
  return numbers;
}

template std::vector<double> NepLines::values(const std::string &, const std::string &,
                                              const std::vector<std::size_t> &,
                                              std::optional<double> (*)(std::string_view));
template std::vector<std::int64_t>
NepLines::values(const std::string &, const std::string &, const std::vector<std::size_t> &,
                 std::optional<std::int64_t> (*)(std::string_view));

std::vector<double> NepLines::numbers(const std::string &name, std::int64_t size,
                                      std::int64_t n_missing)
{
  std::vector<double> result;
  result.reserve(std::min(static_cast<std::size_t>(size), n_left()));
  for (std::int64_t k = 0; k < size; k++) {
    if (!next())
      fail(number_, "expected " + std::to_string(n_missing) + " more number" +
                        (n_missing > 1 ? "s" : "") + " from " + name +
                        " on, but the file ends here");
    const std::optional<double> number = finite_number(stripped(line()));
    if (!number) refuse("one number of " + name);
    result.push_back(*number);
  }
  return result;
}

void NepLines::expect_end()
{
  if (!next()) return;
  refuse("the end of the file");
}

void NepLines::fail(std::size_t number, const std::string &problem)
{
  throw std::runtime_error("line " + std::to_string(number) + ": " + problem);
}

void NepLines::refuse(const std::string &expected) const
{
  const std::string text = shown(stripped(line()));
  fail(number_,
       "expected " + expected + ", got " + (text.empty() ? "an empty line" : "`" + text + "`"));
}
