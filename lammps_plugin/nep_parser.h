// SPDX-License-Identifier: GPL-2.0-or-later
//
// Reads the text of a nep.txt, strictly: the twin of pwmlff/models/files/nep_parser.py, which tells
// what is read, and refuses the same in the same words.

#ifndef PWMLFF_NEP_PARSER_H
#define PWMLFF_NEP_PARSER_H

#include "nep_file.h"

#include <string_view>

namespace LAMMPS_NS {

// Throws std::runtime_error with one line: the number of the line that is wrong, what was expected
// and what is there.
NepFile parse_nep(std::string_view content);

}    // namespace LAMMPS_NS

#endif
