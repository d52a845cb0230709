"""Whether the paper's conclusions hold, by the errors of several seeds.

Errors of two networks are compared as logarithms by Welch's t-test, two-sided, at the level 0.05 divided by the number
of comparisons of the conclusion. A conclusion holds if all its comparisons say so, it does not if one says the
opposite, and is open otherwise: the difference is within the spread.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import ttest_ind
from settings import BASE, BY_DATA, LARGE, SMALL, TABLES, WORST, Setting

LEVEL = 0.05
MUCH = 10.0  # what the paper's >> is taken for

Errors = Mapping[Setting, Sequence[float]]  # one number of each seed


@dataclass(frozen=True)
class Verdict:
    """What became of a conclusion.

    Attributes:
        claim: The conclusion.
        error: By which error.
        outcome: holds, does not hold, is open, or was not run.
        reasons: Comparisons that decided, or that left it open.
    """

    claim: str
    error: str
    outcome: str
    reasons: str


def compare(first: Sequence[float], second: Sequence[float], level: float) -> int:
    """Return -1 where the first errors are smaller than the second, 1 where larger, 0 where that cannot be told."""
    if min(len(first), len(second)) < 2:
        return 0
    result = ttest_ind(np.log(first), np.log(second), equal_var=False)
    return int(np.sign(result.statistic)) if result.pvalue < level else 0


@dataclass(frozen=True)
class Conclusion:
    """What is said of one network.

    Attributes:
        claim: In words.
        about: The network.
        better: Networks that must have smaller errors.
        worse: Networks that must have larger ones.
        no_better: Networks that must not have smaller ones.
        label: Says how a network differs from the others.
    """

    claim: str
    about: Setting
    label: Callable[[Setting], str]
    better: Sequence[Setting] = ()
    worse: Sequence[Setting] = ()
    no_better: Sequence[Setting] = ()

    def judge(self, error: str, errors: Errors) -> Verdict:
        """Judge it by errors, whose name is told; its networks may not have been run."""
        others = [*self.better, *self.worse, *self.no_better]
        if any(setting not in errors for setting in (self.about, *others)):
            return Verdict(self.claim, error, "was not run", "")
        against, unclear = [], []
        for other in others:
            sign = compare(errors[other], errors[self.about], LEVEL / len(others))
            ratio = np.exp(np.mean(np.log(errors[other])) - np.mean(np.log(errors[self.about])))
            described = f"{self.label(other)} ({ratio:.2f})"
            if sign == (1 if other in self.better else -1):
                against.append(described)
            elif sign == 0 and other not in self.no_better:
                unclear.append(described)
        outcome = "does not hold" if against else "is open" if unclear else "holds"
        reasons = [f"against it: {', '.join(against)}"] if against else []
        reasons += [f"within the spread: {', '.join(unclear)}"] if unclear else []
        return Verdict(self.claim, error, outcome, "; ".join(reasons))


def conclusions() -> list[Conclusion]:
    """Return those of the paper, and one of ours."""
    own = [setting for setting in TABLES["functions"] if setting != BY_DATA]
    (worst,) = (setting for setting in own if setting.counts == WORST)
    nets = [setting for setting in TABLES["neurons"] if len(setting.neurons) == 1]
    (raw,) = (setting for setting in TABLES["normalization"] if setting.normalization == "none")

    def functions(setting: Setting) -> str:
        return setting.functions

    return [
        Conclusion(
            f"{BASE.functions} are the best 24 functions",
            BASE,
            functions,
            worse=[setting for setting in own if setting != BASE],
        ),
        Conclusion(
            f"{worst.functions} are the worst",
            worst,
            functions,
            better=[setting for setting in own if setting != worst],
        ),
        Conclusion(
            "functions must be normalised: none is worse",
            raw,
            lambda setting: setting.normalization,
            better=[setting for setting in TABLES["normalization"] if setting != raw],
        ),
        Conclusion(
            "as many neurons as atoms, 27: fewer are worse, more no better",
            BASE,
            lambda setting: setting.width,
            worse=[setting for setting in nets if setting.neurons < BASE.neurons],
            no_better=[setting for setting in nets if setting.neurons > BASE.neurons],
        ),
        Conclusion(
            f"{SMALL.functions}, {SMALL.width} neurons and few frames are poor",
            SMALL,
            lambda setting: f"{setting.functions}, {setting.width} neurons",
            better=[LARGE],
        ),
        Conclusion("(ours) 24 chosen from the data are better than its best", BASE, functions, better=[BY_DATA]),
    ]


def judge_sizes(sizes: Mapping[str, NDArray[np.float64]], order: Sequence[str]) -> Verdict:
    """Judge the order of the sizes of functions, the third of `order` much larger than the fourth.

    Args:
        sizes: Mean size of the functions of each kind in each frame, [F].
        order: Kinds, largest first.
    """
    claim = f"|{order[0]}| > |{order[1]}| > |{order[2]}| >> |{order[3]}| > |{order[4]}|"
    outcomes, reasons = [], []
    for place, (larger, smaller) in enumerate(zip(order, order[1:], strict=False)):
        ratios = sizes[larger] / sizes[smaller]
        least = MUCH if place == 2 else 1.0
        low, high = np.percentile(ratios, [2.5, 97.5])
        outcomes.append("holds" if low > least else "does not hold" if high < least else "is open")
        reasons.append(f"{larger}/{smaller} {np.median(ratios):.3g}")
    outcome = next((each for each in ("does not hold", "is open") if each in outcomes), "holds")
    return Verdict(claim, "values", outcome, ", ".join(reasons))
