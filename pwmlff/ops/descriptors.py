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


def describe(family: str, arrays: Mapping[str, Tensor], *pairs: Tensor) -> Tensor:
    """Return the descriptors of a stored model, the inputs of its nets.

    Args:
        family: One of `DESCRIPTORS`.
        arrays: Those of the family.
        pairs: The four tensors of a call of `StoredEvaluator`.

    Returns:
        [N, D] float64.
    """
    with torch.no_grad():
        return DESCRIPTORS[family](arrays, *pairs).to(torch.float64)
