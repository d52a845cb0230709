"""What an isolated atom is, and what its energy is used for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pwmlff.data.frame import Frame
from pwmlff.data.isolated import is_isolated_atom, isolated_atoms, isolated_energies, shift_from_isolated
from pwmlff.data.readers import read_frames
from pwmlff.data.statistics import fit_energy_shift
from pwmlff.data.store import write_store
from pwmlff.data.writers import write_extxyz
from pwmlff.errors import DataFormatError

BOX = np.eye(3) * 10.0


def atoms(numbers: list[int], energy: float | None = None, cell: np.ndarray = BOX, pbc: object = (1, 1, 1)) -> Frame:
    positions = [[2.0 * k, 0, 0] for k in range(len(numbers))]
    return Frame(atomic_numbers=numbers, positions=positions, cell=cell, pbc=np.array(pbc, dtype=bool), energy=energy)


@pytest.mark.parametrize(
    ("frame", "is_isolated"),
    [
        (atoms([29]), True),
        (atoms([29, 29]), False),
        (atoms([29], cell=np.eye(3) * 6.9), False),
        (atoms([29], cell=np.diag([3.0, 10, 10])), False),  # a chain
        (atoms([29], cell=np.diag([3.0, 10, 10]), pbc=(0, 1, 1)), True),
        (atoms([29], cell=np.zeros((3, 3)), pbc=(0, 0, 0)), True),
        (atoms([29], cell=np.array([[0, 1.8, 1.8], [1.8, 0, 1.8], [1.8, 1.8, 0]])), False),
        (atoms([29], cell=np.array([[10, 0, 0], [9, 3.0, 0], [0, 0, 10]])), False),  # skewed: an image is near
    ],
)
def test_isolated(frame: Frame, is_isolated: bool) -> None:
    assert is_isolated_atom(frame) == is_isolated


def test_shift() -> None:
    """Two elements that always come as 1:2: a fit cannot tell them apart, the atoms can."""
    isolated, notes = isolated_energies([atoms([1], -13.6), atoms([8], -430.0), atoms([8], -430.0), atoms([8])])
    assert (isolated, notes) == ({"H": -13.6, "O": -430.0}, [])
    frames = [atoms([8, 1, 1], -430.0 - 27.2 - 9.0), atoms([8, 8, 1, 1, 1, 1], 2 * (-430.0 - 27.2) - 24.0)]
    shift = shift_from_isolated(frames, ["O", "H"], isolated)
    np.testing.assert_allclose(shift, np.array([-430.0, -13.6]) - 3.5)  # the mean of -3 and -4 eV per atom
    assert shift @ [1, 2] == pytest.approx(fit_energy_shift(frames, ["O", "H"]) @ [1, 2])
    with pytest.raises(DataFormatError, match="no frame has an energy"):
        shift_from_isolated([atoms([8, 1])], ["O", "H"], isolated)


def test_isolated_atoms_of_files_and_stores(tmp_path: Path) -> None:
    frames = [atoms([29, 29], -1.0), atoms([29], -0.2), atoms([29], -3.0, np.eye(3) * 2.5), atoms([8], -0.5)]
    write_store(tmp_path / "a.h5", frames)
    write_extxyz(tmp_path / "b.xyz", frames[1:])
    assert isolated_atoms(frames) == [1, 3]
    assert isolated_atoms(read_frames([tmp_path / "a.h5"])) == [1, 3]
    assert isolated_atoms(read_frames([tmp_path / "b.xyz", tmp_path / "a.h5", tmp_path / "b.xyz"])) == [
        0,
        2,
        4,
        6,
        7,
        9,
    ]
