// SPDX-License-Identifier: GPL-2.0-or-later
//
// Elements by symbol, as in pwmlff/elements.py.

#ifndef PWMLFF_ELEMENTS_H
#define PWMLFF_ELEMENTS_H

#include <string_view>

namespace LAMMPS_NS {

// 0 for a word that is no symbol
int atomic_number(std::string_view symbol);

// Angstrom, as GPUMD has it; 0 for an element of which it has none.
double covalent_radius(int atomic_number);

}    // namespace LAMMPS_NS

#endif
