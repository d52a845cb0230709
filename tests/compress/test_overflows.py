"""Pairs that tables were not made for are counted, in every form a model takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from pwmlff.cli.main import app
from pwmlff.compress import compress_model, tabulate
from pwmlff.data.batch import Batch
from pwmlff.data.dataset import FrameDataset
from pwmlff.data.frame import Frame
from pwmlff.data.writers import write_extxyz
from pwmlff.evaluate import predict_frames
from pwmlff.evaluate.notices import overflow_notices
from pwmlff.export import export_potential
from pwmlff.models import Potential
from pwmlff.models.files import read_model
from pwmlff.ops import reference


@pytest.fixture
def squeezed(two_element_frames: list[Frame]) -> list[Frame]:
    """The training frames, and others in which atoms collide."""
    rng = np.random.default_rng(1)
    frames = list(two_element_frames)
    for frame in two_element_frames:
        shaken = frame.positions + 0.8 * rng.standard_normal(frame.positions.shape)
        frames.append(replace(frame, positions=shaken, energy=None, forces=None, virial=None))
    close = frames[2].positions.copy()
    close[1] = close[0] + [0.05, 0.0, 0.0]
    return [*frames, replace(frames[2], positions=close, energy=None, forces=None, virial=None)]


def brute_force(potential: Potential, batch: Batch) -> tuple[int, int]:
    """Compare s of each pair with the range of its central element."""
    ranges = potential.network.table_summary().ranges
    centers = batch.atom_types[batch.pair_centers]
    s = reference.environment_rows(batch.pair_vectors, 1.0, 4.5)[:, 0]
    limits = [torch.tensor([getattr(reach, name) for reach in ranges])[centers] for name in ("fine", "coarse")]
    return int((s > limits[0]).sum()), int((s > limits[1]).sum())


@pytest.mark.parametrize("name", ["DP", "DP_TYPE_EMBEDDING"])
def test_counts_are_exact(trained: Callable, squeezed: list[Frame], tmp_path: Path, name: str) -> None:
    compressed = tabulate(trained(name), 0.02, 3)
    dataset = FrameDataset(squeezed, compressed.elements, compressed.cutoff)
    batch = dataset.batch(range(len(dataset)))
    expected = brute_force(compressed, batch)
    assert expected[0] > expected[1] > 0
    exported = read_model(export_potential(compressed, tmp_path / "model.pt")).potential
    for form in (tabulate(trained(name), 0.02, 3), compressed.frozen(), exported):
        assert form.network.overflows() == (0, 0)
        form.energies_and_gradients(*batch.pairs)
        form.energies_and_gradients(*batch.pairs)
        assert form.network.overflows() == (2 * expected[0], 2 * expected[1])


def test_training_frames_are_covered(trained: Callable, two_element_frames: list[Frame]) -> None:
    for name in ("DP", "DP_TYPE_EMBEDDING"):
        potential = tabulate(trained(name), 0.05, 5)
        assert len(list(predict_frames(potential, two_element_frames))) == len(two_element_frames)
        assert overflow_notices(potential) == []


def test_notice(trained: Callable, squeezed: list[Frame]) -> None:
    potential = tabulate(trained("DP"), 0.05, 5)
    list(predict_frames(potential, squeezed))
    (notice,) = overflow_notices(potential)
    nearer, beyond = potential.network.overflows()
    assert notice.startswith(f"warning: the model met {nearer} pairs nearer than any")
    assert f"{beyond} of them beyond its tables" in notice


def test_devi_names_the_model(make_checkpoint: Callable, squeezed: list[Frame], tmp_path: Path) -> None:
    plain, trajectory = make_checkpoint(), tmp_path / "traj.xyz"
    compressed = compress_model(plain, save=tmp_path / "small").output
    write_extxyz(trajectory, squeezed)
    potential = read_model(compressed).potential
    list(predict_frames(potential, squeezed))
    (expected,) = overflow_notices(potential)
    words = ["devi", plain, compressed, trajectory, "-o", tmp_path / "devi.out", "--device", "cpu"]
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    assert result.stderr == expected.replace("the model", f"the model '{compressed}'") + "\n"


def test_models_without_tables(trained: Callable, squeezed: list[Frame]) -> None:
    potential = trained("DP")
    list(predict_frames(potential, squeezed))
    assert overflow_notices(potential) == []
    assert potential.network.overflows() == (0, 0)
