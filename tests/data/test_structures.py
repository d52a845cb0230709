"""Structures without labels, from PWmat, VASP, LAMMPS and ASE files."""

from __future__ import annotations

import re
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from pwmlff.data.structures import read_structure
from pwmlff.data.trajectory import iterate_trajectory
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
    ("old", "new", "message"),
    [
        ("2 atoms", "0 atoms", "line 1: expected the number of atoms, found '0 atoms'"),
        ("2 atoms", "9" * 5000, "line 1: expected the number of atoms, found '999"),
        ("2 atoms", "99999999999 atoms", "line 9: expected row 3 of 99999999999"),
        ("0.25", "nan", "line 7, row 1 of 2 of the 'Position' block: expected finite numbers"),
        ("0.25", "x", "line 7, row 1 of 2 of the 'Position' block: expected 4 numbers"),
        ("29 ", "1e300 ", "`atomic_numbers` is not whole"),
    ],
)
def test_damaged_pwmat_config(old: str, new: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "atom.config"
    path.write_text(CONFIG.format(head="2 atoms").replace(old, new, 1))
    with pytest.raises(DataFormatError, match=re.escape(message)):
        read_structure(path, format="pwmat/config")


@pytest.mark.parametrize("format", [None, "xyz"])
def test_an_extended_xyz_is_not_believed_its_count(format: str | None, alloy: Atoms, tmp_path: Path) -> None:
    path = tmp_path / "a.xyz"
    ase.io.write(path, alloy)
    path.write_text(path.read_text().replace("4\n", "10000000\n", 1))
    with pytest.raises(DataFormatError, match="has 4 atom rows, its first line says 10000000"):
        read_structure(path, format=format)


def test_last_frame_of_an_extended_xyz(alloy: Atoms, tmp_path: Path) -> None:
    path = tmp_path / "a.xyz"
    shifted = alloy.copy()
    shifted.positions += 0.5
    ase.io.write(path, [alloy, shifted])
    frame = read_structure(path)
    assert frame.index == 1
    np.testing.assert_allclose(frame.positions, shifted.positions, atol=1e-7)
    alloy.pbc = False
    alloy.cell = None
    ase.io.write(path, alloy, format="xyz", comment="a molecule")
    assert not read_structure(path).pbc.any()


def test_a_poscar_named_by_a_number(alloy: Atoms, tmp_path: Path) -> None:
    path = tmp_path / "POSCAR"
    ase.io.write(path, alloy, format="vasp")
    path.write_text("4\n" + path.read_text().split("\n", 1)[1])
    assert sorted(read_structure(path).atomic_numbers) == [29, 29, 29, 79]


def test_lammps_data_without_atoms(alloy: Atoms, tmp_path: Path) -> None:
    path = tmp_path / "a.data"
    ase.io.write(path, alloy[:0], format="lammps-data", specorder=["Cu"])
    with pytest.raises(DataFormatError, match="holds no atoms"):
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


@pytest.mark.parametrize("format", [None, "lammps/lmp"])
@pytest.mark.parametrize(
    ("masses", "message"),
    [
        ("", "its atom types 1, 2 are; name them"),
        ("Masses\n\n1 63.55\n2 200.0\n\n", r"its atom types 1 \(mass 63.55\), 2 \(mass 200.0\) are"),
        ("Masses\n\n1 58.8\n2 197\n\n", r"1 \(mass 58.8\)"),  # nickel 58.69, cobalt 58.93
    ],
)
def test_lammps_types_are_not_guessed(
    alloy: Atoms, tmp_path: Path, format: str | None, masses: str, message: str
) -> None:
    """ASE takes types 1 and 2 for hydrogen and helium, or the nearest mass for the element."""
    path = tmp_path / "alloy.data"
    ase.io.write(path, alloy, format="lammps-data", specorder=["Cu", "Au"], masses=False)
    text = path.read_text()
    assert "Atoms" in text
    path.write_text(text.replace("Atoms", masses + "Atoms"))
    with pytest.raises(ConfigError, match=message) as caught:
        read_structure(path, format=format)
    assert "--elements" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert sorted(read_structure(path, format=format, elements=["Cu", "Au"]).atomic_numbers) == [29, 29, 29, 79]


def test_lammps_types_by_masses_and_labels(alloy: Atoms, tmp_path: Path) -> None:
    path = tmp_path / "alloy.data"
    ase.io.write(path, alloy, format="lammps-data", specorder=["Au", "Cu"], masses=True)
    notes: list[str] = []
    assert sorted(read_structure(path, notes=notes).atomic_numbers) == [29, 29, 29, 79]
    assert notes == [f"{path}: by its masses, atom type 1 is Au, 2 is Cu; --elements names others"]
    ase.io.write(path, alloy, format="lammps-data", specorder=["Au", "Cu"], masses=False)
    path.write_text(path.read_text().replace("Atoms", "Atom Type Labels\n\n1 Ag\n2 Ni\n\nAtoms"))
    assert sorted(read_structure(path, notes=notes).atomic_numbers) == [28, 28, 28, 47]
    assert len(notes) == 1


@pytest.mark.parametrize("format", [None, "lammps/dump"])
def test_lammps_dump_without_elements(tmp_path: Path, format: str | None) -> None:
    path = tmp_path / "frames"
    head = "ITEM: TIMESTEP\n{}\nITEM: NUMBER OF ATOMS\n2\nITEM: BOX BOUNDS pp pp pp\n0 4\n0 4\n0 4\n"
    rows = "ITEM: ATOMS id type x y z\n1 1 0 0 0\n2 2 {} 0 0\n"
    path.write_text("".join(head.format(step) + rows.format(2.0 + step) for step in (0, 1)))
    with pytest.raises(ConfigError, match="names no elements; name those of types 1, 2, ... with --elements"):
        read_structure(path, format=format)
    frame = read_structure(path, format=format, elements=["Cu", "Au"])
    assert frame.atomic_numbers.tolist() == [29, 79]
    assert frame.positions[1, 0] == 3.0
    path.write_text("")
    with pytest.raises(DataFormatError, match="is empty|cannot read"):
        read_structure(path, format=format, elements=["Cu"])


def test_a_dump_without_its_first_line_is_not_left_to_ase(tmp_path: Path) -> None:
    """It would take types for atomic numbers."""
    path = tmp_path / "frames"
    path.write_text(
        "metal\nITEM: TIMESTEP\n0\nITEM: NUMBER OF ATOMS\n1\nITEM: BOX BOUNDS pp pp pp\n0 4\n0 4\n0 4\n"
        "ITEM: ATOMS id type x y z\n1 1 0 0 0\n"
    )
    for read in (read_structure, lambda path: list(iterate_trajectory(path))):
        with pytest.raises(DataFormatError, match=r"line 1\): expected a line 'ITEM: ...', found 'metal'"):
            read(path)


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
