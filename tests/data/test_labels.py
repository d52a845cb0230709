"""Which labels a file had is said, and what sounds like one and was not taken is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pwmlff.data.convert import convert
from pwmlff.data.frame import Frame
from pwmlff.data.readers import ReadReport, read_frames
from pwmlff.data.writers import write_frames
from pwmlff.errors import DataFormatError

HEAD = '2\nLattice="4 0 0 0 4 0 0 0 5" Properties=species:S:1:pos:R:3'
ROWS = "Cu 0 0 0 0.1 0.2 0.3\nO 1 1.5 0.5 0.1 0.2 0.3\n"

FILES = {
    "renamed energy": (f"{HEAD}:forces:R:3 REF_energy=-1.5\n{ROWS}", "1 frames with forces 1", "key REF_energy"),
    "renamed forces": (f"{HEAD}:dft_forces:R:3 energy=-1.5\n{ROWS}", "1 frames with energy 1", "column dft_forces"),
    "undeclared forces": (f"{HEAD} energy=-1\n{ROWS}", "with energy 1", "3 columns that `Properties` does not declare"),
    "nothing": (f"{HEAD}:REF_forces:R:3 REF_energy=1\n{ROWS}", "with no labels", "column REF_forces, key REF_energy"),
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
