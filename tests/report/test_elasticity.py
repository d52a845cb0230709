"""Elastic constants and equations of state against closed forms of nearest-neighbour forces, and ASE's EMT."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.eos import calculate_eos
from morse import DEPTH, DISTANCE, STIFFNESS, crystal, morse

from pwmlff.interfaces.calculator import PwmlffCalculator
from pwmlff.report.elasticity import (
    ElasticConstants,
    RelaxationError,
    convex_branch,
    elastic_constants,
    equation_of_state,
    relax,
)
from pwmlff.units import EV_PER_A3_IN_GPA

# of fcc with nearest-neighbour springs: C11 = 2 C12 = 2 C44 = sqrt(2) k / r0; Born and Huang, 1954
C11 = np.sqrt(2) * STIFFNESS / DISTANCE * EV_PER_A3_IN_GPA


@pytest.fixture
def fcc() -> Atoms:
    atoms = bulk("Cu", "fcc", a=np.sqrt(2) * DISTANCE)
    atoms.calc = PwmlffCalculator(morse(), device="cpu")
    return atoms


def test_constants_of_nearest_neighbour_springs(fcc: Atoms) -> None:
    found = elastic_constants(fcc, strain=0.002)
    expected = np.diag([C11] * 3 + [C11 / 2] * 3)
    expected[:3, :3] += C11 / 2 * (1 - np.eye(3))
    np.testing.assert_allclose(found.matrix, expected, atol=2e-3 * C11)  # the differences' error, third order
    assert found.asymmetry < 1e-3
    assert found.bulk == pytest.approx(2 / 3 * C11, rel=2e-3)


def test_branch_of_an_equation_of_state() -> None:
    parts = np.linspace(0.92, 1.08, 9)
    curve = (parts - 1) ** 2
    assert convex_branch(curve) == slice(0, 9)
    other = np.where(parts > 1.05, 0.002, curve)  # another structure
    assert convex_branch(other) == slice(0, 7)
    assert convex_branch(other[::-1]) == slice(2, 9)
    assert convex_branch((parts - 0.96) ** 2) == slice(0, 9)  # the minimum is not in the middle
    assert convex_branch(parts) == slice(None)  # no minimum
    noise = np.array([0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0])
    assert convex_branch(noise) == slice(None)


def test_equation_of_state(fcc: Atoms) -> None:
    fit = equation_of_state(fcc)
    assert fit.has_minimum
    assert fit.volume == pytest.approx(DISTANCE**3 / np.sqrt(2), rel=1e-3)
    assert fit.energy == pytest.approx(-6 * DEPTH, rel=1e-3)
    assert fit.bulk_modulus == pytest.approx(2 / 3 * C11, rel=0.03)  # over 8 % of volume, anharmonic


def test_emt_agrees_with_ase() -> None:
    atoms = bulk("Cu", "fcc", a=3.59, cubic=True)
    atoms.calc = EMT()
    volume, _, modulus = calculate_eos(atoms, npoints=9, eps=0.0265).fit()
    assert relax(atoms, cell=True)
    fit = equation_of_state(atoms)
    constants = elastic_constants(atoms)
    assert fit.volume == pytest.approx(volume / 4, rel=1e-3)
    assert fit.bulk_modulus == pytest.approx(modulus * EV_PER_A3_IN_GPA, rel=0.02)
    assert constants.bulk == pytest.approx(fit.bulk_modulus, rel=0.03)
    assert constants.lowest > 0


def test_relaxation_finds_the_minimum() -> None:
    atoms = crystal(1, 0.05)
    atoms.set_cell(atoms.cell * 1.03, scale_atoms=True)
    atoms.calc = PwmlffCalculator(morse(), device="cpu")
    assert relax(atoms, cell=True)
    assert atoms.get_volume() / 4 == pytest.approx(DISTANCE**3 / np.sqrt(2), rel=2e-3)


def test_a_cell_without_shear_stiffness_is_unstable() -> None:
    atoms = bulk("Cu", "sc", a=DISTANCE)  # nearest neighbours alone do not resist shear
    atoms.calc = PwmlffCalculator(morse(), device="cpu")
    assert elastic_constants(atoms).lowest < 1e-3 * C11


def test_averages_of_an_isotropic_solid() -> None:
    bulk_modulus, shear = 100.0, 40.0
    matrix = np.diag([2 * shear] * 3 + [shear] * 3)
    matrix[:3, :3] += bulk_modulus - 2 * shear / 3
    constants = ElasticConstants(matrix, 0.0)
    assert constants.bulk == pytest.approx(bulk_modulus)
    assert constants.shear == pytest.approx(shear)


def test_collapse_is_told() -> None:
    atoms = bulk("Cu", "fcc", a=2.2)
    atoms.calc = PwmlffCalculator(morse(hole=500.0), device="cpu")
    with pytest.raises(RelaxationError, match="volume went to"):
        relax(atoms, cell=True)
