"""The section on errors: each of its limits, on labels that are off by a known amount."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from morse import frame_set, morse, subject_of

from pwmlff.data.frame import Frame
from pwmlff.report.errors import errors_section
from pwmlff.report.learning import learning_section
from pwmlff.report.residuals import STRESS, predict
from pwmlff.report.section import Section
from pwmlff.report.tags import Tag
from pwmlff.report.verdict import Grade
from pwmlff.units import EV_PER_A3_IN_GPA


def off(frames: list[Frame], force: float = 0.0, energy: float = 0.0, stress: float = 0.0) -> list[Frame]:
    """Change labels: forces by a fraction of their size, energies by eV/atom up and down, pressure by GPa."""
    changed = []
    for index, frame in enumerate(frames):
        assert frame.forces is not None
        assert frame.energy is not None
        assert frame.virial is not None
        size = np.sqrt(np.square(frame.forces).mean())
        noise = np.random.default_rng(index).standard_normal(frame.forces.shape)
        changed.append(
            replace(
                frame,
                forces=frame.forces + force * size * noise,
                energy=frame.energy + (-1) ** index * energy * len(frame),
                virial=frame.virial + stress / EV_PER_A3_IN_GPA * frame.volume,
            )
        )
    return changed


def section_of(train: list[Frame], test: list[Frame], tags: list[Tag] | None = None) -> Section:
    potential = morse()
    subject = subject_of(potential, train, test)
    of_train = predict(potential, frame_set(train)) if train else None
    of_test = predict(potential, frame_set(test, tags)) if test else None
    return errors_section(subject, of_train, of_test)


@pytest.mark.parametrize(
    ("force", "energy", "grade"),
    [
        (0.0, 0.0, Grade.GREEN),
        (0.10, 0.002, Grade.GREEN),
        (0.25, 0.0, Grade.AMBER),
        (0.60, 0.0, Grade.RED),
        (0.0, 0.010, Grade.AMBER),
        (0.0, 0.030, Grade.RED),
    ],
)
def test_sizes_of_errors(shaken: Callable[..., list[Frame]], force: float, energy: float, grade: Grade) -> None:
    frames = off(shaken(10), force, energy)
    assert section_of(frames, frames).grade is grade


def test_numbers(shaken: Callable[..., list[Frame]]) -> None:
    numbers = section_of([], off(shaken(6), energy=0.004, stress=2.0)).numbers["test"]
    assert numbers["energy"]["rmse"] == pytest.approx(4.0)  # meV/atom
    assert numbers["forces"]["rmse"] == pytest.approx(0.0, abs=1e-9)
    assert numbers["stress"]["max"] == pytest.approx(2.0)  # of all components, GPa


def test_sign_of_stress(shaken: Callable[..., list[Frame]]) -> None:
    (frame,) = shaken(1)
    residuals = predict(morse(), frame_set([frame]))
    assert frame.virial is not None
    xx = -frame.virial[0, 0] / frame.volume * EV_PER_A3_IN_GPA
    assert residuals.labels[STRESS][0] == pytest.approx(xx)


def test_a_constant_is_another_zero_of_energy(shaken: Callable[..., list[Frame]]) -> None:
    frames = [replace(frame, energy=(frame.energy or 0.0) + 5.0 * len(frame)) for frame in shaken(6)]
    section = section_of([], frames)
    assert section.grade is Grade.GREEN
    assert any("another zero of energy" in finding.words for finding in section.findings)


@pytest.mark.parametrize(("force", "grade"), [(0.10, Grade.AMBER), (0.30, Grade.RED)])
def test_overfitting(shaken: Callable[..., list[Frame]], force: float, grade: Grade) -> None:
    """Far better on training frames: red where the test errors are not fine, amber where they are."""
    section = section_of(off(shaken(6), 0.01), off(shaken(6, first_seed=30), force))
    assert section.grade is grade
    assert any("times as much" in finding.words and finding.grade is grade for finding in section.findings)


def test_a_kind_of_frames_that_is_far_worse(shaken: Callable[..., list[Frame]]) -> None:
    frames = off(shaken(18)) + off(shaken(2, first_seed=40), 3.0)
    section = section_of([], frames, [Tag("bulk")] * 18 + [Tag("surface")] * 2)
    words = [finding.words for finding in section.findings if finding.grade is Grade.RED]
    assert any("config_type surface" in line for line in words)
    assert not any("config_type bulk" in line for line in words)


def test_what_is_missing_is_told(shaken: Callable[..., list[Frame]]) -> None:
    bare = [replace(frame, energy=None, forces=None, virial=None) for frame in shaken(6)]
    assert "no labels" in section_of([], bare).words
    assert section_of(shaken(6), []).grade is Grade.AMBER  # nothing unseen
    assert section_of([], shaken(3)).grade is Grade.AMBER  # too few
    no_stress = [replace(frame, virial=None) for frame in shaken(6)]
    assert any("stress" in f.words and f.grade is Grade.GREY for f in section_of([], no_stress).findings)


@pytest.mark.parametrize(
    ("errors", "grade"),
    [
        ([0.5, 0.2, 0.11, 0.103, 0.102, 0.101, 0.1005, 0.1003, 0.1001, 0.1], Grade.GREEN),
        ([0.5, 0.2, 0.1, 0.11, 0.12, 0.12, 0.13, 0.13, 0.13, 0.13], Grade.AMBER),  # rises
        ([0.5, 0.2, 0.1, 0.15, 0.2, 0.2, 0.2, 0.2, 0.25, 0.3], Grade.RED),
        ([1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1], Grade.AMBER),  # still falls
    ],
)
def test_learning_curve(tmp_path: Path, errors: list[float], grade: Grade) -> None:
    for name in ("train", "valid"):
        rows = [f"{epoch:8d} {1.0:22.10e} {error:22.10e} {2.0:22.10e}" for epoch, error in enumerate(errors, 1)]
        head = "   epoch                  loss          RMSE_F(eV/Å)               time(s)"
        (tmp_path / f"epoch_{name}.dat").write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    section = learning_section(tmp_path / "model.ckpt")
    assert section.grade is grade, section.findings
    assert learning_section(tmp_path / "elsewhere" / "deeper" / "model.ckpt").grade is Grade.GREY
