"""Folders of .npy arrays: deepmd-kit's and pwdata's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pwmlff.data.readers import ReadReport, read_frames
from pwmlff.errors import DataFormatError

RNG = np.random.default_rng(6)
N_FRAMES, N_ATOMS = 3, 4


@pytest.fixture
def deepmd(tmp_path: Path) -> Path:
    system = tmp_path / "group" / "water"
    folder = system / "set.000"
    folder.mkdir(parents=True)
    (system / "type_map.raw").write_text("O\nH\n")
    (system / "type.raw").write_text("1\n0\n1\n1\n")
    np.save(folder / "coord.npy", RNG.uniform(0, 5, (N_FRAMES, N_ATOMS * 3)).astype(np.float32))
    np.save(folder / "box.npy", np.tile((np.eye(3) * 6 + 0.1).ravel(), (N_FRAMES, 1)))
    np.save(folder / "energy.npy", RNG.normal(size=N_FRAMES))
    np.save(folder / "force.npy", RNG.normal(size=(N_FRAMES, N_ATOMS * 3)))
    np.save(folder / "virial.npy", RNG.normal(size=(N_FRAMES, 9)))
    return system


def test_deepmd(deepmd: Path) -> None:
    folder = deepmd / "set.000"
    frames = read_frames([deepmd.parent])  # systems are found below a folder
    assert len(frames) == N_FRAMES
    for k, frame in enumerate(frames):
        assert frame.source == str(folder)
        assert frame.index == k
        np.testing.assert_array_equal(frame.atomic_numbers, [1, 8, 1, 1])
        np.testing.assert_array_equal(frame.positions, np.load(folder / "coord.npy")[k].reshape(-1, 3))
        np.testing.assert_array_equal(frame.forces, np.load(folder / "force.npy")[k].reshape(-1, 3))
        np.testing.assert_array_equal(frame.virial, np.load(folder / "virial.npy")[k].reshape(3, 3))
        assert frame.energy == np.load(folder / "energy.npy")[k]
        assert frame.atomic_energies is None


def test_deepmd_without_cell_or_labels(deepmd: Path) -> None:
    (deepmd / "nopbc").touch()
    for name in ("box", "virial", "force"):
        (deepmd / "set.000" / f"{name}.npy").unlink()
    frame = read_frames([deepmd])[0]
    assert not frame.pbc.any()
    assert frame.forces is frame.virial is None


def test_deepmd_mixed_types(deepmd: Path) -> None:
    """Each frame has its own elements, and -1 marks atoms that are not there."""
    types = np.array([[0, 1, 1, -1], [1, 0, -1, -1], [0, 0, 0, 1]])
    np.save(deepmd / "set.000" / "real_atom_types.npy", types)
    frames = read_frames([deepmd], format="deepmd/npy")
    assert [frame.atomic_numbers.tolist() for frame in frames] == [[8, 1, 1], [1, 8], [8, 8, 8, 1]]
    assert [np.asarray(frame.forces).shape for frame in frames] == [(3, 3), (2, 3), (4, 3)]


def test_deepmd_faults(deepmd: Path) -> None:
    folder = deepmd / "set.000"
    force = np.load(folder / "force.npy")
    force[1, 2] = np.nan
    np.save(folder / "force.npy", force)
    with pytest.raises(DataFormatError, match="set.000 frame 1: `forces` row 0"):
        read_frames([deepmd])
    report = ReadReport()
    assert [frame.index for frame in read_frames([deepmd], skip_bad=True, report=report)] == [0, 2]
    assert len(report.skipped) == 1
    np.save(folder / "force.npy", force[:, :-3])
    with pytest.raises(DataFormatError, match="`force` has 9 numbers, expected 12"):
        read_frames([deepmd])
    np.save(folder / "force.npy", force[:-1])
    with pytest.raises(DataFormatError, match=r"force\.npy has 2 frames, coord\.npy has 3"):
        read_frames([deepmd])
    (folder / "force.npy").write_bytes((folder / "coord.npy").read_bytes()[:150])
    with pytest.raises(DataFormatError, match=r"force\.npy: shape .* needs 144 bytes, the file has 22"):
        read_frames([deepmd])
    (folder / "force.npy").unlink()
    (deepmd / "type.raw").write_text("1 0 2 1")
    with pytest.raises(DataFormatError, match="type 2 is not in type_map.raw"):
        read_frames([deepmd])
    (deepmd / "type_map.raw").write_text("O Hx")
    with pytest.raises(DataFormatError, match="unknown element 'Hx'"):
        read_frames([deepmd])
    (deepmd / "type_map.raw").unlink()
    with pytest.raises(DataFormatError, match=r"type_map\.raw is missing"):
        read_frames([deepmd])


@pytest.fixture
def pwdata(tmp_path: Path) -> Path:
    folder = tmp_path / "run" / "train"
    folder.mkdir(parents=True)
    np.save(folder / "image_type.npy", np.array([[72, 8, 8, 72]]))
    np.save(folder / "atom_type.npy", np.array([[72, 8]]))
    np.save(folder / "lattice.npy", np.tile([5.0, 0, 0, 1, 6, 0, 0, 0, 7], (N_FRAMES, 1)))
    np.save(folder / "position.npy", RNG.uniform(0, 1, (N_FRAMES, N_ATOMS * 3)))
    np.save(folder / "energies.npy", RNG.normal(size=(N_FRAMES, 1)))
    np.save(folder / "forces.npy", RNG.normal(size=(N_FRAMES, N_ATOMS * 3)))
    np.save(folder / "virials.npy", RNG.normal(size=(N_FRAMES, 9)))
    np.save(folder / "ei.npy", RNG.normal(size=(N_FRAMES, N_ATOMS)))
    return folder


def test_pwdata(pwdata: Path) -> None:
    frames = read_frames([pwdata.parent])
    assert len(frames) == N_FRAMES
    for k, frame in enumerate(frames):
        cell = np.array([[5.0, 0, 0], [1, 6, 0], [0, 0, 7]])
        np.testing.assert_allclose(frame.positions, np.load(pwdata / "position.npy")[k].reshape(-1, 3) @ cell)
        np.testing.assert_array_equal(frame.forces, np.load(pwdata / "forces.npy")[k].reshape(-1, 3))
        np.testing.assert_array_equal(frame.virial, np.load(pwdata / "virials.npy")[k].reshape(3, 3))
        np.testing.assert_array_equal(frame.atomic_energies, np.load(pwdata / "ei.npy")[k])


@pytest.mark.parametrize("missing", [-1e5, -1e6])
def test_pwdata_missing_virials(pwdata: Path, missing: float) -> None:
    virials = np.load(pwdata / "virials.npy")
    virials[1] = missing
    np.save(pwdata / "virials.npy", virials)
    report = ReadReport()
    frames = read_frames([pwdata], report=report)
    assert [frame.virial is None for frame in frames] == [False, True, False]
    assert any("missing" in note for note in report.notes)


def test_pwdata_invented_atomic_energies_are_dropped(pwdata: Path) -> None:
    np.save(pwdata / "ei.npy", np.tile([-3.0, -1.0, -1.0, -3.0], (N_FRAMES, 1)) + np.arange(N_FRAMES)[:, None])
    report = ReadReport()
    assert read_frames([pwdata], report=report)[0].atomic_energies is None
    assert any("not atomic energies" in note for note in report.notes)


def test_pwdata_faults(pwdata: Path) -> None:
    np.save(pwdata / "lattice.npy", np.tile([5.0, 0, 0, 1, 0, 0, 0, 0, 7], (N_FRAMES, 1)))
    with pytest.raises(DataFormatError, match="train frame 0: the cell spans no volume"):
        read_frames([pwdata])
    (pwdata / "lattice.npy").unlink()
    with pytest.raises(DataFormatError, match=r"lattice\.npy is missing"):
        read_frames([pwdata])


def test_real_deepmd_water_equals_its_extended_xyz(shared_data: Path) -> None:
    frames = read_frames([shared_data / "raw/deepmd_water"])
    assert len(frames) == 400
    by_energy: dict[float, list[int]] = {}
    for k, frame in enumerate(frames):
        by_energy.setdefault(round(float(frame.energy or 0), 3), []).append(k)
    others = read_frames([shared_data / "extxyz/deepmd_water/test.xyz"])
    for other in others:
        same = [frames[k] for k in by_energy.get(round(float(other.energy or 0), 3), [])]
        deviations = [np.abs(np.asarray(frame.forces) - other.forces).max() for frame in same]
        assert min(deviations) < 1e-6


def test_real_pwdata_equals_its_extended_xyz(shared_data: Path) -> None:
    frames = read_frames([shared_data / "raw/pwmlff_npy"])
    assert len(frames) == 20
    assert all(frame.atomic_energies is None for frame in frames)
    folder = shared_data / "extxyz/vasp_HfO2"
    others = {round(float(f.energy or 0), 4): f for f in read_frames([folder / "train.xyz", folder / "test.xyz"])}
    same = [(frame, others.get(round(float(frame.energy or 0), 4))) for frame in frames]
    pairs = [(frame, other) for frame, other in same if other is not None]
    assert pairs
    for frame, other in pairs:
        np.testing.assert_allclose(frame.forces, other.forces, atol=1e-6)


def test_arrays_that_are_no_tables_of_frames(deepmd: Path) -> None:
    """What is not believed: object arrays, records, a shape the file is too small for, single numbers, nothing."""
    file = deepmd / "set.000" / "energy.npy"
    good = file.read_bytes()

    def fails(message: str) -> None:
        with pytest.raises(DataFormatError, match=message) as caught:
            read_frames([deepmd])
        assert "energy.npy" in str(caught.value)

    np.save(file, np.zeros(3, dtype=[("a", "f8"), ("b", "i4")]))
    fails("expected numbers")
    np.save(file, np.array([{}, 1, None], dtype=object), allow_pickle=True)
    fails("expected numbers")
    file.write_bytes(good.replace(b"'shape': (3,", b"'shape': (9999999999999,").replace(b"            \n", b"\n", 1))
    fails("needs|not a readable")
    np.save(file, np.float64(1.0))
    fails("a single number")
    file.write_bytes(b"")
    fails("not a readable")


@pytest.mark.parametrize("text", ["-1 0 0 1", "0 nan 0 1", "0.5 0 0 1", "99999999999999999999 0 0 0"])
def test_types_that_are_no_types(deepmd: Path, text: str) -> None:
    (deepmd / "type.raw").write_text(text)
    with pytest.raises(DataFormatError, match=r"type\.raw: expected one type index per atom, whole numbers from 0"):
        read_frames([deepmd])


@pytest.mark.parametrize("value", [-2.0, np.nan, 0.5])
def test_mixed_types_that_are_no_types(deepmd: Path, value: float) -> None:
    np.save(deepmd / "set.000" / "real_atom_types.npy", np.full((3, 4), value))
    with pytest.raises(DataFormatError, match="whole numbers|or -1 for no atom"):
        read_frames([deepmd])


def test_a_type_map_that_is_no_text(deepmd: Path) -> None:
    (deepmd / "type_map.raw").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataFormatError, match=r"type_map\.raw"):
        read_frames([deepmd])
