"""What the nets of a stored model see of each atom."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from pwmlff.ops import symmetry_functions
from pwmlff.ops.reference import dp, nep

# arrays, pair vectors, pair start, pair types, atom types -> descriptors
Descriptors = Callable[[Mapping[str, Tensor], Tensor, Tensor, Tensor, Tensor], Tensor]

DESCRIPTORS: dict[str, Descriptors] = {
    "bp": symmetry_functions.descriptors,
    "dp": dp.descriptors,
    "nep": nep.scaled_descriptors,
}


def describe(
    family: str,
    arrays: Mapping[str, Tensor],
    pair_vectors: Tensor,
    pair_start: Tensor,
    pair_types: Tensor,
    atom_types: Tensor,
) -> Tensor:
    """Return the descriptors of a stored model, the inputs of its nets.

    Args:
        family: One of `DESCRIPTORS`.
        arrays: Those of the family.
        pair_vectors: [E, 3] float64, Å.
        pair_start: [N + 1] int64.
        pair_types: [E] int64.
        atom_types: [N] int64.

    Returns:
        [N, D] float64.
    """
    pairs = (pair_vectors, pair_start, pair_types, atom_types)
    with torch.no_grad():
        return DESCRIPTORS[family](arrays, *pairs).to(torch.float64)
