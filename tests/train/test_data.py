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
from pwmlff.errors import ConfigError
from pwmlff.optim import OptimizerConfig
from pwmlff.train.data import count_frames, describe_labels, read_run_frames


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


def test_nothing_to_train_is_an_error(cu_frames: list[Frame]) -> None:
    bare = [replace(frame, energy=None, forces=None) for frame in cu_frames]
    with pytest.raises(ConfigError, match="nothing to train"):
        describe_labels(count_frames(bare), OptimizerConfig())


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
