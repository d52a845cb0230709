"""`pwmlff compress` from a checkpoint to a checkpoint, and what it measures on the way."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner, Result

from pwmlff.cli.main import app
from pwmlff.compress import compress_model, tabulate
from pwmlff.compress.choose import SPACINGS
from pwmlff.compress.deviations import compare
from pwmlff.compress.structures import hard_sphere_frames
from pwmlff.config import RunConfig
from pwmlff.data.dataset import FrameDataset
from pwmlff.data.frame import Frame
from pwmlff.data.writers import write_extxyz
from pwmlff.errors import ConfigError, DataFormatError, ModelFileError
from pwmlff.evaluate import predict_frames
from pwmlff.export import export_model
from pwmlff.models import Potential, build_potential, predict
from pwmlff.models.dp import DPConfig
from pwmlff.models.dp.compressed import CompressedDeepPotential
from pwmlff.models.files.checkpoint import load_checkpoint, load_potential, save_checkpoint
from pwmlff.train import train_from_config


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.mark.parametrize("name", ["DP", "DP_TYPE_EMBEDDING", "DP+ZBL"])
def test_checkpoint_round_trip(
    make_checkpoint: Callable, two_element_frames: list[Frame], tmp_path: Path, name: str
) -> None:
    source = make_checkpoint(name)
    result = compress_model(source, save=tmp_path / "small")
    assert result.output == tmp_path / "small.ckpt"
    read = load_checkpoint(result.output)
    assert isinstance(read.potential.network, CompressedDeepPotential)
    dataset = FrameDataset(two_element_frames, read.potential.elements, read.potential.cutoff)
    batch = dataset.batch(range(len(dataset)))
    for value, expected in zip(
        vars(predict(read.potential, batch)).values(), vars(predict(result.potential, batch)).values(), strict=True
    ):
        assert value is expected is None or torch.equal(value, expected)
    config, record = read.config, read.config["compression"]
    assert (config["model_type"], config["model"]["table"]["dx"], record["order"]) == ("DP_COMPRESSED", 0.01, 3)
    assert record["source_sha256"] == hashlib.sha256(source.read_bytes()).hexdigest()
    assert record["largest_deviation"]["force"] == result.deviations.force_error
    assert config["train_data"] == load_checkpoint(source).config["train_data"]


def test_deviations_are_those_of_the_two_models(
    make_checkpoint: Callable, two_element_frames: list[Frame], tmp_path: Path
) -> None:
    source = make_checkpoint()
    result = compress_model(source, dx=0.2, save=tmp_path / "small")
    pairs = [predict_frames(load_potential(path), two_element_frames) for path in (source, result.output)]
    energies, forces, virials = [], [], []
    for a, b in zip(*pairs, strict=True):
        n_atoms = len(a.frame)
        energies.append((b.energy - a.energy) / n_atoms)
        forces.append((b.forces - a.forces).ravel())
        virials.append((b.virial - a.virial).ravel() / n_atoms)
    deviations = result.deviations
    assert deviations.n_frames == len(two_element_frames)
    kept = deviations.energy, deviations.forces, deviations.virial
    for sums, values in zip(kept, (energies, forces, virials), strict=True):
        errors = np.hstack(values)
        assert sums.max_absolute == pytest.approx(np.abs(errors).max(), rel=1e-6)
        assert sums.rmse == pytest.approx(np.sqrt(np.square(errors).mean()), rel=1e-6)
    for values in (result.speed.original, result.speed.compressed, result.speed.ratio):
        assert 0 < values.least <= values.median <= values.most


@pytest.mark.parametrize("order", [3, 5])
def test_auto_is_the_coarsest_within_the_tolerance(
    make_checkpoint: Callable, trained: Callable, two_element_frames: list[Frame], tmp_path: Path, order: int
) -> None:
    original = trained("DP")
    errors = {dx: compare(original, tabulate(original, dx, order), two_element_frames).force_error for dx in SPACINGS}
    tolerance = 2 * errors[0.05]
    result = compress_model(make_checkpoint(), dx="auto", order=order, tolerance=tolerance, save=tmp_path / "auto")
    assert result.choice.dx == max(dx for dx, error in errors.items() if error <= tolerance)
    assert set(result.choice.too_coarse) == {dx for dx in SPACINGS if dx > result.choice.dx}
    assert result.deviations.force_error <= tolerance


def test_no_spacing_is_good_enough(make_checkpoint: Callable, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no spacing down to 0.001 .* use order 5"):
        compress_model(make_checkpoint(), dx="auto", tolerance=1e-300, save=tmp_path / "auto")
    assert not (tmp_path / "auto.ckpt").exists()


def test_range_of_given_data(
    make_checkpoint: Callable, trained: Callable, two_element_frames: list[Frame], tmp_path: Path
) -> None:
    """One pure copper frame: the distances of copper are those of the frame, those of gold of the training."""
    from ase import Atoms
    from ase.calculators.singlepoint import SinglePointCalculator

    frame = two_element_frames[0]
    assert set(frame.atomic_numbers) == {29}
    atoms = Atoms(frame.atomic_numbers, positions=frame.positions, cell=frame.cell, pbc=True)
    atoms.set_cell(0.9 * atoms.cell.array, scale_atoms=True)
    distances = atoms.repeat(3).get_all_distances(mic=True)
    atoms.calc = SinglePointCalculator(atoms, energy=0.0, forces=np.zeros((len(atoms), 3)))
    atoms.write(tmp_path / "dense.xyz")
    result = compress_model(make_checkpoint(), [tmp_path / "dense.xyz"], dx=0.1, save=tmp_path / "dense")
    assert result.shortest["Cu"] == pytest.approx(distances[distances > 0].min(), abs=1e-6)
    assert result.shortest["Au"] == float(trained("DP").network.environment.shortest[1])
    assert result.range_source == f"training data (statistics in the checkpoint) and {tmp_path / 'dense.xyz'}"
    assert result.deviations.n_frames == 1
    kept = load_potential(result.output).network.environment.shortest
    assert kept.tolist() == list(result.shortest.values())


def test_data_with_longer_distances(
    make_checkpoint: Callable, trained: Callable, two_element_frames: list[Frame], tmp_path: Path
) -> None:
    """Tables and counts are those of the training data: no pair of it is counted, or lies in the coarse part."""
    loose = [replace(frame, positions=1.2 * frame.positions, cell=1.2 * frame.cell) for frame in two_element_frames]
    write_extxyz(tmp_path / "loose.xyz", loose)
    ended = run("compress", make_checkpoint(), tmp_path / "loose.xyz", "-s", tmp_path / "small")
    assert ended.exit_code == 0, ended.output
    assert f"range from training data (statistics in the checkpoint) and {tmp_path / 'loose.xyz'}; " in ended.stdout
    assert "; later counted as too near: pairs nearer than any of their elements in the training data" in ended.stdout
    read = load_checkpoint(tmp_path / "small.ckpt")
    training = trained("DP").network.environment.shortest.tolist()
    assert list(read.config["compression"]["shortest"].values()) == training
    potential = read.potential.frozen()
    list(predict_frames(potential, two_element_frames))
    assert potential.overflows() == potential.network.overflows() == (0, 0)
    dense = [replace(frame, positions=0.97 * frame.positions, cell=0.97 * frame.cell) for frame in two_element_frames]
    list(predict_frames(potential, dense))
    assert potential.overflows()[0] > 0
    assert potential.network.overflows() == (0, 0)


def test_data_with_shorter_distances_is_counted_all_the_same(
    make_checkpoint: Callable, two_element_frames: list[Frame], tmp_path: Path
) -> None:
    """The net was not trained there, though the tables follow it."""
    dense = [replace(frame, positions=0.7 * frame.positions, cell=0.7 * frame.cell) for frame in two_element_frames]
    write_extxyz(tmp_path / "dense.xyz", dense)
    result = compress_model(make_checkpoint(), [tmp_path / "dense.xyz"], dx=0.05, save=tmp_path / "small")
    potential = load_potential(result.output).frozen()
    list(predict_frames(potential, dense))
    assert potential.overflows()[0] > 0
    assert potential.network.overflows() == (0, 0)


def test_training_data_gone(make_checkpoint: Callable, data_file: Path, tmp_path: Path) -> None:
    data_file.unlink()
    result = compress_model(make_checkpoint(), save=tmp_path / "small")
    assert "made-up structures" in result.measured_on
    assert str(data_file) in result.measured_on
    assert 0 < result.deviations.force_error < 1e-4


def test_made_up_structures(trained: Callable) -> None:
    """They have the neighbours of the training data, no shorter distances, and almost as short ones."""
    potential: Potential = trained("DP")
    environment = potential.network.environment
    frames = hard_sphere_frames(potential, environment.shortest.numpy(), float(environment.n_neighbors), 3)
    dataset = FrameDataset(frames, potential.elements, potential.cutoff)
    batch = dataset.batch(range(3))
    centers = batch.atom_types[batch.pair_centers]
    distances = torch.linalg.vector_norm(batch.pair_vectors, dim=-1)
    for element, shortest in enumerate(environment.shortest.tolist()):
        assert shortest <= distances[centers == element].min() < shortest + 0.1
    n_neighbors = len(distances) / len(batch.atom_types)
    assert n_neighbors == pytest.approx(float(environment.n_neighbors), rel=0.1)


def test_untrained_statistics(tmp_path: Path) -> None:
    config = {"descriptor": {"Rmax": 4.0, "network_size": [4, 8], "M2": 2}}
    potential = build_potential("DP", DPConfig.model_validate(config), ["Cu"])
    save_checkpoint(tmp_path / "new.ckpt", potential, config={"model": config})
    with pytest.raises(ModelFileError, match="does not know the distances of its training data; name data"):
        compress_model(tmp_path / "new.ckpt", save=tmp_path / "small")


def test_command(make_checkpoint: Callable, data_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = make_checkpoint()
    monkeypatch.chdir(tmp_path)
    result = run("compress", source)
    assert result.exit_code == 0, result.output
    assert "4 tables, one per (central, neighbour) type: order 3, dx 0.01" in result.output
    assert "measured on the 6 frames of the training data" in result.output
    assert "wrote cmp_dp_model.ckpt" in result.output
    assert "warning" not in result.output
    result = run("test", "cmp_dp_model.ckpt", data_file, "--no-plots")
    assert result.exit_code == 0, result.output
    assert "warning" not in result.output
    result = run("compress", source, data_file, "-d", "auto", "-o", "5", "-s", "auto", "--tolerance", "1e-6")
    assert result.exit_code == 0, result.output
    assert "measured on the 6 frames given" in result.output
    assert (tmp_path / "auto.ckpt").is_file()


def test_a_coarse_grid_warns(make_checkpoint: Callable, tmp_path: Path) -> None:
    result = run("compress", make_checkpoint(), "-d", "2", "-s", tmp_path / "coarse")
    assert result.exit_code == 0, result.output
    assert "warning: the tables change forces by up to" in result.output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-d", "fine"], "the grid spacing (-d) is 'fine', expected a number such as 0.01, or auto"),
        (["-d", "-1"], "expected a positive number"),
        (["-o", "4"], "order is 4, expected 3 (cubic) or 5 (quintic)"),
        (["none.xyz"], "none.xyz does not exist"),
        (["-s", "model"], "is the model to compress; name another file with -s"),
    ],
)
def test_mistakes(
    make_checkpoint: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], message: str
) -> None:
    make_checkpoint()
    monkeypatch.chdir(tmp_path)
    result = run("compress", "model.ckpt", *words)
    assert result.exit_code == 1
    (line,) = result.output.splitlines()
    assert message in line


def test_compressed_models_are_neither_compressed_nor_trained(
    make_checkpoint: Callable, data_file: Path, tmp_path: Path
) -> None:
    source = make_checkpoint()
    small = compress_model(source, dx=0.1, save=tmp_path / "small").output
    with pytest.raises(ModelFileError, match="compressed already"):
        compress_model(small, save=tmp_path / "smaller")
    start = {"atom_type": ["Cu", "Au"], "train_data": [str(data_file)], "optimizer": {"optimizer": "ADAM"}}
    start |= {"model_store_dir": str(tmp_path / "record"), "device": "cpu"}
    with pytest.raises(ModelFileError, match="is a compressed model, which cannot be trained; start from"):
        train_from_config(RunConfig.model_validate({**start, "model_type": "DP", "model_load_file": str(small)}))
    exported = export_model(source)
    with pytest.raises(ModelFileError, match="is an exported model, which cannot be compressed; compress its"):
        compress_model(exported, save=tmp_path / "smaller")
    with pytest.raises(ModelFileError, match="is an exported model, which cannot be trained; start from"):
        train_from_config(RunConfig.model_validate({**start, "model_type": "DP", "model_load_file": str(exported)}))
    with pytest.raises(ConfigError, match="a DP_COMPRESSED model is not trained; `pwmlff compress` makes it"):
        RunConfig.model_validate({**start, "model_type": "DP_COMPRESSED"})


def test_data_of_other_elements(make_checkpoint: Callable, tmp_path: Path) -> None:
    from ase.build import bulk
    from ase.calculators.singlepoint import SinglePointCalculator

    atoms = bulk("Ag", cubic=True)
    atoms.calc = SinglePointCalculator(atoms, energy=0.0, forces=np.zeros((4, 3)))
    atoms.write(tmp_path / "silver.xyz")
    with pytest.raises(DataFormatError, match="Ag"):
        compress_model(make_checkpoint(), [tmp_path / "silver.xyz"], save=tmp_path / "small")


def test_other_kinds_of_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from toy_model import ToyModel

    from pwmlff.models import MODELS

    monkeypatch.setitem(MODELS, "TOY", ToyModel)
    save_checkpoint(
        tmp_path / "toy.ckpt",
        build_potential("TOY", ToyModel.Config(), ["Cu"]),
        config={"model": {}},
    )
    with pytest.raises(ModelFileError, match="a ToyModel has nothing that tables could replace"):
        compress_model(tmp_path / "toy.ckpt", save=tmp_path / "small")


@pytest.mark.parametrize("dx", ["1e-9", "1e-300", "5e-324"])
def test_tables_that_cannot_fit_are_refused_before_they_are_made(
    make_checkpoint: Callable, tmp_path: Path, dx: str
) -> None:
    result = run("compress", make_checkpoint("DP"), "-d", dx, "-s", tmp_path / "fine")
    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1
    assert f"tables with a grid spacing of {float(dx):g} take " in result.stderr
    assert "take a larger spacing, such as -d 0.001 (" in result.stderr
    assert not (tmp_path / "fine.ckpt").exists()
