"""The order of frames, and batches made in the background."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pwmlff.data.dataset import FrameDataset
from pwmlff.data.frame import Frame
from pwmlff.errors import DataFormatError
from pwmlff.train.prefetch import load_batches
from pwmlff.train.sampler import BatchSampler, deal


@pytest.mark.parametrize("n_frames", [1, 7, 12])
@pytest.mark.parametrize("batch_size", [1, 4, 20])
def test_every_frame_once_per_epoch(n_frames: int, batch_size: int) -> None:
    sampler = BatchSampler(n_frames, batch_size, shuffle=True, seed=5)
    batches = list(sampler.batches(3))
    assert len(batches) == len(sampler)
    assert sorted(np.concatenate(batches)) == list(range(n_frames))


def test_order_depends_on_seed_and_epoch_only() -> None:
    one, two = (BatchSampler(50, 8, shuffle=True, seed=seed) for seed in (1, 2))
    assert not np.array_equal(one.order(1), one.order(2))
    assert not np.array_equal(one.order(1), two.order(1))
    again = BatchSampler(50, 8, shuffle=True, seed=1)
    np.testing.assert_array_equal(np.concatenate(list(again.batches(4, start=2))), one.order(4)[16:])


def test_no_shuffle_is_the_order_of_the_data() -> None:
    np.testing.assert_array_equal(BatchSampler(5, 2, shuffle=False, seed=1).order(9), np.arange(5))


def test_background_changes_nothing(cu_frames: list[Frame]) -> None:
    data = FrameDataset(cu_frames, ["Cu"], 4.0)
    order = [np.array([3, 1]), np.array([0]), np.array([5, 4])]
    here, there = (list(load_batches(data, order, in_background=flag)) for flag in (False, True))
    assert len(here) == len(there) == 3
    for (indices, batch), (same_indices, same) in zip(here, there, strict=True):
        np.testing.assert_array_equal(indices, same_indices)
        assert torch.equal(batch.pair_vectors, same.pair_vectors)
        assert batch.where == same.where


def test_errors_come_out_of_the_background(cu_frames: list[Frame]) -> None:
    data = FrameDataset(cu_frames, ["Au"], 4.0)
    with pytest.raises(DataFormatError, match="holds Cu"):
        list(load_batches(data, [np.array([0])]))


@pytest.mark.parametrize("n_shares", [1, 2, 5, 9])
def test_shares_of_a_batch_have_about_equal_work(n_shares: int) -> None:
    rng = np.random.default_rng(7)
    work = rng.integers(1, 200, size=60)
    batch = rng.permutation(60)[:40]
    shares = deal(batch, work, n_shares)
    assert sorted(np.concatenate(shares)) == sorted(batch)
    loads = [work[share].sum() for share in shares]
    best = max(work[batch].max(), work[batch].sum() / n_shares)  # no dealing is better
    assert max(loads) <= 4 / 3 * best
    for share in shares:
        assert list(share) == [index for index in batch if index in share]  # in the order of the batch


def test_fewer_frames_than_processes_leave_some_without() -> None:
    shares = deal(np.array([4, 2]), np.full(5, 10), 4)
    assert [len(share) for share in shares] == [1, 1, 0, 0]


def test_one_process_gets_the_batches_as_they_are() -> None:
    sampler = BatchSampler(7, 3, shuffle=True, seed=1, work=np.arange(7))
    for whole, share in zip(sampler.batches(2), sampler.shares(2), strict=True):
        np.testing.assert_array_equal(whole, share)


def test_weights_are_how_often_a_frame_is_drawn() -> None:
    """In each epoch the weight rounded down or up, in the mean the weight itself."""
    weights = np.array([1.0, 0.0, 2.5, 0.3, 1.0, 3.0, 0.2])  # 8 in all
    sampler = BatchSampler(7, 3, shuffle=True, seed=5, weights=weights)
    assert len(sampler) == 3
    counts = np.array([np.bincount(sampler.order(epoch), minlength=7) for epoch in range(2000)])
    assert (counts.sum(axis=1) == 8).all()
    assert ((counts == np.floor(weights)) | (counts == np.ceil(weights))).all()
    np.testing.assert_allclose(counts.mean(axis=0), weights, atol=0.04)
    batches = np.concatenate(list(sampler.batches(4)))
    np.testing.assert_array_equal(batches, sampler.order(4))
    np.testing.assert_array_equal(np.concatenate(list(sampler.batches(4, start=1))), batches[3:])
    assert not np.array_equal(np.sort(batches), batches)


def test_weights_of_one_are_no_weights_but_for_the_order() -> None:
    sampler = BatchSampler(50, 8, shuffle=True, seed=1, weights=np.ones(50))
    assert sorted(sampler.order(3)) == list(range(50))
    ordered = BatchSampler(5, 8, shuffle=False, seed=1, weights=np.array([1.0, 2.0, 0.0, 1.0, 0.0]))
    np.testing.assert_array_equal(ordered.order(3), [0, 1, 1, 3])


def test_few_frames_of_small_weights_are_drawn_too() -> None:
    sampler = BatchSampler(3, 8, shuffle=True, seed=1, weights=np.full(3, 0.1))
    assert {int(sampler.order(epoch)[0]) for epoch in range(50)} == {0, 1, 2}
