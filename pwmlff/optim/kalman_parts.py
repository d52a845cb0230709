"""A batch in several parts of whole frames, each measured on its own.

Which frame goes into which part depends on the frames of the whole batch alone, not on how processes share them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from pwmlff import distributed
from pwmlff.data.batch import Batch
from pwmlff.optim.kalman_measurements import frame_codes


def split_batch(batch: Batch, n_parts: int) -> list[Batch]:
    """Return this process's frames of each part; there may be none.

    Args:
        batch: This process's share of the whole batch.
        n_parts: Parts of the whole batch, at most one per frame of it; 0 for one per frame.
    """
    if n_parts == 1:
        return [batch]
    shares = distributed.gather(frame_codes(batch))
    everyone = sorted((code, rank, frame) for rank, codes in enumerate(shares) for frame, code in enumerate(codes))
    n_parts = min(n_parts or len(everyone), len(everyone))
    members: list[list[int]] = [[] for _ in range(n_parts)]
    for place, (_, rank, frame) in enumerate(everyone):
        if rank == distributed.rank():
            members[place % n_parts].append(frame)
    return [choose_frames(batch, frames) for frames in members]


def choose_frames(batch: Batch, frames: Sequence[int]) -> Batch:
    """Return the batch of some frames of another."""
    starts, pair_starts = batch.frame_start.tolist(), batch.pair_start[batch.frame_start].tolist()
    device = batch.frame_start.device

    def ranges(bounds: list[int]) -> torch.Tensor:
        pieces = [torch.arange(bounds[frame], bounds[frame + 1], device=device) for frame in frames]
        return torch.cat(pieces) if pieces else torch.zeros(0, dtype=torch.int64, device=device)

    atoms, pairs, chosen = ranges(starts), ranges(pair_starts), torch.tensor(frames, dtype=torch.int64, device=device)
    counts = batch.n_atoms[chosen]
    zero = torch.zeros(1, dtype=torch.int64, device=device)
    frame_start = torch.cat([zero, counts.cumsum(0)])
    place = torch.empty(len(batch.atom_types), dtype=torch.int64, device=device)  # of each atom in the new batch
    place[atoms] = torch.arange(len(atoms), device=device)
    n_neighbors = (batch.pair_start[1:] - batch.pair_start[:-1])[atoms]
    per_atom = {name: getattr(batch, name)[atoms] for name in ("atom_types", "forces", "atomic_energies")}
    names = ("energy", "virial", "has_energy", "has_forces", "has_virial", "has_atomic_energies", "volume")
    per_frame = {name: getattr(batch, name)[chosen] for name in names}
    return replace(
        batch,
        pair_vectors=batch.pair_vectors[pairs],
        pair_types=batch.pair_types[pairs],
        pair_neighbors=place[batch.pair_neighbors[pairs]],
        pair_start=torch.cat([zero, n_neighbors.cumsum(0)]),
        frame_start=frame_start,
        where=tuple(batch.where[frame] for frame in frames) if batch.where else (),
        **per_atom,
        **per_frame,
    )
