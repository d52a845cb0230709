"""Several sequences of frames as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

import numpy as np

from pwmlff.data.frame import Frame


class ChainedFrames(Sequence[Frame]):
    """Several sequences of frames as one, without copying them."""

    def __init__(self, parts: Sequence[Sequence[Frame]]) -> None:
        """Chain sequences.

        Args:
            parts: Lists of frames or stores.
        """
        self._parts = list(parts)
        self._end = np.cumsum([len(part) for part in parts])

    def __len__(self) -> int:
        """Number of frames."""
        return int(self._end[-1])

    @overload
    def __getitem__(self, index: int) -> Frame: ...
    @overload
    def __getitem__(self, index: slice) -> list[Frame]: ...
    def __getitem__(self, index: int | slice) -> Frame | list[Frame]:
        """Return one frame, or a list of frames for a slice."""
        if isinstance(index, slice):
            return [self[k] for k in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(f"frame {index} of {len(self)}")
        index %= len(self)
        part = int(np.searchsorted(self._end, index, side="right"))
        return self._parts[part][index - (int(self._end[part - 1]) if part else 0)]
