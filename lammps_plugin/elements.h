// SPDX-License-Identifier: GPL-2.0-or-later
//
// Elements by symbol, as in pwmlff/elements.py.

#ifndef PWMLFF_ELEMENTS_H
#define PWMLFF_ELEMENTS_H

#include <string>
#include <string_view>

namespace LAMMPS_NS {

// 0 for a word that is no symbol
int atomic_number(std::string_view symbol);

// Empty for a number that no element has.
std::string symbol_of(int atomic_number);

// The element that has this mass in u, where it is another one than `symbol`; otherwise empty.
std::string other_element_of_mass(std::string_view symbol, double mass);

// Angstrom, as GPUMD has it; 0 for an element of which it has none.
double covalent_radius(int atomic_number);

}    // namespace LAMMPS_NS

#endif
