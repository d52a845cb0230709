"""Structures that are dropped: atoms nearer than half the sum of their covalent radii."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule

from pwmlff.data.atoms import frame_of
from pwmlff.data.frame import Frame
from pwmlff.elements import covalent_radius
from pwmlff.selection.closest import unphysical


def dimer(distance: float, numbers: tuple[int, int] = (29, 8)) -> Frame:
    positions = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, distance]])
    return Frame(
        atomic_numbers=np.array(numbers), positions=positions, cell=np.zeros((3, 3)), pbc=np.zeros(3, dtype=bool)
    )


def test_bound_is_that_of_the_pair() -> None:
    bound = 0.5 * (covalent_radius("Cu") + covalent_radius("O"))
    assert unphysical(dimer(bound + 1e-6)) is None
    assert unphysical(dimer(bound - 1e-3)) == (
        f"structure frame 0: Cu and O at {bound - 1e-3:.3f} Å, nearer than {bound:.3f} Å"
    )


def test_pairs_across_the_cell_are_seen() -> None:
    positions = np.array([[0.0, 0.0, 0.1], [0.0, 0.0, 9.9]])
    frame = Frame(atomic_numbers=np.array([29, 29]), positions=positions, cell=10 * np.eye(3))
    reason = unphysical(frame)
    assert reason is not None
    assert "Cu and Cu at 0.200 Å" in reason


def test_a_bound_for_all() -> None:
    assert unphysical(dimer(1.0), 0.9) is None
    assert "nearer than 1.100 Å" in (unphysical(dimer(1.0), 1.1) or "")


def test_atoms_at_one_place() -> None:
    assert "at the same place" in (unphysical(dimer(0.0)) or "")


@pytest.mark.parametrize("name", ["H2O", "CO", "H2", "C6H6", "CH3OH", "N2", "F2", "LiH"])
def test_molecules_are_physical(name: str) -> None:
    assert unphysical(frame_of(_in_cell(name))) is None


@pytest.mark.parametrize("symbol", ["Li", "Be", "C", "Al", "Si", "Cu", "W", "Pb"])
def test_crystals_are_physical(symbol: str) -> None:
    """Also when they are squeezed to half of their volume."""
    crystal = bulk(symbol)
    crystal.set_cell(crystal.cell.array * 0.5 ** (1 / 3), scale_atoms=True)
    assert unphysical(frame_of(crystal)) is None


def _in_cell(name: str) -> Atoms:
    atoms = molecule(name)
    atoms.center(vacuum=5.0)
    return atoms
