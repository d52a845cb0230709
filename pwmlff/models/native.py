"""Networks that the native kernels evaluate: those of a family with kernels, and what is read from an exported file."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor

from pwmlff.errors import ModelFileError
from pwmlff.models.base import Network, Tabulation
from pwmlff.models.evaluation import Evaluation, WithWeights, trained_weights
from pwmlff.ops import StoredEvaluator, StoredModel, library, make_evaluator


class KernelNetwork(Network):
    """A network of a family that has kernels: a subclass gives `stored` besides `forward`.

    The kernels work on weights laid out for the processor. These are laid out anew at each call, which costs little
    beside the evaluation of many atoms, unless the weights are frozen. Where they give no derivatives by the weights,
    training differentiates `forward`, which may well be made of native operations itself.

    Attributes:
        trained_by_kernels_on: Types of the devices on which they do, see `by_parameters`.
    """

    has_kernels = True
    trained_by_kernels_on: ClassVar[tuple[str, ...]] = ()

    def __init__(self) -> None:
        super().__init__()
        self._is_frozen = False
        self._kept: tuple[list[tuple[int, torch.device]], StoredEvaluator] | None = None
        self._overflows = (0, 0)  # of evaluators that were not kept

    def stored(self, geometry: torch.dtype = torch.float64) -> StoredModel:
        """See the base; never None here."""
        raise NotImplementedError

    def native_evaluator(self, device: torch.device) -> StoredEvaluator | None:
        """See the base."""
        evaluator = make_evaluator(self.stored())
        has_kernels = evaluator.native is not None and torch.ops.pwmlff.has_kernels(torch.empty(0, device=device))
        return evaluator if has_kernels else None

    def freeze(self) -> None:
        """Keep what is prepared from the weights."""
        self._is_frozen = True

    def energies_and_gradients(self, *pairs: Tensor, differentiable: bool = False) -> tuple[Tensor, Tensor]:
        """See the base; by the kernels, unless the result will be differentiated and they cannot do that."""
        if differentiable:
            if not self._can_train(pairs):
                return super().energies_and_gradients(*pairs, differentiable=True)
            everyone = torch.tensor([0, len(pairs[3])])
            return WithWeights.apply(self.evaluate_parts(*pairs, part_start=everyone), *trained_weights(self))
        if self._is_frozen:
            return self._keep_evaluator()(*pairs)
        evaluator = make_evaluator(self.stored())
        result = evaluator(*pairs)
        self._overflows = _sum(self._overflows, evaluator.overflows())
        return result

    def evaluate_parts(self, *pairs: Tensor, part_start: Tensor, gradients: bool = True) -> Evaluation:
        """See the base; by the kernels where they differentiate by the weights."""
        if not self._can_train(pairs):
            return super().evaluate_parts(*pairs, part_start=part_start, gradients=gradients)
        evaluator = make_evaluator(self.stored())
        energies, by_vectors, kept = evaluator.evaluate_keeping(pairs)

        def weight_gradients(by_energies: Tensor, by_gradients: Tensor) -> Tensor:
            return self.by_parameters(evaluator.weight_gradients(pairs, kept, part_start, by_energies, by_gradients))

        return Evaluation(energies, by_vectors, weight_gradients)

    def by_parameters(self, by_weights: Tensor) -> Tensor:
        """Return derivatives [..., n] by the trained weights, from those by the weights as the kernels order them.

        Args:
            by_weights: [..., n'] float64.
        """
        raise NotImplementedError

    def _can_train(self, pairs: tuple[Tensor, ...]) -> bool:
        is_offered = pairs[0].device.type in self.trained_by_kernels_on
        return is_offered and library.load() and torch.ops.pwmlff.has_kernels(pairs[0])

    def overflows(self) -> tuple[int, int]:
        """See the base."""
        return self._overflows if self._kept is None else _sum(self._overflows, self._kept[1].overflows())

    def _keep_evaluator(self) -> StoredEvaluator:
        """Return the evaluator of the frozen weights; a new one where, against all promises, these have changed."""
        state = [(tensor._version, tensor.device) for tensor in (*self.parameters(), *self.buffers())]
        if self._kept is None or self._kept[0] != state:
            self._overflows, self._kept = self.overflows(), None
            self._kept = state, make_evaluator(self.stored())
        return self._kept[1]

    def __getstate__(self) -> dict[str, Any]:
        """Copies and other processes prepare their own."""
        return {**self.__dict__, "_kept": None}


class ExportedNetwork(Network):
    """A whole potential that was read from an exported file: it has no weights; a subclass evaluates it.

    Args:
        cutoff: Å.
    """

    untrainable = "an exported model"

    def __init__(self, cutoff: float) -> None:
        super().__init__()
        self.cutoff = cutoff

    def evaluate(self, *pairs: Tensor) -> tuple[Tensor, Tensor]:
        """Return atomic energies [N] and pair gradients [E, 3], without a graph."""
        raise NotImplementedError

    def forward(self, pair_vectors: Tensor, pair_start: Tensor, pair_types: Tensor, atom_types: Tensor) -> Tensor:
        """Return atomic energies [N]; see `Network.forward`, but they have no graph."""
        return self.evaluate(pair_vectors, pair_start, pair_types, atom_types)[0]

    def energies_and_gradients(self, *pairs: Tensor, differentiable: bool = False) -> tuple[Tensor, Tensor]:
        """See the base.

        Raises:
            ModelFileError: Derivatives by the weights are wanted.
        """
        if differentiable:
            raise ModelFileError("an exported model has no weights to differentiate by; use the checkpoint")
        return self.evaluate(*pairs)

    def tabulation(self) -> Tabulation:
        """Refuse, see the base."""
        raise ModelFileError("an exported model cannot be compressed; compress its checkpoint, and export that")


class StoredNetwork(ExportedNetwork):
    """Arrays for the kernels of a family.

    Args:
        stored: The arrays.
        cutoff: Å.
    """

    def __init__(self, stored: StoredModel, cutoff: float) -> None:
        super().__init__(cutoff)
        self.holds_potential = True
        self._stored = stored
        self._evaluator = make_evaluator(stored)

    def stored(self, geometry: torch.dtype = torch.float64) -> StoredModel:
        """Return the arrays in the precision they are stored in."""
        return self._stored

    def check(self, n_elements: int) -> None:
        """Raise ValueError where the arrays are not for so many elements, or reach beyond the cutoff."""
        native = self._evaluator.native
        if native is None:  # the twins have no such questions, and read no memory of others
            return
        n_types, reach = native.extent()
        if n_types != n_elements:
            raise ValueError(f"it names {n_elements} elements, but has weights for {n_types}")
        if not reach <= self.cutoff * (1 + 1e-9):
            raise ValueError(f"its cutoff is {self.cutoff} Å, but its arrays reach to {reach} Å")

    def evaluate(self, *pairs: Tensor) -> tuple[Tensor, Tensor]:
        """See the base."""
        return self._evaluator(*pairs)

    def overflows(self) -> tuple[int, int]:
        """See `Network.overflows`."""
        return self._evaluator.overflows()

    def __getstate__(self) -> dict[str, Any]:
        """Leave the evaluator out."""
        return {name: value for name, value in self.__dict__.items() if name != "_evaluator"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Make it again."""
        super().__setstate__(state)
        self._evaluator = make_evaluator(self._stored)


def _sum(a: tuple[int, int], b: tuple[int, int]) -> tuple[int, int]:
    return a[0] + b[0], a[1] + b[1]
