"""Molecular dynamics, restarts and repeated commands with `pair_style pwmlff`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import ase.io
import numpy as np
import pytest
from ase import Atoms

HEAD = """
units metal
atom_modify map array
{newton}
"""
DYNAMICS = """
velocity all create 600 1 loop geom
fix nve all nve
timestep 0.001
thermo_style custom step etotal pe
thermo_modify format float %.16g
"""


def thermo(run: CompletedProcess[str], column: int) -> list[float]:
    """Return one column of the thermo output."""
    assert run.returncode == 0, run.stdout + run.stderr
    values, is_table = [], False
    for line in run.stdout.splitlines():
        words = line.split()
        if words[:1] == ["Step"]:
            is_table = True
        elif words[:1] == ["Loop"]:
            is_table = False
        elif is_table and words and words[0].isdigit():
            values.append(float(words[column]))
    return values


@pytest.fixture
def data(crystal: Atoms, tmp_path: Path) -> None:
    """The crystal as LAMMPS data in the test's folder."""
    ase.io.write(tmp_path / "data", crystal, format="lammps-data", specorder=["Cu", "O"], masses=True)


@pytest.mark.parametrize("newton", ["on", "off"])
@pytest.mark.usefixtures("data")
def test_energy_is_conserved_on_two_ranks(start_lammps: Callable, model: Path, newton: str) -> None:
    text = (
        HEAD.format(newton=f"newton {newton}")
        + f"""
read_data data
pair_style pwmlff {model}
pair_coeff * * Cu O
{DYNAMICS}
thermo 20
run 200
"""
    )
    total = np.array(thermo(start_lammps(text, ranks=2), 1))
    kinetic_scale = 48 * 0.078  # 3/2 k T at 600 K, eV
    assert np.ptp(total) < 2e-3 * kinetic_scale


@pytest.mark.usefixtures("data")
def test_restart_and_repeated_pair_style(start_lammps: Callable, model: Path) -> None:
    style = f"pair_style pwmlff {model}\npair_coeff * * Cu O\n"
    text = (
        HEAD.format(newton="")
        + f"""
read_data data
{style}
{DYNAMICS}
run 5
write_restart restart
run 0
pair_style pwmlff {model}
run 0
clear
read_restart restart
{style}
thermo_style custom step etotal pe
thermo_modify format float %.16g
run 0
"""
    )
    energies = thermo(start_lammps(text), 2)
    assert len(energies) == 5
    np.testing.assert_allclose(energies[2:], energies[1], rtol=0, atol=1e-10)
    assert abs(energies[0] - energies[1]) > 1e-6


@pytest.mark.usefixtures("data")
def test_minimizes(start_lammps: Callable, model: Path) -> None:
    text = (
        HEAD.format(newton="")
        + f"""
read_data data
pair_style pwmlff {model}
pair_coeff * * Cu O
thermo_style custom step etotal pe fnorm
thermo 1000
minimize 0 1e-6 300 3000
"""
    )
    norms = thermo(start_lammps(text), 3)
    assert norms[-1] < 1e-2 * norms[0]
