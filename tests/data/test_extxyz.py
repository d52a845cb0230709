"""Extended XYZ: which labels are taken, exact round trips, faults with their lines."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pwmlff.data.frame import Frame
from pwmlff.data.readers import ReadReport, read_frames
from pwmlff.data.writers import write_extxyz
from pwmlff.errors import DataFormatError

GOOD = """2
Lattice="4.0 0 0 0 4.0 0 0 0 5.0" Properties=species:S:1:pos:R:3:forces:R:3 energy=-1.5 pbc="T T T"
Cu 0.0 0.0 0.0 0.1 0.2 0.3
O 1.0 1.5 0.5 -0.1 -0.2 -0.3
"""


def load(path: Path, text: str, *, skip_bad: bool = False) -> tuple[list[Frame], ReadReport]:
    path.write_text(text)
    report = ReadReport()
    return list(read_frames([path], skip_bad=skip_bad, report=report)), report


def test_a_frame(tmp_path: Path) -> None:
    (first, second), _ = load(tmp_path / "a.xyz", GOOD + "\n" + GOOD.replace("forces:R", "force:R"))
    for frame in (first, second):
        assert frame.energy == -1.5
        np.testing.assert_array_equal(frame.atomic_numbers, [29, 8])
        np.testing.assert_array_equal(frame.forces, [[0.1, 0.2, 0.3], [-0.1, -0.2, -0.3]])
        assert frame.virial is None
    assert (second.index, second.line) == (1, 6)


def test_virial_comes_before_stress_and_stress_changes_sign(tmp_path: Path) -> None:
    stress = 'stress="0.01 0.002 0.003 0.002 0.02 0.001 0.003 0.001 0.03"'
    (frame,), _ = load(tmp_path / "a.xyz", GOOD.replace("energy", f"{stress} energy"))
    expected = -80.0 * np.array([[0.01, 0.002, 0.003], [0.002, 0.02, 0.001], [0.003, 0.001, 0.03]])
    np.testing.assert_allclose(frame.virial, expected, rtol=1e-14)
    both = GOOD.replace("energy", f'{stress} virial="1 2 3 2 4 5 3 5 6" energy')
    (frame,), _ = load(tmp_path / "a.xyz", both)
    np.testing.assert_array_equal(frame.virial, [[1, 2, 3], [2, 4, 5], [3, 5, 6]])


def test_free_energy_stands_in_for_energy(tmp_path: Path) -> None:
    (frame,), _ = load(tmp_path / "a.xyz", GOOD.replace("energy=-1.5", "free_energy=-1.6"))
    assert frame.energy == -1.6
    (frame,), report = load(tmp_path / "a.xyz", GOOD.replace("energy=-1.5", "energy=-1.5 free_energy=-1.6"))
    assert frame.energy == -1.5
    assert any("differ" in note for note in report.notes)


def test_unlabelled_and_isolated(tmp_path: Path) -> None:
    (frame,), _ = load(tmp_path / "a.xyz", "2\nProperties=species:S:1:pos:R:3\nH 0 0 0\nH 0 0 0.74\n")
    assert frame.energy is frame.forces is frame.virial is None
    assert not frame.pbc.any()


def test_every_digit_survives(tmp_path: Path) -> None:
    """Written and read back, all numbers are equal, partly periodic and absent labels included."""
    rng = np.random.default_rng(0)
    frames = [
        Frame(
            atomic_numbers=rng.integers(1, 119, 5),
            positions=rng.normal(size=(5, 3)) * 10,
            cell=rng.normal(size=(3, 3)) + np.eye(3) * 9,
            pbc=rng.integers(0, 2, 3).astype(bool),
            energy=float(rng.normal()) * 1e5 if k != 1 else None,
            forces=rng.normal(size=(5, 3)) if k != 2 else None,
            virial=rng.normal(size=(3, 3)) if k != 3 else None,
            atomic_energies=rng.normal(size=5) if k != 4 else None,
            source='odd "name".xyz',
        )
        for k in range(6)
    ]
    write_extxyz(tmp_path / "a.xyz", frames)
    loaded, _ = load(tmp_path / "a.xyz", (tmp_path / "a.xyz").read_text())
    for a, b in zip(loaded, frames, strict=True):
        for name in ("atomic_numbers", "positions", "cell", "pbc", "energy", "forces", "virial", "atomic_energies"):
            np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)
    from ase.io import read

    assert read(tmp_path / "a.xyz", index=0).get_potential_energy() == frames[0].energy


FAULTS = {
    "missing row": (GOOD.replace("O 1.0 1.5 0.5 -0.1 -0.2 -0.3\n", ""), 7, "1 atom rows, its first line says 2"),
    "extra row": (GOOD + "O 3.0 3.0 3.0 0 0 0\n", 9, "3 atom rows, its first line says 2"),
    "short row": (GOOD.replace(" -0.2 -0.3\n", "\n"), 8, "cannot be read"),
    "not a number": (GOOD.replace("1.5 0.5", "1.5 x"), 8, "cannot be read"),
    "nan": (GOOD.replace("-0.1 -0.2", "-0.1 nan"), 5, "`forces` row 1 is"),
    "element": (GOOD.replace("O 1.0", "Qq 1.0"), 8, "unknown element or column 'Qq'"),
    "no volume": (GOOD.replace("0 4.0 0 0 0 5.0", "0 4.0 0 0 0 0"), 5, "the cell spans no volume"),
    "one place": (GOOD.replace("O 1.0 1.5 0.5", "O 4.0 0.0 5.0"), 5, "at the same place"),
    "energy is a word": (GOOD.replace("energy=-1.5", "energy=abc"), 6, "`energy` is 'abc', expected one number"),
    "two energies": (GOOD.replace("energy=-1.5", 'energy="1 2"'), 6, r"`energy` is '\[1 2\]', expected one number"),
    "claimed columns": (GOOD.replace("pos:R:3", "pos:R:99999999999"), 6, "`Properties` names 100000000003 columns"),
    "pbc in words": (GOOD.replace('"T T T"', '"yes yes no"'), 6, "pbc is 'yes yes no', expected three of T and F"),
    "stress of two": (GOOD.replace("energy", 'stress="1 2" energy'), 6, "cannot be read"),
    "far": (GOOD.replace("O 1.0", "O 1e300"), 5, "`positions` row 1 reaches 1e.300 Å"),
    "no atoms": ("0\n\n", 5, "has no atoms"),
}


@pytest.mark.parametrize("name", list(FAULTS))
def test_faults(tmp_path: Path, name: str) -> None:
    bad, line, message = FAULTS[name]
    path = tmp_path / "a.xyz"
    with pytest.raises(DataFormatError, match=message) as caught:
        load(path, GOOD + bad + GOOD)
    assert f"{path} frame 1 (line {line})" in str(caught.value)
    frames, report = load(path, GOOD + bad + GOOD, skip_bad=True)
    assert [frame.index for frame in frames] == [0, 2]
    assert len(report.skipped) == 1


def test_garbage_between_frames_is_one_fault(tmp_path: Path) -> None:
    text = GOOD + "\nhere I stopped\nand restarted\n\n" + GOOD
    with pytest.raises(DataFormatError, match=r"frame 1 \(line 6\): expected the number of atoms, found 'here"):
        load(tmp_path / "a.xyz", text)
    frames, report = load(tmp_path / "a.xyz", text, skip_bad=True)
    assert len(frames) == 2
    assert len(report.skipped) == 1


@pytest.mark.parametrize("n_lines", [1, 2, 3])
def test_truncated(tmp_path: Path, n_lines: int) -> None:
    text = GOOD + "".join(GOOD.splitlines(keepends=True)[:n_lines])
    with pytest.raises(DataFormatError, match=r"frame 1 .*truncated"):
        load(tmp_path / "a.xyz", text)


def test_real_virials_agree_with_stresses(shared_data: Path) -> None:
    """Files that carry both: virial = -stress * volume."""
    from ase.io import read

    path = shared_data / "extxyz/mlearn_Si/test.xyz"
    for frame, atoms in zip(read_frames([path]), read(path, index=":"), strict=True):
        expected = -atoms.get_stress(voigt=False) * atoms.get_volume()
        np.testing.assert_allclose(frame.virial, expected, atol=1e-6)


def test_a_count_that_is_no_decimal_number(tmp_path: Path) -> None:
    with pytest.raises(DataFormatError, match=r"frame 0 \(line 1\): expected the number of atoms, found '²'"):
        read_frames(
            [(tmp_path / "a.xyz", (tmp_path / "a.xyz").write_text(GOOD.replace("2", "²", 1)))[0]], format="extxyz"
        )


def test_a_last_number_cut_off(tmp_path: Path) -> None:
    text = GOOD.replace("0.3\n", "0.300\n").rstrip()[:-2]
    with pytest.raises(DataFormatError, match=r"frame 0 \(line 4\): the file ends in '-0.3' without a line end"):
        load(tmp_path / "a.xyz", text)
    assert len(load(tmp_path / "a.xyz", GOOD.rstrip("\n"))[0]) == 1
