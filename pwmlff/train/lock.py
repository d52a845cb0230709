"""One run at a time in a folder: a lock that the kernel takes back when its process ends, and that says who holds it.

The lock is `flock` on `run.lock`; what the file says (host, process, start) is for people, and for file systems without
locks. The file of a run that was killed stays behind and hinders nobody.
"""

from __future__ import annotations

import fcntl
import os
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from pwmlff.errors import TrainingError

LOCK_NAME = "run.lock"
_PAUSE = 0.2  # s between two tries


class _Holder(NamedTuple):
    """What a lock file says.

    Attributes:
        host: Where the run is.
        process: Its number there.
        born: When that process started, in the units of /proc; tells it from a later one of the same number.
        since: When it took the lock, for people.
    """

    host: str
    process: int
    born: str
    since: str

    @classmethod
    def here(cls) -> _Holder:
        return cls(socket.gethostname(), os.getpid(), _born(os.getpid()), time.strftime("%Y-%m-%d %H:%M:%S"))

    @classmethod
    def parse(cls, text: str) -> _Holder | None:
        words = text.split(maxsplit=3)
        is_whole = len(words) == 4 and words[1].isascii() and words[1].isdigit()
        return cls(words[0], int(words[1]), words[2], words[3].strip()) if is_whole else None

    @property
    def text(self) -> str:
        return " ".join(map(str, self)) + "\n"

    @property
    def is_here(self) -> bool:
        return self.host == socket.gethostname()

    @property
    def is_alive(self) -> bool:
        """Whether the process is still there; only to be asked on its host."""
        try:
            os.kill(self.process, 0)
        except PermissionError:  # somebody else's
            pass
        except (ProcessLookupError, OverflowError):
            return False
        return _born(self.process) == self.born

    def __str__(self) -> str:
        return f"process {self.process} on {self.host}, since {self.since}"


class RunLock:
    """Holds the folder of a run for the length of a `with` block."""

    def __init__(self, folder: Path, *, patience: float = 0.0, say: Callable[[str], None] = print) -> None:
        """Name the folder; it is made when the block begins.

        Args:
            folder: `model_store_dir`.
            patience: How long, s, to wait for a process that is about to end.
            say: Takes a line for the user.
        """
        self._folder = folder
        self._path = folder / LOCK_NAME
        self._patience = patience
        self._say = say
        self._holder = _Holder.here()
        self._made: list[Path] = []
        self._file = -1

    def __enter__(self) -> RunLock:
        """Take the lock.

        Raises:
            TrainingError: Another run has it, or the folder cannot be written to.
        """
        try:
            self._made = [path for path in (self._folder, *self._folder.parents) if not path.exists()]
            self._folder.mkdir(parents=True, exist_ok=True)
            self._file = self._taken()
        except OSError as error:
            raise TrainingError(
                f"cannot write in the folder '{self._folder}' of the run: {error.strerror or error}; "
                "give another `model_store_dir`"
            ) from error
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Remove the lock, and the folder where the run left nothing in it."""
        with suppress(OSError):
            if _is_at(self._file, self._path):
                self._path.unlink()
        os.close(self._file)
        with suppress(OSError):
            for path in self._made:
                path.rmdir()

    def check(self) -> None:
        """Make sure that what this run writes still lands in its own folder.

        Raises:
            TrainingError: The folder was deleted or moved away, perhaps with another run in its place.
        """
        lost = f"the folder '{self._folder}' of this run was deleted or moved while it ran"
        if not self._folder.is_dir():
            raise TrainingError(f"{lost}; if it was moved, move it back and run the same command to go on")
        holder = _holder_at(self._path)
        if holder is not None and holder.text != self._holder.text:
            raise TrainingError(f"{lost}, and another run has its place ({holder}); nothing was written there")

    def _taken(self) -> int:
        """Return the file that holds the lock."""
        end = time.monotonic() + self._patience
        while True:
            file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666)
            try:
                before = _holder_at(self._path)
                refusal = self._refusal(file, before)
                if refusal is None and _is_at(file, self._path):  # else: removed by its holder just now
                    self._sign(file, before)
                    return file
            except BaseException:
                os.close(file)
                raise
            os.close(file)
            if refusal is not None and time.monotonic() > end:
                raise TrainingError(refusal)
            time.sleep(_PAUSE if refusal is not None else 0)

    def _refusal(self, file: int, before: _Holder | None) -> str | None:
        """Try to take the lock; return why it cannot be had."""
        who = before or "another process"
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return (
                f"a run is going on in '{self._folder}' ({who}); "
                "wait for it, stop it, or give this one another `model_store_dir`"
            )
        except OSError:  # a file system without locks
            if before is not None and (not before.is_here or before.is_alive):
                return (
                    f"a run may be going on in '{self._folder}' ({who}), and its file system has no locks; "
                    f"if that process has ended, delete '{self._path}'"
                )
        return None

    def _sign(self, file: int, before: _Holder | None) -> None:
        if before is not None and not before.is_here:
            self._say(
                f"'{self._path}' was left by a run that did not end by itself ({before}); "
                "should it still be running there, stop one of the two"
            )
        with suppress(OSError):  # on a full disk the lock has no text
            os.ftruncate(file, 0)
            os.pwrite(file, self._holder.text.encode(), 0)


def _holder_at(path: Path) -> _Holder | None:
    try:
        return _Holder.parse(path.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return None


def _is_at(file: int, path: Path) -> bool:
    """Whether an open file is the one that has this name."""
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False


def _born(process: int) -> str:
    """Return when a process started, "-" where /proc does not say."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "-"
    return stat.rpartition(")")[2].split()[19]
