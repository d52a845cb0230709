"""Which labels a run uses, which frames it holds out, and how its frames are told from others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

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
    wanted = read_run_frames(config, ReadReport())
    written = convert(files, tmp_path / "all.h5", split=1.0 - ratio, by=by, seed=11)
    for path, frames in zip(written, wanted, strict=True):
        assert [(f.source, f.energy) for f in read_frames([path])] == [(f.source, f.energy) for f in frames]
