"""`pwmlff.load` and what a model says in Python."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from families import FAMILIES, small_potential, small_section

import pwmlff
from pwmlff.data.atoms import atoms_of
from pwmlff.data.frame import Frame
from pwmlff.errors import ConfigError, DataFormatError, ModelFileError
from pwmlff.export import export_model
from pwmlff.models.files.checkpoint import save_checkpoint
from pwmlff.models.files.nep_txt import write_nep_txt

CUTOFF = 4.0


@pytest.fixture(params=FAMILIES)
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return _checkpoint(request.param, tmp_path)


def _checkpoint(model_type: str, folder: Path) -> Path:
    potential = small_potential(model_type, CUTOFF, ["Cu"])
    config = {"model_type": model_type, "atom_type": ["Cu"], "model": small_section(model_type, CUTOFF)}
    save_checkpoint(folder / "model.ckpt", potential, config=config)
    return folder / "model.ckpt"


def test_one_structure(path: Path, cu_frames: list[Frame]) -> None:
    """Forces are the negative slope of the energy, the stress that of the energy by strain over the volume."""
    model = pwmlff.load(path)
    assert (model.elements, model.path) == (["Cu"], path)
    atoms = atoms_of(cu_frames[0])
    result = model.predict(atoms)
    assert isinstance(result, pwmlff.FrameResult)
    assert result.forces.shape == (len(atoms), 3)
    assert result.energy == pytest.approx(result.atomic_energies.sum(), abs=1e-10)

    step = 1e-4
    energies = []
    for sign in (1, -1):
        moved = atoms.copy()
        moved.positions[1, 2] += sign * step
        energies.append(model.predict(moved).energy)
    assert -(energies[0] - energies[1]) / (2 * step) == pytest.approx(result.forces[1, 2], abs=1e-6)
    energies = []
    for sign in (1, -1):
        strained = atoms.copy()
        strained.set_cell(atoms.cell.array @ (np.eye(3) + sign * step * np.diag([1.0, 0.0, 0.0])), scale_atoms=True)
        energies.append(model.predict(strained).energy)
    assert result.stress is not None
    slope = (energies[0] - energies[1]) / (2 * step) / atoms.get_volume()
    assert slope == pytest.approx(result.stress[0, 0], abs=1e-6)


def test_several_structures_of_both_kinds(path: Path, cu_frames: list[Frame]) -> None:
    model = pwmlff.load(path)
    mixed = [cu_frames[0], atoms_of(cu_frames[1]), cu_frames[2]]
    results = model.predict(mixed, batch_size=2)
    assert isinstance(results, list)
    for structure, result in zip(mixed, results, strict=True):
        alone = model.predict(structure)
        np.testing.assert_allclose(result.forces, alone.forces, atol=1e-12)
        assert result.energy == pytest.approx(alone.energy, abs=1e-10)
    assert model.predict([]) == []


def test_files_of_every_kind(tmp_path: Path, cu_frames: list[Frame]) -> None:
    """Checkpoint, exported model and nep.txt give the same, descriptors included."""
    checkpoint = _checkpoint("NEP", tmp_path)
    exported = export_model(checkpoint, tmp_path / "model.pt")
    write_nep_txt(tmp_path / "nep.txt", pwmlff.load(checkpoint).potential)
    reference = pwmlff.load(checkpoint).predict(cu_frames[0], descriptors=True)
    for file in (exported, tmp_path / "nep.txt"):
        result = pwmlff.load(file).predict(cu_frames[0], descriptors=True)
        np.testing.assert_allclose(result.forces, reference.forces, atol=1e-5)
        assert result.descriptors is not None
        np.testing.assert_allclose(result.descriptors, reference.descriptors, atol=1e-5)


def test_stress_needs_a_cell(path: Path) -> None:
    model = pwmlff.load(path)
    assert model.predict(Atoms("Cu2", [[0, 0, 0], [2.5, 0, 0]])).stress is None


def test_errors_are_those_of_pwmlff_test(path: Path, cu_frames: list[Frame]) -> None:
    model = pwmlff.load(path)
    forces = [result.forces - frame.forces for frame, result in zip(cu_frames, model.predict(cu_frames), strict=True)]
    rmse = np.sqrt(np.mean(np.square(np.concatenate(forces))))
    assert model.errors(cu_frames).as_dict()["force_rmse"] == pytest.approx(rmse)


@pytest.mark.parametrize(
    ("structure", "error", "message"),
    [
        (molecule("H2O"), DataFormatError, "holds H, but"),
        (["Cu"], ConfigError, r"structure 0 is a str, expected an ase\.Atoms or a frame"),
        (bulk("Cu", a=0.0005), DataFormatError, "spans no volume"),
    ],
)
def test_what_cannot_be_predicted(path: Path, structure: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        pwmlff.load(path).predict(structure)


def test_a_file_that_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="no model file"):
        pwmlff.load(tmp_path / "none.ckpt")


def test_the_package_is_light_and_lists_its_names() -> None:
    """Torch and ASE are not imported before they are needed, and `pwmlff.train` is a function and a package."""
    script = """
import sys, pwmlff
assert not {"torch", "ase", "numpy"} & set(sys.modules), sorted(sys.modules)
assert {"load", "train", "read_frames", "PwmlffCalculator", "Model"} <= set(dir(pwmlff))
function = pwmlff.train
import pwmlff.train.run
assert callable(pwmlff.train) and pwmlff.train is function and pwmlff.train.Trainer
for name in pwmlff.__all__:
    assert getattr(pwmlff, name).__doc__ or name == "__version__", name
"""
    subprocess.run([sys.executable, "-c", script], check=True)
