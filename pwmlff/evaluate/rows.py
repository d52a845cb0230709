"""A text file of numbers along a trajectory: a header, then one row per frame as it is read.

The header begins with '#', which makes it a comment to numpy.loadtxt: so DP-GEN and PWact read these files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path

from pwmlff.data.frame import Frame
from pwmlff.data.trajectory import iterate_trajectory
from pwmlff.errors import ConfigError, DataFormatError


def check_output(output: Path, inputs: Iterable[Path]) -> None:
    """Refuse to write over what is read.

    Raises:
        ConfigError: The output is one of the inputs.
    """
    if output.resolve() in {path.resolve() for path in inputs}:
        raise ConfigError(f"the output '{output}' would replace an input; name another with -o")


def write_rows(
    output: Path,
    trajectory: Path,
    evaluate: Callable[[Frame], Mapping[str, float]],
    columns: Sequence[str],
    *,
    elements: Sequence[str] | None = None,
    every: int = 1,
) -> Iterator[tuple[int, Mapping[str, float]]]:
    """Write a row per frame of a trajectory and yield it once it is written; a row not asked for is not written.

    Args:
        output: File to write; one that is there is replaced when the first frame has been evaluated.
        trajectory: LAMMPS dump, extended XYZ, or another file ASE reads.
        evaluate: Gives the numbers of a frame by name.
        columns: Names to write, in this order.
        elements: Symbols of the types 1, 2, ... of a dump.
        every: Evaluate every n-th frame.

    Yields:
        Step and numbers of a frame.

    Raises:
        ConfigError: Elements are given for a file that is no dump, or needed and not given.
        DataFormatError: The trajectory cannot be read or holds no frame; rows of the frames before the fault are
            written.
    """
    rows = ((step, evaluate(frame)) for step, frame in islice(iterate_trajectory(trajectory, elements), 0, None, every))
    first = next(rows, None)
    if first is None:
        raise DataFormatError(f"{trajectory} holds no frame")
    yield from write_table(output, chain([first], rows), columns)


def write_table(
    output: Path,
    rows: Iterable[tuple[int, Mapping[str, float]]],
    columns: Sequence[str],
) -> Iterator[tuple[int, Mapping[str, float]]]:
    """Write rows of a step and of numbers by name, and yield each once it is written; arguments as in `write_rows`."""
    with output.open("w", encoding="utf-8") as file:
        file.write(_line(f"{'#step':<12}", columns))
        for step, values in rows:
            file.write(_line(f"{step:12d}", [f"{values[name]:.9e}" for name in columns]))
            yield step, values


def _line(first: str, words: Sequence[str]) -> str:
    return first + "".join(f" {word:>18}" for word in words) + "\n"
