"""`pwmlff init`."""

from __future__ import annotations

from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
from typer.testing import CliRunner

from pwmlff.cli.main import app
from pwmlff.config import load_config
from pwmlff.data.readers import ReadReport
from pwmlff.train.data import read_run_frames

runner = CliRunner()

OXIDE = """3
Lattice="6 0 0 0 6 0 0 0 6" Properties=species:S:1:pos:R:3:forces:R:3 energy=-1.0 pbc="T T T"
Cu 0 0 0 0 0 0
O 2 0 0 0 0 0
H 0 2 0 0 0 0
"""


def test_writes_a_file_that_training_accepts(tmp_path: Path) -> None:
    path = tmp_path / "dp.json"
    result = runner.invoke(app, ["init", "dp", "-o", str(path), "--elements", "cu, O", "--data", "a", "--data", "b"])
    assert result.exit_code == 0
    assert result.stdout == f"wrote {path}; next: pwmlff train {path}\n"
    config = load_config(path)
    assert config.elements == ["Cu", "O"]
    assert config.optimizer.optimizer == "LKF"
    assert config.train_data == (Path("a"), Path("b"))


def test_default_file_name_and_reminder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = runner.invoke(app, ["init", "DP"])
    assert result.exit_code == 0
    assert "set atom_type and train_data to your elements and files" in result.stderr
    assert load_config("dp.json").elements == ["Cu"]


def test_elements_are_read_from_the_data(tmp_path: Path) -> None:
    data, path = tmp_path / "train.xyz", tmp_path / "dp.json"
    data.write_text(OXIDE)
    result = runner.invoke(app, ["init", "dp", "-o", str(path), "--data", str(data)])
    assert result.exit_code == 0, result.output
    assert load_config(path).elements == ["H", "O", "Cu"]


def test_cutoffs_of_a_nep_hold_as_many_neighbors_in_any_material(tmp_path: Path) -> None:
    # fcc has 78 neighbours within the fifth shell, 86 from the sixth on, a sqrt(3); 54 from the fourth on, a sqrt(2)
    path, data = tmp_path / "nep.json", tmp_path / "fcc.xyz"
    for constant, expected in ((3.0, (5.0, 4.0)), (4.0, (7.0, 5.5)), (9.0, (8.0, 6.0))):
        atoms = bulk("Cu", a=constant)
        atoms.calc = SinglePointCalculator(atoms, energy=-1.0, forces=np.zeros((1, 3)))
        ase.io.write(data, atoms)
        result = runner.invoke(app, ["init", "nep", "-o", str(path), "--data", str(data), "--force"])
        assert result.exit_code == 0, result.output
        config = load_config(path)
        assert config.model.descriptor.cutoff == expected
        assert config.model.descriptor.l_max == (4, 1, 1, 1, 1, 1)
        assert config.model.version == 4


def test_does_not_overwrite_unless_forced(tmp_path: Path) -> None:
    path = tmp_path / "dp.json"
    path.write_text("precious")
    refused = runner.invoke(app, ["init", "dp", "-o", str(path)])
    assert refused.exit_code == 1
    assert "exists already" in refused.stderr
    assert path.read_text() == "precious"
    assert runner.invoke(app, ["init", "dp", "-o", str(path), "--force"]).exit_code == 0
    assert load_config(path).model_key == "DP"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["dpp"], "there is no model 'dpp'; did you mean 'DP'"),
        (["dp", "--elements", "Cu,Xx"], "unknown element 'Xx'"),
        (["dp", "--elements", ""], "no elements"),
        (["dp", "--elements", "Cu,Cu"], "Cu is given twice"),
    ],
)
def test_wrong_arguments_write_nothing(arguments: list[str], message: str, tmp_path: Path) -> None:
    path = tmp_path / "dp.json"
    result = runner.invoke(app, ["init", *arguments, "-o", str(path)])
    assert result.exit_code == 1
    assert message in result.stderr
    assert not path.exists()


def _labelled(path: Path, *, n_frames: int, spacing: float, with_stress: bool) -> None:
    """Write frames of a distorted crystal with labels of a spring model."""
    random, frames = np.random.default_rng(1), []
    for _ in range(n_frames):
        atoms = bulk("Cu", "sc", a=spacing).repeat(3)
        shifts = 0.05 * random.standard_normal((len(atoms), 3))
        atoms.positions += shifts
        stress = 0.01 * random.standard_normal(6) if with_stress else None
        energy = 0.5 * float((shifts**2).sum())
        atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=-shifts, stress=stress)
        frames.append(atoms)
    ase.io.write(path, frames)


def test_virials_of_no_material_are_not_trained(tmp_path: Path) -> None:
    data = tmp_path / "train.xyz"
    _labelled(data, n_frames=4, spacing=2.6, with_stress=True)
    frames = ase.io.read(data, ":")
    for atoms in frames:
        atoms.calc.results["stress"] = np.array([1.0, 1.0, 1.0, 0.0, 0.0, 0.0])  # eV/Å^3, under tension
    ase.io.write(data, frames)
    result = runner.invoke(app, ["init", "-o", str(tmp_path / "run.json"), "--data", str(data)])
    assert result.exit_code == 0, result.output
    assert "they mean a pressure of -160 GPa" in result.output
    assert not load_config(tmp_path / "run.json").optimizer.train_virial


def test_data_that_are_divided_stay_so(tmp_path: Path) -> None:
    for part, n_frames in ("train", 20), ("valid", 5):
        (tmp_path / "data" / part).mkdir(parents=True)
        _labelled(tmp_path / "data" / part / "frames.xyz", n_frames=n_frames, spacing=2.6, with_stress=False)
    result = runner.invoke(app, ["init", "-o", str(tmp_path / "run.json"), "--data", str(tmp_path / "data")])
    assert result.exit_code == 0, result.output
    assert "the data are divided, 5 frames choose the best epoch" in result.output
    data = read_run_frames(load_config(tmp_path / "run.json"), ReadReport())
    assert (len(data.train), len(data.valid)) == (20, 5)


def test_element_whose_size_is_not_known(tmp_path: Path) -> None:
    data = tmp_path / "train.xyz"
    _labelled(data, n_frames=4, spacing=2.9, with_stress=False)
    data.write_text(data.read_text().replace("Cu ", "Es "))
    result = runner.invoke(app, ["init", "-o", str(tmp_path / "run.json"), "--data", str(data)])
    assert result.exit_code == 0, result.output
    assert load_config(tmp_path / "run.json").atom_type == ("Es",)


def test_another_model_is_not_translated_to(tmp_path: Path) -> None:
    source = tmp_path / "input.json"
    source.write_text("{}")
    result = runner.invoke(app, ["init", "nn", "--from", str(source)])
    assert result.exit_code == 1
    assert "leave that out" in result.output


@pytest.mark.parametrize("model", ["dp", "dp_type_embedding", "nep", "nn"])
@pytest.mark.parametrize("with_stress", [True, False])
def test_settings_are_those_of_the_data(model: str, with_stress: bool, tmp_path: Path) -> None:
    path, data = tmp_path / "run.json", tmp_path / "train.xyz"
    _labelled(data, n_frames=20, spacing=2.6, with_stress=with_stress)
    result = runner.invoke(app, ["init", model, "-o", str(path), "--data", str(data)])
    assert result.exit_code == 0, result.output
    config = load_config(path)
    assert config.optimizer.train_virial == with_stress
    assert config.optimizer.batch_size == 2  # few frames
    assert config.optimizer.epochs == 60
    assert config.valid_ratio == 0.2
    assert config.zbl is not None
    assert config.zbl.flexible[0][1] < 2.6  # ends before the data begin
    lines = path.read_text().splitlines()
    for words in (
        "of 20 frames have virials",
        "4 of 20 frames are held out",
        "each on this machine",
        "keeps atoms apart",
    ):
        assert sum(words in line for line in lines) == 1


def test_data_with_short_distances_get_no_repulsion(tmp_path: Path) -> None:
    path, data = tmp_path / "run.json", tmp_path / "train.xyz"
    _labelled(data, n_frames=4, spacing=1.5, with_stress=False)  # copper atoms touch at 2.6 Å
    result = runner.invoke(app, ["init", "nep", "-o", str(path), "--data", str(data)])
    assert result.exit_code == 0, result.output
    assert load_config(path).zbl is None


def test_minutes_cut_the_epochs(tmp_path: Path) -> None:
    path, data = tmp_path / "run.json", tmp_path / "train.xyz"
    _labelled(data, n_frames=20, spacing=2.6, with_stress=False)
    result = runner.invoke(app, ["init", "dp", "-o", str(path), "--data", str(data), "--minutes", "0.01"])
    assert result.exit_code == 0, result.output
    assert 1 <= load_config(path).optimizer.epochs < 60
    assert "60 would be usual" in path.read_text()


def test_optimizer_is_chosen(tmp_path: Path) -> None:
    path, data = tmp_path / "run.json", tmp_path / "train.xyz"
    _labelled(data, n_frames=20, spacing=2.6, with_stress=False)
    result = runner.invoke(app, ["init", "dp", "-o", str(path), "--data", str(data), "--optimizer", "adam"])
    assert result.exit_code == 0, result.output
    optimizer = load_config(path).optimizer
    assert optimizer.optimizer == "ADAM"
    assert optimizer.epochs * 16 // optimizer.batch_size >= 20_000  # steps
    assert runner.invoke(app, ["init", "dp", "-o", "a.json", "--optimizer", "adma"]).exit_code == 1


@pytest.mark.parametrize(("with_stress", "weights"), [(True, (0.05, 0.001)), (False, (50.0, 1.0))])
def test_virials_count_little_with_gradients(tmp_path: Path, with_stress: bool, weights: tuple[float, float]) -> None:
    path, data = tmp_path / "run.json", tmp_path / "train.xyz"
    _labelled(data, n_frames=20, spacing=2.6, with_stress=with_stress)
    result = runner.invoke(app, ["init", "dp", "-o", str(path), "--data", str(data), "--optimizer", "muon"])
    assert result.exit_code == 0, result.output
    optimizer = load_config(path).optimizer
    assert (optimizer.start_pre_fac_virial, optimizer.end_pre_fac_virial) == weights


@pytest.mark.parametrize(("optimizer", "start"), [("LKF", "scaled"), ("SNES", "gpumd")])
def test_a_search_starts_a_nep_as_gpumd_does(tmp_path: Path, optimizer: str, start: str) -> None:
    path, data = tmp_path / "run.json", tmp_path / "train.xyz"
    _labelled(data, n_frames=8, spacing=2.6, with_stress=False)
    result = runner.invoke(app, ["init", "nep", "-o", str(path), "--data", str(data), "--optimizer", optimizer])
    assert result.exit_code == 0, result.output
    assert load_config(path).model.start == start
