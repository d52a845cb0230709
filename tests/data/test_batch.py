"""Batches without padding: indices, masks, the cache of samples."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace

import numpy as np
import pytest
import torch

from pwmlff.data.batch import Batch, collate, make_sample
from pwmlff.data.batch_fields import Entries, Per, declare
from pwmlff.data.dataset import FrameDataset, iterate_batches
from pwmlff.data.frame import Frame
from pwmlff.errors import DataFormatError

TYPE_OF = {79: 0, 29: 1}


def test_indices_point_at_the_right_atoms(two_element_frames: list[Frame]) -> None:
    samples = [make_sample(frame, TYPE_OF, 4.0) for frame in two_element_frames]
    batch = collate(samples)
    assert batch.n_frames == len(two_element_frames)
    assert batch.n_atoms.tolist() == [len(frame) for frame in two_element_frames]
    assert torch.equal(batch.pair_types, batch.atom_types[batch.pair_neighbors])
    centers = torch.repeat_interleave(torch.arange(len(batch.atom_types)), batch.pair_start.diff())
    # the vectors end at the neighbour, up to whole cell vectors of its frame
    for index, frame in enumerate(two_element_frames):
        inside = batch.atom_frame[centers] == index
        assert torch.equal(batch.atom_frame[batch.pair_neighbors[inside]].unique(), torch.tensor([index]))
        first = int(batch.frame_start[index])
        i, j = (centers[inside] - first).numpy(), (batch.pair_neighbors[inside] - first).numpy()
        images = (batch.pair_vectors[inside].numpy() - frame.positions[j] + frame.positions[i]) @ np.linalg.inv(
            frame.cell
        )
        assert np.abs(images - images.round()).max() < 1e-9


def test_absent_labels_are_masked(two_element_frames: list[Frame]) -> None:
    bare = replace(two_element_frames[0], energy=None, forces=None, virial=None)
    batch = collate([make_sample(frame, TYPE_OF, 4.0) for frame in (bare, two_element_frames[1])])
    for mask in (batch.has_energy, batch.has_forces, batch.has_virial):
        assert mask.tolist() == [False, True]
    assert batch.has_atomic_energies.tolist() == [False, False]


def test_unknown_element_names_the_frame(two_element_frames: list[Frame]) -> None:
    with pytest.raises(DataFormatError, match="frame 1 holds Au"):
        make_sample(two_element_frames[1], {29: 0}, 4.0)


def test_cache_keeps_to_its_budget(two_element_frames: list[Frame]) -> None:
    roomy = FrameDataset(two_element_frames, ["Cu", "Au"], 4.0)
    tight = FrameDataset(two_element_frames, ["Cu", "Au"], 4.0, cache_bytes=1)
    assert roomy[0] is roomy[0]
    first = tight[0]
    assert tight[1] is not None
    assert tight[0] is not first  # was dropped
    assert np.array_equal(tight[0].neighbors.pair_vectors, first.neighbors.pair_vectors)


def test_no_frame_is_dropped(two_element_frames: list[Frame]) -> None:
    dataset = FrameDataset(two_element_frames, ["Cu", "Au"], 4.0)
    batches = list(iterate_batches(dataset, 4))
    assert [batch.n_frames for batch in batches] == [4, 2]
    assert sum(len(batch.atom_types) for batch in batches) == dataset.n_atoms.sum()


def test_codes_are_of_what_the_frames_hold_not_of_where_they_lie(two_element_frames: list[Frame]) -> None:
    batch = collate([make_sample(frame, TYPE_OF, 4.0) for frame in two_element_frames])
    moved = [make_sample(replace(frame, source="elsewhere", index=7), TYPE_OF, 4.0) for frame in two_element_frames]
    assert collate(moved).codes == batch.codes
    assert len(set(batch.codes)) == batch.n_frames
    assert batch.select([3, 0, 5]).codes == [batch.codes[i] for i in (3, 0, 5)]
    assert batch.select([]).codes == []


def test_batch_of_no_frame_has_the_types_and_shapes_of_any_other(two_element_frames: list[Frame]) -> None:
    full = collate([make_sample(frame, TYPE_OF, 4.0) for frame in two_element_frames])
    for empty in (collate([]), full.select([])):
        assert (empty.n_frames, len(empty.atom_frame), empty.where) == (0, 0, ())
        for name, value in vars(full).items():
            if isinstance(value, torch.Tensor):
                other = getattr(empty, name)
                assert other.dtype == value.dtype, name
                assert other.shape[1:] == value.shape[1:], name
        assert empty.pair_start.tolist() == empty.frame_start.tolist() == [0]


@pytest.mark.parametrize("frames", [[0], [3, 1], [5, 4, 3, 2, 1, 0]])
def test_selected_frames_are_the_batch_of_these_frames(two_element_frames: list[Frame], frames: list[int]) -> None:
    labelled = [replace(f, atomic_energies=np.arange(len(f)) + 0.5 * i) for i, f in enumerate(two_element_frames)]
    samples = [make_sample(frame, TYPE_OF, 4.0) for frame in labelled]
    selected, expected = collate(samples).select(frames), collate([samples[frame] for frame in frames])
    for each in fields(Batch):
        first, second = getattr(selected, each.name), getattr(expected, each.name)
        assert torch.equal(first, second) if isinstance(first, torch.Tensor) else first == second, each.name


def test_every_field_is_selected_as_it_declares(two_element_frames: list[Frame]) -> None:
    @dataclass(frozen=True)
    class ChargedBatch(Batch):
        charges: torch.Tensor = field(metadata=declare(Entries(Per.ATOM)))
        partners: torch.Tensor = field(metadata=declare(Entries(Per.ATOM, dtype=torch.int64, index_of=Per.ATOM)))

    batch = collate([make_sample(frame, TYPE_OF, 4.0) for frame in two_element_frames])
    n_atoms = len(batch.atom_types)
    selected = ChargedBatch(**vars(batch), charges=torch.rand(n_atoms), partners=torch.arange(n_atoms)).select([2, 0])
    assert isinstance(selected, ChargedBatch)
    assert len(selected.charges) == len(selected.atom_types)
    assert selected.partners.tolist() == list(range(len(selected.atom_types)))


def test_field_without_a_role_is_noticed(two_element_frames: list[Frame]) -> None:
    @dataclass(frozen=True)
    class Forgetful(Batch):
        charges: torch.Tensor

    batch = collate([make_sample(frame, TYPE_OF, 4.0) for frame in two_element_frames])
    with pytest.raises(AssertionError, match="`charges` does not say what it holds"):
        Forgetful(**vars(batch), charges=batch.energy).select([0])
