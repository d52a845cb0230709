"""The deviation file: each row is of the structure that a dump of its step shows, and each file has one writer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms
from numpy.typing import NDArray

from pwmlff.evaluate.deviation import write_deviation

HEAD = """
{before}
read_data data
pair_style pwmlff {models} out_freq {freq} out_file rows.out
pair_coeff * * Cu O
timestep 0.001
thermo 1
"""
DUMP = """
dump all all custom {freq} {name} id type element x y z
dump_modify all sort id element Cu O format float %.16g
"""


@pytest.fixture
def check_rows(tmp_path: Path, committee: list[Path], run_script: Callable) -> Callable[..., NDArray[np.float64]]:
    """Return a function that runs commands with a committee and compares its rows with `pwmlff devi` of a dump."""

    def check(atoms: Atoms, commands: str, *, freq: int, before: str = "", ranks: int = 1) -> NDArray[np.float64]:
        models = " ".join(str(path) for path in committee)
        head = HEAD.format(models=models, freq=freq, before=before) + DUMP.format(freq=freq, name="dump.lammpstrj")
        run_script(atoms, head + commands, ranks=ranks)
        write_deviation(committee, tmp_path / "dump.lammpstrj", tmp_path / "expected.out", trust=True)
        expected = np.loadtxt(tmp_path / "expected.out", ndmin=2)
        rows = np.loadtxt(tmp_path / "rows.out", ndmin=2)
        expected = expected[np.isin(expected[:, 0] % freq, 0)]  # a minimisation dumps its last step in any case
        assert rows[:, 0].tolist() == expected[:, 0].tolist()
        np.testing.assert_allclose(rows, expected, rtol=2e-8)
        return rows

    return check


@pytest.mark.parametrize("ranks", [1, 2])
def test_monte_carlo_moves(crystal: Atoms, check_rows: Callable, ranks: int) -> None:
    commands = """
velocity all create 600 1 loop geom
fix nve all nve
fix swap all atom/swap 1 6 5 20000 types 1 2
run 6
"""
    rows = check_rows(crystal, commands, freq=2, ranks=ranks)
    assert len(np.unique(rows[:, 4])) == 4


@pytest.mark.parametrize("style", ["cg", "sd", "fire", "quickmin", "hftn"])
def test_minimisation(crystal: Atoms, check_rows: Callable, style: str) -> None:
    rows = check_rows(crystal, f"min_style {style}\nmin_modify dmax 0.5\nminimize 0 1e-6 8 100\n", freq=2)
    assert len(rows) > 2


def test_minimisation_of_the_box(crystal: Atoms, check_rows: Callable) -> None:
    commands = "fix relax all box/relax aniso 0.0\nminimize 0 1e-6 6 100\nrun 1\nrun 1 pre no\n"
    rows = check_rows(crystal, commands, freq=1)
    assert len(rows) > 4


def test_box_that_changes_when_a_step_ends(crystal: Atoms, check_rows: Callable) -> None:
    commands = (
        "fix nve all nve\nfix pull all deform 1 x scale 1.02 remap x\nfix devi all pair 2 pwmlff deviation 1\nrun 6\n"
    )
    check_rows(crystal, commands, freq=2, ranks=2)


def test_finite_differences(crystal: Atoms, check_rows: Callable) -> None:
    commands = "fix nve all nve\nfix difference all numdiff 2 1e-4\nrun 2\nrun 2\n"
    check_rows(crystal[:8], commands, freq=2, before="comm_modify cutoff 7.0")


def test_structures_of_one_step(tmp_path: Path, crystal: Atoms, committee: list[Path], run_script: Callable) -> None:
    models = " ".join(str(path) for path in committee)
    commands = HEAD.format(models=models, freq=1, before="")
    for k in range(3):
        commands += f"write_dump all custom {k}.lammpstrj id type element x y z modify sort id element Cu O "
        commands += "format float %.16g\nrun 0\nrun 0\ndisplace_atoms all random 0.1 0.1 0.1 5 units box\n"
    run_script(crystal, commands)
    (tmp_path / "all.lammpstrj").write_text("".join((tmp_path / f"{k}.lammpstrj").read_text() for k in range(3)))
    write_deviation(committee, tmp_path / "all.lammpstrj", tmp_path / "expected.out", trust=True)
    np.testing.assert_allclose(np.loadtxt(tmp_path / "rows.out"), np.loadtxt(tmp_path / "expected.out"), rtol=2e-8)


@pytest.mark.parametrize("names", [["0", "1", "2"], ["0", "0"]])
def test_rerun_of_single_frames(
    tmp_path: Path, crystal: Atoms, committee: list[Path], run_script: Callable, names: list[str]
) -> None:
    """Also where a frame is that of the file before."""
    models = " ".join(str(path) for path in committee)
    commands = HEAD.format(models=models, freq=1, before="")
    rng = np.random.default_rng(2)
    for name in set(names):
        atoms = crystal.copy()
        atoms.positions += 0.1 * rng.standard_normal(atoms.positions.shape)
        ase.io.write(tmp_path / f"{name}.data", atoms, format="lammps-data", specorder=["Cu", "O"], masses=True)
    run_script(
        crystal,
        "".join(
            f"clear\nunits metal\nread_data {name}.data\nmass * 1\n"
            f"write_dump all custom {name}.lammpstrj id type element x y z modify element Cu O format float %.16g\n"
            for name in set(names)
        )
        + "clear\nunits metal\natom_modify map array\n"
        + commands
        + "".join(f"rerun {name}.lammpstrj dump x y z\n" for name in names),
    )
    (tmp_path / "all.lammpstrj").write_text("".join((tmp_path / f"{name}.lammpstrj").read_text() for name in names))
    write_deviation(committee, tmp_path / "all.lammpstrj", tmp_path / "expected.out", trust=True)
    np.testing.assert_allclose(np.loadtxt(tmp_path / "rows.out"), np.loadtxt(tmp_path / "expected.out"), rtol=2e-8)


def test_halting_step_has_its_row(
    tmp_path: Path, crystal: Atoms, committee: list[Path], start_lammps: Callable
) -> None:
    """`fix halt` ends LAMMPS by an error before the step is over."""
    ase.io.write(tmp_path / "data", crystal, format="lammps-data", specorder=["Cu", "O"], masses=True)
    commands = HEAD.format(models=" ".join(map(str, committee)), freq=2, before="units metal")
    run = start_lammps(commands + "fix nve all nve\nvariable s equal step\nfix halt all halt 1 v_s >= 4\nrun 9\n")
    assert "Fix halt condition for fix-id halt met on step 4" in run.stdout + run.stderr
    assert np.loadtxt(tmp_path / "rows.out")[:, 0].tolist() == [0, 2, 4]


def style(committee: list[Path], keywords: str) -> str:
    """Return the arguments of a committee behind `pair_style`."""
    return f"pwmlff {' '.join(map(str, committee))} {keywords}"


def steps(path: Path) -> list[int]:
    """Return the steps of a file, which has one header."""
    header, *rows = path.read_text().splitlines()
    assert header.startswith("#step")
    assert all(len(row.split()) == 7 for row in rows)
    return [int(row.split()[0]) for row in rows]


def test_pair_style_begins_the_file_anew(
    tmp_path: Path, crystal: Atoms, committee: list[Path], run_script: Callable
) -> None:
    (tmp_path / "rows.out").write_text("of an earlier calculation\n")
    keywords = "out_freq 2 out_file rows.out"
    commands = HEAD.format(models=" ".join(map(str, committee)), freq=2, before="")
    output = run_script(
        crystal,
        f"{commands}fix nve all nve\nrun 4\nprint done\npair_style {style(committee, keywords)}\nrun 4\n",
    ).output
    assert steps(tmp_path / "rows.out") == [4, 6, 8]
    notice = "pair_style pwmlff: 'rows.out' is there already and will be replaced; 'append yes' continues it"
    assert [notice in part for part in output.split("done")] == [True, True]


def test_append_after_a_restart(tmp_path: Path, crystal: Atoms, committee: list[Path], run_script: Callable) -> None:
    head = HEAD.format(models=" ".join(map(str, committee)), freq=2, before="")
    run_script(crystal, head + "fix nve all nve\nrun 5\nwrite_restart state\n")
    cut_short = (tmp_path / "rows.out").read_text() + "           5   1.0"
    (tmp_path / "rows.out").write_text(cut_short)
    keywords = "out_freq 2 out_file rows.out append yes"
    result = run_script(
        crystal,
        f"clear\nread_restart state\npair_style {style(committee, keywords)}\npair_coeff * * Cu O\n"
        "fix nve all nve\nrun 5\n",
    )
    assert steps(tmp_path / "rows.out") == [0, 2, 4, 6, 8, 10]
    assert "will be replaced" not in result.output


def test_append_to_a_file_of_other_columns(
    tmp_path: Path, crystal: Atoms, committee: list[Path], start_lammps: Callable
) -> None:
    ase.io.write(tmp_path / "data", crystal, format="lammps-data", specorder=["Cu", "O"], masses=True)
    (tmp_path / "rows.out").write_text("step avg_devi_f\n0 1.0\n")
    head = HEAD.format(models=" ".join(map(str, committee)), freq="2 append yes", before="units metal")
    run = start_lammps(head + "run 0\n")
    assert run.returncode != 0
    assert (
        "cannot append to 'rows.out': its first line is 'step avg_devi_f', expected '#step" in run.stdout + run.stderr
    )
    assert (tmp_path / "rows.out").read_text() == "step avg_devi_f\n0 1.0\n"


def test_two_committees_need_two_files(
    tmp_path: Path, crystal: Atoms, committee: list[Path], start_lammps: Callable
) -> None:
    ase.io.write(tmp_path / "data", crystal, format="lammps-data", specorder=["Cu", "O"], masses=True)
    commands = """
units metal
read_data data
pair_style hybrid/overlay {first} {second}
pair_coeff * * pwmlff 1 Cu O
pair_coeff * * pwmlff 2 Cu O
run 0
"""
    same = commands.format(first=style(committee, "out_freq 1"), second=style(committee[1:], "out_freq 1"))
    run = start_lammps(same)
    assert run.returncode != 0
    assert "'model_devi.out' is being written by another pair_style pwmlff" in run.stdout + run.stderr

    other = "out_freq 1 out_file other.out"
    run = start_lammps(commands.format(first=style(committee, "out_freq 1"), second=style(committee[1:], other)))
    assert run.returncode == 0, run.stdout + run.stderr
    assert steps(tmp_path / "model_devi.out") == steps(tmp_path / "other.out") == [0]

    nowhere = "out_freq 1 out_file /dev/null"
    run = start_lammps(commands.format(first=style(committee, nowhere), second=style(committee[1:], nowhere)))
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize("name", ["rows.out", "rows.${part}.out"])
@pytest.mark.parametrize("late", ["0", "1"])
def test_partitions_need_their_own_files(
    tmp_path: Path, crystal: Atoms, committee: list[Path], start_lammps: Callable, name: str, late: str
) -> None:
    """Also where one of them is through before the other begins, and where one begins again."""
    ase.io.write(tmp_path / "data", crystal, format="lammps-data", specorder=["Cu", "O"], masses=True)
    head = HEAD.format(models=" ".join(map(str, committee)), freq=1, before="units metal").replace("rows.out", name)
    wait = "shell sleep 3" if late == "1" else "shell true"
    commands = f"variable part world a b\npartition yes 2 {wait}\n{head}run 0\nclear\n{head}run 0\n"
    run = start_lammps(commands, 2, ("-partition", "2x1"))
    output = run.stdout + run.stderr + "".join(path.read_text() for path in tmp_path.glob("screen.*"))
    is_refused = "'rows.out' is being written by another pair_style pwmlff" in output
    assert is_refused == (run.returncode != 0) == (name == "rows.out"), output
    if not is_refused:
        assert steps(tmp_path / "rows.a.out") == steps(tmp_path / "rows.b.out") == [0]
