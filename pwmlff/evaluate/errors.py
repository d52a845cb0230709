"""Error measures that can be streamed: add frames one by one, or add the statistics of two parts: the same answer.

Nothing but counts, sums and means is kept, so memory does not grow with the data. Means and squared deviations
are combined by the pairwise update of Chan, Golub and LeVeque (1983); the textbook `sum(x^2) - sum(x)^2 / n` would
lose all digits for total energies of thousands of eV that differ by meV.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

# errors are called a rigid shift when their mean exceeds their spread by this factor, and this value (eV/atom)
RIGID_SHIFT_RATIO = 5.0
_LEAST_SHIFT = 1e-3


@dataclass(frozen=True)
class Moments:
    """Count, mean and sum of squared deviations from the mean."""

    count: int = 0
    mean: float = 0.0
    squared_deviation: float = 0.0

    @classmethod
    def of(cls, values: np.ndarray) -> Moments:
        """Moments of all entries of an array."""
        if values.size == 0:
            return cls()
        mean = float(values.mean())
        return cls(values.size, mean, float(np.square(values - mean).sum()))

    def __add__(self, other: Moments) -> Moments:
        """Moments of the union of two sets."""
        count = self.count + other.count
        if count == 0:
            return self
        delta = other.mean - self.mean
        mean = self.mean + delta * other.count / count
        between = delta * delta * self.count * other.count / count
        return Moments(count, mean, self.squared_deviation + other.squared_deviation + between)


@dataclass(frozen=True)
class ErrorStatistics:
    """Everything the error measures of one quantity need; `+` joins two parts.

    Attributes:
        reference: Moments of the labels.
        error: Moments of predicted minus label.
        sum_absolute: Sum of |predicted - label|.
        max_absolute: Largest |predicted - label|.
    """

    reference: Moments = Moments()
    error: Moments = Moments()
    sum_absolute: float = 0.0
    max_absolute: float = 0.0

    @classmethod
    def of(cls, reference: ArrayLike, predicted: ArrayLike) -> ErrorStatistics:
        """Statistics of all entries of two arrays of one shape."""
        labels = np.asarray(reference, dtype=np.float64)
        errors = np.asarray(predicted, dtype=np.float64) - labels
        if errors.size == 0:
            return cls()
        absolute = np.abs(errors)
        return cls(Moments.of(labels), Moments.of(errors), float(absolute.sum()), float(absolute.max()))

    def __add__(self, other: ErrorStatistics) -> ErrorStatistics:
        """Statistics of the union of two sets."""
        return ErrorStatistics(
            self.reference + other.reference,
            self.error + other.error,
            self.sum_absolute + other.sum_absolute,
            float(np.maximum(self.max_absolute, other.max_absolute)),  # unlike max(), keeps a NaN
        )

    @property
    def count(self) -> int:
        """Number of compared values."""
        return self.error.count

    @property
    def rmse(self) -> float | None:
        """Root mean square error; None without labels."""
        if self.count == 0:
            return None
        return float(np.sqrt(self.error.squared_deviation / self.count + self.error.mean**2))

    @property
    def mae(self) -> float | None:
        """Mean absolute error; None without labels."""
        return self.sum_absolute / self.count if self.count else None

    @property
    def max(self) -> float | None:
        """Largest absolute error; None without labels."""
        return self.max_absolute if self.count else None

    @property
    def r2(self) -> float | None:
        """Coefficient of determination, 1 - sum(error^2) / sum((label - mean)^2); None when the labels do not vary."""
        variation = self.reference.squared_deviation
        if self.count < 2 or variation <= (1e-12 * self.reference.mean) ** 2 * self.count:
            return None
        return 1.0 - (self.error.squared_deviation + self.count * self.error.mean**2) / variation

    @property
    def shift(self) -> float | None:
        """Mean of predicted minus label; None without labels."""
        return self.error.mean if self.count else None

    @property
    def is_rigid_shift(self) -> bool:
        """Whether the errors are one constant rather than scatter: their mean is far larger than their spread."""
        if self.count < 2:
            return False
        spread = np.sqrt(self.error.squared_deviation / self.count)
        return bool(abs(self.error.mean) > max(RIGID_SHIFT_RATIO * spread, _LEAST_SHIFT))

    def as_dict(self) -> dict[str, Any]:
        """The measures by name, None where there is nothing to compare."""
        return {"rmse": self.rmse, "mae": self.mae, "max": self.max, "r2": self.r2, "count": self.count}
