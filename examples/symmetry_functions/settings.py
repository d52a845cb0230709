"""What the study compares: networks of Behler and Parrinello that differ in one thing each.

The functions of a kind follow from their number n and the cutoff R by these rules (the paper's own parameters are not
known here):

    G1        cutoffs from R/2 to R in n equal steps, without R/2
    G2        centres from 2.4 Å, where neighbours begin, in n equal steps to R, which is left out; eta = 1 / (2 step^2)
    G3        kappa = pi k / R, k = 1 to n
    G4, G5    zeta 1, 4, 16, each with lambda 1 and -1, and eta R^2 = 1; then the same with 4, 1/4, 16, 1/16
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace
from typing import Any

ETAS, ZETAS, SIGNS = (1.0, 4.0, 0.25, 16.0, 0.0625), (1.0, 4.0, 16.0), (1.0, -1.0)
NEAREST = 2.4  # Å
CHOSEN = "chosen"  # by `pwmlff`, from the training data

Counts = tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Setting:
    """One network and its training data.

    Attributes:
        counts: Kinds of functions and how many of each; of `CHOSEN` half are radial.
        neurons: Of the hidden layers.
        cutoff: Å.
        normalization: Of the functions.
        n_frames: To train on.
    """

    counts: Counts
    neurons: tuple[int, ...] = (27,)
    cutoff: float = 6.0
    normalization: str = "standard"
    n_frames: int = 160

    @property
    def functions(self) -> str:
        """The functions in short."""
        return " + ".join(f"{number} {kind}" for kind, number in self.counts)

    @property
    def width(self) -> str:
        """The hidden layers in short."""
        return " + ".join(str(number) for number in self.neurons)

    @property
    def name(self) -> str:
        """A name for a folder."""
        words = [*(f"{number}{kind}" for kind, number in self.counts), "x".join(str(number) for number in self.neurons)]
        return "-".join([*words, f"{self.cutoff:g}A", self.normalization, str(self.n_frames)])

    @property
    def descriptor(self) -> dict[str, Any]:
        """The section `model.descriptor` of the run file."""
        common = {"normalization": self.normalization}
        if self.counts[0][0] == CHOSEN:
            half = self.counts[0][1] // 2
            return {**common, "Rmax": self.cutoff, "n_radial": half, "n_angular": half}
        return {**common, "functions": [f for kind, n in self.counts for f in functions_of(kind, n, self.cutoff)]}


def functions_of(kind: str, n: int, cutoff: float) -> list[dict[str, Any]]:
    """Return n functions of a kind as a run file lists them; `factor` 2 counts pairs in both orders, as the paper."""
    if kind == "G1":
        return [{"type": kind, "cutoff": 0.5 * cutoff * (1 + k / n)} for k in range(1, n + 1)]
    if kind == "G2":
        step = (cutoff - NEAREST) / n
        centers = [NEAREST + step * k for k in range(n)]
        return [{"type": kind, "cutoff": cutoff, "eta": 0.5 / step**2, "r_s": center} for center in centers]
    if kind == "G3":
        return [{"type": kind, "cutoff": cutoff, "kappa": math.pi * k / cutoff} for k in range(1, n + 1)]
    grid = itertools.islice(itertools.product(ETAS, ZETAS, SIGNS), n)
    common = {"type": kind, "cutoff": cutoff, "factor": 2.0}
    return [{**common, "eta": eta / cutoff**2, "lambda": sign, "zeta": zeta} for eta, zeta, sign in grid]


BEST: Counts = (("G2", 12), ("G4", 6), ("G5", 6))  # of the paper
WORST: Counts = (("G1", 12), ("G4", 12))
BASE = Setting(BEST)
SETS: tuple[Counts, ...] = (
    BEST,
    (("G2", 12), ("G5", 12)),
    (("G2", 12), ("G4", 12)),
    (("G2", 12), ("G3", 12)),
    (("G2", 24),),
    (("G1", 12), ("G4", 6), ("G5", 6)),
    WORST,
    (("G3", 12), ("G4", 6), ("G5", 6)),
)
BY_DATA = replace(BASE, counts=((CHOSEN, 24),))
LARGE = Setting((("G2", 26), ("G4", 12), ("G5", 12)), neurons=(27, 27))
SMALL = Setting((("G2", 10), ("G4", 5), ("G5", 5)), neurons=(2,), n_frames=30)

# what is compared -> its networks
TABLES: dict[str, list[Setting]] = {
    "functions": [*(replace(BASE, counts=counts) for counts in SETS), BY_DATA],
    "number": [
        replace(BASE, counts=(("G2", 6), ("G4", 3), ("G5", 3))),
        replace(BASE, counts=SMALL.counts),
        BASE,
        replace(BASE, counts=LARGE.counts),
    ],
    "neurons": [*(replace(BASE, neurons=(n,)) for n in (2, 13, 27, 54)), replace(BASE, neurons=(27, 27))],
    "cutoff": [replace(BASE, cutoff=cutoff) for cutoff in (4.0, 5.0, 6.0, 8.0)],
    "normalization": [replace(BASE, normalization=name) for name in ("standard", "range", "none")],
    "extremes": [SMALL, LARGE],
}
