"""LAMMPS and the ASE calculator say the same of the same exported model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk
from ase.stress import voigt_6_to_full_3x3_stress

from pwmlff import PwmlffCalculator
from pwmlff.export import export_potential
from pwmlff.models import build_potential
from pwmlff.models.dp import DPConfig


@pytest.fixture(scope="module")
def deep_potential(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Deep Potential with random weights."""
    torch.manual_seed(4)
    config = DPConfig.model_validate({"descriptor": {"Rmax": 5.0, "network_size": [8, 16], "M2": 4}})
    return export_potential(build_potential("DP", config, ("O", "Cu")), tmp_path_factory.mktemp("dp") / "dp.pt")


@pytest.fixture
def small() -> Atoms:
    """Four atoms in a triclinic cell thinner than the cutoff; some ranks hold none of them."""
    atoms = bulk("Cu", "fcc", a=3.7, cubic=True)
    atoms.symbols[2] = "O"
    atoms.set_cell(atoms.cell @ np.array([[1, 0, 0], [0.1, 1, 0], [0.05, 0.2, 1]]), scale_atoms=True)
    atoms.positions += 0.1 * np.random.default_rng(6).standard_normal(atoms.positions.shape)
    return atoms


@pytest.mark.parametrize("structure", ["crystal", "small"])
@pytest.mark.parametrize("newton", ["on", "off"])
@pytest.mark.parametrize("ranks", [1, 2, 4])
def test_same_energy_forces_and_stress(
    request: pytest.FixtureRequest, deep_potential: Path, run_lammps: Callable, ranks: int, newton: str, structure: str
) -> None:
    atoms = request.getfixturevalue(structure)
    result = run_lammps(atoms, f"pwmlff {deep_potential}", ranks=ranks, newton=newton)
    assert_same(atoms, deep_potential, result)


def test_hybrid_overlay(crystal: Atoms, deep_potential: Path, run_lammps: Callable) -> None:
    coeff = "pair_coeff * * pwmlff Cu O\npair_coeff * * zero"
    result = run_lammps(crystal, f"hybrid/overlay pwmlff {deep_potential} zero 5.0", coeff=coeff, ranks=2)
    assert_same(crystal, deep_potential, result)


def test_null_atoms_are_left_out(crystal: Atoms, deep_potential: Path, run_lammps: Callable) -> None:
    crystal.symbols[[3, 17, 30]] = "Ar"
    coeff = "pair_coeff * * Cu O NULL"
    result = run_lammps(crystal, f"pwmlff {deep_potential}", coeff=coeff, types=("Cu", "O", "Ar"), ranks=2)
    kept = crystal.numbers != 18
    assert np.abs(result.forces[~kept]).max() == 0
    rest = crystal[kept]
    rest.calc = PwmlffCalculator(deep_potential, device="cpu")
    np.testing.assert_allclose(rest.get_forces(), result.forces[kept], rtol=0, atol=1e-8)
    assert abs(rest.get_potential_energy() - result.energy) < 1e-9 * len(rest)


def assert_same(atoms: Atoms, model: Path, result: Any) -> None:
    atoms.calc = PwmlffCalculator(model, device="cpu")
    assert abs(atoms.get_potential_energy() - result.energy) < 1e-9 * len(atoms)
    np.testing.assert_allclose(atoms.get_potential_energies(), result.atomic_energies, rtol=0, atol=1e-9)
    np.testing.assert_allclose(atoms.get_forces(), result.forces, rtol=0, atol=1e-8)
    stress = voigt_6_to_full_3x3_stress(atoms.get_stress())
    xx_yy_zz_xy_xz_yz = stress[[0, 1, 2, 0, 0, 1], [0, 1, 2, 1, 2, 2]]
    np.testing.assert_allclose(-xx_yy_zz_xy_xz_yz * atoms.get_volume(), result.virial, rtol=0, atol=1e-7)
