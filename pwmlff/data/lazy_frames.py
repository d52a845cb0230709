"""Sequences of frames that are made when they are asked for."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import overload

from pwmlff.data.frame import Frame


class LazyFrames(Sequence[Frame]):
    """A sequence whose subclass says how many frames there are and makes one of them."""

    @abstractmethod
    def frame(self, index: int) -> Frame:
        """Return a frame.

        Args:
            index: 0 to the number of frames - 1.
        """

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
        return self.frame(index % len(self))
