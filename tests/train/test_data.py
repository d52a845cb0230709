"""Which labels a run uses, which frames it holds out, and how its frames are told from others."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pwmlff import keys
from pwmlff.config import RunConfig
from pwmlff.data.convert import convert
from pwmlff.data.frame import Frame
from pwmlff.data.readers import ReadReport, read_frames
from pwmlff.data.split import SplitBy
from pwmlff.data.writers import write_extxyz
from pwmlff.errors import ConfigError, DataFormatError
from pwmlff.optim import OptimizerConfig
from pwmlff.train.data import check_elements, count_frames, describe_labels, describe_validation, read_run_frames


def test_labels_are_counted_where_they_are(cu_frames: list[Frame]) -> None:
    frames = [cu_frames[0], replace(cu_frames[1], forces=None), replace(cu_frames[2], virial=None)]
    counts = count_frames(frames)
    assert (counts.n_frames, counts.n_atoms) == (3, 96)
    assert counts.n_labelled == {
        keys.ENERGY: 3,
        keys.FORCES: 2,
        keys.VIRIAL: 2,
        keys.ATOMIC_ENERGIES: 0,
        keys.GROUP_ENERGIES: 0,
    }
    lines = describe_labels(counts, OptimizerConfig(train_ei=True))
    assert lines[0] == "labels used: energy on 3 of 3 frames, forces on 2 of 3 frames"
    assert "virial on 2 frames, not trained: `train_virial` is false" in lines
    assert "no training frame has atomic energies: `train_ei` has no effect" in lines


@pytest.mark.parametrize(
    ("without", "optimizer", "message"),
    [
        (
            {"energy": None, "forces": None},
            {},
            "nothing to train: true are `train_energy`, `train_force`, the 6 training frames have virial (6 frames); "
            "switch on `train_virial`",
        ),
        (
            {"energy": None, "forces": None, "virial": None},
            {},
            "nothing to train: true are `train_energy`, `train_force`, the 6 training frames have no labels; "
            "give frames with labels",
        ),
        (
            {"forces": None},
            {"train_energy": False, "train_force": False},
            "nothing to train: no quantity is switched on, the 6 training frames have energy (6 frames), "
            "virial (6 frames); switch on `train_energy` or `train_virial`",
        ),
    ],
)
def test_nothing_to_train_names_labels_and_keys(
    cu_frames: list[Frame], without: dict[str, None], optimizer: dict[str, bool], message: str
) -> None:
    frames = [replace(frame, **without) for frame in cu_frames]  # type: ignore[arg-type]
    with pytest.raises(ConfigError) as error:
        describe_labels(count_frames(frames), OptimizerConfig(**optimizer))
    assert str(error.value) == message


def test_validation_frames_without_labels(make_run: Callable[..., RunConfig], cu_frames: list[Frame]) -> None:
    train = count_frames(cu_frames)
    only_virial = count_frames([replace(frame, energy=None, forces=None) for frame in cu_frames[:2]])
    no_forces = count_frames([replace(frame, forces=None) for frame in cu_frames[:2]])
    with pytest.raises(ConfigError) as error:
        describe_validation(train, only_virial, make_run(valid_data=["valid.xyz"]))
    assert str(error.value) == (
        "none of the 2 validation frames has a label that is trained (energy, forces), they have virial (2 frames): "
        "the best epoch could not be told; "
        "give `valid_data` with these labels, or leave it out to hold out training frames"
    )
    with pytest.raises(ConfigError, match="give another `seed` or a larger `valid_ratio`"):
        describe_validation(train, only_virial, make_run())
    (line,) = describe_validation(train, no_forces, make_run())
    assert line == "no validation frame has forces: epochs are ranked by the other labels"
    assert describe_validation(train, only_virial, make_run(optimizer={"train_virial": True})) == [
        "no validation frame has energy, forces: epochs are ranked by the other labels"
    ]
    # what no training frame has is not trained, and nothing is to be validated without frames
    assert describe_validation(no_forces, no_forces, make_run()) == []
    assert describe_validation(train, count_frames([]), make_run()) == []


def test_elements_that_are_not_listed(two_element_frames: list[Frame]) -> None:
    counts = count_frames(two_element_frames)
    check_elements(counts, ["Au", "Cu", "H"])
    with pytest.raises(DataFormatError, match=r"frame \d+.* holds Au, but `atom_type` lists only Cu; add all elements"):
        check_elements(counts, ["Cu"])
    with pytest.raises(DataFormatError, match=r"lists only H \(the data also hold "):
        check_elements(counts, ["H"])


def test_fingerprint_knows_order_and_values(cu_frames: list[Frame]) -> None:
    prints = {
        count_frames(frames).fingerprint
        for frames in (cu_frames, cu_frames[::-1], cu_frames[:-1], [replace(cu_frames[0], energy=0.0), *cu_frames[1:]])
    }
    assert len(prints) == 4
    assert count_frames(list(cu_frames)).fingerprint in prints


@pytest.mark.parametrize("by", list(SplitBy))
@pytest.mark.parametrize("ratio", [0.1, 0.25, 0.3, 0.34])
def test_conversion_holds_out_the_same_frames(
    make_run: Callable[..., RunConfig], tmp_path: Path, cu_frames: list[Frame], by: SplitBy, ratio: float
) -> None:
    files = []
    for name, n_copies in (("a", 3), ("b", 2)):  # 15 frames: a tenth of them is one and a half
        files.append(tmp_path / f"{name}.xyz")
        copies = [frame for _ in range(n_copies) for frame in cu_frames[:3]]
        write_extxyz(files[-1], [replace(f, energy=float(k), source=name, index=k) for k, f in enumerate(copies)])
    config = make_run(train_data=[str(path) for path in files], valid_ratio=ratio, valid_split=by.value, seed=11)
    data = read_run_frames(config, ReadReport())
    written = convert(files, tmp_path / "all.h5", split=1.0 - ratio, by=by, seed=11)
    for path, frames in zip(written, (data.train, data.valid), strict=True):
        assert [(f.source, f.energy) for f in read_frames([path])] == [(f.source, f.energy) for f in frames]


@pytest.mark.parametrize(("step", "by", "n_notes"), [(0.004, "random", 1), (0.004, "time", 0), (1.0, "random", 0)])
def test_near_copies_among_validation_frames_are_pointed_out(
    make_run: Callable[..., RunConfig], tmp_path: Path, cu_frames: list[Frame], step: float, by: str, n_notes: int
) -> None:
    swing = np.random.default_rng(0).normal(0, 0.1, cu_frames[0].positions.shape)
    path = tmp_path / "run.xyz"
    write_extxyz(
        path, [replace(cu_frames[0], positions=cu_frames[0].positions + np.sin(step * k) * swing) for k in range(30)]
    )
    read_run_frames(make_run(train_data=[str(path)], valid_split=by), report := ReadReport())
    assert len([note for note in report.notes if "follow each other closely" in note]) == n_notes
    convert([path], tmp_path / "all.h5", split=0.9, by=SplitBy(by), report=(converted := ReadReport()))
    notes = [note for note in converted.notes if "follow each other closely" in note]
    assert len(notes) == n_notes
    assert all("--by time holds out the ends" in note for note in notes)


def npy_folder(path: Path, frames: list[Frame]) -> Path:
    """Write frames of one composition as PWMLFF's pwdata does."""
    path.mkdir(parents=True)
    arrays = {
        "image_type": frames[0].atomic_numbers[None],
        "lattice": np.array([frame.cell.ravel() for frame in frames]),
        "position": np.array([(frame.positions @ np.linalg.inv(frame.cell)).ravel() for frame in frames]),
        "energies": np.array([[frame.energy] for frame in frames]),
        "forces": np.array([frame.forces.ravel() for frame in frames]),
    }
    for name, array in arrays.items():
        np.save(path / f"{name}.npy", array)
    return path


def energies(frames: Iterable[Frame]) -> list[float | None]:
    return [frame.energy for frame in frames]


@pytest.mark.parametrize("key", ["train_data", "datasets_path"])
@pytest.mark.parametrize("format", [None, "pwmlff/npy", "pwmat/movement"])
def test_a_divided_data_set_is_split_as_it_is_there(
    make_run: Callable[..., RunConfig], tmp_path: Path, cu_frames: list[Frame], key: str, format: str | None
) -> None:
    """PWMLFF's `datasets_path`: nothing of `valid` may be trained on, also where data sets lie deeper."""
    npy_folder(tmp_path / "PWdata/a/train", cu_frames[:3])
    npy_folder(tmp_path / "PWdata/a/valid", cu_frames[3:4])
    npy_folder(tmp_path / "PWdata/b/train", cu_frames[4:5])
    npy_folder(tmp_path / "PWdata/b/valid", cu_frames[5:])
    for paths in (["PWdata/a", "PWdata/b"], ["PWdata"]):
        config = make_run(**{"train_data": [], key: [str(tmp_path / path) for path in paths]}, format=format)
        data = read_run_frames(config, report := ReadReport())
        assert energies(data.train) == energies([*cu_frames[:3], cu_frames[4]])
        assert energies(data.valid) == energies([cu_frames[3], cu_frames[5]])
        assert sum("is divided into train and valid" in note for note in report.notes) == len(paths)


def test_what_is_divided_beside_what_is_not(
    make_run: Callable[..., RunConfig], tmp_path: Path, cu_frames: list[Frame]
) -> None:
    npy_folder(tmp_path / "a/train", cu_frames[:2])
    npy_folder(tmp_path / "a/valid", cu_frames[2:3])
    npy_folder(tmp_path / "b/valid", cu_frames[3:4])  # a name without a `train` beside it means nothing
    write_extxyz(tmp_path / "c.xyz", cu_frames[4:5])
    write_extxyz(tmp_path / "d.xyz", cu_frames[5:])
    paths = [str(tmp_path / name) for name in ("a", "b", "c.xyz")]
    data = read_run_frames(make_run(train_data=paths), ReadReport())
    assert energies(data.train) == energies([*cu_frames[:2], *cu_frames[3:5]])
    assert energies(data.valid) == energies(cu_frames[2:3])
    data = read_run_frames(make_run(train_data=paths, valid_data=[str(tmp_path / "d.xyz")]), ReadReport())
    assert energies(data.train) == energies([*cu_frames[:2], *cu_frames[3:5]])
    assert energies(data.valid) == energies([cu_frames[5], cu_frames[2]])


def lone_atom(number: int, energy: float | None, box: float = 12.0) -> Frame:
    cell = np.eye(3) * box
    return Frame(atomic_numbers=[number], positions=[[0, 0, 0]], cell=cell, energy=energy, forces=[[0, 0, 0]])


def test_isolated_atoms_are_no_frames_to_train_on(
    make_run: Callable[..., RunConfig], tmp_path: Path, cu_frames: list[Frame]
) -> None:
    atoms = [lone_atom(29, -0.25), lone_atom(29, -0.2)]
    write_extxyz(tmp_path / "a.xyz", [*cu_frames[:3], atoms[0], *cu_frames[3:], atoms[1], lone_atom(29, -3.5, 2.6)])
    paths = [str(tmp_path / "a.xyz")]
    data = read_run_frames(make_run(train_data=paths, valid_ratio=0.0), report := ReadReport())
    assert data.isolated == {"Cu": -0.25}
    assert energies(data.train) == [*energies(cu_frames), -3.5]  # the last is a crystal
    assert report.notes[0].startswith("2 isolated atoms, the first in ")
    assert report.notes[1:] == ["isolated atoms of Cu have 2 energies from -0.2500 to -0.2000 eV; the lowest is taken"]
    data = read_run_frames(make_run(train_data=paths, valid_ratio=0.0, isolated_atoms="train"), ReadReport())
    assert (len(data.train), data.isolated) == (9, {})


def test_weights_of_sources(make_run: Callable[..., RunConfig], tmp_path: Path, cu_frames: list[Frame]) -> None:
    write_extxyz(tmp_path / "a.xyz", [*cu_frames[:3], lone_atom(29, -0.2)])
    write_extxyz(tmp_path / "b.xyz", cu_frames[3:])
    a, b = str(tmp_path / "a.xyz"), str(tmp_path / "b.xyz")
    config = make_run(train_data=[a, b], train_weights={b: 2.5}, valid_ratio=1 / 3, seed=4)
    data = read_run_frames(config, ReadReport())
    wanted = [2.5 if frame.source == b else 1.0 for frame in data.train]
    assert data.weights is not None
    assert (data.weights.tolist(), len(wanted), set(wanted)) == (wanted, 4, {1.0, 2.5})
    assert read_run_frames(make_run(train_data=[a, b]), ReadReport()).weights is None
    with pytest.raises(ConfigError, match="`train_weights` are 0 for all training frames"):
        read_run_frames(make_run(train_data=[a], train_weights={a: 0.0}), ReadReport())
    with pytest.raises(ConfigError, match=r"`train_weights` names c\.xyz; `train_data` lists .*a\.xyz"):
        make_run(train_data=[a], train_weights={"c.xyz": 2.0})
    with pytest.raises(ConfigError, match="expected numbers from 0 to 1000, got -1"):
        make_run(train_data=[a], train_weights={a: -1})


def test_keys_of_labels_in_the_run_file(
    make_run: Callable[..., RunConfig], tmp_path: Path, cu_frames: list[Frame]
) -> None:
    write_extxyz(tmp_path / "a.xyz", cu_frames)
    path = tmp_path / "b.xyz"
    path.write_text((tmp_path / "a.xyz").read_text().replace(" energy=", " free_energy=0 E="))
    data = read_run_frames(make_run(train_data=[str(path)], energy_key="E", valid_ratio=0.0), ReadReport())
    assert energies(data.train) == energies(cu_frames)
