"""Files that appear only when they are complete, beside others that were left behind by killed programs."""

from __future__ import annotations

import os
import re
import shutil
import socket
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from pwmlff.errors import PwmlffError

_SUFFIX = ".part"


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give the name of a new, empty file beside `path`, which takes its place when the block ends well.

    The file is created here and nowhere else: a link or a file of that name is not followed or overwritten. What killed
    programs of this machine left behind for the same target is removed first.

    Args:
        path: The file to write or replace.

    Yields:
        The temporary file; it is gone after a block that failed, and `path` is as it was.

    Raises:
        PwmlffError: The disk is full, or the file cannot be created, written or replaced.
    """
    sweep(path)
    partial = temporary_name(path)
    try:
        os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_WRONLY, 0o666))
        try:
            yield partial
            with partial.open("rb") as written:
                os.fsync(written.fileno())
            os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        if error.filename not in (None, str(partial), str(path), partial, path):
            raise  # of another file, such as an input
        reason = error.strerror or str(error)
        raise PwmlffError(f"{path}: cannot be written ({reason}); what was there before is as it was") from error


@contextmanager
def replacing_in(folder: Path, own: Collection[str] = ()) -> Iterator[Path]:
    """Give a temporary folder whose files move into `folder` when the block ends well.

    Args:
        folder: Made when it is not there; other files in it stay.
        own: Names of all files that such a block may write; those it did not write are of an earlier one and removed.

    Yields:
        The temporary folder, inside `folder`; after a block that failed it is gone, and `folder` is as it was.
    """
    was_there = folder.is_dir()
    folder.mkdir(parents=True, exist_ok=True)
    inner = folder / "new"
    sweep(inner)
    partial = temporary_name(inner)
    partial.mkdir()
    try:
        yield partial
        written = sorted(partial.iterdir())
        for file in written:
            os.replace(file, folder / file.name)
        for name in set(own) - {file.name for file in written}:
            (folder / name).unlink(missing_ok=True)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        if not was_there and not any(folder.iterdir()):
            folder.rmdir()


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Give a new folder beside `path`, which takes its name when the block ends well.

    Args:
        path: Nothing of this name may be there.

    Yields:
        The temporary folder; it is gone after a block that failed.

    Raises:
        PwmlffError: The disk is full, or the folder cannot be made or renamed.
    """
    sweep(path)
    partial = temporary_name(path)
    try:
        partial.mkdir()
        try:
            yield partial
            partial.rename(path)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    except OSError as error:
        raise PwmlffError(f"{path}: cannot be written ({error.strerror or error})") from error


def temporary_name(path: Path) -> Path:
    """Name what this process writes for `path`: with machine and process, so that others can tell it is left behind."""
    return path.with_name(f"{path.name}.{_machine()}-{os.getpid()}{_SUFFIX}")


def sweep(path: Path) -> None:
    """Remove the temporary files and folders of `path` whose process on this machine has ended."""
    name = re.compile(re.escape(path.name) + rf"\.{re.escape(_machine())}-(\d+){re.escape(_SUFFIX)}")
    for other in path.parent.glob(f"*{_SUFFIX}"):
        match = name.fullmatch(other.name)
        if other.name != path.name + _SUFFIX and (match is None or _is_running(int(match[1]))):
            continue
        if other.is_dir() and not other.is_symlink():
            shutil.rmtree(other, ignore_errors=True)
        else:
            other.unlink(missing_ok=True)  # of a link, the link


def _machine() -> str:
    return re.sub(r"[^\w.]", "_", socket.gethostname())[:40]


def _is_running(process: int) -> bool:
    if process == os.getpid():
        return False  # what an earlier block of this process could not remove
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
