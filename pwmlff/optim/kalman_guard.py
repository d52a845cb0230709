"""Watches a Kalman filter, which can lose its way for good: a long step into flat tanh, and no gradient leads back.

The error of each quantity is followed as a running average, to which a single odd frame contributes little. The weights
are kept while the errors are good; when an error has grown far beyond its best, they come back. From there the filter
goes on with a smaller covariance, and a smaller one still each time it is lost again before it has done as well. The
weights before the last step are kept as well, for it may be seen to have been wrong as soon as the next batch.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from pwmlff.optim.loss import QUANTITIES

_HORIZON = 20  # steps the average reaches back
_GOOD = 1.5  # weights are kept while no error is this many times its best
_LOST = 10.0  # and given up when one is
_MOST = 20.0  # times the average: what a single step contributes at most
_SHRINK = 0.1  # of the covariance, each time
_PATIENCE = 5  # rollbacks without progress between them, after which a run is given up
_LEAST = 1e-5  # eV/atom, eV/Å: errors below are none, as those of the forces in a perfect crystal


class Guard:
    """Level of the errors and the last good weights.

    Attributes:
        previous: [n], weights before the last step.
        n_rollbacks: Returns to the last good weights.
        n_taken_back: Single steps that were undone.
    """

    def __init__(self, weights: Tensor) -> None:
        """Begin to watch.

        Args:
            weights: [n], good until better ones are known.
        """
        self.previous = weights.clone()
        self.n_rollbacks = self.n_taken_back = 0
        self._n_fruitless = 0  # rollbacks since weights were kept last
        self._kept = weights.clone()
        self._levels = torch.full((len(QUANTITIES),), math.inf, dtype=torch.float64)  # inf: unknown
        self._kept_levels = self._levels.clone()
        self._best = self._levels.clone()
        self._n_seen = 0  # steps since the beginning or the last rollback

    def stands_out(self, errors: dict[str, float]) -> bool:
        """Return whether one of the errors of a batch is far above its level."""
        if self._n_seen < _HORIZON:
            return False
        levels = dict(zip(QUANTITIES, self._levels.tolist(), strict=True))
        return any(error > _LOST * levels[name] for name, error in errors.items())

    def is_lost(self, errors: dict[str, float]) -> bool:
        """Take in the errors of a step by quantity, and say whether one has exploded."""
        self._n_seen += 1
        for index, name in enumerate(QUANTITIES):
            if name not in errors:
                continue
            if not math.isfinite(errors[name]):
                return True
            error, before = max(errors[name], _LEAST), float(self._levels[index])
            if self._n_seen > _HORIZON:
                error = min(error, _MOST * before)
            weight = 1.0 / min(self._n_seen, _HORIZON)
            self._levels[index] = error if math.isinf(before) else before + weight * (error - before)
        if self._n_seen < _HORIZON:  # the average is of too few
            return False
        self._best = torch.minimum(self._best, self._levels)
        return self._above_best() > _LOST

    def keep(self, weights: Tensor) -> None:
        """Remember the weights of the step whose errors were taken in last, if they are good; now and then only."""
        if self._n_seen % _HORIZON == 0 and self._above_best() < _GOOD:
            self._kept, self._kept_levels = weights.clone(), self._levels.clone()
            self._n_fruitless = 0

    def roll_back(self) -> Tensor:
        """Return the last good weights [n]."""
        self.n_rollbacks += 1
        self._n_fruitless += 1
        self._levels, self._n_seen = self._kept_levels.clone(), 0
        self.previous = self._kept
        return self._kept

    @property
    def has_given_up(self) -> bool:
        """Whether going back has not helped several times in a row."""
        return self._n_fruitless > _PATIENCE

    @property
    def factor(self) -> float:
        """What the covariance is to be multiplied by after the last rollback."""
        return _SHRINK**self._n_fruitless

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return all that later decisions depend on."""
        tensors = {"kept": self._kept, "levels": self._levels, "kept_levels": self._kept_levels, "best": self._best}
        tensors["previous"] = self.previous
        counts = {"n_rollbacks": self.n_rollbacks, "n_taken_back": self.n_taken_back}
        counts |= {"n_fruitless": self._n_fruitless, "n_seen": self._n_seen}
        return tensors, counts

    def load_state(self, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
        """Take back what `state` returned."""
        self._kept = tensors["kept"].to(self._kept.device).clone()
        self.previous = tensors.get("previous", self._kept).to(self._kept.device).clone()
        self._levels, self._kept_levels, self._best = (
            tensors[name].cpu().clone() for name in ("levels", "kept_levels", "best")
        )
        self.n_rollbacks, self._n_seen = int(state["n_rollbacks"]), int(state["n_seen"])
        self._n_fruitless, self.n_taken_back = int(state.get("n_fruitless", 0)), int(state.get("n_taken_back", 0))

    def _above_best(self) -> float:
        """Return the worst error as a multiple of its best; 1 before anything is known."""
        is_known = self._best.isfinite()
        return float((self._levels / self._best)[is_known].max()) if is_known.any() else 1.0
