"""The inputs in examples/lammps and the commands of examples/lih run as they are, here for a few steps."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from pwmlff.export import export_potential
from pwmlff.models import build_potential
from pwmlff.models.dp import DPConfig

EXAMPLES = Path(__file__).parents[2] / "examples"
FOLDER = EXAMPLES / "lammps"
INPUTS = sorted(path.name for path in FOLDER.glob("in.*"))
WRITTEN = {
    "in.nve": "nve.lammpstrj",
    "in.npt": "npt.data",
    "in.minimize": "log.lammps",
    "in.committee": "model_devi.out",
    "in.zbl": "log.lammps",
    "in.dispersion": "log.lammps",
}


@pytest.fixture(scope="module")
def lithium_models(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two small Deep Potentials of lithium with random weights."""
    folder = tmp_path_factory.mktemp("lithium")
    config = DPConfig.model_validate({"descriptor": {"Rmax": 4.5, "network_size": [4, 8], "M2": 4}})
    paths = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        paths.append(export_potential(build_potential("DP", config, ("Li",)), folder / f"dp_{seed}.pt"))
    return paths


def test_every_input_is_known() -> None:
    assert set(INPUTS) == set(WRITTEN)


@pytest.mark.parametrize("name", sorted(WRITTEN))
def test_runs(tmp_path: Path, lithium_models: list[Path], start_lammps: Callable, name: str) -> None:
    shutil.copy(FOLDER / "structure.li", tmp_path)
    first, second = lithium_models
    settings = {"model": str(first), "models": f"{first} {second}", "size": "3", "steps": "6", "every": "2"}
    options = [word for key, value in settings.items() for word in ("-var", key, value)]
    run = start_lammps((FOLDER / name).read_text(), 1, [*options, "-log", "log.lammps"])
    assert run.returncode == 0, run.stdout + run.stderr
    assert (tmp_path / WRITTEN[name]).stat().st_size > 0
    if name == "in.committee":
        deviation, dump = np.loadtxt(tmp_path / "model_devi.out"), (tmp_path / "committee.lammpstrj").read_text()
        assert deviation[:, 0].tolist() == [0, 2, 4, 6]
        per_atom = [float(line.split()[-1]) for line in dump.splitlines()[-54:]]
        assert max(per_atom) == pytest.approx(deviation[-1, 4], rel=1e-4)


def test_commands_of_two_elements(tmp_path: Path, start_lammps: Callable) -> None:
    """Train, test and export as the README says, then run its input."""
    written = shutil.ignore_patterns(*(EXAMPLES / ".gitignore").read_text().split())
    for name in ("data", "lih"):
        shutil.copytree(EXAMPLES / name, tmp_path / name, ignore=written)
    folder = tmp_path / "lih"
    (block,) = re.findall(r"```sh\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)
    *commands, last = block.splitlines()
    assert last == "lmp -in in.lammps"
    for line in commands:
        words = shlex.split(line)
        options = ["--epochs", "1"] if words[1] == "train" else []
        run = subprocess.run(
            [sys.executable, "-m", *words, *options],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert run.returncode == 0, f"{line}\n{run.stdout}{run.stderr}"
    shutil.copy(folder / "lih.pt", tmp_path)  # where the input runs
    run = start_lammps((folder / "in.lammps").read_text(), 1, ["-var", "steps", "5"])
    assert run.returncode == 0, run.stdout + run.stderr
    assert "Loop time" in run.stdout
