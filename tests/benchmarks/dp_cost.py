"""Arithmetic of a Deep Potential, and how fast this machine does it: the physical limit beside a measured time.

python tests/benchmarks/dp_cost.py          # GEMM rates of one core, as JSON
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch

_GEMM_SIZE = 1024  # large enough for the peak rate, small enough for 0.1 s
_GEMM_SIZES = (384, 512, 768, 1024, 1536)  # the best of them is the rate of a core
_TANH_SIZE = 1 << 18  # as many numbers as stay in a core's cache
_REPEATS = 7

# a linear layer y = W x costs one product of W with a vector per row in each of: y; dE/dx = W^T dE/dy for the forces;
# then, in the gradient of the loss by W, two products through y and two through dE/dx (by W and by the operand)
_PRODUCTS_PER_LAYER = 6
_PRODUCTS_FOR_FORCES = 2  # the first two of these
# D = A^T A_<, and dE/dA gets a share from each of the two factors
_PRODUCTS_FOR_DESCRIPTOR = 3


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


@dataclass(frozen=True)
class MDCost:
    """Operations for energy and forces of one atom in one step, by part of the model.

    Attributes:
        fitting: Fitting net, forward and backward.
        descriptor: Sums over neighbours and their contraction, forward and backward.
        features: Embedding net or table: value and derivative of each feature of each pair.
    """

    fitting: float
    descriptor: float
    features: float

    @property
    def flops(self) -> float:
        """All of them."""
        return self.fitting + self.descriptor + self.features

    def __str__(self) -> str:
        parts = f"fitting {self.fitting / 1e6:.2f}, descriptor {self.descriptor / 1e6:.2f}"
        return f"{self.flops / 1e6:.2f} MFLOP per atom and step ({parts}, features {self.features / 1e6:.2f})"


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


def md_step_cost(
    n_pairs: float, embedding: Sequence[int], n_axis: int, fitting: Sequence[int], table_order: int | None = None
) -> MDCost:
    """Count the arithmetic of energy and forces per atom: what cannot be left out, so nothing is counted twice.

    In multiply-adds, per pair and feature: 4 for its share of the sums; backward 4 for the derivative by the row, 4 for
    the one by the feature, and 1 for the one by s. A table of polynomials of order p costs p for the value and p - 1
    for the derivative. Kernels that compute features again instead of storing them do more than is counted.

    Args:
        n_pairs: Directed pairs within the cutoff, per atom.
        embedding: Widths of the embedding net.
        n_axis: M2.
        fitting: Widths of the fitting net without the input, its last one being 1.
        table_order: Of the polynomials that replace the embedding net; None for the net itself.
    """
    n_features = embedding[-1]
    if table_order is None:
        features = _PRODUCTS_FOR_FORCES * _products([1, *embedding])
    else:
        features = n_features * (2 * table_order - 1)
    contraction = _PRODUCTS_FOR_DESCRIPTOR * 4 * n_features * n_axis
    return MDCost(
        fitting=2.0 * _PRODUCTS_FOR_FORCES * _products([n_features * n_axis, *fitting]),
        descriptor=2.0 * (n_pairs * (4 + 4 + 4 + 1) * n_features + contraction),
        features=2.0 * n_pairs * features,
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


def core_gemm_rates() -> dict[str, float]:
    """Return operations per second of one core in "float64" and "float32", measured in a process of its own."""
    # BLAS libraries read their thread counts when they are loaded
    one_thread = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    command = [sys.executable, __file__]
    finished = subprocess.run(command, env={**os.environ, **one_thread}, capture_output=True, text=True, check=True)
    return json.loads(finished.stdout)


def _best_gemm_rate(dtype: str) -> float:
    """Return the best rate of any size and of both libraries at hand, torch's and NumPy's: one alone may be poor."""
    random = np.random.default_rng(0)
    best = 0.0
    for size in _GEMM_SIZES:
        a = random.random((size, size)).astype(dtype)
        out = np.empty_like(a)
        a_torch, out_torch = torch.from_numpy(a), torch.from_numpy(out)
        products = (
            lambda a=a, out=out: np.matmul(a, a, out=out),
            lambda a=a_torch, out=out_torch: torch.mm(a, a, out=out),
        )
        best = max(best, *(2.0 * size**3 / _least_time(product) for product in products))
    return best


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


if __name__ == "__main__":
    print(json.dumps({dtype: _best_gemm_rate(dtype) for dtype in ("float64", "float32")}))
