"""Element symbols and atomic numbers."""

from __future__ import annotations

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
