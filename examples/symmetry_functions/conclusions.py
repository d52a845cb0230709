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
        outcome: holds, does not hold, open, or not run.
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


def judge(
    claim: str,
    error: str,
    errors: Errors,
    expected: Sequence[tuple[Setting, Setting, bool]],
    label: Callable[[Setting], str],
) -> Verdict:
    """Judge a conclusion.

    Args:
        claim: In words.
        error: Name of the error.
        errors: Of the networks that were run.
        expected: (better, worse, whether it must be better; otherwise it must only not be worse).
        label: Says how a network differs from the others.
    """
    if any(setting not in errors for pair in expected for setting in pair[:2]):
        return Verdict(claim, error, "not run", "")
    level = LEVEL / len(expected)
    against, unclear = [], []
    for better, worse, is_strict in expected:
        sign = compare(errors[better], errors[worse], level)
        if sign > 0:
            against.append(f"{label(worse)} better than {label(better)}")
        elif sign == 0 and is_strict:
            unclear.append(f"{label(better)} like {label(worse)}")
    outcome = "does not hold" if against else "open" if unclear else "holds"
    return Verdict(claim, error, outcome, "; ".join(against or unclear))


def verdicts(error: str, errors: Errors) -> list[Verdict]:
    """Return what becomes of each conclusion by one error."""
    own = [setting for setting in TABLES["functions"] if setting != BY_DATA]
    (worst,) = (setting for setting in own if setting.counts == WORST)
    fewer = [setting for setting in TABLES["neurons"] if sum(setting.neurons) < sum(BASE.neurons)]
    more = [setting for setting in TABLES["neurons"] if sum(setting.neurons) > sum(BASE.neurons)]
    (raw,) = (setting for setting in TABLES["normalization"] if setting.normalization == "none")
    scaled = [setting for setting in TABLES["normalization"] if setting is not raw]
    neurons = [(BASE, setting, True) for setting in fewer] + [(BASE, setting, False) for setting in more]

    def functions(setting: Setting) -> str:
        return setting.functions

    def net(setting: Setting) -> str:
        return f"{setting.n_frames} frames, {sum(n for _, n in setting.counts)} functions, {setting.width} neurons"

    return [
        judge(
            f"{BASE.functions} are the best 24 functions",
            error,
            errors,
            [(BASE, setting, True) for setting in own if setting != BASE],
            functions,
        ),
        judge(
            f"{worst.functions} are the worst",
            error,
            errors,
            [(setting, worst, True) for setting in own if setting != worst],
            functions,
        ),
        judge(
            "functions must be normalised",
            error,
            errors,
            [(setting, raw, True) for setting in scaled],
            lambda setting: setting.normalization,
        ),
        judge(
            "as many neurons as atoms: fewer are worse, more no better",
            error,
            errors,
            neurons,
            lambda setting: setting.width,
        ),
        judge("a small net with few functions and frames is worse", error, errors, [(LARGE, SMALL, True)], net),
        judge("ours: 24 chosen from the data are better", error, errors, [(BY_DATA, BASE, True)], functions),
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
        outcomes.append("holds" if low > least else "does not hold" if high < least else "open")
        reasons.append(f"{larger}/{smaller} {np.median(ratios):.3g}")
    outcome = next((each for each in ("does not hold", "open") if each in outcomes), "holds")
    return Verdict(claim, "values", outcome, ", ".join(reasons))
