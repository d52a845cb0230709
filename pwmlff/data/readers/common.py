"""What all readers share: the report of a reading, faulty frames, and blocks of numbers in text files."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pwmlff.data.frame import Frame
from pwmlff.data.neighbors import nearest_pair
from pwmlff.errors import DataFormatError


@dataclass
class ReadReport:
    """What a reading decided and what it left out.

    Attributes:
        notes: Decisions a user should know of: signs, labels, counts of frames dropped by rule.
        skipped: Faulty frames dropped because of `--skip-bad`, one message each.
        needs_labels: Whether a file without a single label is an error.
        labels: What was found in each file, and which keys sound like labels and were not taken; one line each.
    """

    notes: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    needs_labels: bool = False
    labels: list[str] = field(default_factory=list)
    _not_taken: dict[Path, set[str]] = field(default_factory=dict)

    def note(self, path: Path, text: str) -> None:
        """Add a note about a file, once."""
        line = f"{path}: {text}"
        if line not in self.notes:
            self.notes.append(line)

    def not_taken(self, path: Path, names: Iterable[str]) -> None:
        """Remember what in a file looks like labels and was not taken."""
        self._not_taken.setdefault(path, set()).update(names)

    def finish_file(self, path: Path, n_frames: int, n_labelled: Mapping[str, int]) -> None:
        """Say which labels a file had, after its last frame.

        Args:
            path: File or folder.
            n_frames: Frames read.
            n_labelled: How many of them carry each label.

        Raises:
            DataFormatError: It has none, and labels are needed.
        """
        inside = [other for other in self._not_taken if other == path or path in other.parents]
        names = sorted({name for other in inside for name in self._not_taken.pop(other)})
        unknown = f"; not known and not taken: {', '.join(names)}" if names else ""
        found = [f"{name.replace('_', ' ')} {count}" for name, count in n_labelled.items() if count]
        if not found and self.needs_labels and n_frames:
            raise DataFormatError(
                f"{path}: none of its {n_frames} frames has an energy, forces, a virial or atomic energies{unknown}; "
                "expected labels under the names of `pwmlff/docs/data.md`; `pwmlff data convert --unlabelled` and "
                "`pwmlff test --unlabelled` take such files all the same"
            )
        self.labels.append(f"{path}: {n_frames} frames with {', '.join(found) if found else 'no labels'}{unknown}")


@dataclass(frozen=True)
class LabelKeys:
    """Under which keys or columns extended XYZ has its labels; None for the names that the reader knows.

    Attributes:
        energy: eV.
        forces: eV/Å.
        virial: eV, `-stress * volume`.
        stress: eV/Å^3, in ASE's sign.
    """

    energy: str | None = None
    forces: str | None = None
    virial: str | None = None
    stress: str | None = None

    def given(self) -> dict[str, str]:
        """The keys that are named, by what they are."""
        return {what: key for what, key in vars(self).items() if key is not None}


@dataclass
class Faults:
    """How to read: what happens to a faulty frame, stop or drop it and list it, and where the labels are.

    Attributes:
        report: Where dropped frames are listed.
        skip_bad: Drop instead of stopping.
        labels: Where files that may have several kinds of labels have those to take.
    """

    report: ReadReport
    skip_bad: bool = False
    labels: LabelKeys = field(default_factory=LabelKeys)

    def attempt(self, build: Callable[..., Frame], *arguments: Any, where: str) -> Frame | None:
        """Build a frame and check it for coinciding atoms.

        Whatever a parser raises becomes our error here, with the place of the frame.

        Args:
            build: Parses the frame.
            *arguments: Of `build`.
            where: The frame's file, number and line, for errors that do not name them.

        Returns:
            The frame, or None when it is faulty and faulty frames are dropped.

        Raises:
            DataFormatError: The frame is faulty and `skip_bad` is off.
        """
        try:
            frame = build(*arguments)
            nearest_pair(frame)
        except DataFormatError as error:
            self.drop(error)
            return None
        except Exception as error:  # parsers of others raise what they met: ValueError, KeyError, IndexError, ...
            fault = DataFormatError(f"{where}: cannot be read ({reason_of(error)})")
            fault.__cause__ = error
            self.drop(fault)
            return None
        return frame

    def drop(self, error: DataFormatError) -> None:
        """List a fault, or raise it when `skip_bad` is off."""
        if not self.skip_bad:
            raise error
        self.report.skipped.append(str(error))


def reason_of(error: Exception) -> str:
    """Say in one line what another library's error means."""
    text = " ".join(str(error).split())[:200]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


_LABEL_LIKE = re.compile(r"energ|force|virial|stress|(^|_)(e0|etot|toten|ener|dft)(_|$)", re.IGNORECASE)


def label_like(names: Iterable[str]) -> set[str]:
    """Return the names that sound like labels."""
    return {name for name in names if _LABEL_LIKE.search(name)}


# A reader turns one file or folder into frames.
Reader = Callable[[Path, Faults], Iterator[Frame]]


def place(path: Path, index: int, line: int | None = None) -> str:
    """Name a place for a message: file, frame, line."""
    return f"{path} frame {index}" + (f" (line {line})" if line is not None else "")


def parse_rows(lines: Sequence[str], n_columns: int, where: Callable[[int], str]) -> NDArray[np.float64]:
    """Parse the first columns of a block of rows of numbers.

    Args:
        lines: The rows; all have the same number of columns, which is at least `n_columns`.
        n_columns: How many leading columns to return.
        where: Names the place of row k, for messages.

    Returns:
        [len(lines), n_columns].

    Raises:
        DataFormatError: A row is short or holds something that is no finite number.
    """
    words = " ".join(lines).split()
    width, rest = divmod(len(words), len(lines))
    if rest == 0 and width >= n_columns:
        try:
            table = np.array(words, dtype=np.float64).reshape(len(lines), width)[:, :n_columns]
        except ValueError:
            table = None
        # the width is an average: a short row beside a long one shows as a wrong count in one of them
        if table is not None and np.isfinite(table).all() and len(lines[0].split()) == width:
            return table
    return np.array([_parse_row(line, n_columns, where(k)) for k, line in enumerate(lines)])


def _parse_row(line: str, n_columns: int, where: str) -> list[float]:
    words = line.split()
    if len(words) < n_columns:
        raise DataFormatError(
            f"{where}: expected {n_columns} numbers, found {len(words)} in '{line.strip()}'; the file may be truncated"
        )
    try:
        row = [float(word) for word in words[:n_columns]]
    except ValueError:
        raise DataFormatError(f"{where}: expected {n_columns} numbers, found '{line.strip()}'") from None
    if not np.isfinite(row).all():
        raise DataFormatError(f"{where}: expected finite numbers, found '{line.strip()}'")
    return row


def check_last_number(lines: Sequence[str], where: str) -> None:
    """Refuse a last row that ends the file without a line end and with fewer decimals than the other rows.

    Args:
        lines: Rows of a block, with their line ends.
        where: Place of the last row.

    Raises:
        DataFormatError: Its last number is cut off.
    """
    if not lines or lines[-1].endswith("\n"):
        return
    decimals = [len(line.split()[-1].partition(".")[2]) for line in lines if line.split()]
    if len(decimals) > 1 and decimals[-1] < min(decimals[:-1]):
        raise DataFormatError(
            f"{where}: the file ends in '{lines[-1].split()[-1]}' without a line end, other rows have "
            f"{min(decimals[:-1])} decimals there; the number is cut off, the file is truncated"
        )


_ARRAY_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def load_array(path: Path) -> NDArray[np.float64]:
    """Load a .npy array as float64, without executing pickles or believing a shape the file is too small for.

    Args:
        path: The file.

    Returns:
        At least one axis, that of the frames.

    Raises:
        DataFormatError: The file is missing, damaged, or holds no numbers.
    """
    try:
        with path.open("rb") as file:
            shape, _, dtype = _ARRAY_HEADERS[np.lib.format.read_magic(file)](file)
            n_found = path.stat().st_size - file.tell()
    except FileNotFoundError:
        raise DataFormatError(f"{path} is missing") from None
    except OSError as error:
        raise DataFormatError(f"{path}: cannot be read ({error.strerror})") from error
    except Exception as error:  # numpy parses the header as Python and raises what that raises
        raise DataFormatError(
            f"{path}: not a readable .npy array ({reason_of(error)}); the file may be truncated"
        ) from error
    if dtype.kind not in "biuf":
        raise DataFormatError(f"{path}: the array holds {dtype}, expected numbers")
    n_expected = math.prod(shape) * dtype.itemsize
    if n_expected != n_found or min(shape, default=0) < 0:
        raise DataFormatError(
            f"{path}: shape {shape} of {dtype} needs {n_expected} bytes, the file has {n_found}; it may be truncated"
        )
    if len(shape) == 0:
        raise DataFormatError(f"{path}: holds a single number, expected an array with one row per frame")
    return np.asarray(np.load(path, allow_pickle=False)).astype(np.float64)


def load_integers(path: Path) -> NDArray[np.int64]:
    """Load a .npy array of whole numbers.

    Raises:
        DataFormatError: As for `load_array`, or a number is not whole.
    """
    table = load_array(path)
    if not (np.isfinite(table) & (table == np.rint(table)) & (np.abs(table) < 1e6)).all():
        raise DataFormatError(f"{path}: expected whole numbers, such as types or elements, found others")
    return table.astype(np.int64)


def frame_row(array: NDArray[np.float64], index: int, shape: tuple[int, ...], name: str, where: str) -> NDArray:
    """Return one frame's row of an array in the shape it is to have.

    Raises:
        DataFormatError: The row has another number of elements.
    """
    if array[index].size != math.prod(shape):
        raise DataFormatError(
            f"{where}: `{name}` has {array[index].size} numbers, expected {math.prod(shape)} of shape {shape}"
        )
    return array[index].reshape(shape)
