"""Molecular dynamics, minimisation, repeated commands and everything else that calls for forces again and again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms

COMMANDS = """
{before}
read_data data
pair_style pwmlff {model}
pair_coeff * * Cu O
velocity all create 600 1 loop geom
thermo_style custom step pe etotal pxx pxy vol
thermo_modify format float %.16g
timestep {timestep}
{rest}
"""


def commands(model: Path, rest: str, before: str = "", timestep: float = 0.001) -> str:
    """Return an input for `run_script`."""
    return COMMANDS.format(model=model, rest=rest, before=before, timestep=timestep)


@pytest.mark.parametrize("newton", ["on", "off"])
def test_energy_is_conserved_on_two_ranks(crystal: Atoms, model: Path, run_script: Callable, newton: str) -> None:
    rest = "fix nve all nve\nthermo 20\nrun 200\n"
    total = run_script(crystal, commands(model, rest), ranks=2, newton=newton).tables[0]["TotEng"]
    kinetic_scale = len(crystal) * 0.078  # 3/2 k T at 600 K, eV
    assert np.ptp(total) < 2e-3 * kinetic_scale


def test_repeated_pair_style(crystal: Atoms, model: Path, run_script: Callable) -> None:
    """The same pair_style again keeps its pair_coeff, as with the styles of LAMMPS itself."""
    rest = f"fix nve all nve\nrun 5\nrun 0\npair_style pwmlff {model}\nrun 0\n"
    first, before, after = (table["PotEng"] for table in run_script(crystal, commands(model, rest)).tables)
    np.testing.assert_allclose([before[0], after[0]], first[-1], rtol=0, atol=1e-10)
    assert abs(first[0] - first[-1]) > 1e-6


def test_minimizes(crystal: Atoms, model: Path, run_script: Callable) -> None:
    rest = "thermo_style custom step pe fnorm\nthermo 1000\nminimize 0 1e-6 300 3000\n"
    norms = run_script(crystal, commands(model, rest)).tables[0]["Fnorm"]
    assert norms[-1] < 1e-2 * norms[0]


def test_energy_drift(crystal: Atoms, model: Path, run_script: Callable) -> None:
    """A line through the total energy of half a picosecond has no slope that matters."""
    rest = "fix nve all nve\nthermo 10\nrun 1000\n"
    table = run_script(crystal, commands(model, rest, timestep=0.0005)).tables[0]
    times = table["Step"] * 0.0005  # ps
    slope = np.polyfit(times, table["TotEng"], 1)[0] / len(crystal)
    assert abs(slope) < 2e-5  # eV/atom/ps; a wrong force shows as more than 1e-2


def test_pressure_bath(crystal: Atoms, model: Path, run_script: Callable) -> None:
    rest = "fix npt all npt temp 600 600 0.1 tri 0.0 0.0 0.5\nthermo 10\nrun 20\n"
    one, two = (
        run_script(crystal, commands(model, rest, "box tilt large"), ranks=ranks, newton=newton).tables[0]
        for ranks, newton in [(1, "on"), (2, "off")]
    )
    assert abs(one["Volume"][-1] - one["Volume"][0]) > 1e-3
    for name, values in one.items():
        np.testing.assert_allclose(two[name], values, rtol=1e-7, err_msg=name)


def test_atom_sorting(crystal: Atoms, model: Path, run_script: Callable) -> None:
    rest = "fix nve all nve\nneigh_modify every 1 delay 0\nthermo 5\nrun 15\n"
    unsorted_, sorted_ = (
        run_script(crystal, commands(model, rest, f"atom_modify sort {frequency} 2.0")).tables[0]
        for frequency in (0, 1)
    )
    np.testing.assert_allclose(sorted_["TotEng"], unsorted_["TotEng"], rtol=0, atol=1e-9)


def test_rerun(crystal: Atoms, model: Path, run_script: Callable) -> None:
    rest = """
fix nve all nve
dump frames all custom 2 frames id type x y z
dump_modify frames format float %.16g
thermo 2
run 6
undump frames
rerun frames dump x y z
"""
    first, again = run_script(crystal, commands(model, rest), newton="off").tables
    assert again["Step"].tolist() == [0, 2, 4, 6]
    np.testing.assert_allclose(again["PotEng"], first["PotEng"], rtol=0, atol=1e-9)


def test_every_compute_may_call_for_forces(crystal: Atoms, model: Path, run_script: Callable) -> None:
    """`fix numdiff` moves atoms and calls the pair style again within a step."""
    rest = """
fix nve all nve
fix difference all numdiff 2 1e-4
variable error atom abs(fx-f_difference[1])
compute error all reduce max v_error
thermo_style custom step pe c_error
thermo 2
run 2
"""
    table = run_script(crystal[:8], commands(model, rest, "comm_modify cutoff 7.0"), ranks=2).tables[0]
    assert table["c_error"].max() < 1e-5
