"""input.data of n2p2 and RuNNer: units, molecules, and faults with their lines."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pwmlff.data.readers import ReadReport, read_frames
from pwmlff.data.structures import read_structure
from pwmlff.errors import DataFormatError

CRYSTAL = """begin
comment two atoms, {title}
lattice 4.0 0.0 0.0
lattice 0.1 4.0 0.0
lattice 0.2 0.3 5.0
atom 0.1 0.2 0.3 Cd -0.1 0.0 -0.1 -0.3 0.1
atom 2.0\t2.1 2.2 S 0.1 0.0 0.1 0.3 -0.1
energy -12.5
charge 0.0
end
"""
MOLECULE = "begin\natom 0.0 0.0 0.0 O 0 0 0.5 0 0\natom 0.0 0.0 1.0 H 0 0 -0.5 0 0\nend\n"


def write(folder: Path, text: str) -> Path:
    (folder / "input.data").write_text(text)
    return folder / "input.data"


def test_frames_in_angstrom_and_ev(tmp_path: Path) -> None:
    path = write(tmp_path, CRYSTAL + "\n" + MOLECULE)
    report = ReadReport()
    crystal, molecule = read_frames([path], format="n2p2/input.data", report=report)
    np.testing.assert_array_equal(crystal.atomic_numbers, [48, 16])
    np.testing.assert_array_equal(crystal.positions, [[0.1, 0.2, 0.3], [2.0, 2.1, 2.2]])
    np.testing.assert_array_equal(crystal.cell, [[4, 0, 0], [0.1, 4, 0], [0.2, 0.3, 5]])
    np.testing.assert_array_equal(crystal.forces, [[-0.1, -0.3, 0.1], [0.1, 0.3, -0.1]])
    assert crystal.energy == -12.5
    assert crystal.pbc.all()
    assert molecule.energy is None
    assert not molecule.pbc.any()
    assert (molecule.index, molecule.line) == (1, CRYSTAL.count("\n") + 2)
    assert "taken as Å and eV" in report.notes[0]
    assert read_structure(path, format="n2p2/input.data").index == 1


def test_bohr_and_hartree(tmp_path: Path) -> None:
    frame, _ = read_frames([write(tmp_path, CRYSTAL + MOLECULE)], format="runner/input.data")
    np.testing.assert_allclose(frame.positions[1], np.array([2.0, 2.1, 2.2]) * 0.529177210903, rtol=1e-12)
    np.testing.assert_allclose(frame.cell[2], np.array([0.2, 0.3, 5]) * 0.529177210903, rtol=1e-12)
    assert frame.energy == pytest.approx(-12.5 * 27.211386245988, rel=1e-12)
    np.testing.assert_allclose(frame.forces[0, 1], -0.3 * 51.42206747632, rtol=1e-9)  # eV/Å in a Hartree/Bohr


def test_units_have_to_be_told(tmp_path: Path) -> None:
    with pytest.raises(DataFormatError, match=r"n2p2/input.data for Å and eV or runner/input.data for Bohr"):
        read_frames([write(tmp_path, CRYSTAL)])


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("lattice 0.1 4.0 0.0", "lattice 0.1 4.0", "frame 0 (line 4): expected `lattice` and 3 numbers, found 2"),
        ("lattice 0.1 4.0 0.0\n", "", "frame 0 (line 1): 2 lines `lattice`, expected three lines, or none"),
        ("energy -12.5", "energy -12.5 3", "frame 0 (line 8): expected `energy` and 1 number, found 2"),
        ("energy -12.5", "energy nan", "frame 0 (line 8): expected finite numbers, found 'nan'"),
        ("energy -12.5", "energy x", "frame 0 (line 8): expected 1 numbers, found 'x'"),
        ("charge 0.0", "charge 0.0\nenergy 1", "frame 0 (line 1): 2 lines `energy`, expected one line"),
        ("Cd -0.1 0.0", "Cd -0.1", "frame 0 (line 6): expected `atom x y z element charge 0 fx fy fz`, found 8"),
        ("Cd", "Cx", "frame 0 (line 6): unknown element 'Cx'"),
        ("0.1 0.2 0.3 Cd", "0.1 0.2 o.3 Cd", "frame 0 (line 6): expected 8 numbers, found '0.1 0.2 o.3"),
        ("charge 0.0", "stress 0.0", "frame 0 (line 9): `stress` is no keyword of input.data"),
        ("end\n", "", "frame 0 (line 1): line 10 begins another structure, expected `end` before"),
        ("begin\ncomment", "comment", "frame 0 (line 1): expected `begin`, found 'comment two atoms"),
    ],
)
def test_faults_have_a_line(tmp_path: Path, old: str, new: str, expected: str) -> None:
    """The frame is refused with its line, or dropped, and the next one is read."""
    path = write(tmp_path, CRYSTAL.replace(old, new, 1) + MOLECULE)
    with pytest.raises(DataFormatError) as error:
        read_frames([path], format="n2p2/input.data")
    assert expected in str(error.value)
    report = ReadReport()
    (frame,) = read_frames([path], format="n2p2/input.data", skip_bad=True, report=report)
    assert frame.atomic_numbers.tolist() == [8, 1]
    assert len(report.skipped) == 1


def test_a_truncated_file(tmp_path: Path) -> None:
    path = write(tmp_path, MOLECULE + CRYSTAL[: CRYSTAL.index("energy")])
    with pytest.raises(DataFormatError, match=r"frame 1 \(line 5\): the file ends before the `end` of the structure"):
        read_frames([path], format="n2p2/input.data")
