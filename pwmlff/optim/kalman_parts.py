"""A batch in several parts of whole frames, each measured on its own.

Which frame goes into which part depends on the frames of the whole batch alone, not on how processes share them.
"""

from __future__ import annotations

import torch
from torch import Tensor

from pwmlff import distributed
from pwmlff.data.batch import Batch


def order_by_part(batch: Batch, n_parts: int) -> tuple[Batch, Tensor]:
    """Return this process's frames part after part, and the offsets of the parts, [P + 1]; a part may have no frame.

    Args:
        batch: This process's share of the whole batch.
        n_parts: Parts P of the whole batch, at most one per frame of it; 0 for one per frame.
    """
    if n_parts == 1:
        return batch, torch.tensor([0, batch.n_frames])
    shares = distributed.gather(batch.codes)
    everyone = sorted((code, rank, frame) for rank, codes in enumerate(shares) for frame, code in enumerate(codes))
    n_parts = min(n_parts or len(everyone), len(everyone))
    members: list[list[int]] = [[] for _ in range(n_parts)]
    for place, (_, rank, frame) in enumerate(everyone):
        if rank == distributed.rank():
            members[place % n_parts].append(frame)
    offsets = torch.tensor([0, *(len(frames) for frames in members)]).cumsum(0)
    return batch.select([frame for frames in members for frame in frames]), offsets


def sum_parts(rows: Tensor, offsets: Tensor) -> Tensor:
    """Add up rows [F, ...] of the frames of each part, [P, ...]; offsets as `order_by_part` returns them."""
    sums = rows.new_zeros(len(offsets) - 1, *rows.shape[1:])
    numbers = torch.repeat_interleave(torch.arange(len(sums)), offsets[1:] - offsets[:-1])
    return sums.index_add(0, numbers.to(rows.device), rows)
