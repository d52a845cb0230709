"""Phonons against the closed form of nearest-neighbour springs; skipped where phonopy is not installed."""

from __future__ import annotations

import numpy as np
import pytest
from ase import units
from ase.build import bulk
from morse import DISTANCE, STIFFNESS, crystal, morse

from pwmlff.interfaces.calculator import PwmlffCalculator
from pwmlff.report.spectrum import phonons, primitive_cell

pytest.importorskip("phonopy")


def test_fcc_at_the_corner_of_the_zone() -> None:
    atoms = bulk("Cu", "fcc", a=np.sqrt(2) * DISTANCE)
    atoms.calc = PwmlffCalculator(morse(), device="cpu")
    spectrum = phonons(atoms)
    # at X the longitudinal branch is the highest: m omega^2 = 8 k
    mass = atoms.get_masses()[0]
    highest = np.sqrt(8 * STIFFNESS / mass) * units.s * 1e-12 / (2 * np.pi)
    assert spectrum.highest == pytest.approx(highest, rel=0.01)
    assert spectrum.lowest > -0.02 * spectrum.highest
    assert spectrum.n_displacements == 1


def test_primitive_cell_of_a_relaxed_frame() -> None:
    atoms = crystal(2, 0.003)
    atoms.calc = PwmlffCalculator(morse(), device="cpu")
    assert len(primitive_cell(atoms)) == 1
    assert len(primitive_cell(crystal(2, 0.3))) == 32
