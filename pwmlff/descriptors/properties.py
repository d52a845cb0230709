"""Normalised physical properties of the elements, the extra inputs of the type-embedding network.

A property value p becomes (p - min) / (max - min), where min and max run over the whole periodic table, so that the
number of an element does not depend on which other elements a model has.

Radii, electronegativities and electron affinities are those PWMLFF uses; elements it leaves undefined stay undefined,
and asking for one is an error rather than a made-up number. Masses are standard atomic weights (mass numbers of a
long-lived isotope for elements without one). `molar_vol`, `melting_point` and `boiling_point` are names PWMLFF knows
but of which pwmlff has no table.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pwmlff.elements import SYMBOLS, atomic_number_of
from pwmlff.errors import ConfigError, did_you_mean

DEFAULT_PROPERTIES = ("atomic_number", "atom_radius", "atom_mass", "electron_affin", "pauling")
_WITHOUT_TABLE = ("molar_vol", "melting_point", "boiling_point")

# smallest and largest value in the periodic table
_RANGES = {
    "atomic_number": (1.0, 109.0),
    "atom_mass": (1.00794, 276.0),  # u
    "atom_radius": (25.0, 260.0),  # pm
    "electron_affin": (0.0, 349000.0),  # J/mol
    "pauling": (0.7, 3.98),
}

# u, elements 1 to 109
_MASSES = """
    1.00794 4.002602 6.94 9.0121831 10.81 12.011 14.007 15.999 18.998403 20.1797 22.989769 24.305 26.981538 28.085
    30.973762 32.06 35.45 39.948 39.0983 40.078 44.955908 47.867 50.9415 51.9961 54.938044 55.845 58.933194 58.6934
    63.546 65.38 69.723 72.63 74.921595 78.971 79.904 83.798 85.4678 87.62 88.90584 91.224 92.90637 95.95 98 101.07
    102.9055 106.42 107.8682 112.414 114.818 118.71 121.76 127.6 126.90447 131.293 132.905452 137.327 138.90547
    140.116 140.90766 144.242 145 150.36 151.964 157.25 158.92535 162.5 164.93033 167.259 168.93422 173.054 174.9668
    178.49 180.94788 183.84 186.207 190.23 192.217 195.084 196.966569 200.592 204.38 207.2 208.9804 209 210 222 223
    226 227 232.0377 231.03588 238.02891 237 244 243 247 247 251 252 257 258 259 262 267 268 271 270 269 276
"""

# pm; A-B stands for all elements from A to B
_RADII = """
    H 25 Li 145 Be 105 B 85 C 70 N 65 O 60 F 50 Na 180 Mg 150 Al 125 Si 110 P 100 S 100 Cl 100 K 220 Ca 180 Sc 160
    Ti 140 V 135 Cr 140 Mn 140 Fe 140 Co 135 Ni 135 Cu 135 Zn 135 Ga 130 Ge 125 As 115 Se 115 Br 115 Rb 235 Sr 200
    Y 180 Zr 155 Nb 145 Mo 145 Tc 135 Ru 130 Rh 135 Pd 140 Ag 160 Cd 155 In 155 Sn 145 Sb 145 Te 140 I 140 Cs 260
    Ba 215 La 195 Ce-Sm 185 Eu 185 Gd 180 Tb-Lu 175 Hf 155 Ta 145 W 135 Re 135 Os 130 Ir 135 Pt 135 Au 135 Hg 150
    Tl 190 Pb 180 Bi 160 Po 190 Ra 215 Ac 195 Th 180 Pa 180 U-Am 175
"""

_PAULING = """
    H 2.2 Li .98 Be 1.57 B 2.04 C 2.55 N 3.04 O 3.44 F 3.98 Na .93 Mg 1.31 Al 1.61 Si 1.9 P 2.19 S 2.58 Cl 3.16 K .82
    Ca 1 Sc 1.36 Ti 1.54 V 1.63 Cr 1.66 Mn 1.55 Fe 1.83 Co 1.88 Ni 1.91 Cu 1.9 Zn 1.65 Ga 1.81 Ge 2.01 As 2.18 Se 2.55
    Br 2.96 Kr 3 Rb .82 Sr .95 Y 1.22 Zr 1.33 Nb 1.6 Mo 2.16 Tc 1.9 Ru 2.2 Rh 2.28 Pd 2.2 Ag 1.93 Cd 1.69 In 1.78
    Sn 1.96 Sb 2.05 Te 2.1 I 2.66 Xe 2.6 Cs .79 Ba .89 La 1.1 Ce 1.12 Pr 1.13 Nd 1.14 Sm 1.17 Gd 1.2 Dy 1.22 Ho 1.23
    Er 1.24 Tm 1.25 Lu 1.27 Hf 1.3 Ta 1.5 W 2.36 Re 1.9 Os 2.2 Ir 2.2 Pt 2.28 Au 2.54 Hg 2 Tl 1.62 Pb 2.33 Bi 2.02
    Po 2 At 2.2 Fr .7 Ra .9
"""

# J/mol
_ELECTRON_AFFINITIES = """
    H 72800 He 0 Li 59600 Be 0 B 26700 C 153900 N 7000 O 141000 F 328000 Ne 0 Na 52800 Mg 0 Al 42500 Si 133600 P 72000
    S 200000 Cl 349000 Ar 0 K 48400 Ca 2370 Sc 18100 Ti 7600 V 50600 Cr 64300 Mn 0 Fe 15700 Co 63700 Ni 112000
    Cu 118400 Zn 0 Ga 28900 Ge 119000 As 78000 Se 195000 Br 324600 Kr 0 Rb 46900 Sr 5030 Y 29600 Zr 41100 Nb 86100
    Mo 71900 Tc 53000 Ru 101300 Rh 109700 Pd 53700 Ag 125600 Cd 0 In 28900 Sn 107300 Sb 103200 Te 190200 I 295200 Xe 0
    Cs 45500 Ba 13950 La 48000 Ce-Yb 50000 Lu 33000 Hf 0 Ta 31000 W 78600 Re 14500 Os 106100 Ir 151000 Pt 205300
    Au 222800 Hg 0 Tl 19200 Pb 35100 Bi 91200 Po 183300 At 270100
"""


def _parse(table: str) -> dict[str, float]:
    words = table.split()
    values = {}
    for name, value in zip(words[::2], words[1::2], strict=True):
        first, _, last = name.partition("-")
        members = SYMBOLS[SYMBOLS.index(first) : SYMBOLS.index(last or first) + 1]
        values.update(dict.fromkeys(members, float(value)))
    return values


_TABLES = {
    "atomic_number": {symbol: float(number) for number, symbol in enumerate(SYMBOLS[:109], start=1)},
    "atom_mass": dict(zip(SYMBOLS[:109], map(float, _MASSES.split()), strict=True)),
    "atom_radius": _parse(_RADII),
    "electron_affin": _parse(_ELECTRON_AFFINITIES),
    "pauling": _parse(_PAULING),
}


def normalized_properties(elements: Sequence[str], names: Sequence[str] = DEFAULT_PROPERTIES) -> NDArray[np.float64]:
    """Return [T, k] the properties of each element, scaled to 0...1 over the periodic table.

    Args:
        elements: T symbols.
        names: k property names, see `DEFAULT_PROPERTIES`.

    Raises:
        ConfigError: A property is unknown, is given twice, or is not defined for one of the elements.
    """
    check_properties(elements, names)
    result = np.empty((len(elements), len(names)))
    for column, name in enumerate(names):
        low, high = _RANGES[name]
        result[:, column] = [(_TABLES[name][_symbol(element)] - low) / (high - low) for element in elements]
    return result


def check_properties(elements: Sequence[str], names: Sequence[str]) -> None:
    """Raise one `ConfigError` that lists everything wrong with the choice of properties for these elements."""
    problems = []
    if not names:
        problems.append(f"no physical property is given; choose from: {', '.join(_TABLES)}")
    for name in dict.fromkeys(names):
        if name in _WITHOUT_TABLE:
            problems.append(f"pwmlff has no table of '{name}'; choose from: {', '.join(_TABLES)}")
        elif name not in _TABLES:
            problems.append(f"unknown physical property '{name}'; {did_you_mean(name, _TABLES)}")
        if list(names).count(name) > 1:
            problems.append(f"physical property '{name}' is given more than once")
    for element in elements:
        symbol = _symbol(element)
        defined = [name for name, table in _TABLES.items() if symbol in table]
        problems += [
            f"'{name}' is not defined for {symbol}; for {symbol} choose from: {', '.join(defined) or 'none'}"
            for name in dict.fromkeys(names)
            if name in _TABLES and name not in defined
        ]
    if problems:
        raise ConfigError("physical_property: " + "; ".join(problems))


def _symbol(element: str) -> str:
    return SYMBOLS[atomic_number_of(element) - 1]
