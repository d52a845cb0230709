"""A model as it is stored, and what evaluates it: the native kernels, or their PyTorch twins where there are none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pwmlff.ops import library, reference


@dataclass(frozen=True)
class StoredModel:
    """The name of a family, and arrays by name; what they mean is known to the family alone.

    Attributes:
        family: Such as "dp".
        arrays: Of float64, float32 or int64; see `csrc/core/families.hpp` and the family's `description.hpp`.
    """

    family: str
    arrays: Mapping[str, Tensor]

    @classmethod
    def from_arrays(cls, family: str, arrays: Mapping[str, Tensor], geometry: torch.dtype) -> StoredModel:
        """Return arrays of a network as a stored model, which knows nothing of what they were computed from.

        Args:
            family: Such as "dp".
            arrays: Those of the family, but for `double_geometry`, which is set here.
            geometry: float64, or float32 for geometry and sums over neighbours in the precision of float32 weights.
        """
        own = {**arrays, "double_geometry": torch.tensor(int(geometry == torch.float64))}
        return cls(family, {name: array.detach() for name, array in own.items()})


class StoredEvaluator:
    """Atomic energies and pair gradients of a stored model, on any device.

    Has copies of the arrays.

    Attributes:
        native: The model of the native library (`torch.classes.pwmlff.Model`), None where that has no kernels.

    Raises:
        RuntimeError: An array is missing or does not fit.
        ValueError: The family is unknown.
    """

    def __init__(self, stored: StoredModel) -> None:
        self.family = stored.family
        self.native: Any = None
        if library.load() and torch.ops.pwmlff.has_family(stored.family):
            self.native = torch.classes.pwmlff.Model(stored.family, dict(stored.arrays))
        elif stored.family not in reference.FAMILIES:
            raise ValueError(f"models of the family {stored.family!r} cannot be evaluated")
        self._arrays = (
            self.native.arrays() if self.native is not None else {k: v.clone() for k, v in stored.arrays.items()}
        )
        self._overflows = torch.zeros(2, dtype=torch.int64)  # met by the twin

    def __call__(
        self, pair_vectors: Tensor, pair_start: Tensor, pair_types: Tensor, atom_types: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return atomic energies [N] in eV and pair gradients [E, 3] in eV/Å, float64.

        Args:
            pair_vectors: [E, 3] float64, Å.
            pair_start: [N + 1] int64.
            pair_types: [E] int64.
            atom_types: [N] int64.
        """
        if self.native is not None and torch.ops.pwmlff.has_kernels(pair_vectors):
            return torch.ops.pwmlff.evaluate(self.native, pair_vectors, pair_start, pair_types, atom_types)
        device = pair_vectors.device
        arrays = {name: array.to(device) for name, array in self._arrays.items()}
        overflows = torch.zeros(2, dtype=torch.int64, device=device)
        result = reference.evaluate(self.family, arrays, pair_vectors, pair_start, pair_types, atom_types, overflows)
        self._overflows += overflows.cpu()
        return result

    def evaluate_keeping(self, pairs: Sequence[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Return energies and pair gradients, and what `weight_gradients` needs of these pairs, for it alone.

        Only where the native kernels of the family differentiate by the weights on the device of the pairs.

        Args:
            pairs: The four arguments of a call.
        """
        return torch.ops.pwmlff.evaluate_keeping(self.native, *pairs)

    def weight_gradients(
        self, pairs: Sequence[Tensor], kept: Tensor, part_start: Tensor, by_energies: Tensor, by_gradients: Tensor
    ) -> Tensor:
        """Return derivatives by the weights of sums over energies and pair gradients, [F, K, n] float64.

        The order of the weights is told by the family, such as in `csrc/core/dp/weight_gradients.hpp`.

        Args:
            pairs: As in `evaluate_keeping`.
            kept: What that returned.
            part_start: [F + 1] int64, atoms of part f are `part_start[f]:part_start[f + 1]`.
            by_energies: [K, N] float64, factors of the energies in each sum.
            by_gradients: [k, E, 3] float64, factors of the pair gradients in the first k sums.
        """
        return torch.ops.pwmlff.weight_gradients(self.native, *pairs, kept, part_start, by_energies, by_gradients)

    def overflows(self) -> tuple[int, int]:
        """Count the pairs met so far that the model was not made for; each (i, j) counts once per call.

        Returns:
            Pairs nearer than any of these elements in the training data, or where the arrays do not say that, than
            its tables were made for; and those of them beyond the tables.
        """
        nearer, beyond = self._overflows.tolist()
        if self.native is not None:
            native_nearer, native_beyond = self.native.overflows()
            nearer, beyond = nearer + native_nearer, beyond + native_beyond
        return nearer, beyond


def make_evaluator(stored: StoredModel) -> StoredEvaluator:
    """Make what evaluates a stored model; see `StoredEvaluator`."""
    return StoredEvaluator(stored)


def evaluate_candidates(
    candidates: Sequence[StoredEvaluator],
    pairs: Sequence[Tensor],
    neighbors: Tensor,
    frame_start: Tensor,
    *,
    virials: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    """Evaluate several models on the same frames, all threads busy with models and frames.

    Only where all are native, on the processor.

    Args:
        candidates: P models of one family.
        pairs: The four arguments of a call.
        neighbors: [E] int64, atom j of each pair in the batch.
        frame_start: [F + 1] int64.
        virials: Whether virials are wanted.

    Returns:
        Atomic energies [P, N] in eV, forces [P, N, 3] in eV/Å and virials [P, F, 3, 3] in eV, or [P, 0, 3, 3].
    """
    natives = [candidate.native for candidate in candidates]
    return torch.ops.pwmlff.evaluate_candidates(natives, *pairs, neighbors, frame_start, virials)
