"""Which labels a file had is said, and what sounds like one and was not taken is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pwmlff.data.convert import convert
from pwmlff.data.frame import Frame
from pwmlff.data.readers import LabelKeys, ReadReport, read_frames
from pwmlff.data.writers import write_frames
from pwmlff.errors import DataFormatError

HEAD = '2\nLattice="4 0 0 0 4 0 0 0 5" Properties=species:S:1:pos:R:3'
ROWS = "Cu 0 0 0 0.1 0.2 0.3\nO 1 1.5 0.5 0.1 0.2 0.3\n"

FILES = {
    "renamed energy": (f"{HEAD}:forces:R:3 REF_energy=-1.5\n{ROWS}", "1 frames with forces 1", "key REF_energy"),
    "renamed forces": (f"{HEAD}:dft_forces:R:3 energy=-1.5\n{ROWS}", "1 frames with energy 1", "column dft_forces"),
    "undeclared forces": (f"{HEAD} energy=-1\n{ROWS}", "with energy 1", "3 columns that `Properties` does not declare"),
    "nothing": (f"{HEAD}:qm_forces:R:3 qm_energy=1\n{ROWS}", "with no labels", "column qm_forces, key qm_energy"),
}


@pytest.mark.parametrize("name", list(FILES))
def test_extxyz(tmp_path: Path, name: str) -> None:
    text, found, lost = FILES[name]
    (tmp_path / "a.xyz").write_text(text)
    report = ReadReport()
    read_frames([tmp_path / "a.xyz"], report=report)
    (line,) = report.labels
    assert found in line
    assert line.endswith(f"; not known and not taken: {lost}")


LABELLED = f'{HEAD}:REF_forces:R:3 REF_energy=-1.5 REF_stress="1 2 3 2 4 5 3 5 6"'
MACE = f"{LABELLED}\n{ROWS}"
STRESS = np.array([[1, 2, 3], [2, 4, 5], [3, 5, 6.0]])  # eV/Å^3, the volume is 80 Å^3


def read_one(path: Path, text: str, **keys: str) -> tuple[Frame, ReadReport]:
    path.write_text(text)
    (frame,) = read_frames([path], report=(report := ReadReport()), labels=LabelKeys(**keys))
    return frame, report


@pytest.mark.parametrize("prefix", ["REF_", "ref_", "DFT_", "dft_"])
def test_labels_behind_a_prefix(tmp_path: Path, prefix: str) -> None:
    frame, report = read_one(tmp_path / "a.xyz", MACE.replace("REF_", prefix))
    assert frame.energy == -1.5
    np.testing.assert_array_equal(frame.forces, [[0.1, 0.2, 0.3]] * 2)
    np.testing.assert_allclose(frame.virial, -80 * STRESS, rtol=1e-14)
    taken = ", ".join(prefix + name for name in ("energy", "forces", "stress"))
    assert report.notes == [f"{tmp_path / 'a.xyz'}: labels are {taken}"]
    assert report.labels == [f"{tmp_path / 'a.xyz'}: 1 frames with energy 1, forces 1, virial 1"]


def test_labels_of_two_calculations_are_not_mixed(tmp_path: Path) -> None:
    """A file with plain labels keeps them, and named ones bring the others of the same calculation along."""
    both = MACE.replace("REF_energy", "energy=-7 REF_energy").replace(":REF_forces", ":forces:R:3:REF_forces")
    both = both.replace("0.1 0.2 0.3", "9 9 9 0.1 0.2 0.3")
    plain, report = read_one(tmp_path / "a.xyz", both)
    assert (plain.energy, plain.forces[0, 0], plain.virial) == (-7.0, 9.0, None)
    assert report.labels[0].endswith("not known and not taken: column REF_forces, key REF_energy, key REF_stress")
    named, _ = read_one(tmp_path / "a.xyz", both, energy="REF_energy")
    assert (named.energy, named.forces[0, 0]) == (-1.5, 0.1)
    np.testing.assert_allclose(named.virial, -80 * STRESS, rtol=1e-14)


def test_weights_of_frames_are_said_to_be_ignored(tmp_path: Path) -> None:
    """GPUMD and MACE have them."""
    text = f"{HEAD}:forces:R:3 energy=-1.5 WEIGHT\n{ROWS}"
    _, report = read_one(tmp_path / "a.xyz", text.replace("WEIGHT", "weight=3.0"))
    assert report.notes == [
        f"{tmp_path / 'a.xyz'}: `weight` is not used: `train_weights` of a run file weighs whole sources"
    ]
    assert read_one(tmp_path / "a.xyz", text.replace("WEIGHT", "config_weight=1.0"))[1].notes == []


def test_keys_by_name(tmp_path: Path) -> None:
    text = f'{HEAD}:f:R:3 E=-1.5 energy=3 W="1 0 0 0 2 0 0 0 3" free_energy=-2\n{ROWS}'
    frame, _ = read_one(tmp_path / "a.xyz", text, energy="E", forces="f", virial="W")
    assert (frame.energy, frame.forces[1, 2]) == (-1.5, 0.3)
    np.testing.assert_array_equal(frame.virial, np.diag([1.0, 2.0, 3.0]))
    assert read_one(tmp_path / "a.xyz", text, energy="free_energy")[0].energy == -2
    voigt = text.replace('W="1 0 0 0 2 0 0 0 3"', 'S="1 4 6 5 3 2" virial="9 9 9 9 9 9 9 9 9"')
    frame, _ = read_one(tmp_path / "a.xyz", voigt, stress="S")
    np.testing.assert_allclose(frame.virial, -80 * STRESS, rtol=1e-14)
    with pytest.raises(DataFormatError, match="none of its 1 frames has `EE`, which was asked for"):
        read_one(tmp_path / "a.xyz", text, energy="EE")


def frame(labelled: bool = True) -> Frame:
    forces = np.ones((2, 3)) if labelled else None
    return Frame(
        atomic_numbers=[3, 1], positions=[[0, 0, 0], [1.5, 0, 0]], cell=np.eye(3) * 9.0, energy=None, forces=forces
    )


@pytest.mark.parametrize("name", ["a.xyz", "a.h5"])
def test_a_file_without_labels_is_an_error_where_labels_are_needed(tmp_path: Path, name: str) -> None:
    write_frames(tmp_path / name, [frame(labelled=False)])
    write_frames(tmp_path / "good.xyz", [frame()])
    paths = [tmp_path / "good.xyz", tmp_path / name]
    with pytest.raises(DataFormatError, match=f"{name}: none of its 1 frames has an energy, forces"):
        convert(paths, tmp_path / "all.h5", report=ReadReport(needs_labels=True))
    assert not (tmp_path / "all.h5").exists()
    report = ReadReport()
    convert(paths, tmp_path / "all.h5", report=report)
    assert report.labels == [f"{paths[0]}: 1 frames with forces 1", f"{paths[1]}: 1 frames with no labels"]


def test_a_starred_stress_is_noted(tmp_path: Path, outcar_text: Callable[..., str]) -> None:
    stressed = Frame(**{**frame().__dict__, "energy": 1.0, "virial": np.eye(3)})
    text = outcar_text(
        ["Li", "H"], [1, 1], [{"frame": stressed, "total": "  Total  " + "*" * 72, "kbar": "  in kB  " + "*" * 72}]
    )
    (tmp_path / "OUTCAR").write_text(text)
    report = ReadReport()
    read_frames([tmp_path / "OUTCAR"], report=report)
    assert "the stress of step 0 is" in report.notes[0]
    assert report.labels == [f"{tmp_path / 'OUTCAR'}: 1 frames with energy 1, forces 1"]


def test_all_missing_paths_are_named_at_once(tmp_path: Path) -> None:
    write_frames(tmp_path / "a.xyz", [frame()])
    with pytest.raises(DataFormatError, match=r"b\.xyz, .*c do not exist"):
        read_frames([tmp_path / "b.xyz", tmp_path / "a.xyz", tmp_path / "c"])
