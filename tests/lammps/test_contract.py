"""What LAMMPS's own tester asks of a pair style: newton, restart, data files, virials, per-atom energies."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms

STYLE = "pair_style pwmlff {model}\npair_coeff * * Cu O\n"
OUTPUT = """
compute stress all stress/atom NULL virial
compute energy all pe/atom
thermo_style custom step pe pxx pyy pzz pxy pxz pyz
thermo_modify format float %.16g
dump {name} all custom 4 {name} id x y z fx fy fz c_energy
dump_modify {name} sort id format float %.16g
"""
START = "velocity all create 600 1 loop all\nfix nve all nve\ntimestep 0.001\n"


def last_frame(path: Path) -> np.ndarray:
    """Return the last table of a dump."""
    lines = path.read_text().splitlines()
    start = max(k for k, line in enumerate(lines) if line.startswith("ITEM: ATOMS"))
    return np.array([[float(word) for word in line.split()] for line in lines[start + 1 :]])


def after_four_steps(run_script: Callable, tmp_path: Path, crystal: Atoms, model: Path, **how: object) -> np.ndarray:
    """Return positions, forces and energies after some dynamics."""
    commands = "read_data data\n" + STYLE.format(model=model) + START + OUTPUT.format(name="dump") + "run 4\n"
    run_script(crystal, commands, **how)
    return last_frame(tmp_path / "dump")


def test_four_steps_on_any_ranks(tmp_path: Path, crystal: Atoms, any_model: Path, run_script: Callable) -> None:
    reference = after_four_steps(run_script, tmp_path, crystal, any_model)
    assert np.abs(reference[:, 1:4] - crystal.positions).max() > 1e-3
    for ranks, newton in [(1, "off"), (2, "on"), (4, "on"), (4, "off")]:
        frame = after_four_steps(run_script, tmp_path, crystal, any_model, ranks=ranks, newton=newton)
        np.testing.assert_allclose(frame, reference, rtol=0, atol=5e-9, err_msg=f"{ranks} ranks, newton {newton}")


@pytest.mark.parametrize("newton", ["on", "off"])
def test_four_steps_on_balanced_ranks(
    tmp_path: Path, crystal: Atoms, model: Path, run_script: Callable, newton: str
) -> None:
    """Domains of unequal size, which communicate in another way than a grid of equal ones."""
    slab = crystal[:30]
    slab.set_cell(slab.cell.array * [[1.8], [1.5], [1.0]])
    commands = STYLE.format(model=model) + START + OUTPUT.format(name="dump") + "run 4\n"
    run_script(slab, "read_data data\n" + commands)
    reference = last_frame(tmp_path / "dump")
    run_script(slab, "comm_style tiled\nread_data data\nbalance 1.0 rcb\n" + commands, ranks=4, newton=newton)
    np.testing.assert_allclose(last_frame(tmp_path / "dump"), reference, rtol=0, atol=5e-9)


def test_four_steps_on_two_threads(tmp_path: Path, crystal: Atoms, model: Path, run_script: Callable) -> None:
    reference = after_four_steps(run_script, tmp_path, crystal, model)
    frame = after_four_steps(run_script, tmp_path, crystal, model, options=["-pk", "omp", "2"])
    np.testing.assert_allclose(frame, reference, rtol=0, atol=1e-9)


def test_restart_and_data_files(tmp_path: Path, crystal: Atoms, model: Path, run_script: Callable) -> None:
    style = STYLE.format(model=model)
    commands = f"""
read_data data
{style}{START}
run 4
write_restart restart
write_data written pair ii
write_coeff coefficients
{OUTPUT.format(name="before")}
run 0
clear
read_restart restart
{style}{OUTPUT.format(name="restarted")}
run 0
clear
units metal
atom_modify map array
read_data written
reset_timestep 4
{style}{OUTPUT.format(name="from_data")}
run 0
"""
    tables = run_script(crystal, commands).tables[1:]
    expected = last_frame(tmp_path / "before")
    for name, table in zip(("restarted", "from_data"), tables[1:], strict=True):
        np.testing.assert_allclose(last_frame(tmp_path / name), expected, rtol=0, atol=1e-9)
        for column in ("PotEng", "Pxx", "Pxy", "Pyz"):
            assert table[column][0] == pytest.approx(tables[0][column][0], rel=1e-9)


def test_nofdotr_changes_nothing(crystal: Atoms, model: Path, run_script: Callable) -> None:
    tables = [
        run_script(
            crystal, "read_data data\n" + STYLE.format(model=model) + modify + OUTPUT.format(name="dump") + "run 0\n"
        ).tables[0]
        for modify in ("", "pair_modify nofdotr\n")
    ]
    for column in ("PotEng", "Pxx", "Pyy", "Pzz", "Pxy", "Pxz", "Pyz"):
        assert tables[1][column][0] == pytest.approx(tables[0][column][0], rel=1e-12)


def test_energies_with_and_without_virial(tmp_path: Path, crystal: Atoms, model: Path, run_script: Callable) -> None:
    commands = f"""
read_data data
{STYLE.format(model=model)}
compute energy all pe/atom
compute total all reduce sum c_energy
thermo_style custom step pe c_total
thermo_modify format float %.16g
dump plain all custom 1 plain id fx c_energy
dump_modify plain sort id format float %.16g
run 0
undump plain
compute stress all stress/atom NULL virial
compute centroid all centroid/stress/atom NULL virial
dump full all custom 1 full id fx c_energy c_stress[1] c_centroid[9]
dump_modify full sort id format float %.16g
run 0
"""
    tables = run_script(crystal, commands).tables
    # a new run sorts the atoms anew, so the order of sums differs
    np.testing.assert_allclose(last_frame(tmp_path / "full")[:, :3], last_frame(tmp_path / "plain"), rtol=0, atol=1e-12)
    for table in tables:
        assert table["c_total"][0] == pytest.approx(table["PotEng"][0], abs=1e-10)


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("fix other all pair 1 pwmlff gamma 1", "Fix pair pair style cannot extract gamma_flag"),
        ("fix other all pair 1 pwmlff deviation 1", "Fix pair pair style cannot extract deviation_flag"),
        ("compute other all group/group all\nthermo_style custom step c_other", "does not support compute group/group"),
    ],
)
def test_commands_it_does_not_serve(
    tmp_path: Path, crystal: Atoms, model: Path, start_lammps: Callable, command: str, message: str
) -> None:
    ase.io.write(tmp_path / "data", crystal, format="lammps-data", specorder=["Cu", "O"], masses=True)
    run = start_lammps(f"units metal\nread_data data\n{STYLE.format(model=model)}{command}\nrun 0\n")
    assert run.returncode != 0
    assert message in run.stdout + run.stderr
