"""The plugin itself: it is found, and says what is wrong when it cannot work."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pwmlff.lammps import PLUGIN_NAME

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


def test_says_which_library_is_missing(run_bare: Callable) -> None:
    run = run_bare(INPUT, [PLUGIN_NAME])
    assert "pair style plugin pwmlff" in run.stdout
    assert "pair_style pwmlff cannot load its library" in run.stderr
    assert "libpwmlff_lammps.so: cannot open shared object file" in run.stderr
    assert run.returncode == 1
