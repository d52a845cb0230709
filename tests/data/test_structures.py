"""Structures without labels, from PWmat, VASP, LAMMPS and ASE files."""

from __future__ import annotations

from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from pwmlff.data.structures import read_structure
from pwmlff.errors import ConfigError, DataFormatError

CONFIG = """{head}
 Lattice vector (Angstrom)
   4.0 0.0 0.0
   0.5 3.0 0.0
   0.0 0.0 5.0
 Position, move_x, move_y, move_z
  29  0.25 0.50 0.00  1 1 1
  79  0.75 0.00 0.50  0 0 0
"""


@pytest.fixture
def alloy() -> Atoms:
    atoms = bulk("Cu", "fcc", a=3.7, cubic=True)
    atoms.numbers[1] = 79
    atoms.set_cell(atoms.cell.array + [[0, 0, 0], [0.3, 0, 0], [0.1, 0.2, 0]], scale_atoms=True)
    return atoms


@pytest.mark.parametrize("head", ["  2", "2 atoms", " 2 atoms, written by hand"])
def test_pwmat_config(head: str, tmp_path: Path) -> None:
    path = tmp_path / "atom.config"
    path.write_text(CONFIG.format(head=head))
    frame = read_structure(path)
    np.testing.assert_array_equal(frame.atomic_numbers, [29, 79])
    # fractional coordinates times row vectors
    np.testing.assert_allclose(frame.positions, [[1.25, 1.5, 0.0], [3.0, 0.0, 2.5]])
    assert frame.pbc.all()
    assert frame.forces is None


@pytest.mark.parametrize(("kept", "line"), [(7, 8), (4, 5)])
def test_truncated_pwmat_config_names_the_line(kept: int, line: int, tmp_path: Path) -> None:
    path = tmp_path / "atom.config"
    path.write_text("\n".join(CONFIG.format(head="2").splitlines()[:kept]))
    with pytest.raises(DataFormatError, match=f"line {line}|no 'Position' block"):
        read_structure(path)


@pytest.mark.parametrize(
    ("name", "ase_format", "our_format"),
    [("POSCAR", "vasp", None), ("x.cif", "cif", None), ("x.xyz", "extxyz", None), ("x", "vasp", "vasp/poscar")],
)
def test_formats_of_ase(name: str, ase_format: str, our_format: str | None, alloy: Atoms, tmp_path: Path) -> None:
    path = tmp_path / name
    ase.io.write(path, alloy, format=ase_format)
    frame = read_structure(path, format=our_format)
    assert sorted(frame.atomic_numbers) == [29, 29, 29, 79]
    distances = Atoms(frame.atomic_numbers, frame.positions, cell=frame.cell, pbc=True).get_all_distances(mic=True)
    expected = alloy.get_all_distances(mic=True)
    np.testing.assert_allclose(np.sort(distances.ravel()), np.sort(expected.ravel()), atol=1e-5)


def test_lammps_data_takes_named_elements(alloy: Atoms, tmp_path: Path) -> None:
    path = tmp_path / "data.alloy"
    ase.io.write(path, alloy, format="lammps-data", specorder=["Au", "Cu"])
    frame = read_structure(path, format="lammps/lmp", elements=["Au", "Cu"])
    assert sorted(frame.atomic_numbers) == [29, 29, 29, 79]
    with pytest.raises(DataFormatError, match="1 elements were named"):
        read_structure(path, format="lammps/lmp", elements=["Au"])


def test_last_frame_of_a_movement(shared_data: Path) -> None:
    path = shared_data / "raw" / "pwmlff_small" / "MOVEMENT"
    frame = read_structure(path)
    assert frame.index == path.read_text().count("Iteration") - 1


def test_mistakes_are_told(tmp_path: Path) -> None:
    with pytest.raises(DataFormatError, match="no structure file"):
        read_structure(tmp_path / "absent")
    nonsense = tmp_path / "nonsense.txt"
    nonsense.write_text("hello\n")
    with pytest.raises(DataFormatError, match="--format"):
        read_structure(nonsense)
    with pytest.raises(ConfigError, match="unknown structure format 'poscarr'"):
        read_structure(nonsense, format="poscarr")
