"""Neural-network potentials from DFT frames to large-scale molecular dynamics in LAMMPS."""

from __future__ import annotations

__version__ = "0.1.0"
