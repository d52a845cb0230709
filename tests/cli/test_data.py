"""`pwmlff data` from the outside."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from pwmlff.cli.data import app
from pwmlff.data.frame import Frame
from pwmlff.data.readers import read_frames
from pwmlff.data.writers import write_extxyz
from pwmlff.errors import DataFormatError


@pytest.fixture
def file(tmp_path: Path, cu_frames: list[Frame]) -> Path:
    path = tmp_path / "cu.xyz"
    write_extxyz(path, cu_frames)
    return path


def run(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception is not None:
        raise result.exception
    return result.output


def test_convert_and_info(tmp_path: Path, file: Path) -> None:
    output = run("convert", file, "-o", tmp_path / "cu.h5", "--split", "0.5", "--by", "random", "--seed", "3")
    assert "cu_train.h5: 3 frames written" in output
    assert len(read_frames([tmp_path / "cu_valid.h5"])) == 3
    output = run("info", tmp_path / "cu_train.h5", tmp_path / "cu_valid.h5", "--cutoff", "4")
    assert "checksums of 1 segments are right" in output
    assert "with virial" in output
    assert "6 of 6 frames" in output
    assert "shortest Cu-Cu" in output


def test_a_bad_frame_stops_or_is_listed(tmp_path: Path, file: Path) -> None:
    file.write_text(file.read_text().replace("Cu ", "Xx ", 1))
    with pytest.raises(DataFormatError, match=r"frame 0 \(line 3\)"):
        run("info", file)
    output = run("info", file, "--skip-bad")
    assert "1 faulty frames dropped:" in output
    assert "5 of 5 frames" in output


def test_suspect_frames_are_said(tmp_path: Path, file: Path, cu_frames: list[Frame]) -> None:
    near = cu_frames[1].positions.copy()
    near[1] = near[0] + [0.16, 0.0, 0.0]
    odd = replace(cu_frames[1], positions=near, forces=np.full_like(near, 1e4), energy=-9e5)
    write_extxyz(file, [cu_frames[0], odd, *cu_frames[2:]])
    for output in (run("convert", file, "-o", tmp_path / "cu.h5"), run("info", file), run("info", tmp_path / "cu.h5")):
        assert f"1 frame has atoms nearer than 0.5 Å, first {file} frame 1 (line 35): Cu and Cu, 0.160 Å" in output
        assert f"1 frame has forces above 100 eV/Å, first {file} frame 1 (line 35): 1.732e+04 eV/Å" in output
        assert "eV/atom off what its elements have in other frames (Cu32)" in output


def test_info_lists_duplicates(file: Path) -> None:
    output = run("info", file, file)
    assert "same structure: " in output
