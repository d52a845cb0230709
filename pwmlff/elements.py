"""Element symbols and atomic numbers."""

from __future__ import annotations

from collections.abc import Sequence

from pwmlff.errors import ConfigError, did_you_mean

SYMBOLS = tuple(
    [
        "H",
        "He",
        "Li",
        "Be",
        "B",
        "C",
        "N",
        "O",
        "F",
        "Ne",
        "Na",
        "Mg",
        "Al",
        "Si",
        "P",
        "S",
        "Cl",
        "Ar",
        "K",
        "Ca",
        "Sc",
        "Ti",
        "V",
        "Cr",
        "Mn",
        "Fe",
        "Co",
        "Ni",
        "Cu",
        "Zn",
        "Ga",
        "Ge",
        "As",
        "Se",
        "Br",
        "Kr",
        "Rb",
        "Sr",
        "Y",
        "Zr",
        "Nb",
        "Mo",
        "Tc",
        "Ru",
        "Rh",
        "Pd",
        "Ag",
        "Cd",
        "In",
        "Sn",
        "Sb",
        "Te",
        "I",
        "Xe",
        "Cs",
        "Ba",
        "La",
        "Ce",
        "Pr",
        "Nd",
        "Pm",
        "Sm",
        "Eu",
        "Gd",
        "Tb",
        "Dy",
        "Ho",
        "Er",
        "Tm",
        "Yb",
        "Lu",
        "Hf",
        "Ta",
        "W",
        "Re",
        "Os",
        "Ir",
        "Pt",
        "Au",
        "Hg",
        "Tl",
        "Pb",
        "Bi",
        "Po",
        "At",
        "Rn",
        "Fr",
        "Ra",
        "Ac",
        "Th",
        "Pa",
        "U",
        "Np",
        "Pu",
        "Am",
        "Cm",
        "Bk",
        "Cf",
        "Es",
        "Fm",
        "Md",
        "No",
        "Lr",
        "Rf",
        "Db",
        "Sg",
        "Bh",
        "Hs",
        "Mt",
        "Ds",
        "Rg",
        "Cn",
        "Nh",
        "Fl",
        "Mc",
        "Lv",
        "Ts",
        "Og",
    ]
)
# of Z = 1 to 94 in Å, by which the typewise repulsion of GPUMD is cut off
# fmt: off
COVALENT_RADII = (
    0.426667, 0.613333, 1.6, 1.25333, 1.02667, 1.0, 0.946667, 0.84, 0.853333, 0.893333, 1.86667, 1.66667,
    1.50667, 1.38667, 1.46667, 1.36, 1.32, 1.28, 2.34667, 2.05333, 1.77333, 1.62667, 1.61333, 1.46667,
    1.42667, 1.38667, 1.33333, 1.32, 1.34667, 1.45333, 1.49333, 1.45333, 1.53333, 1.46667, 1.52, 1.56, 2.52,
    2.22667, 1.96, 1.85333, 1.76, 1.65333, 1.53333, 1.50667, 1.50667, 1.44, 1.53333, 1.64, 1.70667, 1.68,
    1.68, 1.64, 1.76, 1.74667, 2.78667, 2.34667, 2.16, 1.96, 2.10667, 2.09333, 2.08, 2.06667, 2.01333,
    2.02667, 2.01333, 2.0, 1.98667, 1.98667, 1.97333, 2.04, 1.94667, 1.82667, 1.74667, 1.64, 1.57333,
    1.54667, 1.48, 1.49333, 1.50667, 1.76, 1.73333, 1.73333, 1.81333, 1.74667, 1.84, 1.89333, 2.68, 2.41333,
    2.22667, 2.10667, 2.02667, 2.04, 2.05333, 2.06667,
)
# fmt: on
_NOBLE_GASES = (2, 10, 18, 36, 54, 86, 118)
_NUMBER_OF = {symbol: number for number, symbol in enumerate(SYMBOLS, start=1)}


def symbol_of(atomic_number: int) -> str:
    """Return the symbol of an atomic number.

    Raises:
        ConfigError: No element has this number.
    """
    if not 1 <= atomic_number <= len(SYMBOLS):
        raise ConfigError(f"{atomic_number} is no atomic number, expected 1 to {len(SYMBOLS)}")
    return SYMBOLS[atomic_number - 1]


def atomic_number_of(element: str | int) -> int:
    """Return the atomic number of a symbol, a number, or a number written as text.

    Raises:
        ConfigError: No such element.
    """
    text = str(element).strip()
    if text.isascii() and text.isdigit() and len(text) < 10:
        symbol_of(int(text))
        return int(text)
    number = _NUMBER_OF.get(text.capitalize())
    if number is None:
        raise ConfigError(f"unknown element '{element}'; {did_you_mean(text, _NUMBER_OF)}")
    return number


def covalent_radius(element: str | int) -> float:
    """Return the covalent radius of an element in Å, as GPUMD has it.

    Raises:
        ConfigError: No such element, or none is tabulated.
    """
    number = atomic_number_of(element)
    if number > len(COVALENT_RADII):
        last = SYMBOLS[len(COVALENT_RADII) - 1]
        raise ConfigError(f"no covalent radius of {symbol_of(number)} is known; they are up to {last}")
    return COVALENT_RADII[number - 1]


def size_of(element: str | int) -> float:
    """Return the covalent radius of an element in Å; the largest of all where none is known.

    Raises:
        ConfigError: No such element.
    """
    number = atomic_number_of(element)
    return COVALENT_RADII[number - 1] if number <= len(COVALENT_RADII) else max(COVALENT_RADII)


def nearest_relative(element: str, known: Sequence[str]) -> str:
    """Return the one of some elements that is nearest to another in the periodic table.

    That is the one with the fewest steps over groups and periods, in doubt that of its own group, then the first.
    Lanthanides and actinides count as group 3.

    Args:
        element: A symbol.
        known: One or more symbols.
    """
    group, period = _group_and_period(element)

    def steps(symbol: str) -> tuple[int, int]:
        other_group, other_period = _group_and_period(symbol)
        return abs(group - other_group) + abs(period - other_period), abs(group - other_group)

    return min(known, key=steps)


def _group_and_period(element: str) -> tuple[int, int]:
    number = atomic_number_of(element)
    period = next(place for place, last in enumerate(_NOBLE_GASES, start=1) if number <= last)
    before = 0 if period == 1 else _NOBLE_GASES[period - 2]
    length, place = _NOBLE_GASES[period - 1] - before, number - before
    from_end = length - place  # 0 for the noble gas
    if place <= 2 and not (period == 1 and place == 2):
        return place, period
    return max(3, 18 - from_end), period
