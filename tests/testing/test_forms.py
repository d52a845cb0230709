"""A form is what it says it is, and tells what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from toy_model import ToyConfig, ToyModel

from pwmlff.models import Potential
from pwmlff.testing import FORMS, LammpsForm, Subject, check_model, find_program, subject_of
from pwmlff.testing.structures import crystal

needs_lammps = pytest.mark.skipif(find_program("lmp") is None, reason="lmp is not installed")


def toy(dtype: torch.dtype = torch.float64) -> Potential:
    potential = Potential(ToyModel(ToyConfig(cutoff=4.2), 2, dtype), ["Cu", "Au"])
    potential.set_energy_shift(np.array([-3.5, -2.25]))
    return potential


@pytest.mark.parametrize("form", FORMS[:3])
def test_as_the_documentation_says(form: str) -> None:
    check_model(subject_of(toy(), form))


def test_tolerance_is_that_of_the_weights() -> None:
    double, single = subject_of(toy()), subject_of(toy(torch.float32), "native")
    assert single.tolerance.same > 1e3 * double.tolerance.same
    assert double.differentiable is not None
    assert single.differentiable is None
    assert subject_of(toy(), spacing=3.0).spacing == 3.0


def test_unknown_form() -> None:
    with pytest.raises(ValueError, match="form 'scripted' is unknown, expected one of eager, native, exported, lammps"):
        subject_of(toy(), "scripted")


@needs_lammps
def test_lammps_on_two_ranks(tmp_path: Path) -> None:
    """Of any size, on one rank or two."""
    potential = toy()
    subject = subject_of(potential, "lammps", folder=tmp_path)
    frames = [crystal(subject, repeat, seed) for seed, repeat in enumerate([(1, 1, 1), (2, 1, 1), (1, 2, 1)])]
    together = subject.form(frames)
    on_two = subject_of(potential, "lammps", folder=tmp_path, ranks=2).form(frames)
    for a, b, frame in zip(together, on_two, frames, strict=True):
        assert a.forces.shape == (len(frame), 3)
        assert np.abs(a.forces).max() > 1e-3
        np.testing.assert_allclose(b.forces, a.forces, rtol=0, atol=1e-10)
        np.testing.assert_allclose(b.virial, a.virial, rtol=0, atol=1e-9)


@needs_lammps
def test_complaints_of_lammps_are_passed_on(tmp_path: Path) -> None:
    subject = Subject(form=LammpsForm(tmp_path / "absent.pt", ["Cu"]), elements=["Cu"], cutoff=4.0)
    with pytest.raises(RuntimeError, match="absent.pt"):
        subject.form([crystal(subject)])
