"""A polite end: SIGTERM and SIGINT ask the trainer to stop after the step it is in."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

EXIT_STOPPED = 75  # EX_TEMPFAIL of sysexits.h: saved, run the same command again to go on


class TrainingStopped(Exception):  # noqa: N818 - a wish fulfilled, not an error
    """Training was asked to stop and saved its state."""


class StopRequest:
    """Remembers that a signal came; a second one acts as if nobody listened."""

    def __init__(self) -> None:
        """Nothing was asked for yet."""
        self.requested = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> StopRequest:
        """Listen for signals, where Python allows it: in the main thread."""
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                self._before[number] = signal.signal(number, self._remember)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Leave the signals as they were."""
        self._restore()

    def _remember(self, number: int, frame: FrameType | None) -> None:
        self.requested = True
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()
