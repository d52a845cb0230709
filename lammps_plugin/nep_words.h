// SPDX-License-Identifier: GPL-2.0-or-later
//
// Words of a text that is read strictly.

#ifndef PWMLFF_NEP_WORDS_H
#define PWMLFF_NEP_WORDS_H

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace LAMMPS_NS {

// without white space at both ends
std::string_view stripped(std::string_view text);

std::vector<std::string_view> words_of(std::string_view line);

// Nothing where a word is no decimal number, or not a finite one; the locale does not matter.
std::optional<double> finite_number(std::string_view word);

// of up to nine digits
std::optional<std::int64_t> whole_number(std::string_view word);

// what can be shown of a line: its first printable letters
std::string shown(std::string_view line);

// six digits of a number, as few as it has
std::string short_text(double number);

}    // namespace LAMMPS_NS

#endif
