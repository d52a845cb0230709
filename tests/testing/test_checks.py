"""Each check passes a sound model and notices the models that break its law."""

from __future__ import annotations

from dataclasses import replace

import pytest
from broken_models import BROKEN, CUTOFF, gradients_of, sound, subject

from pwmlff.testing import PairForm, Subject, check_model, checks_for

ALL_CHECKS = checks_for(subject())


def noticed_by(broken: Subject) -> set[str]:
    """Return the names of the checks that fail."""
    noticed = set()
    for name, check in ALL_CHECKS.items():
        try:
            check(broken)
        except AssertionError:
            noticed.add(name)
    return noticed


@pytest.mark.parametrize("name", ALL_CHECKS)
def test_sound_model_passes(name: str) -> None:
    ALL_CHECKS[name](subject())


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize("name", BROKEN)
def test_broken_model_is_noticed(name: str) -> None:
    make, expected = BROKEN[name]
    noticed = noticed_by(make())
    assert expected <= noticed


def test_every_check_can_fail() -> None:
    assert set().union(*(checks for _, checks in BROKEN.values())) == set(ALL_CHECKS)


def test_one_call_reports_every_failure() -> None:
    check_model(subject())
    with pytest.raises(AssertionError) as caught:
        check_model(BROKEN["has half a virial"][0]())
    lines = str(caught.value).splitlines()
    assert any(line.startswith("newton: virial and its transpose, eV: found ") for line in lines)
    assert any(line.startswith("rotation of a crystal: virial, eV: found ") for line in lines)


def test_checks_that_do_not_apply_are_left_out() -> None:
    bare = replace(subject(), reference=None, differentiable=None)
    assert set(ALL_CHECKS) - set(checks_for(bare)) == {"reference", "second_derivatives", "parameter_derivatives"}


def test_model_that_is_not_felt_is_told() -> None:
    """A structure without forces would pass everything."""
    with pytest.raises(AssertionError, match="too small for the check to mean anything"):
        ALL_CHECKS["rotation"](replace(subject(), spacing=5.0))


def test_one_element() -> None:
    """Structures are made of the elements there are."""
    form = PairForm(gradients_of(sound), ["Cu"], CUTOFF)
    check_model(Subject(form=form, elements=["Cu"], cutoff=CUTOFF))
