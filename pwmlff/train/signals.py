"""A polite end: SIGTERM and SIGINT ask the trainer to stop after the step it is in."""

from __future__ import annotations

import signal
import threading
import time
from types import FrameType, TracebackType
from typing import Any

EXIT_STOPPED = 75  # EX_TEMPFAIL of sysexits.h: saved, run the same command again to go on


class TrainingStopped(Exception):  # noqa: N818 - a wish fulfilled, not an error
    """Training was asked to stop and saved its state."""


_ECHO = 5.0  # s in which further signals are the same one, passed on by a launcher or batch system


class StopRequest:
    """Remembers that a signal came; a later one acts as if nobody listened.

    Who was asked to stop has files to write and a line to say after the `with` block, and launchers repeat themselves:
    then the handlers stay, and the first signal that is no echo puts the old ones back.
    """

    def __init__(self) -> None:
        """Nothing was asked for yet."""
        self.requested = False
        self._since = 0.0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> StopRequest:
        """Listen for signals, where Python allows it: in the main thread."""
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                self._before[number] = signal.signal(number, self._remember)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Leave the signals as they were, unless one came."""
        if not self.requested:
            self._restore()

    def _remember(self, number: int, frame: FrameType | None) -> None:
        if not self.requested:
            self.requested, self._since = True, time.monotonic()
        elif time.monotonic() - self._since > _ECHO:
            self._restore()
            signal.raise_signal(number)

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()


def ignore_until_exit() -> None:
    """Let no signal change how a process ends that was asked to stop and has done so.

    Python gives its own handlers back while it shuts down, but leaves a signal that is ignored alone.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
