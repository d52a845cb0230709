"""Text data that gzip has compressed is read as if it were not."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pwmlff.data.detect import guess_format
from pwmlff.data.frame import Frame
from pwmlff.data.readers import read_frames
from pwmlff.data.writers import write_frames
from pwmlff.errors import DataFormatError


def compressed(path: Path) -> Path:
    """Return the compressed twin of a file."""
    twin = path.with_name(f"{path.name}.gz")
    twin.write_bytes(gzip.compress(path.read_bytes()))
    return twin


def assert_same(twin: Path, path: Path) -> None:
    assert guess_format(twin) == guess_format(path)
    for one, other in zip(read_frames([twin]), read_frames([path]), strict=True):
        assert one.energy == other.energy
        np.testing.assert_array_equal(one.positions, other.positions)
        np.testing.assert_array_equal(one.forces, other.forces)


def test_extxyz(tmp_path: Path, cu_frames: list[Frame]) -> None:
    write_frames(tmp_path / "a.xyz", cu_frames)
    assert_same(compressed(tmp_path / "a.xyz"), tmp_path / "a.xyz")


def test_outcar(tmp_path: Path, outcar_text: Callable[..., str], cu_frames: list[Frame]) -> None:
    (tmp_path / "OUTCAR").write_text(outcar_text(["Cu"], [32], [{"frame": frame} for frame in cu_frames]))
    assert_same(compressed(tmp_path / "OUTCAR"), tmp_path / "OUTCAR")


def test_movement(tmp_path: Path, movement_text: Callable[..., str], cu_frames: list[Frame]) -> None:
    (tmp_path / "MOVEMENT").write_text("".join(map(movement_text, cu_frames)))
    assert_same(compressed(tmp_path / "MOVEMENT"), tmp_path / "MOVEMENT")


def test_cut_short(tmp_path: Path, cu_frames: list[Frame]) -> None:
    write_frames(tmp_path / "a.xyz", cu_frames)
    twin = compressed(tmp_path / "a.xyz")
    twin.write_bytes(twin.read_bytes()[:-100])
    with pytest.raises(DataFormatError, match=r"a\.xyz\.gz: cannot be decompressed .* it may be truncated"):
        read_frames([twin])


def test_a_store(tmp_path: Path, cu_frames: list[Frame]) -> None:
    write_frames(tmp_path / "a.h5", cu_frames)
    with pytest.raises(DataFormatError, match="cannot be compressed; unpack it with gunzip"):
        read_frames([compressed(tmp_path / "a.h5")])
