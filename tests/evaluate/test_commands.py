"""`pwmlff test` and `pwmlff infer` from the command line, and what they say about mistakes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import ase.io
import numpy as np
import pytest
import torch
import typer
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from typer.testing import CliRunner, Result

from pwmlff.cli import infer as infer_module
from pwmlff.cli import test as test_module
from pwmlff.data.frame import Frame
from pwmlff.data.store import write_store
from pwmlff.errors import PwmlffError
from pwmlff.evaluate import predict_frames
from pwmlff.export import export_model
from pwmlff.models import MODELS, Potential, build_potential
from pwmlff.models.files.checkpoint import save_checkpoint

MODEL = {
    "descriptor": {"Rmax": 4.0, "network_size": [4, 8], "M2": 4},
    "fitting_net": {"network_size": [8, 8, 1]},
}

app = typer.Typer()
app.command()(test_module.test)
app.command()(infer_module.infer)


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def complaint(*words: str | Path) -> str:
    """The one line a mistake earns."""
    result = run(*words)
    assert isinstance(result.exception, PwmlffError), result.output
    message = str(result.exception)
    assert "\n" not in message
    return message


def as_atoms(frame: Frame) -> Atoms:
    atoms = Atoms(frame.atomic_numbers, positions=frame.positions, cell=frame.cell, pbc=frame.pbc)
    stress = -frame.virial / frame.volume
    atoms.calc = SinglePointCalculator(atoms, energy=frame.energy, forces=frame.forces, stress=stress)
    return atoms


def write_data(path: Path, frames: Sequence[Frame]) -> Path:
    ase.io.write(path, [as_atoms(frame) for frame in frames], format="extxyz")
    return path


@pytest.fixture
def potential() -> Potential:
    torch.manual_seed(7)
    return build_potential("DP", MODELS["DP"].Config.model_validate(MODEL), ["Cu", "Au"])


@pytest.fixture
def checkpoint(potential: Potential, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkpoint in a folder of its own, which becomes the working directory."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "dp_model.ckpt"
    save_checkpoint(path, potential, config={"model_type": "DP", "atom_type": ["Cu", "Au"], "model": MODEL})
    return path


def test_test_command(potential: Potential, checkpoint: Path, two_element_frames: list[Frame]) -> None:
    data = write_data(Path("frames.xyz"), two_element_frames)
    result = run("test", checkpoint, data, "-o", "out")
    assert result.exit_code == 0, result.exception
    assert "6 frames, 60 atoms" in result.output
    written = json.loads(Path("out/summary.json").read_text())
    errors = [r.forces - r.frame.forces for r in predict_frames(potential, two_element_frames)]
    assert written["force_rmse"] == pytest.approx(np.sqrt(np.mean(np.concatenate(errors) ** 2)), rel=1e-6)
    assert written["n_labelled_frames"]["virial"] == 6
    for name in ("Energy.png", "Force.png", "Virial.png", "dft_force.txt", "inference_summary.txt"):
        assert Path("out", name).stat().st_size > 0


def test_test_command_takes_a_pwmlff_file(checkpoint: Path, two_element_frames: list[Frame]) -> None:
    write_data(Path("frames.xyz"), two_element_frames)
    config = {
        "model_type": "DP",
        "atom_type": [79, 29],  # another order than the model's, which decides
        "model_load_file": checkpoint.name,
        "format": "extxyz",
        "test_data": ["frames.xyz"],
        "test_dir_name": "outcome",
    }
    Path("test.json").write_text(json.dumps(config))
    result = run("test", "test.json", "--no-plots", "--batch-size", "1")
    assert result.exit_code == 0, result.exception
    assert "atom_type lists Au Cu, the model knows Cu Au" in result.output
    assert json.loads(Path("outcome/summary.json").read_text())["n_frames"] == 6
    assert not Path("outcome/Force.png").exists()


@pytest.mark.parametrize("key", ["raw_files", "datasets_path", "test_movement_file"])
def test_test_files_of_pwmlff(checkpoint: Path, two_element_frames: list[Frame], key: str) -> None:
    write_data(Path("frames.xyz"), two_element_frames)
    Path("test.json").write_text(
        json.dumps({"model_type": "DP", key: ["frames.xyz"], "model_load_file": checkpoint.name})
    )
    result = run("test", "test.json", "--no-plots")
    assert result.exit_code == 0, result.exception
    assert json.loads(Path("test_result/summary.json").read_text())["n_frames"] == 6
    assert "atom_type lists" not in result.output


def test_data_sets_of_pwmlff_beside_other_files(checkpoint: Path, cu_frames: list[Frame]) -> None:
    """`format` is that of the files, a data set is known by what it holds; both its parts are tested, which is said."""
    write_data(Path("frames.xyz"), cu_frames[:1])
    for part, frame in (("train", cu_frames[1]), ("valid", cu_frames[2])):
        folder = Path("set", part)
        folder.mkdir(parents=True)
        np.save(folder / "image_type.npy", frame.atomic_numbers[None])
        np.save(folder / "lattice.npy", frame.cell.reshape(1, 9))
        np.save(folder / "position.npy", (frame.positions @ np.linalg.inv(frame.cell)).reshape(1, -1))
        np.save(folder / "energies.npy", [[frame.energy]])
    values = {"raw_files": ["frames.xyz"], "datasets_path": ["set"], "format": "extxyz"}
    Path("test.json").write_text(json.dumps({"model_type": "DP", **values, "model_load_file": checkpoint.name}))
    result = run("test", "test.json", "--no-plots")
    assert result.exit_code == 0, result.exception
    assert json.loads(Path("test_result/summary.json").read_text())["n_frames"] == 3
    assert "set is divided into train and valid: the frames of both are tested" in result.output


def test_labels_of_a_test_by_name(checkpoint: Path, cu_frames: list[Frame]) -> None:
    text = write_data(Path("cu.xyz"), cu_frames).read_text()
    Path("cu.xyz").write_text(text.replace(" energy=", " energy=0 E_dft="))
    assert run("test", checkpoint, "cu.xyz", "--energy-key", "E_dft", "--no-plots").exit_code == 0
    labels = np.loadtxt("test_result/dft_total_energy.txt")
    np.testing.assert_allclose(labels, [frame.energy for frame in cu_frames], rtol=1e-10)
    values = {"test_data": "cu.xyz", "energy_key": "E_dft", "model_load_file": checkpoint.name, "test_dir_name": "b"}
    Path("test.json").write_text(json.dumps(values))
    assert run("test", "test.json", "--no-plots").exit_code == 0
    np.testing.assert_array_equal(np.loadtxt("b/dft_total_energy.txt"), labels)


def test_frames_without_labels_are_tested_when_that_is_meant(checkpoint: Path, cu_frames: list[Frame]) -> None:
    ase.io.write("bare.xyz", Atoms("Cu2", positions=[[0, 0, 0], [0, 0, 2.5]]), format="extxyz")
    write_data(Path("cu.xyz"), cu_frames[:1])
    assert "bare.xyz: none of its 1 frames has an energy" in complaint("test", checkpoint, "cu.xyz", "bare.xyz")
    assert not Path("test_result").exists()
    result = run("test", checkpoint, "cu.xyz", "bare.xyz", "--unlabelled", "--no-plots")
    assert result.exit_code == 0, result.exception
    assert len(np.loadtxt("test_result/inference_total_energy.txt")) == 2


def test_test_command_streams_a_store(checkpoint: Path, two_element_frames: list[Frame]) -> None:
    """The same frames from an HDF5 store and from text give the same errors, and the store keeps their sources."""
    write_data(Path("frames.xyz"), two_element_frames)
    write_store("frames.h5", two_element_frames)
    for data, folder in (("frames.xyz", "text"), ("frames.h5", "store")):
        result = run("test", checkpoint, data, "-o", folder, "--no-plots")
        assert result.exit_code == 0, result.exception
    text, store = (json.loads(Path(folder, "summary.json").read_text()) for folder in ("text", "store"))
    for name in ("energy_rmse_per_atom", "force_rmse", "virial_rmse_per_atom"):
        assert store[name] == pytest.approx(text[name], rel=1e-6)
    assert list(store["per_source"]) == ["cuau.xyz"]


def test_exported_model_is_tested_like_its_checkpoint(checkpoint: Path, two_element_frames: list[Frame]) -> None:
    data = write_data(Path("frames.xyz"), two_element_frames)
    export_model(checkpoint, "dp_model.pt")
    for model, folder in ((checkpoint, "a"), ("dp_model.pt", "b")):
        result = run("test", model, data, "-o", folder, "--no-plots")
        assert result.exit_code == 0, result.exception
    for name in ("inference_total_energy", "inference_force", "inference_virial", "inference_atomic_energy"):
        first, second = (Path(folder, f"{name}.txt").read_text().split() for folder in ("a", "b"))
        np.testing.assert_allclose(np.array(second, dtype=float), np.array(first, dtype=float), rtol=1e-9, atol=1e-11)


def test_mistakes_of_the_test_command(checkpoint: Path, cu_frames: list[Frame]) -> None:
    data = write_data(Path("cu.xyz"), cu_frames[:2])
    assert "model comes first" in complaint("test", data, checkpoint)
    assert "model comes first" in complaint("test", data, data)
    assert "nothing to test on" in complaint("test", checkpoint)
    assert "absent.xyz, no.xyz do not exist" in complaint("test", checkpoint, "absent.xyz", "no.xyz")
    assert "no model file 'absent.ckpt'" in complaint("test", "absent.ckpt", data)
    torch.save({"state_dict": {}}, "old.ckpt")
    assert "checkpoint of PWMLFF" in complaint("test", "old.ckpt", data)
    Path("cut.ckpt").write_bytes(checkpoint.read_bytes()[:-100])
    assert "truncated" in complaint("test", "cut.ckpt", data)
    assert "unknown device 'gpu'" in complaint("test", checkpoint, data, "--device", "gpu")


def test_skip_bad_drops_and_lists(checkpoint: Path, two_element_frames: list[Frame]) -> None:
    good, silver = as_atoms(two_element_frames[1]), as_atoms(two_element_frames[0])
    silver.symbols[:] = "Ag"
    ase.io.write("mixed.xyz", [good, silver], format="extxyz")
    assert "Ag" in complaint("test", checkpoint, "mixed.xyz")
    result = run("test", checkpoint, "mixed.xyz", "--skip-bad", "--no-plots")
    assert result.exit_code == 0, result.exception
    assert "dropped: " in result.output
    assert json.loads(Path("test_result/summary.json").read_text())["n_frames"] == 1


def test_infer_prints_json(potential: Potential, checkpoint: Path, two_element_frames: list[Frame]) -> None:
    frame = two_element_frames[1]
    ase.io.write("POSCAR", as_atoms(frame), format="vasp", direct=False)
    result = run("infer", checkpoint, "POSCAR", "--json")
    assert result.exit_code == 0, result.exception
    content = json.loads(result.output)
    (expected,) = predict_frames(potential, [frame])
    assert content["symbols"].count("Au") == 4
    assert content["energy"] == pytest.approx(expected.energy, abs=1e-6)
    assert sum(content["atomic_energies"]) == pytest.approx(content["energy"], abs=1e-9)
    np.testing.assert_allclose(content["virial"], expected.virial, atol=1e-5)
    np.testing.assert_allclose(content["stress"], -expected.virial / frame.volume, atol=1e-6)
    np.testing.assert_allclose(content["stress_gpa"], 160.2176634 * np.array(content["stress"]), rtol=1e-6)
    units = content["units"]
    assert (units["energy"], units["forces"], units["stress"][:6], units["stress_gpa"][:3]) == (
        "eV",
        "eV/Å",
        "eV/Å^3",
        "GPa",
    )
    assert set(units) == set(content) - {"structure", "symbols", "units"}


def test_infer_prints_text_and_writes_xyz(
    potential: Potential, checkpoint: Path, two_element_frames: list[Frame]
) -> None:
    write_data(Path("in.xyz"), two_element_frames[:1])
    result = run("infer", checkpoint, "in.xyz", "-o", "out.xyz")
    assert result.exit_code == 0, result.exception
    (expected,) = predict_frames(potential, two_element_frames[:1])
    assert f"{expected.energy:.5f}" in result.output
    assert "stress (GPa" in result.output
    atoms = ase.io.read("out.xyz")
    np.testing.assert_allclose(atoms.get_forces(), expected.forces, atol=1e-7)
    np.testing.assert_allclose(-atoms.get_stress(voigt=False) * atoms.get_volume(), expected.virial, atol=1e-5)


def test_infer_of_a_molecule_has_no_stress(checkpoint: Path) -> None:
    ase.io.write("dimer.xyz", Atoms("CuAu", positions=[[0, 0, 0], [0, 0, 2.5]]), format="extxyz")
    content = json.loads(run("infer", checkpoint, "dimer.xyz", "--json").output)
    assert content["stress"] is None
    np.testing.assert_allclose(content["forces"][0], -np.array(content["forces"][1]), atol=1e-12)


def test_mistakes_of_the_infer_command(checkpoint: Path, cu_frames: list[Frame]) -> None:
    data = write_data(Path("cu.xyz"), cu_frames[:1])
    assert "is a model, expected a structure" in complaint("infer", data, checkpoint)
    ase.io.write("silver.xyz", Atoms("Ag2", positions=[[0, 0, 0], [0, 0, 2.5]]), format="extxyz")
    message = complaint("infer", checkpoint, "silver.xyz")
    assert "Ag" in message
    assert "Au" in message
    assert "no structure file 'POSCAR'" in complaint("infer", checkpoint, "POSCAR")
    ase.io.write("file.data", Atoms("Cu2", positions=[[0, 0, 0], [0, 0, 2.5]], cell=[5] * 3), format="lammps-data")
    assert "atom types 1 are; name them in this order with --elements" in complaint("infer", checkpoint, "file.data")
