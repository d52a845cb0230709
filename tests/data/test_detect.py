"""The format comes from the content; what is nothing known says so."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pwmlff.data.detect import guess_format
from pwmlff.data.frame import Frame
from pwmlff.data.readers import ReadReport, read_frames
from pwmlff.data.store import write_store
from pwmlff.data.writers import write_extxyz
from pwmlff.errors import DataFormatError

CONFIG = " 2 atoms\n Lattice vector\n 4 0 0\n 0 4 0\n 0 0 4\n Position, move_x\n 29 0 0 0 1 1 1\n 29 0.5 0.5 0 1 1 1\n"
POSCAR = "Cu\n1.0\n3.6 0 0\n0 3.6 0\n0 0 3.6\nCu\n1\nDirect\n0 0 0\n"


def test_names_and_suffixes_do_not_matter(
    tmp_path: Path, cu_frames: list[Frame], movement_text: Callable[..., str], outcar_text: Callable[..., str]
) -> None:
    (tmp_path / "a.dat").write_text(movement_text(cu_frames[0]))
    (tmp_path / "b.xyz").write_text(outcar_text(["Cu"], [len(cu_frames[0])], [{"frame": cu_frames[0]}]))
    write_extxyz(tmp_path / "c", cu_frames)
    write_store(tmp_path / "d.txt", cu_frames)
    (tmp_path / "e").write_text(CONFIG)
    (tmp_path / "f").write_text(POSCAR)
    (tmp_path / "g").write_text('<?xml version="1.0"?>\n<modeling>\n')
    expected = ["pwmat/movement", "vasp/outcar", "extxyz", "pwmlff/h5", "pwmat/config", "vasp/poscar", "vasp/xml"]
    assert [guess_format(path) for path in sorted(tmp_path.iterdir())] == expected
    mixed = read_frames([tmp_path / "a.dat", tmp_path / "d.txt", tmp_path / "c"])
    assert [frame.source for frame in mixed[:2]] == [str(tmp_path / "a.dat"), cu_frames[0].source]
    assert len(mixed) == 1 + 2 * len(cu_frames)
    assert mixed[-1].source == str(tmp_path / "c")


@pytest.mark.parametrize("content", ["", "\n \n"])
def test_an_empty_file(tmp_path: Path, content: str) -> None:
    (tmp_path / "MOVEMENT").write_text(content)
    with pytest.raises(DataFormatError, match="MOVEMENT is empty"):
        read_frames([tmp_path / "MOVEMENT"])


def test_an_empty_file_of_a_named_format(tmp_path: Path) -> None:
    (tmp_path / "MOVEMENT").touch()
    for name in ("pwmat/movement", "vasp/outcar", "extxyz"):
        with pytest.raises(DataFormatError, match="MOVEMENT is empty"):
            read_frames([tmp_path / "MOVEMENT"], format=name)


def test_what_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "letter").write_text("Dear reader,\nthis is no structure.\n")
    with pytest.raises(DataFormatError, match="letter: the format is not recognised"):
        read_frames([tmp_path / "letter"])
    with pytest.raises(DataFormatError, match="letter: the format is not recognised"):
        read_frames([tmp_path])
    with pytest.raises(DataFormatError, match="nowhere does not exist"):
        read_frames([tmp_path / "nowhere"])
    with pytest.raises(DataFormatError, match="nowhere does not exist"):
        read_frames([tmp_path / "nowhere"], format="extxyz")
    (tmp_path / "POSCAR").write_text(POSCAR)
    with pytest.raises(DataFormatError, match="vasp/poscar is a structure without labels"):
        read_frames([tmp_path / "POSCAR"])


def test_a_wrong_format_name(tmp_path: Path) -> None:
    (tmp_path / "file").write_text(CONFIG)
    with pytest.raises(DataFormatError, match="unknown data format 'pwmat/movment'; did you mean 'pwmat/movement'"):
        read_frames([tmp_path / "file"], format="pwmat/movment")


def test_other_formats_go_through_dpdata(tmp_path: Path, shared_data: Path) -> None:
    pytest.importorskip("dpdata")
    report = ReadReport()
    path = shared_data / "raw/OUTCAR.data_conv"
    (frame,) = read_frames([path], format="outcar", report=report)
    (own,) = read_frames([path])
    assert frame.energy == own.energy
    assert frame.virial == pytest.approx(own.virial, abs=1e-4)
    assert report.notes == [f"{path}: read through dpdata as outcar"]
    for name in ("movement", "pwmat/atom.config"):  # it mixes up elements
        with pytest.raises(DataFormatError, match="unknown data format"):
            read_frames([path], format=name)


def test_without_dpdata_the_message_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dpdata", None)
    (tmp_path / "file").write_text(CONFIG)
    with pytest.raises(DataFormatError, match="pip install dpdata"):
        read_frames([tmp_path / "file"], format="cp2k/output")


def test_folder_of_files(tmp_path: Path, cu_frames: list[Frame]) -> None:
    write_extxyz(tmp_path / "b.xyz", cu_frames[:2])
    write_store(tmp_path / "a.h5", cu_frames[2:])
    frames = read_frames([tmp_path])
    assert len(frames) == len(cu_frames)
    assert frames[0].energy == cu_frames[2].energy  # in the order of names
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataFormatError, match="holds no data file"):
        read_frames([tmp_path / "empty"])
