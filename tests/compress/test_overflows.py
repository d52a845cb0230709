"""Pairs nearer than those a model was made for are counted, in every form a model takes."""

from __future__ import annotations

import copy
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
from pwmlff.data.dataset import FrameDataset, iterate_batches
from pwmlff.data.frame import Frame
from pwmlff.data.writers import write_extxyz
from pwmlff.evaluate import predict_frames
from pwmlff.evaluate.notices import overflow_notices
from pwmlff.export import export_potential
from pwmlff.models import MODELS, Potential, ZBLConfig, build_potential
from pwmlff.models.files import read_model
from pwmlff.ops import library, make_evaluator, reference


@pytest.fixture
def make_untrained(two_element_frames: list[Frame], monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Potential]:
    """Return a function that builds a model which knows the distances of the training frames."""
    from toy_model import ToyModel

    monkeypatch.setitem(MODELS, "TOY", ToyModel)

    def make(name: str) -> Potential:
        key, _, repulsion = name.partition("+")
        section = {"descriptor": {"Rmax": 4.5, "Rmin": 1.0, "M2": 4, "network_size": [6, 12]}} if key == "DP" else {}
        zbl = ZBLConfig(inner=1.2, outer=2.4) if repulsion else None
        potential = build_potential(key, MODELS[key].Config.model_validate(section), ["Cu", "Au"], zbl=zbl)
        dataset = FrameDataset(two_element_frames, potential.elements, potential.cutoff)
        potential.collect_statistics(iterate_batches(dataset, 4))
        return potential

    return make


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


def nearer_than_trained(frames: list[Frame], potential: Potential, batch: Batch) -> int:
    """Compare the distance of each pair with the shortest one of its elements in the training frames."""
    from ase import Atoms

    shortest: dict[frozenset[int], float] = {}
    for frame in frames:
        atoms = Atoms(frame.atomic_numbers, frame.positions, cell=frame.cell, pbc=True).repeat(3)
        distances = atoms.get_all_distances(mic=True)
        np.fill_diagonal(distances, np.inf)
        for a in set(frame.atomic_numbers):
            for b in set(frame.atomic_numbers):
                least = distances[np.ix_(atoms.numbers == a, atoms.numbers == b)].min()
                shortest[frozenset((a, b))] = min(least, shortest.get(frozenset((a, b)), potential.cutoff))
    numbers = np.array([29, 79])
    centers, neighbors = numbers[batch.atom_types[batch.pair_centers]], numbers[batch.pair_types]
    limits = [shortest[frozenset(pair)] for pair in zip(centers, neighbors, strict=True)]
    return int((torch.linalg.vector_norm(batch.pair_vectors, dim=-1).numpy() < np.array(limits) - 1e-5).sum())


def beyond_tables(potential: Potential, batch: Batch) -> tuple[int, int]:
    """Compare s of each pair with the range of its central element."""
    ranges = potential.network.table_summary().ranges
    centers = batch.atom_types[batch.pair_centers]
    s = reference.environment_rows(batch.pair_vectors, 1.0, 4.5)[:, 0]
    limits = [torch.tensor([reach.ends[part] for reach in ranges])[centers] for part in (0, 1)]
    return int((s > limits[0]).sum()), int((s > limits[1]).sum())


@pytest.mark.parametrize("name", ["DP", "DP_TYPE_EMBEDDING"])
def test_counts_are_exact(
    trained: Callable, squeezed: list[Frame], two_element_frames: list[Frame], tmp_path: Path, name: str
) -> None:
    compressed = tabulate(trained(name), 0.02, 3)
    dataset = FrameDataset(squeezed, compressed.elements, compressed.cutoff)
    batch = dataset.batch(range(len(dataset)))
    fine, beyond = beyond_tables(compressed, batch)
    expected = nearer_than_trained(two_element_frames, compressed, batch), beyond
    assert expected[0] > fine > beyond > 0
    exported = read_model(export_potential(compressed, tmp_path / "model.pt")).potential
    for form in (tabulate(trained(name), 0.02, 3), compressed.frozen(), exported):
        assert form.overflows() == (0, 0)
        form.energies_and_gradients(*batch.pairs)
        form.energies_and_gradients(*batch.pairs)
        assert form.overflows() == (2 * expected[0], 2 * expected[1])


@pytest.mark.parametrize("name", ["DP", "DP+ZBL", "TOY"])
def test_models_without_tables_count_too(
    make_untrained: Callable, squeezed: list[Frame], two_element_frames: list[Frame], tmp_path: Path, name: str
) -> None:
    potential = make_untrained(name)
    dataset = FrameDataset(squeezed, potential.elements, potential.cutoff)
    batch = dataset.batch(range(len(dataset)))
    expected = nearer_than_trained(two_element_frames, potential, batch)
    assert expected > 0
    exported = read_model(export_potential(potential, tmp_path / "model.pt"), trust=True).potential
    for form in (copy.deepcopy(potential).frozen(), exported, copy.deepcopy(exported)):
        form.energies_and_gradients(*batch.pairs)
        assert form.overflows() == (expected, 0)
        (notice,) = overflow_notices(form)
        assert notice.endswith(f"met {expected} pairs nearer than any in its training data; it extrapolates there")
    potential.energies_and_gradients(*batch.pairs, differentiable=True)
    assert potential.overflows() == (0, 0)


def test_twins_count_the_same(trained: Callable, squeezed: list[Frame], monkeypatch: pytest.MonkeyPatch) -> None:
    stored = tabulate(trained("DP"), 0.02, 3).stored()
    dataset = FrameDataset(squeezed, ["Cu", "Au"], 4.5)
    batch = dataset.batch(range(len(dataset)))
    native = make_evaluator(stored)
    monkeypatch.setattr(library, "load", lambda: False)
    twin = make_evaluator(stored)
    for evaluator in (native, twin):
        evaluator(*batch.pairs)
    assert native.overflows() == twin.overflows()
    assert twin.overflows()[0] > 0


def test_elements_that_never_met(two_element_frames: list[Frame], make_untrained: Callable) -> None:
    """Any neighbour of a pair of elements that the training data lacks is a new one."""
    potential = make_untrained("DP")
    copper = [frame for frame in two_element_frames if set(frame.atomic_numbers) == {29}]
    potential.collect_statistics(iterate_batches(FrameDataset(copper, potential.elements, potential.cutoff), 4))
    assert potential.shortest.flatten()[1:].tolist() == [potential.cutoff] * 3
    assert list(predict_frames(potential, copper))
    assert potential.overflows() == (0, 0)
    mixed = next(frame for frame in two_element_frames if set(frame.atomic_numbers) == {29, 79})
    list(predict_frames(potential, [mixed]))
    assert potential.overflows()[0] > 0
    potential.extend_shortest(iterate_batches(FrameDataset([mixed], potential.elements, potential.cutoff), 1))
    before = potential.overflows()
    list(predict_frames(potential, [mixed]))
    assert potential.overflows() == before


def test_older_checkpoints_know_no_distances(
    make_checkpoint: Callable, trained: Callable, squeezed: list[Frame], monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are read, counted for by tables alone, and give the same numbers."""
    of_today = Potential.state_dict

    def of_then(self: Potential) -> dict[str, torch.Tensor]:
        return {name: value for name, value in of_today(self).items() if name != "shortest"}

    with monkeypatch.context() as patched:
        patched.setattr(Potential, "state_dict", of_then)
        path = make_checkpoint()
    potential = read_model(path).potential
    assert not potential.knows_shortest()
    results = [list(predict_frames(form, squeezed)) for form in (potential, trained("DP"))]
    for a, b in zip(*results, strict=True):
        assert a.energy == b.energy
        assert np.array_equal(a.forces, b.forces)
    assert potential.overflows() == (0, 0)
    assert overflow_notices(potential) == []
    compressed = tabulate(potential, 0.05, 5)
    list(predict_frames(compressed, squeezed))
    assert compressed.overflows() == compressed.network.overflows() > (0, 0)
    (notice,) = overflow_notices(compressed)
    assert "nearer than any it was compressed for (" in notice
    assert "shortest" not in compressed.stored().arrays


def test_a_frame_read_from_rounded_numbers_is_not_nearer(
    make_untrained: Callable, two_element_frames: list[Frame]
) -> None:
    potential = make_untrained("DP")
    rounded = [replace(frame, positions=np.round(frame.positions, 6)) for frame in two_element_frames]
    list(predict_frames(potential, rounded))
    assert potential.overflows() == (0, 0)


def test_training_frames_are_covered(trained: Callable, two_element_frames: list[Frame]) -> None:
    for name in ("DP", "DP_TYPE_EMBEDDING"):
        potential = tabulate(trained(name), 0.05, 5)
        assert len(list(predict_frames(potential, two_element_frames))) == len(two_element_frames)
        assert overflow_notices(potential) == []


def test_notice(trained: Callable, squeezed: list[Frame]) -> None:
    potential = tabulate(trained("DP"), 0.05, 5)
    list(predict_frames(potential, squeezed))
    (notice,) = overflow_notices(potential)
    nearer, beyond = potential.overflows()
    assert notice.startswith(f"warning: the model met {nearer} pairs nearer than any")
    assert f"{beyond} of them beyond its tables" in notice


def test_devi_names_the_model(make_checkpoint: Callable, squeezed: list[Frame], tmp_path: Path) -> None:
    plain, trajectory = make_checkpoint(), tmp_path / "traj.xyz"
    compressed = compress_model(plain, save=tmp_path / "small").output
    write_extxyz(trajectory, squeezed)
    expected = ""
    for path in (plain, compressed):
        potential = read_model(path).potential
        list(predict_frames(potential, squeezed))
        (notice,) = overflow_notices(potential, f"the model '{path}'")
        expected += notice + "\n"
    words = ["devi", plain, compressed, trajectory, "-o", tmp_path / "devi.out", "--device", "cpu"]
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    assert result.stderr == expected
