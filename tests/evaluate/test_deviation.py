"""Model deviation of a toy committee against its definition, written out in numpy."""

from __future__ import annotations

from pathlib import Path

import ase.io
import numpy as np
import pytest
import torch
from ase import Atoms
from toy_model import ToyModel

from pwmlff.data.batch import collate, make_sample
from pwmlff.data.frame import Frame
from pwmlff.errors import ConfigError, DataFormatError, ModelFileError
from pwmlff.evaluate.deviation import COLUMNS, Committee, write_deviation
from pwmlff.export import export_potential
from pwmlff.models import MODELS, Potential, build_potential, predict
from pwmlff.models.files.checkpoint import save_checkpoint

CPU = torch.device("cpu")
# type orders and cutoffs differ: a committee may come from different runs
SPECS = ((["Cu", "Au"], 4.0), (["Au", "Cu"], 4.0), (["Au", "Ag", "Cu"], 4.6))


@pytest.fixture
def potentials(monkeypatch: pytest.MonkeyPatch) -> list[Potential]:
    monkeypatch.setitem(MODELS, "TOY", ToyModel)
    torch.manual_seed(5)
    return [
        build_potential("TOY", ToyModel.Config.model_validate({"cutoff": cutoff}), elements)
        for elements, cutoff in SPECS
    ]


@pytest.fixture
def models(potentials: list[Potential], tmp_path: Path) -> list[Path]:
    """Two checkpoints and an exported model."""
    paths = [tmp_path / "0.ckpt", tmp_path / "1.ckpt"]
    for path, potential, (elements, cutoff) in zip(paths, potentials, SPECS, strict=False):
        config = {"model_type": "TOY", "atom_type": elements, "model": {"cutoff": cutoff}}
        save_checkpoint(path, potential, config=config)
    return [*paths, export_potential(potentials[2], tmp_path / "2.pt")]


def expected(potentials: list[Potential], frame: Frame) -> dict[str, float]:
    """The definition, atom by atom and component by component."""
    predictions = [predict(p, collate([make_sample(frame, p.type_of, p.cutoff)])) for p in potentials]
    n_models, n_atoms = len(potentials), len(frame)
    forces = np.array([prediction.forces.numpy() for prediction in predictions])
    energies = np.array([prediction.atomic_energies.numpy() for prediction in predictions])
    virials = np.array([prediction.virial[0].numpy() for prediction in predictions])
    sigma_f = np.zeros(n_atoms)
    for i in range(n_atoms):
        mean = sum(forces[k, i] for k in range(n_models)) / n_models
        squares = [float(np.dot(forces[k, i] - mean, forces[k, i] - mean)) for k in range(n_models)]
        sigma_f[i] = np.sqrt(sum(squares) / n_models)
    sigma_e = np.std(energies, axis=0)
    sigma_v = np.std(virials / n_atoms, axis=0).ravel()
    return {
        "max_devi_f": sigma_f.max(), "min_devi_f": sigma_f.min(), "avg_devi_f": sigma_f.mean(),
        "max_devi_e": sigma_e.max(), "min_devi_e": sigma_e.min(), "avg_devi_e": sigma_e.mean(),
        "max_devi_v": sigma_v.max(), "min_devi_v": sigma_v.min(), "avg_devi_v": np.linalg.norm(sigma_v) / 3,
    }  # fmt: skip


def write_xyz(path: Path, frames: list[Frame]) -> Path:
    ase.io.write(path, [Atoms(f.atomic_numbers, f.positions, cell=f.cell, pbc=f.pbc) for f in frames])
    return path


def test_definition(potentials: list[Potential], models: list[Path], two_element_frames: list[Frame]) -> None:
    committee = Committee.load(models, CPU, trust=True)
    for frame in two_element_frames:
        deviation, wanted = committee.deviation(frame), expected(potentials, frame)
        assert deviation.keys() == wanted.keys()
        assert deviation == pytest.approx(wanted, abs=1e-12)
        assert deviation["max_devi_f"] > 1e-4


def test_two_models_are_half_their_difference_apart(models: list[Path], cu_frames: list[Frame]) -> None:
    committee = Committee.load(models[:2], CPU)
    first, second = committee.predict(cu_frames[0])
    distance = np.linalg.norm(first.forces - second.forces, axis=1) / 2
    assert committee.deviation(cu_frames[0])["max_devi_f"] == pytest.approx(distance.max(), abs=1e-14)


def test_equal_models_do_not_deviate(models: list[Path], tmp_path: Path, cu_frames: list[Frame]) -> None:
    twin = tmp_path / "twin.ckpt"
    twin.write_bytes(models[0].read_bytes())
    assert set(Committee.load([models[0], twin], CPU).deviation(cu_frames[0]).values()) == {0.0}


@pytest.mark.parametrize("format", ["dpgen", "pwact"])
def test_file(
    format: str,
    potentials: list[Potential],
    models: list[Path],
    two_element_frames: list[Frame],
    tmp_path: Path,
) -> None:
    trajectory, output = write_xyz(tmp_path / "traj.xyz", two_element_frames), tmp_path / "model_devi.out"
    summary = write_deviation(models, trajectory, output, format=format, trust=True)
    lines = output.read_text().splitlines()
    assert lines[0].split() == ["#step", *COLUMNS[format]]
    rows = np.loadtxt(output)  # as DP-GEN and PWact call it
    wanted = [expected(potentials, frame) for frame in two_element_frames]
    np.testing.assert_array_equal(rows[:, 0], np.arange(6))
    table = [[values[name] for name in COLUMNS[format]] for values in wanted]
    np.testing.assert_allclose(rows[:, 1:], table, rtol=1e-6, atol=1e-8)  # positions are written with 8 digits
    largest = max(range(6), key=lambda k: wanted[k]["max_devi_f"])
    assert (summary.n_frames, summary.largest_step) == (6, largest)
    assert summary.largest == pytest.approx(wanted[largest]["max_devi_f"], rel=1e-6)
    assert summary.least == pytest.approx(min(values["max_devi_f"] for values in wanted), rel=1e-6)


def test_columns_are_those_the_drivers_read() -> None:
    assert " ".join(COLUMNS["dpgen"]) == "max_devi_v min_devi_v avg_devi_v max_devi_f min_devi_f avg_devi_f"
    assert " ".join(COLUMNS["pwact"]) == "avg_devi_f min_devi_f max_devi_f avg_devi_e min_devi_e max_devi_e"


def test_lammps_dump_gives_the_rows_of_the_same_xyz(
    models: list[Path], two_element_frames: list[Frame], tmp_path: Path
) -> None:
    frames = two_element_frames[:3]
    dump = tmp_path / "traj.dump"
    with dump.open("w") as file:
        for k, frame in enumerate(frames):
            cell, rotation = Atoms(cell=frame.cell).cell.standard_form()
            positions, types = frame.positions @ rotation.T, np.where(frame.atomic_numbers == 79, 1, 2)
            (lx, _, _), (xy, ly, _), (xz, yz, lz) = cell
            file.write(f"ITEM: TIMESTEP\n{100 * k}\nITEM: NUMBER OF ATOMS\n{len(frame)}\n")
            file.write("ITEM: BOX BOUNDS xy xz yz pp pp pp\n")
            file.write(f"{min(0, xy, xz, xy + xz)} {lx + max(0, xy, xz, xy + xz)} {xy}\n")
            file.write(f"{min(0, yz)} {ly + max(0, yz)} {xz}\n0 {lz} {yz}\nITEM: ATOMS id type x y z\n")
            for i, (position, kind) in enumerate(zip(positions, types, strict=True)):
                file.write(f"{i + 1} {kind} {' '.join(map(str, position))}\n")
    write_deviation(models, dump, tmp_path / "dump.out", format="pwact", elements=["Au", "Cu"], trust=True)
    write_deviation(models, write_xyz(tmp_path / "t.xyz", frames), tmp_path / "xyz.out", format="pwact", trust=True)
    from_dump, from_xyz = (np.loadtxt(tmp_path / name, skiprows=1) for name in ("dump.out", "xyz.out"))
    np.testing.assert_array_equal(from_dump[:, 0], [0, 100, 200])
    np.testing.assert_allclose(from_dump[:, 1:], from_xyz[:, 1:], rtol=1e-6, atol=1e-8)


def test_every_nth_frame(models: list[Path], cu_frames: list[Frame], tmp_path: Path) -> None:
    trajectory = write_xyz(tmp_path / "traj.xyz", cu_frames)
    write_deviation(models, trajectory, tmp_path / "out", every=4, trust=True)
    np.testing.assert_array_equal(np.loadtxt(tmp_path / "out")[:, 0], [0, 4])


def test_rows_before_a_fault_are_kept(models: list[Path], cu_frames: list[Frame], tmp_path: Path) -> None:
    trajectory, output = write_xyz(tmp_path / "traj.xyz", cu_frames), tmp_path / "out"
    trajectory.write_text(trajectory.read_text()[:-100])
    with pytest.raises(DataFormatError, match="may be truncated"):
        write_deviation(models, trajectory, output, trust=True)
    assert len(output.read_text().splitlines()) == 1 + 5


def test_mistakes(models: list[Path], two_element_frames: list[Frame], tmp_path: Path) -> None:
    trajectory, output = write_xyz(tmp_path / "traj.xyz", two_element_frames), tmp_path / "out"
    output.write_text("an earlier result")
    for few in ([], models[:1]):
        with pytest.raises(ConfigError, match=f"at least two models, got {len(few)}"):
            write_deviation(few, trajectory, output)
    with pytest.raises(ConfigError, match="named twice"):
        write_deviation([models[0], models[0]], trajectory, output)
    with pytest.raises(ConfigError, match=r"unknown format 'dpgem'.*did you mean 'dpgen'"):
        write_deviation(models, trajectory, output, format="dpgem", trust=True)
    with pytest.raises(ConfigError, match="would replace an input"):
        write_deviation(models, trajectory, trajectory, trust=True)
    with pytest.raises(ModelFileError, match=r"absent\.ckpt"):
        write_deviation([models[0], tmp_path / "absent.ckpt"], trajectory, output)
    with pytest.raises(DataFormatError, match="no trajectory"):
        write_deviation(models, tmp_path / "absent.dump", output, trust=True)
    silver = tmp_path / "silver.xyz"
    ase.io.write(silver, Atoms("Ag2", [[0, 0, 0], [0, 0, 2.8]]))
    with pytest.raises(DataFormatError, match=r"holds Ag, but the model '.*0\.ckpt' knows only Cu, Au; all models"):
        write_deviation(models, silver, output, trust=True)
    assert output.read_text() == "an earlier result"
