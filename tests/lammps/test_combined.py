"""Together with other styles, with itself, and in several worlds at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.io import write

LJ = "lj/cut 3.5"


def assert_sum(total: object, *parts: object) -> None:
    """Compare one result with the sum of others in everything that is additive."""
    for name in ("energy", "forces", "atomic_energies", "virial", "virial_sum", "centroid_sum"):
        expected = sum(getattr(part, name) for part in parts)
        np.testing.assert_allclose(getattr(total, name), expected, rtol=1e-9, atol=1e-8, err_msg=name)


@pytest.mark.parametrize(("newton", "ranks"), [("on", 1), ("off", 2)])
def test_model_plus_lennard_jones(
    crystal: Atoms, any_model: Path, run_lammps: Callable, newton: str, ranks: int
) -> None:
    how = {"newton": newton, "ranks": ranks}
    alone = run_lammps(crystal, f"pwmlff {any_model}", **how)
    other = run_lammps(crystal, LJ, coeff="pair_coeff * * 0.02 2.2", **how)
    coeff = "pair_coeff * * pwmlff Cu O\npair_coeff * * lj/cut 0.02 2.2"
    for style in (f"pwmlff {any_model} block_pairs 77 {LJ}", f"{LJ} pwmlff {any_model}"):
        assert_sum(run_lammps(crystal, f"hybrid/overlay {style}", coeff=coeff, **how), alone, other)


def test_two_instances(crystal: Atoms, model: Path, committee: list[Path], run_lammps: Callable) -> None:
    parts = [run_lammps(crystal, f"pwmlff {path}", newton="off") for path in committee[:2]]
    style = f"hybrid/overlay pwmlff {committee[0]} pwmlff {committee[1]}"
    coeff = "pair_coeff * * pwmlff 1 Cu O\npair_coeff * * pwmlff 2 Cu O"
    assert_sum(run_lammps(crystal, style, coeff=coeff, newton="off"), *parts)


def test_scaled_by_hybrid(crystal: Atoms, model: Path, run_lammps: Callable) -> None:
    style = f"hybrid/scaled 0.25 pwmlff {model} 0.75 pwmlff {model}"
    coeff = "pair_coeff * * pwmlff 1 Cu O\npair_coeff * * pwmlff 2 Cu O"
    alone, scaled = (
        run_lammps(crystal, f"pwmlff {model}"),
        run_lammps(crystal, style, coeff=coeff),
    )
    assert scaled.energy == pytest.approx(alone.energy, abs=1e-9)
    np.testing.assert_allclose(scaled.forces, alone.forces, rtol=0, atol=1e-9)


@pytest.mark.parametrize("newton", ["on", "off"])
def test_types_left_to_another_style(
    crystal: Atoms, model: Path, run_lammps: Callable, expect: Callable, newton: str
) -> None:
    crystal.symbols[::7] = "He"
    types, gas = ("Cu", "O", "He"), np.asarray(crystal.symbols) == "He"
    result = run_lammps(
        crystal,
        f"hybrid pwmlff {model} {LJ}",
        types=types,
        coeff="pair_coeff * * pwmlff Cu O NULL\npair_coeff 1*3 3 lj/cut 0.02 2.2",
        newton=newton,
    )
    # the same Lennard-Jones pairs alone: those with helium
    coeff = "pair_coeff * * 0.0 2.2\npair_coeff 1*3 3 0.02 2.2"
    pairs = run_lammps(crystal, LJ, types=types, coeff=coeff, newton=newton)
    expected = expect(crystal[~gas], model)
    forces = pairs.forces.copy()
    forces[~gas] += expected.forces
    np.testing.assert_allclose(result.forces, forces, rtol=0, atol=1e-8)
    assert result.energy == pytest.approx(pairs.energy + expected.atomic_energies.sum(), abs=1e-8)


def test_partitions(tmp_path: Path, crystal: Atoms, model: Path, start_lammps: Callable, expect: Callable) -> None:
    """Two simulations in one MPI job, one of them on two ranks."""
    frames = {"a": crystal, "b": crystal[:30]}
    for name, atoms in frames.items():
        write(tmp_path / f"data.{name}", atoms, format="lammps-data", specorder=["Cu", "O"], masses=True)
    text = f"""
variable name world a b
units metal
atom_modify map array
read_data data.${{name}}
pair_style pwmlff {model}
pair_coeff * * Cu O
thermo_style custom step pe
run 0
variable energy equal pe
print "$(v_energy:%.12f)" file energy.${{name}}
"""
    run = start_lammps(text, 3, ["-partition", "2", "1", "-screen", "none"])
    assert run.returncode == 0, run.stdout + run.stderr
    for name, atoms in frames.items():
        energy = float((tmp_path / f"energy.{name}").read_text())
        assert energy == pytest.approx(expect(atoms, model).atomic_energies.sum(), abs=1e-8)
