"""A batch in several parts of whole frames, each measured on its own.

Which frame goes into which part depends on the frames of the whole batch alone, not on how processes share them.
"""

from __future__ import annotations

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
    return [batch.select(frames) for frames in members]
