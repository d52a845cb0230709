"""The name of every label, once: constant, shape, dtype, unit.

Letters: `F` frames, `N` atoms of the batch. Units are eV and Å; `virial = -stress * volume`. The tensors of the
contract are the fields of `data.batch.Batch`, with their shapes and units there.
"""

from __future__ import annotations

ENERGY = "energy"  # [F] float64, eV
FORCES = "forces"  # [N, 3] float64, eV/Å
VIRIAL = "virial"  # [F, 3, 3] float64, eV, -dE/dstrain
ATOMIC_ENERGIES = "atomic_energies"  # [N] float64, eV
GROUP_ENERGIES = "group_energies"  # [N] float64, eV; made of the atomic energies, see models/group_energies.py

LABELS = (ENERGY, FORCES, VIRIAL, ATOMIC_ENERGIES)  # what a frame can hold
