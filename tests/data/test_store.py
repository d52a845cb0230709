"""The HDF5 store: exact, lazy, appendable, and honest about damage."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest

from pwmlff.data.chained import ChainedFrames
from pwmlff.data.frame import Frame
from pwmlff.data.readers import iterate_frames, read_frames
from pwmlff.data.store import StoredFrames, verify_store, write_store, writing
from pwmlff.errors import DataFormatError

FIELDS = (
    *("atomic_numbers", "positions", "cell", "pbc", "energy", "forces", "virial", "atomic_energies"),
    *("source", "index", "line"),
)


@pytest.fixture
def frames() -> list[Frame]:
    """Frames of different sizes, each lacking other labels."""
    rng = np.random.default_rng(5)
    made = []
    for k in range(11):
        n_atoms = int(rng.integers(1, 7))
        made.append(
            Frame(
                atomic_numbers=rng.integers(1, 119, n_atoms),
                positions=rng.normal(size=(n_atoms, 3)),
                cell=rng.normal(size=(3, 3)) + np.eye(3) * 8,
                pbc=rng.integers(0, 2, 3).astype(bool),
                energy=float(rng.normal()) if k % 2 else None,
                forces=rng.normal(size=(n_atoms, 3)) if k % 3 else None,
                virial=rng.normal(size=(3, 3)) if k % 4 else None,
                atomic_energies=rng.normal(size=n_atoms) if k % 5 else None,
                source=f"file {k // 4}",
                index=k % 4,
                line=None if k < 4 else 17 * k,
            )
        )
    return made


def assert_same(actual: Frame, expected: Frame) -> None:
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(actual, name), getattr(expected, name), err_msg=name)


def test_round_trip_is_exact(tmp_path: Path, frames: list[Frame]) -> None:
    write_store(tmp_path / "a.h5", iter(frames))
    stored = StoredFrames(tmp_path / "a.h5", verify=True)
    assert len(stored) == len(frames)
    np.testing.assert_array_equal(stored.n_atoms, [len(frame) for frame in frames])
    for k, frame in enumerate(frames):
        assert_same(stored[k], frame)
    assert_same(stored[-1], frames[-1])
    assert len(stored[2:9:3]) == 3
    with pytest.raises(IndexError):
        stored[len(frames)]
    assert len(list(stored)) == len(frames)


def test_appending_equals_writing_at_once(tmp_path: Path, frames: list[Frame], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "_SEGMENT", 3)
    write_store(tmp_path / "a.h5", frames[:5])
    write_store(tmp_path / "a.h5", frames[5:], append=True)
    for stored, frame in zip(StoredFrames(tmp_path / "a.h5"), frames, strict=True):
        assert_same(stored, frame)
    assert verify_store(tmp_path / "a.h5") == 4
    write_store(tmp_path / "a.h5", frames[:2])
    assert len(StoredFrames(tmp_path / "a.h5")) == 2


def test_an_interrupted_append_leaves_the_store_as_it_was(
    tmp_path: Path, frames: list[Frame], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.h5"
    write_store(path, frames[:4])
    before = path.read_bytes()

    def killed(*_: object) -> str:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(writing, "checksum", killed)
        with pytest.raises(KeyboardInterrupt):
            write_store(path, frames[4:], append=True)
    assert path.read_bytes() == before
    (tmp_path / "a.h5.part").write_text("what a killed process leaves behind")
    write_store(path, frames[4:], append=True)
    for stored, frame in zip(StoredFrames(path, verify=True), frames, strict=True):
        assert_same(stored, frame)


def test_a_fault_while_writing_keeps_the_old_file(tmp_path: Path, frames: list[Frame]) -> None:
    path = tmp_path / "a.h5"
    write_store(path, frames)

    def faulty() -> Iterator[Frame]:
        yield frames[0]
        raise DataFormatError("bad frame")

    with pytest.raises(DataFormatError):
        write_store(path, faulty())
    assert len(StoredFrames(path)) == len(frames)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["positions", "energy", "has_virial", "frame_start", "pbc"])
def test_altered_content_is_noticed(tmp_path: Path, frames: list[Frame], name: str) -> None:
    path = tmp_path / "a.h5"
    write_store(path, frames)
    with h5py.File(path, "r+") as file:
        row = file[name][3]
        file[name][3] = ~row if file[name].dtype == bool else row + 1
    with pytest.raises(DataFormatError, match=r"frames 0 to 10 \(segment 0\) do not match their checksum"):
        StoredFrames(path, verify=True)


def test_files_that_are_no_store(tmp_path: Path, frames: list[Frame]) -> None:
    path = tmp_path / "a.h5"
    write_store(path, frames)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(DataFormatError, match="may be truncated"):
        StoredFrames(path)
    with h5py.File(path, "w") as file:
        file["x"] = 1
    with pytest.raises(DataFormatError, match="not a store"):
        StoredFrames(path)
    write_store(path, frames)
    with h5py.File(path, "r+") as file:
        file["energy"].resize(9, axis=0)
    with pytest.raises(DataFormatError, match=r"arrays hold \[9, 11\] frames"):
        StoredFrames(path)
    write_store(path, frames)
    with h5py.File(path, "r+") as file:
        file.attrs["version"] = 99
    with pytest.raises(DataFormatError, match="store version 99, this program reads version 1"):
        StoredFrames(path)


def test_data_outside_of_the_file_is_not_followed(tmp_path: Path, frames: list[Frame]) -> None:
    write_store(tmp_path / "other.h5", frames)
    path = tmp_path / "a.h5"
    for link, message in (
        (h5py.ExternalLink("other.h5", "/energy"), "`energy` is a link to elsewhere"),
        (h5py.SoftLink("/forces"), "`energy` is a link to elsewhere"),
        (None, "`energy` is missing"),
    ):
        write_store(path, frames)
        with h5py.File(path, "r+") as file:
            del file["energy"]
            if link is not None:
                file["energy"] = link
        with pytest.raises(DataFormatError, match=message):
            StoredFrames(path)
    for values, options, message in (
        (None, {"shape": (11,), "dtype": "f8", "external": [("/etc/passwd", 0, 88)]}, "stored outside of the file"),
        (np.zeros((11, 2)), {}, r"has shape \(11, 2\)"),
        (np.array([b"x"] * 11), {}, "has shape"),
    ):
        write_store(path, frames)
        with h5py.File(path, "r+") as file:
            del file["energy"]
            file.create_dataset("energy", data=values, **options)
        with pytest.raises(DataFormatError, match=message):
            StoredFrames(path)


@pytest.mark.parametrize("value", [-1, 99])
def test_a_source_that_is_not_there(tmp_path: Path, frames: list[Frame], value: int) -> None:
    write_store(tmp_path / "a.h5", frames)
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        file["source"][3] = value
    with pytest.raises(DataFormatError, match="frames name sources"):
        StoredFrames(tmp_path / "a.h5")


def test_readers_check_the_sums(tmp_path: Path, frames: list[Frame]) -> None:
    """Training reads through `read_frames`, conversion through `iterate_frames`."""
    path = tmp_path / "a.h5"
    write_store(path, frames)
    with h5py.File(path, "r+") as file:
        file["source"][3] = 1
    for read in (lambda: read_frames([path]), lambda: list(iterate_frames(path))):
        with pytest.raises(DataFormatError, match="do not match their checksum"):
            read()
    with h5py.File(path, "r+") as file:
        file["segment_end"].resize(0, axis=0)
        file["segment_sha256"].resize(0, axis=0)
    with pytest.raises(DataFormatError, match="checksums are there for 0 of 11 frames"):
        read_frames([path])


def test_attributes_and_checksums_of_another_kind(tmp_path: Path, frames: list[Frame]) -> None:
    path = tmp_path / "a.h5"
    for attribute, message in (("format", "not a store"), ("version", "store version"), ("n_frames", "no number")):
        write_store(path, frames)
        with h5py.File(path, "r+") as file:
            file.attrs[attribute] = np.zeros(3)
        with pytest.raises(DataFormatError, match=message):
            StoredFrames(path)
    write_store(path, frames)
    with h5py.File(path, "r+") as file:
        file["segment_sha256"].resize(0, axis=0)
    with pytest.raises(DataFormatError, match="1 segments have 0 checksums"):
        verify_store(path)


def test_an_empty_store(tmp_path: Path) -> None:
    write_store(tmp_path / "a.h5", [])
    assert len(StoredFrames(tmp_path / "a.h5", verify=True)) == 0


def test_a_store_survives_pickling_while_open(tmp_path: Path, frames: list[Frame]) -> None:
    write_store(tmp_path / "a.h5", frames)
    stored = StoredFrames(tmp_path / "a.h5")
    assert_same(stored[0], frames[0])
    assert_same(pickle.loads(pickle.dumps(stored))[1], frames[1])


def test_chained_frames(frames: list[Frame]) -> None:
    chained = ChainedFrames([frames[:3], [], frames[3:]])
    assert [id(frame) for frame in chained] == [id(frame) for frame in frames]
    assert chained[-1] is frames[-1]
    assert chained[2:4] == frames[2:4]
    with pytest.raises(IndexError):
        chained[len(frames)]
