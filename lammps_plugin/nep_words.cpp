// SPDX-License-Identifier: GPL-2.0-or-later

#include "nep_words.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <system_error>

using namespace LAMMPS_NS;

namespace {

constexpr std::string_view WHITE = " \t\n\r\v\f";
constexpr std::size_t LONGEST_INTEGER = 9, LONGEST_SHOWN = 60;

bool is_digit(char c)
{
  return '0' <= c && c <= '9';
}

// takes digits away from the front of a text
std::size_t skip_digits(std::string_view &text)
{
  const auto *const end = std::find_if_not(text.begin(), text.end(), is_digit);
  const auto n_digits = static_cast<std::size_t>(end - text.begin());
  text.remove_prefix(n_digits);
  return n_digits;
}

bool skip_one_of(std::string_view &text, std::string_view letters)
{
  const bool is_there = !text.empty() && letters.find(text.front()) != std::string_view::npos;
  if (is_there) text.remove_prefix(1);
  return is_there;
}

// [+-] digits [.digits] [e [+-] digits], with a digit before or behind the point
bool is_decimal(std::string_view word)
{
  skip_one_of(word, "+-");
  std::size_t n_digits = skip_digits(word);
  if (skip_one_of(word, ".")) n_digits += skip_digits(word);
  if (n_digits == 0) return false;
  if (skip_one_of(word, "eE")) {
    skip_one_of(word, "+-");
    if (skip_digits(word) == 0) return false;
  }
  return word.empty();
}

}    // namespace

std::string_view LAMMPS_NS::stripped(std::string_view text)
{
  const std::size_t first = text.find_first_not_of(WHITE);
  if (first == std::string_view::npos) return "";
  return text.substr(first, text.find_last_not_of(WHITE) + 1 - first);
}

std::vector<std::string_view> LAMMPS_NS::words_of(std::string_view line)
{
  std::vector<std::string_view> words;
  std::size_t start = line.find_first_not_of(WHITE);
  while (start != std::string_view::npos) {
    const std::size_t end = std::min(line.find_first_of(WHITE, start), line.size());
    words.push_back(line.substr(start, end - start));
    start = line.find_first_not_of(WHITE, end);
  }
  return words;
}

std::optional<double> LAMMPS_NS::finite_number(std::string_view word)
{
  if (!is_decimal(word)) return std::nullopt;
  if (word.front() == '+') word.remove_prefix(1);
  double number = 0.0;
  const auto result = std::from_chars(word.data(), word.data() + word.size(), number);
  if (result.ec == std::errc::result_out_of_range) {
    // a number of this kind is too small, or too large, by its exponent
    if (word.find("e-") == std::string_view::npos && word.find("E-") == std::string_view::npos)
      return std::nullopt;
    return 0.0;
  }
  return std::isfinite(number) ? std::optional(number) : std::nullopt;
}

std::optional<std::int64_t> LAMMPS_NS::whole_number(std::string_view word)
{
  if (word.empty() || word.size() > LONGEST_INTEGER ||
      !std::all_of(word.begin(), word.end(), is_digit))
    return std::nullopt;
  std::int64_t number = 0;
  std::from_chars(word.data(), word.data() + word.size(), number);
  return number;
}

std::string LAMMPS_NS::shown(std::string_view line)
{
  std::string text(line.substr(0, LONGEST_SHOWN));
  std::replace_if(text.begin(), text.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return line.size() > LONGEST_SHOWN ? text + "..." : text;
}

std::string LAMMPS_NS::short_text(double number)
{
  char text[32];
  const auto result =
      std::to_chars(text, text + sizeof(text), number, std::chars_format::general, 6);
  return {text, result.ptr};
}
