"""Batches made ready by one thread while the model works on the one before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from pwmlff.data.batch import Batch
from pwmlff.data.dataset import FrameDataset


def load_batches(
    dataset: FrameDataset, index_lists: Iterable[NDArray[np.int64]], *, in_background: bool = True
) -> Iterator[tuple[NDArray[np.int64], Batch]]:
    """Yield (frame indices, batch) in the given order.

    Args:
        dataset: Where the samples come from.
        index_lists: Frames of each batch.
        in_background: Find neighbours and collate one batch ahead, in a thread; the result is the same.
    """
    if not in_background:
        for indices in index_lists:
            yield indices, dataset.batch(indices)
        return
    pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="pwmlff-batches")
    waiting: tuple[NDArray[np.int64], Future[Batch]] | None = None
    try:
        for indices in index_lists:
            following = (indices, pool.submit(dataset.batch, indices))
            if waiting is not None:
                yield waiting[0], waiting[1].result()
            waiting = following
        if waiting is not None:
            yield waiting[0], waiting[1].result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
