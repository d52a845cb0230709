"""The archive an exported model lies in, and the digest over all of it.

    a zip file as `torch.jit.save` writes it (PKWARE's APPNOTE.TXT, section 4.3), whose comment of 64 bytes is
    the hexadecimal SHA-256 of all bytes before it

So no byte is without the digest: names, sizes, contents, table of contents, and what lies between them. It is compared
before anything but the table of contents is looked at. Entries that are used are stored, not compressed, each name is
there once, and nothing follows the table of contents but its end. `lammps_plugin/zip_archive.cpp` and
`model_digest.cpp` read the same.

A digest tells an intact file from a damaged one. It does not tell who wrote the file: see docs/trust.md.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from pwmlff.errors import ModelFileError

DIGEST_SIZE = 64  # hexadecimal digits
_END, _DIRECTORY, _LOCAL = 22, 46, 30  # bytes of the records without names
_END_64, _END_64_MARK = 76, b"PK\x06\x06"
_END_MARK, _DIRECTORY_MARK, _LOCAL_MARK = b"PK\x05\x06", b"PK\x01\x02", b"PK\x03\x04"


class _Entry(NamedTuple):
    header: int
    size: int
    is_stored: bool


def with_digest(content: bytes) -> bytes:
    """Return a zip file without a comment as one that ends in its digest."""
    covered = content[:-2] + DIGEST_SIZE.to_bytes(2, "little")
    return covered + hashlib.sha256(covered).hexdigest().encode()


class Archive:
    """The stored entries of an exported model, by their paths below the one folder that holds all.

    Args:
        content: Of the file.
        path: Of the file, for messages.

    Raises:
        ModelFileError: It is no intact zip file that ends in a digest, or the digest is another.
    """

    def __init__(self, content: bytes, path: object) -> None:
        self._path = path
        end = len(content) - DIGEST_SIZE - _END
        if end < 0 or content[end : end + 4] != _END_MARK or _number(content, end + 20, 2) != DIGEST_SIZE:
            raise self._refusal("it does not end in the SHA-256 of `pwmlff export`, as files of older versions do not")
        n_entries, size, start = (_number(content, end + at, width) for at, width in ((10, 2), (12, 4), (16, 4)))
        # torch says the same once more in the 64-bit form of the end
        again = content[start + size : end]
        if again and (
            len(again) != _END_64
            or not again.startswith(_END_64_MARK)
            or (n_entries, size, start) != tuple(_number(again, at, 8) for at in (32, 40, 48))
        ):
            raise self._refusal("its table of contents is not at its end")
        if start + size > end:
            raise self._refusal("its table of contents ends beyond the end of the file")
        self._content = memoryview(content)[:start]
        self._entries: dict[str, _Entry] = {}
        self._read_directory(content[start : start + size], n_entries)
        covered = len(content) - DIGEST_SIZE
        if hashlib.sha256(memoryview(content)[:covered]).hexdigest().encode() != content[covered:]:
            raise ModelFileError(
                f"'{path}' is damaged or was altered: its SHA-256 does not match; export the model again"
            )

    def find(self, name: str) -> memoryview | None:
        """Return the bytes of an entry; None when there is none.

        Raises:
            ModelFileError: They are compressed, or not all there.
        """
        entry = self._entries.get(name)
        if entry is None:
            return None
        if not entry.is_stored:
            raise self._refusal(f"{name!r} is compressed")
        header = bytes(self._content[entry.header : entry.header + _LOCAL])
        if len(header) < _LOCAL or not header.startswith(_LOCAL_MARK):
            raise self._refusal(f"{name!r} is not where it should be")
        # name and extra field need not be as long as those of the directory
        start = entry.header + _LOCAL + _number(header, 26, 2) + _number(header, 28, 2)
        if start + entry.size > len(self._content):
            raise self._refusal(f"{name!r} ends beyond the end of the file")
        return self._content[start : start + entry.size]

    def _read_directory(self, directory: bytes, n_entries: int) -> None:
        position = 0
        for _ in range(n_entries):
            fixed = directory[position : position + _DIRECTORY]
            if len(fixed) < _DIRECTORY or not fixed.startswith(_DIRECTORY_MARK):
                raise self._refusal("its table of contents is garbled")
            name_start = position + _DIRECTORY
            position = name_start + _number(fixed, 28, 2)
            whole = directory[name_start:position].decode(errors="replace")
            name = whole.partition("/")[2] or whole
            if name in self._entries:
                raise self._refusal(f"{name!r} is there twice")
            size, stored_size = _number(fixed, 24, 4), _number(fixed, 20, 4)
            self._entries[name] = _Entry(
                _number(fixed, 42, 4), size, _number(fixed, 10, 2) == 0 and size == stored_size
            )
            position += _number(fixed, 30, 2) + _number(fixed, 32, 2)
        if position != len(directory):
            raise self._refusal("its table of contents is longer than its entries")

    def _refusal(self, reason: str) -> ModelFileError:
        return ModelFileError(
            f"'{self._path}' cannot be read, it may be truncated or no exported model ({reason}); "
            "export the model again"
        )


def _number(content: bytes, position: int, n_bytes: int) -> int:
    return int.from_bytes(content[position : position + n_bytes], "little")
