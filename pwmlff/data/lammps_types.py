"""Which elements the types of a LAMMPS data file are, where the file tells: by type labels or by masses."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pwmlff.elements import SYMBOLS
from pwmlff.errors import ConfigError

_SAME_MASS = 0.05  # u; files round masses
_OTHER_MASS = 0.3  # u; an element as near as this to the mass makes it ambiguous


def elements_of_types(path: Path, types: NDArray[np.integer], notes: list[str]) -> list[str]:
    """Return the symbols of types 1, 2, ....

    Args:
        path: A LAMMPS data file in units whose masses are g/mol.
        types: Of the atoms it holds.
        notes: What was concluded from masses is appended here.

    Raises:
        ConfigError: The file does not tell.
    """
    text = path.read_text(encoding="utf-8", errors="replace")
    n_types = int(types.max())
    labels = _section(text, "Atom Type Labels")
    if all(labels.get(kind) in SYMBOLS for kind in range(1, n_types + 1)):
        return [labels[kind] for kind in range(1, n_types + 1)]
    masses = _section(text, "Masses")
    symbols = [_symbol_of(masses.get(kind)) for kind in range(1, n_types + 1)]
    known = [symbol for symbol in symbols if symbol is not None]
    if len(known) < len(symbols):
        found = ", ".join(
            str(kind) + (f" (mass {masses[kind]})" if kind in masses else "") for kind in range(1, n_types + 1)
        )
        raise ConfigError(
            f"{path} does not say which elements its atom types {found} are; name them in this order with --elements, "
            "such as --elements Cu,O"
        )
    named = ", ".join(f"{kind} is {symbol}" for kind, symbol in enumerate(known, start=1))
    notes.append(f"{path}: by its masses, atom type {named}; --elements names others")
    return known


def _section(text: str, heading: str) -> dict[int, str]:
    """Return the first word after each type number of a section; empty where there is none."""
    found = re.search(rf"^\s*{heading}\s*(?:#.*)?\n((?:\s*\d+\s+\S+.*\n|\s*\n)*)", text + "\n", re.M)
    rows = [line.split() for line in found.group(1).splitlines()] if found else []
    return {int(row[0]): row[1] for row in rows if len(row) > 1}


def _symbol_of(mass: str | None) -> str | None:
    """Return the one element of a mass in u; None where there is none, or another one is about as heavy."""
    from ase.data import atomic_masses

    try:
        differences = np.abs(atomic_masses[1 : len(SYMBOLS) + 1] - float(mass or "nan"))
    except ValueError:
        return None
    near = np.flatnonzero(differences < _OTHER_MASS)
    return SYMBOLS[near[0]] if len(near) == 1 and differences[near[0]] < _SAME_MASS else None
