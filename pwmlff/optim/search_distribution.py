"""A normal distribution of weights that moves to where losses are small: separable natural evolution (SNES).

Members of a generation z_p = mu + sigma s_p, s_p ~ N(0, 1), are ranked by their losses, and with the utility u_p of the
rank of each (Schaul, Glasmachers and Schmidhuber, GECCO 2011; sizes of steps as in GPUMD)

    mu    <- mu + sigma sum_p u_p s_p
    sigma <- sigma exp(eta sum_p u_p (s_p^2 - 1)),     eta = (3 + ln m) / (10 sqrt(m))

Weights of one type of atoms may be ranked by a loss of their own; m is the number of weights, per type.

Letters: `P` members, `n` weights, `R` rankings.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def utilities(n_members: int) -> Floats:
    """Return the utility of each rank, best first, [P]: more than zero for the better half, zero in sum."""
    ranks = np.arange(n_members)
    raw = np.maximum(0.0, math.log(n_members / 2 + 1) - np.log(ranks + 1))
    return raw / raw.sum() - 1 / n_members


class SearchDistribution:
    """Means and deviations of the weights; see the module.

    Attributes:
        mean: mu, [n].
        deviation: sigma, [n].
    """

    def __init__(self, mean: Floats, deviation: Floats, *, largest: float, n_per_type: float, seed: int) -> None:
        """Begin somewhere.

        Args:
            mean: [n].
            deviation: [n]; weights with 0 stay as they are.
            largest: Bound of deviations.
            n_per_type: m.
            seed: Of the members of all generations.
        """
        self.mean, self.deviation = mean, deviation
        self.seed = seed
        self._largest = largest
        self._rate = (3 + math.log(n_per_type)) / (10 * math.sqrt(n_per_type))

    def draw(self, generation: int, n_members: int) -> Floats:
        """Return s [P, n], a function of seed and generation alone."""
        return np.random.default_rng([self.seed, generation]).standard_normal((n_members, len(self.mean)))

    def members(self, s: Floats) -> Floats:
        """Return the weights [P, n] of members with this s [P, n]."""
        return self.mean + self.deviation * s

    def move(self, s: Floats, losses: Floats, ranking_of: NDArray[np.int64]) -> None:
        """Move to where losses are small.

        Args:
            s: [P, n] of the members.
            losses: [R, P].
            ranking_of: [n] the ranking that counts for each weight; those with -1 stay as they are.
        """
        utility = utilities(len(s))
        for number, of_members in enumerate(losses):
            own = ranking_of == number
            if not own.any():
                continue
            ranked = s[np.argsort(of_members, kind="stable")][:, own]
            # not by BLAS, whose sums depend on the number of threads
            by_mean = np.einsum("p,pn->n", utility, ranked)
            by_deviation = np.einsum("p,pn->n", utility, np.square(ranked) - 1)
            self.mean[own] += self.deviation[own] * by_mean
            self.deviation[own] = np.minimum(self._largest, self.deviation[own] * np.exp(self._rate * by_deviation))
