"""Several sequences of frames as one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pwmlff.data.frame import Frame
from pwmlff.data.lazy_frames import LazyFrames


class ChainedFrames(LazyFrames):
    """Several sequences of frames as one, without copying them."""

    def __init__(self, parts: Sequence[Sequence[Frame]]) -> None:
        """Chain sequences.

        Args:
            parts: Lists of frames or stores.
        """
        self._parts = list(parts)
        self._end = np.cumsum([len(part) for part in parts])

    @property
    def parts(self) -> list[Sequence[Frame]]:
        """The sequences, in order."""
        return self._parts

    def __len__(self) -> int:
        """Number of frames."""
        return int(self._end[-1])

    def frame(self, index: int) -> Frame:
        """See the base."""
        part = int(np.searchsorted(self._end, index, side="right"))
        return self._parts[part][index - (int(self._end[part - 1]) if part else 0)]
