"""Models of any family from their stored arrays: what a family computes, and what every family may have."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from pwmlff.ops.reference import bp, dp, nep
from pwmlff.ops.reference.shortest import count_nearer
from pwmlff.ops.reference.zbl import stored_repulsion_energies

# arrays, pair vectors, pair start, pair types, atom types, overflows -> atomic energies
AtomicEnergies = Callable[[Mapping[str, Tensor], Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]

FAMILIES: dict[str, AtomicEnergies] = {
    "bp": bp.atomic_energies,
    "dp": dp.atomic_energies,
    "nep": nep.atomic_energies,
}


def evaluate(
    family: str,
    arrays: Mapping[str, Tensor],
    pair_vectors: Tensor,
    pair_start: Tensor,
    pair_types: Tensor,
    atom_types: Tensor,
    overflows: Tensor,
) -> tuple[Tensor, Tensor]:
    """Evaluate a stored model.

    Args:
        family: One of `FAMILIES`.
        arrays: Those of the family, and the optional ones of `csrc/core/families.hpp`.
        pair_vectors: [E, 3] float64, Å.
        pair_start: [N + 1] int64.
        pair_types: [E] int64.
        atom_types: [N] int64.
        overflows: [2] int64, added to: pairs nearer than any the model was made for, by the array `shortest` or else
            by its tables, and those of them beyond its tables.

    Returns:
        Atomic energies [N] and pair gradients [E, 3], float64.
    """
    with torch.enable_grad():
        vectors = pair_vectors.detach().requires_grad_(True)
        counts = torch.zeros_like(overflows)
        energies = FAMILIES[family](arrays, vectors, pair_start, pair_types, atom_types, counts)
        if "repulsion.range" in arrays:
            energies = energies + stored_repulsion_energies(arrays, vectors, pair_start, pair_types, atom_types)
        gradients = torch.zeros_like(pair_vectors)
        if energies.requires_grad:  # not so when no atom has a neighbour
            (by_vectors,) = torch.autograd.grad(energies.sum(), vectors, allow_unused=True)
            gradients = gradients if by_vectors is None else by_vectors
    if "shortest" in arrays:
        counts[0] = count_nearer(arrays["shortest"], pair_vectors, pair_start, pair_types, atom_types)
    overflows += counts
    energies = energies.detach()
    if "energy_shift" in arrays:
        energies = energies + arrays["energy_shift"].index_select(0, atom_types)
    return energies, gradients
