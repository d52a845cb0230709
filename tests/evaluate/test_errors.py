"""Error errors against closed forms and numpy, however the data is cut into parts."""

from __future__ import annotations

from functools import reduce
from operator import add

import numpy as np
import pytest

from pwmlff.evaluate.errors import ErrorStatistics


def test_closed_form() -> None:
    errors = ErrorStatistics.of([1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 6.0])
    assert errors.rmse == pytest.approx(1.0)
    assert errors.mae == pytest.approx(0.5)
    assert errors.max == 2.0
    assert errors.r2 == pytest.approx(1 - 4.0 / 5.0)
    assert errors.shift == pytest.approx(0.5)
    assert errors.count == 4


@pytest.mark.parametrize("offset", [0.0, -1e5])
def test_parts_add_up_to_the_whole(offset: float) -> None:
    """Cutting the data anywhere changes nothing, also for large energies that differ by little."""
    rng = np.random.default_rng(1)
    reference = offset + 0.01 * rng.standard_normal(257)
    predicted = reference + 0.001 * rng.standard_normal(257)
    cuts = [0, 1, 1, 40, 130, 257]  # an empty part among them
    parts = [ErrorStatistics.of(reference[a:b], predicted[a:b]) for a, b in zip(cuts[:-1], cuts[1:], strict=True)]
    joined = reduce(add, parts)
    errors = predicted - reference
    assert joined.rmse == pytest.approx(np.sqrt(np.mean(errors**2)), rel=1e-9)
    assert joined.mae == pytest.approx(np.mean(np.abs(errors)), rel=1e-9)
    assert joined.max == np.abs(errors).max()
    assert joined.r2 == pytest.approx(1 - np.sum(errors**2) / np.sum((reference - reference.mean()) ** 2), rel=1e-9)


def test_no_labels_give_none_not_zero() -> None:
    empty = ErrorStatistics()
    assert (empty.rmse, empty.mae, empty.max, empty.r2, empty.shift) == (None,) * 5
    assert empty + empty == empty


def test_r2_of_labels_that_do_not_vary_is_none() -> None:
    assert ErrorStatistics.of([-7.1] * 5, [-7.0] * 5).r2 is None
    assert ErrorStatistics.of([0.0, 0.0], [0.1, 0.2]).r2 is None


def test_perfect_prediction() -> None:
    errors = ErrorStatistics.of([1.0, 2.0, 4.0], [1.0, 2.0, 4.0])
    assert (errors.rmse, errors.mae, errors.max, errors.r2) == (0.0, 0.0, 0.0, 1.0)
    assert not errors.is_rigid_shift


def test_rigid_shift_is_recognised() -> None:
    rng = np.random.default_rng(2)
    labels = rng.standard_normal(50)
    assert ErrorStatistics.of(labels, labels + 3.0 + 0.01 * rng.standard_normal(50)).is_rigid_shift
    assert not ErrorStatistics.of(labels, labels + rng.standard_normal(50)).is_rigid_shift
    assert not ErrorStatistics.of([1.0], [4.0]).is_rigid_shift  # one frame has no spread to compare with
