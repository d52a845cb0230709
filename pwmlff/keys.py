"""The name of every quantity, once: constant, shape, dtype, unit.

Letters: `F` frames, `N` atoms of the batch, `E` directed pairs i -> j, `T` types (elements).
Cell vectors are rows; `virial = -stress * volume`; units are eV and Å unless a name says otherwise.
"""

from __future__ import annotations

# structure
POSITIONS = "positions"  # [N, 3] float64, Å
CELL = "cell"  # [F, 3, 3] float64, Å, rows are the cell vectors
PBC = "pbc"  # [F, 3] bool
ATOMIC_NUMBERS = "atomic_numbers"  # [N] int
FRAME_START = "frame_start"  # [F + 1] int64, atoms of frame f are frame_start[f]:frame_start[f + 1]

# the contract of all models
PAIR_VECTORS = "pair_vectors"  # [E, 3] float64, Å, r_j - r_i, periodic image applied
PAIR_START = "pair_start"  # [N + 1] int64, pairs of atom i are pair_start[i]:pair_start[i + 1]
PAIR_TYPES = "pair_types"  # [E] int64, type index of j
ATOM_TYPES = "atom_types"  # [N] int64, type index of i
PAIR_NEIGHBORS = "pair_neighbors"  # [E] int64, index of atom j in the batch
PAIR_GRADIENTS = "pair_gradients"  # [E, 3] float64, eV/Å, dE/dr_ij

# labels and predictions
ENERGY = "energy"  # [F] float64, eV
FORCES = "forces"  # [N, 3] float64, eV/Å
VIRIAL = "virial"  # [F, 3, 3] float64, eV, -dE/dstrain
ATOMIC_ENERGIES = "atomic_energies"  # [N] float64, eV

LABELS = (ENERGY, FORCES, VIRIAL, ATOMIC_ENERGIES)
