"""Shift and factor of symmetry functions, from their values in the training data.

    standard   (mean, 1 / standard deviation)
    range      (smallest, 1 / range), as PWMLFF: a range below 0.1 counts as 0.1
    none       (0, 1)

A function that is the same for all atoms of a type, as far as rounding goes, has the factor 0: nothing can be learned
of it there.
"""

from __future__ import annotations

import torch
from torch import Tensor

_SMALLEST_RANGE = 0.1
_ROUNDING = 1e-10  # of the largest value


class FunctionStatistics:
    """Mean, variance and range of the functions of the atoms of one type, F of them.

    Args:
        n_functions: F.
    """

    def __init__(self, n_functions: int) -> None:
        self.count = 0
        self._mean = torch.zeros(n_functions, dtype=torch.float64)
        self._squares = torch.zeros(n_functions, dtype=torch.float64)  # sum of squared deviations from the mean
        self._lowest = torch.full((n_functions,), torch.inf, dtype=torch.float64)
        self._highest = -self._lowest

    def add(self, values: Tensor) -> None:
        """Take in the values [n, F] of some atoms."""
        n_new = len(values)
        if n_new == 0:
            return
        mean = values.mean(0)
        total = self.count + n_new
        difference = mean - self._mean
        self._squares += (values - mean).square().sum(0) + difference.square() * (self.count * n_new / total)
        self._mean += difference * (n_new / total)
        self.count = total
        self._lowest = torch.minimum(self._lowest, values.amin(0))
        self._highest = torch.maximum(self._highest, values.amax(0))

    @property
    def ranges(self) -> Tensor:
        """Smallest and largest value [F, 2]; 0 and 0 without any atom."""
        return torch.stack([self._lowest, self._highest], dim=1) if self.count else torch.zeros(len(self._mean), 2)

    def scaling(self, normalization: str) -> Tensor:
        """Return shift and factor [F, 2]; without any atom those of no normalisation.

        Args:
            normalization: standard, range or none.
        """
        if normalization == "none" or self.count == 0:
            return torch.tensor([[0.0, 1.0]], dtype=torch.float64).repeat(len(self._mean), 1)
        spread = self._highest - self._lowest
        varies = spread > _ROUNDING * torch.maximum(self._lowest.abs(), self._highest.abs())
        if normalization == "range":
            shift, width = self._lowest, spread.clamp(min=_SMALLEST_RANGE)
        else:
            shift, width = self._mean, (self._squares / self.count).sqrt()
        return torch.stack([shift, torch.where(varies, 1.0 / width, 0.0)], dim=1)
