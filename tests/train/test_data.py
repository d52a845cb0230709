"""Which labels a run uses, and how its frames are told from others."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pwmlff import keys
from pwmlff.data.frame import Frame
from pwmlff.errors import ConfigError
from pwmlff.optim import OptimizerConfig
from pwmlff.train.data import describe_labels, summarize


def test_labels_are_counted_where_they_are(cu_frames: list[Frame]) -> None:
    frames = [cu_frames[0], replace(cu_frames[1], forces=None), replace(cu_frames[2], virial=None)]
    summary = summarize(frames)
    assert (summary.n_frames, summary.n_atoms) == (3, 96)
    assert summary.n_labelled == {
        keys.ENERGY: 3,
        keys.FORCES: 2,
        keys.VIRIAL: 2,
        keys.ATOMIC_ENERGIES: 0,
        keys.GROUP_ENERGIES: 0,
    }
    lines = describe_labels(summary, OptimizerConfig(train_ei=True))
    assert lines[0] == "labels used: energy on 3 of 3 frames, forces on 2 of 3 frames"
    assert "virial on 2 frames, not trained: `train_virial` is false" in lines
    assert "no training frame has atomic energies: `train_ei` has no effect" in lines


def test_nothing_to_train_is_an_error(cu_frames: list[Frame]) -> None:
    bare = [replace(frame, energy=None, forces=None) for frame in cu_frames]
    with pytest.raises(ConfigError, match="nothing to train"):
        describe_labels(summarize(bare), OptimizerConfig())


def test_fingerprint_knows_order_and_values(cu_frames: list[Frame]) -> None:
    prints = {
        summarize(frames).fingerprint
        for frames in (cu_frames, cu_frames[::-1], cu_frames[:-1], [replace(cu_frames[0], energy=0.0), *cu_frames[1:]])
    }
    assert len(prints) == 4
    assert summarize(list(cu_frames)).fingerprint in prints
