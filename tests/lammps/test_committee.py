"""Several models: the first one moves the atoms, and how far they are apart is written and offered per atom."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.io import write
from numpy.typing import NDArray

from pwmlff.data.frame import Frame
from pwmlff.data.trajectory import iterate_trajectory
from pwmlff.evaluate.deviation import write_deviation
from pwmlff.export import export_potential
from pwmlff.models import build_potential
from pwmlff.models.dp import DPConfig

DPGEN = ("max_devi_v", "min_devi_v", "avg_devi_v", "max_devi_f", "min_devi_f", "avg_devi_f")
PWACT = ("avg_devi_f", "min_devi_f", "max_devi_f", "avg_devi_e", "min_devi_e", "max_devi_e")
RUN = """
read_data data
pair_style {style}
pair_coeff * * {pair}Cu O
thermo_style custom step pe
thermo_modify format float %.16g
{more}
fix nve all nve
timestep 0.001
thermo 1
"""


def script(committee: list[Path], keywords: str = "", more: str = "", tail: str = "run 0\n") -> str:
    """Return the commands of a committee run."""
    models = " ".join(str(path) for path in committee)
    return RUN.format(style=f"pwmlff {models} {keywords}", pair="", more=more) + tail


def as_atoms(frame: Frame) -> Atoms:
    return Atoms(frame.atomic_numbers, frame.positions, cell=frame.cell, pbc=frame.pbc)


def spread(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return sqrt(sum over models (first axis) and components (last axis) of |x - <x>|^2 / K)."""
    return np.sqrt(((values - values.mean(axis=0)) ** 2).mean(axis=0).sum(axis=-1))


@pytest.fixture
def deviations(expect: Callable, committee: list[Path]) -> Callable[[Atoms], dict[str, float | NDArray[np.float64]]]:
    """Return a function that computes the deviations of the committee from its predictions in Python."""

    def compute(atoms: Atoms) -> dict[str, float | NDArray[np.float64]]:
        predictions = [expect(atoms, path) for path in committee]
        force = spread(np.stack([p.forces for p in predictions]))
        energy = spread(np.stack([p.atomic_energies for p in predictions])[..., None])
        six = np.stack([p.virial for p in predictions])
        virial = spread(six[:, [0, 1, 2, 3, 4, 5, 3, 4, 5], None]) / len(atoms)
        result: dict[str, float | NDArray[np.float64]] = {"force": force, "energy": energy}
        for letter, values in (("f", force), ("e", energy), ("v", virial)):
            result |= {f"max_devi_{letter}": values.max(), f"min_devi_{letter}": values.min()}
            result[f"avg_devi_{letter}"] = np.sqrt((virial**2).mean()) if letter == "v" else values.mean()
        return result

    return compute


@pytest.mark.parametrize("newton", ["on", "off"])
@pytest.mark.parametrize(("ranks", "file_format"), [(1, "dpgen"), (2, "pwact"), (4, "dpgen")])
def test_file_and_per_atom_values(
    tmp_path: Path,
    crystal: Atoms,
    committee: list[Path],
    deviations: Callable,
    expect: Callable,
    run_script: Callable,
    newton: str,
    ranks: int,
    file_format: str,
) -> None:
    more = """
fix devi all pair 1 pwmlff deviation 1 deviation_energy 1
dump devi all custom 1 dump id f_devi[1] f_devi[2] fx fy fz
dump_modify devi sort id format float %.16g
"""
    keywords = f"devi_format {file_format} out_freq 1 out_file devi.out"
    result = run_script(crystal, script(committee, keywords, more), ranks=ranks, newton=newton)

    expected = deviations(crystal)
    lines = (tmp_path / "devi.out").read_text().splitlines()
    names = DPGEN if file_format == "dpgen" else PWACT
    assert lines[0].split() == ["#step", *names]
    np.testing.assert_allclose(
        [float(word) for word in lines[1].split()], [0, *(expected[n] for n in names)], rtol=1e-8
    )
    assert len(lines) == 2
    read = np.loadtxt(tmp_path / "devi.out", ndmin=2)  # as DP-GEN and PWact call it: no row is skipped by hand
    assert read[0, 1 + names.index("max_devi_f")] == pytest.approx(expected["max_devi_f"], rel=1e-8)

    table = np.loadtxt(tmp_path / "dump", skiprows=9)
    np.testing.assert_allclose(table[:, 1], expected["force"], atol=1e-9)
    np.testing.assert_allclose(table[:, 2], expected["energy"], atol=1e-9)
    first = expect(crystal, committee[0])
    np.testing.assert_allclose(table[:, 3:], first.forces, atol=1e-8)
    assert result.tables[0]["PotEng"][0] == pytest.approx(first.atomic_energies.sum(), abs=1e-7)
    assert expected["min_devi_f"] > 1e-3


@pytest.mark.parametrize("newton", ["on", "off"])
def test_rank_without_atoms(
    tmp_path: Path, crystal: Atoms, committee: list[Path], deviations: Callable, run_script: Callable, newton: str
) -> None:
    slab = crystal[:16]
    slab.set_cell([60.0, 12.0, 12.0])
    slab.positions -= slab.positions.min(axis=0) - 1.0
    commands = "processors 2 1 1\n" + script(committee, "out_freq 1")
    run_script(slab, commands, ranks=2, newton=newton)
    row = np.loadtxt(tmp_path / "model_devi.out")  # the default name
    expected = deviations(slab)
    np.testing.assert_allclose(row[1:], [expected[name] for name in DPGEN], rtol=1e-7)


def test_units_real(
    tmp_path: Path, crystal: Atoms, committee: list[Path], deviations: Callable, run_lammps: Callable
) -> None:
    run_lammps(crystal, f"pwmlff {' '.join(map(str, committee))} out_freq 1 devi_format pwact", units="real")
    expected = deviations(crystal)
    row = np.loadtxt(tmp_path / "model_devi.out", skiprows=1)
    np.testing.assert_allclose(row[1:], [23.060549 * expected[name] for name in PWACT], rtol=1e-8)


def test_same_numbers_as_pwmlff_devi(
    tmp_path: Path, crystal: Atoms, any_committee: list[Path], run_script: Callable
) -> None:
    tail = """
dump all all custom 4 dump.lammpstrj id type element x y z
dump_modify all sort id element Cu O format float %.16g
velocity all create 900 1 loop geom
run 8
"""
    run_script(crystal, script(any_committee, "out_freq 4 out_file lammps.out", tail=tail))
    write_deviation(any_committee, tmp_path / "dump.lammpstrj", tmp_path / "python.out", trust=True)
    from_lammps, from_python = np.loadtxt(tmp_path / "lammps.out"), np.loadtxt(tmp_path / "python.out")
    assert from_lammps[:, 0].tolist() == [0, 4, 8]
    np.testing.assert_allclose(from_lammps, from_python, rtol=1e-6)


def test_rows_of_runs_that_follow_each_other(
    tmp_path: Path, crystal: Atoms, committee: list[Path], run_script: Callable
) -> None:
    (tmp_path / "devi.out").write_text("of an earlier calculation\n")
    again = f"pair_style pwmlff {' '.join(map(str, committee))} out_file devi.out out_freq 2 append yes\n"
    tail = f"run 4\nrun 3\n{again}run 3\n"
    run_script(crystal, script(committee, "out_file devi.out out_freq 2", tail=tail))
    assert np.loadtxt(tmp_path / "devi.out")[:, 0].tolist() == [0, 2, 4, 6, 8, 10]


def test_trajectory_is_that_of_the_first_model(
    tmp_path: Path, crystal: Atoms, committee: list[Path], run_script: Callable
) -> None:
    tail = "velocity all create 600 1 loop geom\nrun 6\n"
    alone = run_script(crystal, script(committee[:1], tail=tail))
    together = run_script(crystal, script(committee, "out_freq 4", tail=tail))
    silent = run_script(crystal, script(committee, "out_freq 0 out_file none", tail=tail))
    for result in (together, silent):
        np.testing.assert_allclose(result.tables[0]["PotEng"], alone.tables[0]["PotEng"], rtol=0, atol=1e-10)
    assert not (tmp_path / "none").exists()


def test_inside_hybrid_with_null(
    tmp_path: Path, crystal: Atoms, committee: list[Path], deviations: Callable, run_script: Callable
) -> None:
    models = " ".join(str(path) for path in committee)
    commands = f"""
read_data data
pair_style hybrid/overlay lj/cut 3.0 pwmlff {models} out_freq 1 devi_format dpgen out_file devi.out zero 4.0
pair_coeff * * pwmlff NULL O
pair_coeff 1 * lj/cut 0.01 2.0
pair_coeff * * zero
fix devi all pair 1 pwmlff deviation 1
dump devi all custom 1 dump id f_devi
dump_modify devi sort id format float %.16g
run 0
"""
    run_script(crystal, commands)
    seen = np.asarray(crystal.symbols) == "O"
    expected = deviations(crystal[seen])
    row = np.loadtxt(tmp_path / "devi.out")
    np.testing.assert_allclose(row[1:], [expected[name] for name in DPGEN], rtol=1e-7)
    values = np.loadtxt(tmp_path / "dump", skiprows=9)[:, 1]
    np.testing.assert_allclose(values[seen], expected["force"], atol=1e-9)
    assert not values[~seen].any()


def test_halt_on_deviation(crystal: Atoms, committee: list[Path], run_script: Callable) -> None:
    more = """
fix devi all pair 1 pwmlff deviation 1
compute largest all reduce max f_devi
variable largest equal c_largest
fix stop all halt 1 v_largest > 0.0 error soft
thermo_style custom step pe c_largest
"""
    result = run_script(crystal, script(committee, "out_freq 0", more, "run 20\n"))
    assert result.tables[0]["Step"][-1] < 20
    assert result.tables[0]["c_largest"][0] > 0.0


@pytest.mark.parametrize(
    ("moves", "ranks"),
    [
        ("min_style cg\nmin_modify dmax 0.5\nminimize 0 1e-6 4 100", 1),
        ("min_style sd\nmin_modify dmax 0.5\nminimize 0 1e-6 4 100", 2),
        ("fix swap all atom/swap 1 6 5 20000 types 1 2\nrun 4", 1),
        ("fix pull all deform 1 x scale 1.02 remap x\nrun 4", 2),
    ],
)
@pytest.mark.parametrize("out_freq", [1, 0])
def test_per_atom_values_are_of_the_dumped_structure(
    tmp_path: Path,
    crystal: Atoms,
    committee: list[Path],
    deviations: Callable,
    run_script: Callable,
    moves: str,
    ranks: int,
    out_freq: int,
) -> None:
    """`fix pair` reads the first values of a step, and there may be several."""
    more = """
fix devi all pair 1 pwmlff deviation 1
dump devi all custom 1 dump.lammpstrj id type element x y z f_devi
dump_modify devi sort id element Cu O format float %.16g
"""
    run_script(crystal, script(committee, f"out_freq {out_freq}", more, f"{moves}\n"), ranks=ranks)
    frames = (tmp_path / "dump.lammpstrj").read_text().split("ITEM: TIMESTEP\n")[1:]
    assert len(frames) == 5
    structures = [as_atoms(frame) for _, frame in iterate_trajectory(tmp_path / "dump.lammpstrj")]
    for text, atoms in zip(frames, structures, strict=True):
        values = np.loadtxt([line.split()[6] for line in text.splitlines()[8:]])
        np.testing.assert_allclose(values, deviations(atoms)["force"], atol=1e-8)


def test_forces_of_members_with_float32(tmp_path: Path, crystal: Atoms, run_script: Callable, expect: Callable) -> None:
    """Members may differ in kind and precision."""
    config = DPConfig.model_validate({"descriptor": {"Rmax": 4.0, "network_size": [4, 8], "M2": 4}})
    paths: list[Path] = []
    for kind, dtype in (("DP", "float64"), ("DP_TYPE_EMBEDDING", "float32")):
        torch.manual_seed(len(paths))
        potential = build_potential(kind, config, ("Cu", "O"), dtype=dtype)
        paths.append(export_potential(potential, tmp_path / f"{kind}.pt"))
    run_script(crystal, script(paths, "out_freq 1"))
    forces = np.stack([expect(crystal, path).forces for path in paths])
    assert np.loadtxt(tmp_path / "model_devi.out")[4] == pytest.approx(spread(forces).max(), rel=1e-4)


def test_old_deviation_is_not_offered(
    tmp_path: Path, crystal: Atoms, committee: list[Path], start_lammps: Callable
) -> None:
    write(tmp_path / "data", crystal, format="lammps-data", specorder=["Cu", "O"], masses=True)
    more = "fix devi all pair 1 pwmlff deviation 0"
    run = start_lammps("units metal\n" + script(committee, "out_freq 10", more, "run 3\n"))
    assert "deviation of the models was not computed on step 1; ask for it by the flag 1" in run.stdout + run.stderr


def test_models_of_other_elements(tmp_path: Path, model: Path, start_lammps: Callable) -> None:
    config = DPConfig.model_validate({"descriptor": {"network_size": [2, 4], "M2": 2}})
    other = export_potential(build_potential("DP", config, ("Cu", "H")), tmp_path / "other.pt")
    run = start_lammps(
        f"units metal\nregion box block 0 9 0 9 0 9\ncreate_box 2 box\npair_style pwmlff {model} {other}\n"
    )
    output = run.stdout + run.stderr
    assert f"all models must know the same elements, but '{model}' knows Cu O and '{other}' knows Cu H" in output


def test_file_that_cannot_be_written(
    tmp_path: Path, crystal: Atoms, committee: list[Path], start_lammps: Callable
) -> None:
    write(tmp_path / "data", crystal, format="lammps-data", specorder=["Cu", "O"], masses=True)
    run = start_lammps("units metal\n" + script(committee, "out_freq 1 out_file nowhere/devi.out"))
    assert "cannot write 'nowhere/devi.out': No such file or directory" in run.stdout + run.stderr
