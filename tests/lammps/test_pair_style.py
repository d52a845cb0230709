"""`pair_style pwmlff` says what the exported model says in Python, however LAMMPS is run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from families import small_potential

from pwmlff.export import export_potential

FORCE_TOLERANCE = 1e-8  # eV/Å
ENERGY_TOLERANCE = 1e-9  # eV per atom
EV_IN_KCAL_PER_MOL = 23.060549  # as LAMMPS rounds it


def assert_same(result: object, expected: object, unit: float = 1.0) -> None:
    """Compare energies, forces and virials, and the per-atom quantities with their totals."""
    n_atoms = len(expected.forces)
    assert np.abs(result.atomic_energies / unit - expected.atomic_energies).max() < ENERGY_TOLERANCE
    assert abs(result.energy / unit - expected.atomic_energies.sum()) < ENERGY_TOLERANCE * n_atoms
    assert np.abs(result.forces / unit - expected.forces).max() < FORCE_TOLERANCE
    if unit == 1.0:
        for virial in (result.virial, result.virial_sum, result.centroid_sum[:6]):
            np.testing.assert_allclose(virial, expected.virial, rtol=0, atol=1e-7)
        # the virial of a rotationally invariant energy is symmetric
        np.testing.assert_allclose(result.centroid_sum[6:], expected.virial[3:], rtol=0, atol=1e-7)


@pytest.mark.parametrize("newton", ["on", "off"])
@pytest.mark.parametrize("ranks", [1, 2])
def test_agrees_with_python(
    crystal: Atoms, any_model: Path, run_lammps: Callable, expect: Callable, newton: str, ranks: int
) -> None:
    result = run_lammps(crystal, f"pwmlff {any_model}", newton=newton, ranks=ranks)
    assert_same(result, expect(crystal, any_model))


@pytest.mark.parametrize("newton", ["on", "off"])
def test_box_smaller_than_cutoff(any_model: Path, run_lammps: Callable, expect: Callable, newton: str) -> None:
    cell = [[2.6, 0, 0], [0.4, 2.5, 0], [-0.3, 0.6, 2.7]]
    atoms = Atoms("CuO", positions=[[0, 0, 0], [1.2, 1.4, 1.3]], cell=cell, pbc=True)
    assert_same(run_lammps(atoms, f"pwmlff {any_model}", newton=newton), expect(atoms, any_model))


def test_open_boundaries(crystal: Atoms, any_model: Path, run_lammps: Callable, expect: Callable) -> None:
    cluster = crystal[:12]
    cluster.set_cell([30.0, 30.0, 30.0])
    cluster.center()
    cluster.pbc = False
    assert_same(run_lammps(cluster, f"pwmlff {any_model}"), expect(cluster, any_model))


@pytest.mark.parametrize("newton", ["on", "off"])
def test_rank_without_atoms(
    crystal: Atoms, any_model: Path, run_lammps: Callable, expect: Callable, newton: str
) -> None:
    slab = crystal[:16]
    slab.set_cell([60.0, 12.0, 12.0])
    slab.positions -= slab.positions.min(axis=0) - 1.0
    result = run_lammps(slab, f"pwmlff {any_model}", ranks=2, newton=newton, before="processors 2 1 1")
    assert slab.positions[:, 0].max() < 30.0
    assert_same(result, expect(slab, any_model))


def test_single_atom_has_only_its_shift(model: Path, run_lammps: Callable) -> None:
    result = run_lammps(Atoms("O", positions=[[5, 5, 5]], cell=[10, 10, 10], pbc=True), f"pwmlff {model}")
    assert result.energy == pytest.approx(-6.0, abs=1e-12)  # the shift of O, and -sqrt(1)
    assert not result.forces.any()


@pytest.mark.parametrize("newton", ["on", "off"])
def test_null_atoms_are_not_there(
    crystal: Atoms, any_model: Path, run_lammps: Callable, expect: Callable, newton: str
) -> None:
    crystal.symbols[::7] = "He"
    result = run_lammps(
        crystal, f"pwmlff {any_model}", types=("Cu", "O", "He"), coeff="pair_coeff * * Cu O NULL", newton=newton
    )
    seen = np.asarray(crystal.symbols) != "He"
    expected = expect(crystal[seen], any_model)
    assert np.abs(result.forces[seen] - expected.forces).max() < FORCE_TOLERANCE
    assert np.abs(result.atomic_energies[seen] - expected.atomic_energies).max() < ENERGY_TOLERANCE
    assert not result.forces[~seen].any()
    assert not result.atomic_energies[~seen].any()


def test_types_in_any_order(crystal: Atoms, any_model: Path, run_lammps: Callable, expect: Callable) -> None:
    assert_same(run_lammps(crystal, f"pwmlff {any_model}", types=("O", "Cu")), expect(crystal, any_model))


@pytest.mark.parametrize("numbers", ["29 8", "29 O"])
def test_elements_by_atomic_number(
    crystal: Atoms, model: Path, run_lammps: Callable, expect: Callable, numbers: str
) -> None:
    """As in the inputs of MatPL, whose pair styles know numbers only."""
    result = run_lammps(crystal, f"pwmlff {model}", coeff=f"pair_coeff * * {numbers}")
    assert_same(result, expect(crystal, model))


def test_elements_in_another_order_than_the_masses(crystal: Atoms, model: Path, run_lammps: Callable) -> None:
    """It runs, for that may be meant; nothing is said where the masses are those of the elements, or of isotopes."""
    warning = "pair_coeff says that atom type {} is {}, but its mass {} is that of {};"
    swapped = run_lammps(crystal, f"pwmlff {model}", coeff="pair_coeff * * O Cu").output
    assert warning.format(1, "O", 63.546, "Cu") in swapped
    assert warning.format(2, "Cu", 15.999, "O") in swapped
    both = run_lammps(crystal, f"pwmlff {model}", coeff="pair_coeff * * 29 O\nmass 2 17.999").output
    assert "is that of" not in both


def test_blocks_of_one_atom(crystal: Atoms, model: Path, run_lammps: Callable, expect: Callable) -> None:
    assert_same(run_lammps(crystal, f"pwmlff {model} block_pairs 1"), expect(crystal, model))


def test_units_real(crystal: Atoms, model: Path, run_lammps: Callable, expect: Callable) -> None:
    assert_same(run_lammps(crystal, f"pwmlff {model}", units="real"), expect(crystal, model), EV_IN_KCAL_PER_MOL)


def test_hybrid_overlay_with_zero(crystal: Atoms, any_model: Path, run_lammps: Callable, expect: Callable) -> None:
    coeff = "pair_coeff * * pwmlff Cu O\npair_coeff * * zero"
    assert_same(
        run_lammps(crystal, f"hybrid/overlay pwmlff {any_model} zero 5.0", coeff=coeff), expect(crystal, any_model)
    )


def test_atoms_far_from_home(crystal: Atoms, model: Path, run_lammps: Callable, expect: Callable) -> None:
    moved = crystal.copy()
    moved.positions += 3 * moved.cell[0] - 2 * moved.cell[2]
    result = run_lammps(moved, f"pwmlff {model}", before="comm_modify cutoff 9.0")
    assert_same(result, expect(crystal, model))


@pytest.mark.parametrize("model_type", ["DP", "DP_TYPE_EMBEDDING", "NEP"])
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-8), ("float32", 1e-5)])
def test_precisions(
    crystal: Atoms,
    run_lammps: Callable,
    expect: Callable,
    tmp_path: Path,
    model_type: str,
    dtype: str,
    tolerance: float,
) -> None:
    path = export_potential(small_potential(model_type, 4.5, ("O", "Cu"), dtype=dtype), tmp_path / "model.pt")
    result, expected = run_lammps(crystal, f"pwmlff {path}", ranks=2), expect(crystal, path)
    assert np.abs(result.forces - expected.forces).max() < tolerance
    assert np.abs(result.atomic_energies - expected.atomic_energies).max() < tolerance
    assert np.abs(expected.forces).max() > 1e-3
