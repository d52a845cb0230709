"""`pwmlff devi` from the command line."""

from __future__ import annotations

from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms
from families import FAMILIES, small_potential, small_section
from typer.testing import CliRunner, Result

from pwmlff.cli.main import app
from pwmlff.data.frame import Frame
from pwmlff.models.files.checkpoint import save_checkpoint


def run(*words: str) -> Result:
    return CliRunner().invoke(app, ["devi", *words])


@pytest.fixture
def model_type() -> str:
    return "DP"


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cu_frames: list[Frame], model_type: str) -> None:
    """A working directory with three models and a trajectory in two formats."""
    monkeypatch.chdir(tmp_path)
    section = small_section(model_type, 4.0)
    for k in range(3):
        potential = small_potential(model_type, 4.0, ["Cu"], seed=k)
        config = {"model_type": model_type, "atom_type": ["Cu"], "model": section}
        save_checkpoint(f"{k}.ckpt", potential, config=config)
    frames = [Atoms(f.atomic_numbers, f.positions, cell=np.diag(np.diag(f.cell)), pbc=True) for f in cu_frames]
    ase.io.write("traj.xyz", frames)
    with Path("traj.dump").open("w") as file:
        for k, atoms in enumerate(frames):
            file.write(f"ITEM: TIMESTEP\n{10 * k}\nITEM: NUMBER OF ATOMS\n{len(atoms)}\nITEM: BOX BOUNDS pp pp pp\n")
            file.writelines(f"0 {length}\n" for length in atoms.cell.lengths())
            file.write("ITEM: ATOMS id type xs ys zs\n")
            scaled = atoms.get_scaled_positions()
            file.writelines(f"{i + 1} 1 {' '.join(map(str, s))}\n" for i, s in enumerate(scaled))


@pytest.mark.parametrize("model_type", FAMILIES)
def test_dump_and_xyz() -> None:
    result = run("0.ckpt", "1.ckpt", "2.ckpt", "traj.xyz")
    assert result.exit_code == 0, result.output
    assert "6 frames, 3 models -> model_devi.out" in result.stdout
    assert Path("model_devi.out").read_text().startswith("#step ")
    result = run("0.ckpt", "1.ckpt", "2.ckpt", "traj.dump", "--elements", "Cu", "-o", "dump.out")
    assert result.exit_code == 0, result.output
    from_xyz, from_dump = np.loadtxt("model_devi.out"), np.loadtxt("dump.out")
    np.testing.assert_array_equal(from_dump[:, 0], 10 * from_xyz[:, 0])
    np.testing.assert_allclose(from_dump[:, 1:], from_xyz[:, 1:], rtol=1e-5)


def test_options() -> None:
    result = run("0.ckpt", "2.ckpt", "traj.dump", "--elements", "Cu", "--format", "pwact", "--freq", "3", "-o", "p.out")
    assert result.exit_code == 0, result.output
    header, *rows = Path("p.out").read_text().splitlines()
    assert header.split()[:2] == ["#step", "avg_devi_f"]
    assert [int(row.split()[0]) for row in rows] == [0, 30]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["0.ckpt", "traj.xyz"], "at least two models, got 1"),
        (["traj.xyz"], "at least two models, got 0"),
        (["0.ckpt", "1.ckpt"], "'1.ckpt' is a model, expected a trajectory last"),
        (["traj.xyz", "0.ckpt", "1.ckpt"], "expected a trajectory last"),
        (["0.ckpt", "1.ckpt", "traj.dump"], "name those of types 1, 2, ... with --elements"),
        (["0.ckpt", "1.ckpt", "traj.xyz", "--format", "deepmd"], "unknown format 'deepmd'"),
    ],
)
def test_mistakes_are_one_line(words: list[str], message: str) -> None:
    result = run(*words)
    assert result.exit_code == 1
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert not Path("model_devi.out").exists()


def test_freq_must_be_positive() -> None:
    assert run("0.ckpt", "1.ckpt", "traj.xyz", "--freq", "0").exit_code == 2
