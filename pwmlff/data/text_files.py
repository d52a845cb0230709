"""Text files, plain or compressed by gzip; the content tells, not the name."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from pwmlff.errors import DataFormatError

_GZIP_MAGIC = b"\x1f\x8b"


def is_gzipped(path: Path) -> bool:
    """Whether a file begins as those of gzip do."""
    with path.open("rb") as file:
        return file.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC


@contextmanager
def reading_text(path: Path) -> Iterator[TextIO]:
    """Open a text file to read; bytes that are no text are replaced.

    Raises:
        DataFormatError: It is compressed and damaged.
    """
    with decompressing(path), open_text(path) as file:
        yield file


def open_text(path: Path) -> TextIO:
    """Open a text file to read, for those who close it themselves; read it within `decompressing`."""
    return gzip.open(path, "rt", errors="replace") if is_gzipped(path) else path.open(errors="replace")


def read_head(path: Path, n_bytes: int) -> bytes:
    """Return the first bytes of what a file holds, decompressed.

    Raises:
        DataFormatError: It is compressed and damaged.
    """
    with decompressing(path), gzip.open(path) if is_gzipped(path) else path.open("rb") as file:
        return file.read(n_bytes)


@contextmanager
def decompressing(path: Path) -> Iterator[None]:
    """Turn what gzip says of damaged files into our error."""
    try:
        yield
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise DataFormatError(f"{path}: cannot be decompressed ({reason}); it may be truncated") from error
