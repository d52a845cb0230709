// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef PWMLFF_NEP_LINES_H
#define PWMLFF_NEP_LINES_H

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace LAMMPS_NS {

// Lines of a text, read one after another. What is not as expected is told in a std::runtime_error
// that begins with the number of its line.
class NepLines {
 public:
  explicit NepLines(std::string_view content);

  // of the line that was read last, from 1 on
  std::size_t number() const { return number_; }
  std::string_view line() const { return line_; }
  std::size_t n_left() const { return n_lines_ - number_; }

  std::vector<std::string_view> next_words(const std::string &expected);

  // A line of a keyword and one of these counts of numbers, each of which `read` makes of a word.
  template <typename Number>
  std::vector<Number> values(const std::string &keyword, const std::string &expected,
                             const std::vector<std::size_t> &counts,
                             std::optional<Number> (*read)(std::string_view));

  // Numbers that stand in a line each. So many of all that are to come are not there.
  std::vector<double> numbers(const std::string &name, std::int64_t size, std::int64_t n_missing);

  void expect_end();

  [[noreturn]] static void fail(std::size_t number, const std::string &problem);
  // says that the line that was read last is something else
  [[noreturn]] void refuse(const std::string &expected) const;

 private:
  bool next();    // reads a line, and returns whether there was one

  std::string_view rest_, line_;
  std::size_t n_lines_ = 0, number_ = 0;    // without empty ones at the end
};

}    // namespace LAMMPS_NS

#endif
