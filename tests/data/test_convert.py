"""Conversion, splits, and the summary of a data set."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import pwmlff.data.convert as convert_module
from pwmlff.data.convert import convert
from pwmlff.data.frame import Frame
from pwmlff.data.readers import ReadReport, read_frames
from pwmlff.data.report import summarize
from pwmlff.data.split import SplitBy
from pwmlff.data.writers import write_extxyz, write_frames
from pwmlff.errors import ConfigError, DataFormatError


def numbered(n_frames: int, shift: float = 0.0) -> list[Frame]:
    """Two atoms drifting apart; the energy is the number of the frame."""
    return [
        Frame(
            atomic_numbers=[3, 1],
            positions=[[0.0, 0.0, 0.0], [1.5 + 0.01 * k + shift, 0.0, 0.0]],
            cell=np.eye(3) * 9.0,
            energy=float(k),
            forces=np.full((2, 3), 0.5),
            virial=np.eye(3) * 0.1,
        )
        for k in range(n_frames)
    ]


@pytest.fixture
def two_files(tmp_path: Path) -> list[Path]:
    write_extxyz(tmp_path / "a.xyz", numbered(10))
    write_extxyz(tmp_path / "b.xyz", numbered(5, shift=0.5))
    return [tmp_path / "a.xyz", tmp_path / "b.xyz"]


def energies(path: Path) -> list[float]:
    return [float(frame.energy or 0.0) for frame in read_frames([path])]


@pytest.mark.parametrize("suffix", [".h5", ".xyz"])
def test_whole(tmp_path: Path, two_files: list[Path], suffix: str) -> None:
    output = tmp_path / f"all{suffix}"
    assert convert(two_files, output) == {output: 15}
    for written, expected in zip(read_frames([output]), read_frames(two_files), strict=True):
        for name in ("atomic_numbers", "positions", "cell", "energy", "forces", "virial"):
            np.testing.assert_array_equal(getattr(written, name), getattr(expected, name))


@pytest.mark.parametrize("suffix", [".h5", ".xyz"])
def test_split_by_time_takes_the_first_part_of_each_file(tmp_path: Path, two_files: list[Path], suffix: str) -> None:
    written = convert(two_files, tmp_path / f"all{suffix}", split=0.8, by=SplitBy.TIME)
    train, valid = tmp_path / f"all_train{suffix}", tmp_path / f"all_valid{suffix}"
    assert written == {train: 12, valid: 3}
    assert energies(train) == [*range(8), *range(4)]
    assert energies(valid) == [8, 9, 4]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["a.xyz", "b.xyz", train.name, valid.name])


def test_random_split_is_seeded_and_complete(tmp_path: Path, two_files: list[Path]) -> None:
    parts = []
    for seed in (1, 1, 2):
        convert(two_files, tmp_path / "all.h5", split=0.6, by=SplitBy.RANDOM, seed=seed)
        parts.append(energies(tmp_path / "all_train.h5"))
        assert len(parts[-1]) == 9
        both = parts[-1] + energies(tmp_path / "all_valid.h5")
        assert sorted(both) == sorted([*range(10), *range(5)])
    assert parts[0] == parts[1] != parts[2]


def test_deepmd_folders_read_back_to_the_same_numbers(tmp_path: Path, two_element_frames: list[Frame]) -> None:
    """A system per composition, pbc and kind of labels; atoms are sorted by element and nothing else changes."""
    first, second, *rest = two_element_frames
    cluster = replace(second, pbc=np.zeros(3, dtype=bool), cell=np.zeros((3, 3)), virial=None)
    frames = [first, replace(first, forces=None), *rest, second, cluster]
    write_extxyz(tmp_path / "all.xyz", frames)
    assert convert([tmp_path / "all.xyz"], tmp_path / "npy") == {tmp_path / "npy": len(frames)}
    systems = {path.name for path in (tmp_path / "npy").iterdir()}
    assert {"Cu4.virial", "Cu4.no_force.virial", "Cu4Au4.virial", "Cu4Au4.nopbc"} <= systems
    assert (tmp_path / "npy" / "Cu4Au4.virial" / "type_map.raw").read_text() == "Cu\nAu\n"
    assert (tmp_path / "npy" / "Cu4Au4.virial" / "type.raw").read_text().split() == ["0"] * 4 + ["1"] * 4
    again = {frame.energy: frame for frame in read_frames([tmp_path / "npy"]) if frame.forces is not None}
    for frame in frames[2:-1]:
        other, order = again[frame.energy], np.argsort(frame.atomic_numbers, kind="stable")
        np.testing.assert_array_equal(other.atomic_numbers, frame.atomic_numbers[order])
        np.testing.assert_array_equal(other.positions, frame.positions[order])
        np.testing.assert_array_equal(other.forces, frame.forces[order])
        for name in ("cell", "virial", "pbc"):
            np.testing.assert_array_equal(getattr(other, name), getattr(frame, name))
    assert [frame.pbc.any() for frame in read_frames([tmp_path / "npy" / "Cu4Au4.nopbc"])] == [False]


def test_deepmd_folders_are_read_by_dpdata(tmp_path: Path, two_element_frames: list[Frame]) -> None:
    dpdata = pytest.importorskip("dpdata")
    write_frames(tmp_path / "npy", [two_element_frames[1]] * 2)
    system = dpdata.LabeledSystem(str(tmp_path / "npy" / "Cu4Au4.virial"), fmt="deepmd/npy")
    assert (system.get_nframes(), system["atom_names"]) == (2, ["Cu", "Au"])
    order = np.argsort(two_element_frames[1].atomic_numbers, kind="stable")
    np.testing.assert_allclose(system["forces"][1], two_element_frames[1].forces[order], rtol=1e-6)
    np.testing.assert_allclose(system["virials"][0], two_element_frames[1].virial, rtol=1e-6)


def test_deepmd_folders_in_several_sets(tmp_path: Path, two_files: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pwmlff.data.deepmd_writer._FRAMES_PER_SET", 4)
    convert(two_files, tmp_path / "npy", split=0.8)
    sets = [path.name for path in sorted((tmp_path / "npy_train" / "H1Li1.virial").glob("set.*"))]
    assert sets == ["set.000", "set.001", "set.002"]
    assert energies(tmp_path / "npy_train") == [*range(8), *range(4)]
    assert energies(tmp_path / "npy_valid") == [8, 9, 4]


def test_what_deepmd_folders_cannot_be(tmp_path: Path, two_files: list[Path]) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "file").touch()
    with pytest.raises(ConfigError, match="old' is there already; name a new folder"):
        convert(two_files, tmp_path / "old")
    with pytest.raises(ConfigError, match="only HDF5 stores can be appended to"):
        convert(two_files, tmp_path / "new", append=True)
    slab = replace(numbered(1)[0], pbc=np.array([True, True, False]))
    with pytest.raises(DataFormatError, match="periodic in 2 of 3 directions"):
        write_frames(tmp_path / "new", [*numbered(2), slab])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.xyz", "b.xyz", "old"]


@pytest.mark.parametrize("suffix", [".h5", ".xyz", ""])
def test_a_split_that_fails_leaves_both_parts_as_they_were(
    tmp_path: Path, two_files: list[Path], suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if suffix:
        convert(two_files[:1], tmp_path / f"all{suffix}", split=0.5)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    write = convert_module.write_frames
    n_written = 0

    def fail_on_the_second(path: Path, frames: Iterable[Frame]) -> None:
        nonlocal n_written
        n_written += 1
        if n_written == 2:
            raise OSError("disk full")
        write(path, frames)

    monkeypatch.setattr(convert_module, "write_frames", fail_on_the_second)
    with pytest.raises(OSError, match="disk full"):
        convert(two_files, tmp_path / f"all{suffix}", split=0.8)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_append(tmp_path: Path, two_files: list[Path]) -> None:
    convert(two_files[:1], tmp_path / "all.h5")
    convert(two_files[1:], tmp_path / "all.h5", append=True)
    assert energies(tmp_path / "all.h5") == [*range(10), *range(5)]


def test_skipped_frames_are_listed(tmp_path: Path, two_files: list[Path]) -> None:
    text = two_files[0].read_text().replace("energy=3.0", "energy=nan")
    two_files[0].write_text(text)
    with pytest.raises(DataFormatError, match=r"a\.xyz frame 3 \(line 13\): `energy` is nan"):
        convert(two_files, tmp_path / "all.xyz")
    assert not (tmp_path / "all.xyz").exists()
    report = ReadReport()
    convert(two_files, tmp_path / "all.xyz", skip_bad=True, report=report)
    assert len(energies(tmp_path / "all.xyz")) == 14
    assert len(report.skipped) == 1


@pytest.mark.parametrize(
    ("output", "options", "message"),
    [
        ("all.txt", {}, "expected .h5"),
        ("all.xyz", {"append": True}, "only HDF5 stores"),
        ("all.h5", {"append": True, "split": 0.5}, "a split cannot be appended"),
        ("all.h5", {"split": 1.0}, "between 0 and 1"),
        ("all.h5", {"split": 0.99}, "leaves none of the 15 frames for validation"),
        ("a.xyz", {}, "also an input"),
        ("nowhere/all.h5", {}, "does not exist"),
    ],
)
def test_wrong_options(tmp_path: Path, two_files: list[Path], output: str, options: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        convert(two_files, tmp_path / output, **options)


def test_nothing_left_to_write(tmp_path: Path, movement_text: Callable[..., str]) -> None:
    frame = replace(numbered(1)[0], positions=np.zeros((2, 3)))
    (tmp_path / "MOVEMENT").write_text(movement_text(frame))
    with pytest.raises(DataFormatError, match="no frame is left"):
        convert([tmp_path / "MOVEMENT"], tmp_path / "all.h5", skip_bad=True)


@pytest.mark.parametrize("split", [None, 0.5])
def test_suspect_frames_are_noted(tmp_path: Path, split: float | None) -> None:
    frames = numbered(10)
    for k in (3, 5):
        frames[k] = replace(frames[k], positions=[[0, 0, 0], [0.16, 0, 0]])
    frames[6] = replace(frames[6], forces=np.full((2, 3), 1e4))
    frames[8] = replace(frames[8], energy=-9e5)
    write_extxyz(tmp_path / "a.xyz", frames)
    report = ReadReport()
    convert([tmp_path / "a.xyz"], tmp_path / "all.h5", split=split, report=report)
    contact, force, energy = report.notes
    assert contact.startswith(f"2 frames have atoms nearer than 0.5 Å, first {tmp_path}/a.xyz frame 3 (line 13): Li")
    assert force.startswith(f"1 frame has forces above 100 eV/Å, first {tmp_path}/a.xyz frame 6 (line 25): 1.732e+04")
    assert energy.startswith(f"1 frame has an energy far from the others, first {tmp_path}/a.xyz frame 8 (line 33)")


# the summary


def test_counts_and_ranges() -> None:
    frames = numbered(4)
    frames[1] = replace(frames[1], virial=None)
    frames[2] = replace(frames[2], forces=None, energy=None)
    summary = summarize(frames, cutoff=4.0)
    assert (summary.n_frames, summary.n_atoms) == (4, 8)
    assert summary.elements == {"H": 4, "Li": 4}
    assert summary.compositions == {"H1Li1": 4}
    assert summary.labels == {"energy": 3, "forces": 3, "virial": 3, "atomic_energies": 0}
    energy = summary.ranges["energy (eV/atom)"]
    assert (energy.low, energy.high) == (0.0, 1.5)
    assert summary.ranges["volume (Å³/atom)"].mean == pytest.approx(729 / 2)
    assert summary.ranges["pressure (GPa)"].mean == pytest.approx(0.1 / 729 * 160.21766208)
    assert summary.ranges["force component RMS (eV/Å)"].mean == pytest.approx(0.5)
    assert summary.shortest == {"H-Li": pytest.approx(1.5)}
    assert (summary.neighbors_mean, summary.neighbors_max) == (1.0, 1)
    assert [*summary.duplicates, *summary.outliers, *summary.warnings] == []


def test_duplicates_are_found_through_the_cell() -> None:
    frames = numbered(3)
    wrapped = frames[1].positions + np.array([[9.0, 0, 0], [0, -18.0, 1e-9]])
    copy = replace(frames[1], positions=wrapped, energy=7.0, source="copy", index=4)
    assert summarize([*frames, copy], 3.0).duplicates == [["structure frame 0", "copy frame 4"]]


def test_outliers_are_found_but_a_second_phase_is_not() -> None:
    rng = np.random.default_rng(1)
    frames = [replace(frame, energy=float(rng.normal())) for frame in numbered(40)]
    assert summarize(frames, 3.0).outliers == []
    strange = replace(frames[0], energy=50.0, source="odd", index=3)
    (message,) = summarize([*frames, strange], 3.0).outliers
    assert message.startswith("odd frame 3: energy 25.0000 eV/atom is +")
    torn = replace(frames[0], forces=np.full((2, 3), 500.0) + rng.normal(size=(2, 3)), source="torn")
    varied = [replace(frame, forces=rng.normal(size=(2, 3))) for frame in frames]
    (message,) = summarize([*varied, torn], 3.0).outliers
    assert message.startswith("torn frame 0: force ")
    phase = [replace(frame, energy=30.0 + float(rng.normal())) for frame in frames[:8]]
    assert summarize([*frames, *phase], 3.0).outliers == []


def test_close_contacts_and_huge_forces_are_warnings() -> None:
    frames = numbered(3)
    frames[1] = replace(frames[1], positions=[[0, 0, 0], [0.16, 0, 0]], forces=np.full((2, 3), 1e4), source="odd")
    contact, force = summarize(frames, 3.0).warnings
    assert contact.startswith("1 frame has atoms nearer than 0.5 Å, first odd frame 0: Li and H, 0.160 Å")
    assert force.startswith("1 frame has forces above 100 eV/Å, first odd frame 0: 1.732e+04 eV/Å")


def test_implausible_pressure_is_a_warning() -> None:
    frames = [replace(frame, virial=np.eye(3) * 1000.0) for frame in numbered(3)]
    (warning,) = summarize(frames, 3.0).warnings
    assert "median pressure is +220 GPa" in warning
