"""How epochs are ranked, and what a run says of itself."""

from __future__ import annotations

import math

import pytest

from pwmlff import keys
from pwmlff.train.advice import Advice
from pwmlff.train.metrics import EpochResult, Metrics
from pwmlff.train.score import score

TRAINED = [keys.ENERGY, keys.FORCES]
N_EPOCHS = 40


def test_score_depends_on_ratios_only() -> None:
    errors = {keys.ENERGY: 0.004, keys.FORCES: 0.1}
    base = score(errors, TRAINED)
    assert score({keys.ENERGY: 4.0, keys.FORCES: 0.1}, TRAINED) / base == pytest.approx(1000 ** (1 / 3))
    assert score({keys.ENERGY: 0.004, keys.FORCES: 0.05}, TRAINED) / base == pytest.approx(0.5 ** (2 / 3))
    assert score(errors, [keys.FORCES]) == pytest.approx(0.1)


def test_score_of_nothing_is_worst() -> None:
    assert score({}, TRAINED) == math.inf
    assert score({keys.FORCES: math.nan}, TRAINED) == math.inf


def _advice_on(valid: list[float], train: list[float] | None = None, *, has_schedule: bool = False) -> list[str]:
    """Return what is said of a run with these force errors, the energy error a hundredth of them."""
    said: list[str] = []
    advice = Advice(said.append, TRAINED, N_EPOCHS, has_schedule=has_schedule)
    for epoch, (of_valid, of_train) in enumerate(zip(valid, train or valid, strict=True), start=1):
        both = [Metrics(1.0, {keys.ENERGY: 0.01 * f, keys.FORCES: f}) for f in (of_train, of_valid)]
        advice.on_epoch(EpochResult(epoch, epoch, None, 1.0, *both, is_best=False))
    end = advice.at_the_end()
    return said if end is None else [*said, end]


def test_run_that_goes_well_is_left_alone() -> None:
    assert (
        _advice_on([0.1 + 0.9**n + 0.001 * (n % 2) for n in range(N_EPOCHS - 20)][:-4] + [0.2, 0.199, 0.2, 0.199]) == []
    )


def test_run_that_gets_worse_is_told_once_with_the_best_epoch() -> None:
    said = _advice_on([0.1 + 0.9**n for n in range(10)] + [0.6] * 30)
    (worse,) = (line for line in said if "gets worse" in line)
    assert "after epoch 10" in worse


def test_overfitting_is_told() -> None:
    valid = [max(0.1, 1.0 - 0.1 * n) for n in range(10)] + [0.1 + 0.005 * n for n in range(1, 31)]
    train = [max(0.09, 1.0 - 0.1 * n) for n in range(10)] + [0.09 - 0.002 * n for n in range(1, 31)]
    assert any("overfits" in line for line in _advice_on(valid, train))


def test_run_that_stands_still_is_told() -> None:
    level = [1.0] * 5 + [0.1] * 20
    assert any("not fallen by 1 %" in line for line in _advice_on(level))
    assert not any("not fallen by 1 %" in line for line in _advice_on(level, has_schedule=True))  # the rate falls yet


@pytest.mark.parametrize(("has_schedule", "words"), [(True, "--fresh"), (False, "to go on")])
def test_run_that_ends_while_errors_fall_is_told_to_be_longer(has_schedule: bool, words: str) -> None:
    said = _advice_on([0.95**n for n in range(N_EPOCHS)], has_schedule=has_schedule)
    assert "the errors still fell by" in said[-1]
    assert words in said[-1]
