"""Arithmetic of a Deep Potential, and how fast this machine does it: the physical limit beside a measured time."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch

_GEMM_SIZE = 1024  # large enough for the peak rate, small enough for 0.1 s
_TANH_SIZE = 1 << 18  # as many numbers as stay in a core's cache
_REPEATS = 7

# a linear layer y = W x costs one product of W with a vector per row in each of: y; dE/dx = W^T dE/dy for the forces;
# then, in the gradient of the loss by W, two products through y and two through dE/dx (by W and by the operand)
_PRODUCTS_PER_LAYER = 6


@dataclass(frozen=True)
class StepCost:
    """Arithmetic of one training step on forces.

    Attributes:
        flops: Multiplications and additions of the matrix products.
        activations: Evaluations of tanh; its derivatives follow from the value.
    """

    flops: float
    activations: float

    def seconds(self, gemm_rate: float, tanh_rate: float) -> float:
        """Return the least time at these rates per second, nothing else counted."""
        return self.flops / gemm_rate + self.activations / tanh_rate


def training_step_cost(
    n_atoms: float, n_pairs: float, embedding: Sequence[int], n_axis: int, fitting: Sequence[int]
) -> StepCost:
    """Count the arithmetic of one step from the sizes of the model.

    Forward, in multiply-adds: a pair passes the embedding net 1 -> embedding[0] -> ... -> M and adds its 4 x M share to
    its atom's sums; an atom contracts 4 x M with 4 x M2 and passes the fitting net M * M2 -> fitting[0] -> ... -> 1.
    A multiply-add is two operations, and each product is done `_PRODUCTS_PER_LAYER` times in a step that fits forces.

    Args:
        n_atoms: Atoms of a batch.
        n_pairs: Directed pairs within the cutoff; padded implementations do more.
        embedding: Widths of the embedding net.
        n_axis: M2.
        fitting: Widths of the fitting net without the input, its last one being 1.
    """
    n_features = embedding[-1]
    per_pair = _products([1, *embedding]) + 4 * n_features
    per_atom = 4 * n_features * n_axis + _products([n_features * n_axis, *fitting])
    return StepCost(
        flops=2.0 * _PRODUCTS_PER_LAYER * (n_pairs * per_pair + n_atoms * per_atom),
        activations=n_pairs * sum(embedding) + n_atoms * sum(fitting[:-1]),
    )


def measure_gemm_rate(dtype: torch.dtype) -> float:
    """Return operations per second of a large square matrix product on torch's threads."""
    a = torch.randn(_GEMM_SIZE, _GEMM_SIZE, dtype=dtype)
    return 2.0 * _GEMM_SIZE**3 / _least_time(lambda: torch.mm(a, a))


def measure_tanh_rate(dtype: torch.dtype) -> float:
    """Return evaluations of tanh per second on torch's threads."""
    x = torch.randn(_TANH_SIZE, dtype=dtype)
    out = torch.empty_like(x)
    return _TANH_SIZE / _least_time(lambda: torch.tanh(x, out=out))


def _products(widths: Sequence[int]) -> int:
    return sum(n_in * n_out for n_in, n_out in pairwise(widths))


def _least_time(work: Callable[[], object]) -> float:
    """Return the shortest of several times: the machine's ability, whatever else runs on it."""
    times = []
    for _ in range(_REPEATS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)
