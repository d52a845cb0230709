// SPDX-License-Identifier: GPL-2.0-or-later

#include "elements.h"

#include <algorithm>
#include <cmath>
#include <iterator>

using namespace LAMMPS_NS;

namespace {

// clang-format off
constexpr std::string_view SYMBOLS[] = {
    "H", "He", "Li", "Be", "B", "C", "N", "O", "F", "Ne", "Na", "Mg", "Al", "Si", "P", "S",
    "Cl", "Ar", "K", "Ca", "Sc", "Ti", "V", "Cr", "Mn", "Fe", "Co", "Ni", "Cu", "Zn", "Ga",
    "Ge", "As", "Se", "Br", "Kr", "Rb", "Sr", "Y", "Zr", "Nb", "Mo", "Tc", "Ru", "Rh", "Pd",
    "Ag", "Cd", "In", "Sn", "Sb", "Te", "I", "Xe", "Cs", "Ba", "La", "Ce", "Pr", "Nd", "Pm",
    "Sm", "Eu", "Gd", "Tb", "Dy", "Ho", "Er", "Tm", "Yb", "Lu", "Hf", "Ta", "W", "Re", "Os",
    "Ir", "Pt", "Au", "Hg", "Tl", "Pb", "Bi", "Po", "At", "Rn", "Fr", "Ra", "Ac", "Th", "Pa",
    "U", "Np", "Pu", "Am", "Cm", "Bk", "Cf", "Es", "Fm", "Md", "No", "Lr", "Rf", "Db", "Sg",
    "Bh", "Hs", "Mt", "Ds", "Rg", "Cn", "Nh", "Fl", "Mc", "Lv", "Ts", "Og"};

constexpr double COVALENT_RADII[] = {
    0.426667, 0.613333, 1.6, 1.25333, 1.02667, 1.0, 0.946667, 0.84, 0.853333, 0.893333,
    1.86667, 1.66667, 1.50667, 1.38667, 1.46667, 1.36, 1.32, 1.28, 2.34667, 2.05333, 1.77333,
    1.62667, 1.61333, 1.46667, 1.42667, 1.38667, 1.33333, 1.32, 1.34667, 1.45333, 1.49333,
    1.45333, 1.53333, 1.46667, 1.52, 1.56, 2.52, 2.22667, 1.96, 1.85333, 1.76, 1.65333,
    1.53333, 1.50667, 1.50667, 1.44, 1.53333, 1.64, 1.70667, 1.68, 1.68, 1.64, 1.76, 1.74667,
    2.78667, 2.34667, 2.16, 1.96, 2.10667, 2.09333, 2.08, 2.06667, 2.01333, 2.02667, 2.01333,
    2.0, 1.98667, 1.98667, 1.97333, 2.04, 1.94667, 1.82667, 1.74667, 1.64, 1.57333, 1.54667,
    1.48, 1.49333, 1.50667, 1.76, 1.73333, 1.73333, 1.81333, 1.74667, 1.84, 1.89333, 2.68,
    2.41333, 2.22667, 2.10667, 2.02667, 2.04, 2.05333, 2.06667};

// of Z = 1 to 94, in u; IUPAC 2016, of elements without a standard weight the longest-lived isotope
constexpr double MASSES[] = {
    1.008, 4.0026, 6.94, 9.01218, 10.81, 12.011, 14.007, 15.999, 18.9984, 20.1797, 22.9898,
    24.305, 26.9815, 28.085, 30.9738, 32.06, 35.45, 39.948, 39.0983, 40.078, 44.9559,
    47.867, 50.9415, 51.9961, 54.938, 55.845, 58.9332, 58.6934, 63.546, 65.38, 69.723,
    72.63, 74.9216, 78.971, 79.904, 83.798, 85.4678, 87.62, 88.9058, 91.224, 92.9064, 95.95,
    97.9072, 101.07, 102.906, 106.42, 107.868, 112.414, 114.818, 118.71, 121.76, 127.6,
    126.904, 131.293, 132.905, 137.327, 138.905, 140.116, 140.908, 144.242, 144.913, 150.36,
    151.964, 157.25, 158.925, 162.5, 164.93, 167.259, 168.934, 173.054, 174.967, 178.49,
    180.948, 183.84, 186.207, 190.23, 192.217, 195.084, 196.967, 200.592, 204.38, 207.2,
    208.98, 208.982, 209.987, 222.018, 223.02, 226.025, 227.028, 232.038, 231.036, 238.029,
    237.048, 244.064};
// clang-format on

constexpr double SAME_MASS = 0.05;    // u; inputs round masses

}    // namespace

int LAMMPS_NS::atomic_number(std::string_view symbol)
{
  const auto *const found = std::find(std::begin(SYMBOLS), std::end(SYMBOLS), symbol);
  return found == std::end(SYMBOLS) ? 0 : static_cast<int>(found - std::begin(SYMBOLS)) + 1;
}

std::string LAMMPS_NS::symbol_of(int atomic_number)
{
  const bool is_known = 1 <= atomic_number && atomic_number <= std::ssize(SYMBOLS);
  return is_known ? std::string(SYMBOLS[atomic_number - 1]) : "";
}

std::string LAMMPS_NS::other_element_of_mass(std::string_view symbol, double mass)
{
  const int own = atomic_number(symbol);
  if (own < 1 || own > std::ssize(MASSES)) return "";
  const auto distance = [mass](double other) { return std::abs(other - mass); };
  const auto *const nearest =
      std::min_element(std::begin(MASSES), std::end(MASSES),
                       [&](double a, double b) { return distance(a) < distance(b); });
  const bool is_own = distance(MASSES[own - 1]) <= 2.0 * SAME_MASS;
  if (is_own || distance(*nearest) > SAME_MASS) return "";
  return symbol_of(static_cast<int>(nearest - std::begin(MASSES)) + 1);
}

double LAMMPS_NS::covalent_radius(int atomic_number)
{
  const bool is_known = 1 <= atomic_number && atomic_number <= std::ssize(COVALENT_RADII);
  return is_known ? COVALENT_RADII[atomic_number - 1] : 0.0;
}
