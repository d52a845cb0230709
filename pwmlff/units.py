"""Unit conversions into the internal units: eV, Å, u, fs.

Readers convert, nothing else does. A name without a unit suffix is in internal units.
Constants: CODATA 2018.
"""

from __future__ import annotations

BOHR = 0.529177210903  # Å
HARTREE = 27.211386245988  # eV
EV_PER_A3_IN_GPA = 160.21766208  # GPa per eV/Å^3
EV_PER_A3_IN_KBAR = 1602.1766208  # kbar per eV/Å^3
COULOMB = 14.399645  # e^2 / (4 pi eps0), eV Å
