"""Watches a Kalman filter, which can lose its way for good: a long step into flat tanh, and no gradient leads back.

The error of each quantity is followed as an average of its logarithm over some steps, which single odd frames hardly
move. The weights are kept while the errors are good; when an error has grown far beyond its best, they come back.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from pwmlff.optim.loss import QUANTITIES

_HORIZON = 20  # steps the average reaches back
_GOOD = math.log(1.5)  # weights are kept while no error is this far above its best
_LOST = math.log(10.0)  # and given up when one is
_LEAST, _MOST = -1.0, 3.0  # change of a logarithm that counts: crystals without forces have no error to speak of
_TINY = 1e-12


class Guard:
    """Level of the errors and the last good weights."""

    def __init__(self, weights: Tensor) -> None:
        """Begin to watch.

        Args:
            weights: [n], good until better ones are known.
        """
        self.n_rollbacks = 0
        self._kept = weights.clone()
        self._levels = torch.full((len(QUANTITIES),), math.inf, dtype=torch.float64)  # inf: unknown
        self._kept_levels = self._levels.clone()
        self._best = self._levels.clone()
        self._n_seen = 0  # steps since the beginning or the last rollback

    def is_lost(self, errors: dict[str, float]) -> bool:
        """Take in the errors of a step by quantity, and say whether one has exploded."""
        for index, name in enumerate(QUANTITIES):
            if name in errors:
                if not math.isfinite(errors[name]):
                    return True
                log = math.log(max(errors[name], _TINY))
                before = self._levels[index]
                change = min(max(log - float(before), _LEAST), _MOST)
                self._levels[index] = log if before.isinf() else before + change / _HORIZON
        self._n_seen += 1
        if self._n_seen >= _HORIZON:
            self._best = torch.minimum(self._best, self._levels)
        return bool(self._above_best() > _LOST)

    def keep(self, weights: Tensor) -> None:
        """Remember the weights of the step whose errors were taken in last, if they are good; now and then only."""
        if self._n_seen % _HORIZON == 0 and self._above_best() < _GOOD:
            self._kept, self._kept_levels = weights.clone(), self._levels.clone()

    def roll_back(self) -> Tensor:
        """Return the last good weights [n]."""
        self.n_rollbacks += 1
        self._levels, self._n_seen = self._kept_levels.clone(), 0
        return self._kept

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return all that later decisions depend on."""
        tensors = {"kept": self._kept, "levels": self._levels, "kept_levels": self._kept_levels, "best": self._best}
        return tensors, {"n_rollbacks": self.n_rollbacks, "n_seen": self._n_seen}

    def load_state(self, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
        """Take back what `state` returned."""
        self._kept = tensors["kept"].to(self._kept.device).clone()
        self._levels, self._kept_levels, self._best = (
            tensors[name].cpu().clone() for name in ("levels", "kept_levels", "best")
        )
        self.n_rollbacks, self._n_seen = int(state["n_rollbacks"]), int(state["n_seen"])

    def _above_best(self) -> float:
        """Return how far the worst error is above its best, as a logarithm; 0 before anything is known."""
        above = (self._levels - self._best).nan_to_num(0.0, neginf=0.0)
        return max(float(above.max()), 0.0)
