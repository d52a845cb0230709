"""Trajectories of molecular dynamics, one frame at a time and with its time step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from pwmlff.data.atoms import frame_of
from pwmlff.data.detect import UNLABELLED, guess_format
from pwmlff.data.frame import Frame
from pwmlff.data.lammps_dump import is_dump, read_dump
from pwmlff.data.readers import iterate_frames
from pwmlff.data.readers.common import reason_of
from pwmlff.errors import ConfigError, DataFormatError


def iterate_trajectory(path: Path | str, elements: Sequence[str] | None = None) -> Iterator[tuple[int, Frame]]:
    """Yield time step and structure of each frame of a LAMMPS dump, a file of labelled frames, or anything ASE reads.

    Args:
        path: The file.
        elements: Symbols of the types 1, 2, ... of a LAMMPS dump.

    Yields:
        The step is the dump's; of other files the position of the frame in the file, from 0.

    Raises:
        DataFormatError: The file is missing, empty, damaged or no trajectory.
        ConfigError: Elements are given for a file that is no dump, or needed and not given.
    """
    path = Path(path)
    if not path.exists():
        raise DataFormatError(
            f"no trajectory '{path}'; expected a LAMMPS dump, extended XYZ, or another file ASE reads"
        )
    if path.is_file() and path.stat().st_size == 0:
        raise DataFormatError(f"{path} is empty")
    if path.is_file() and is_dump(path):
        yield from read_dump(path, elements)
        return
    if elements is not None:
        raise ConfigError(f"--elements names the types of a LAMMPS dump, but {path} is none; leave it out")
    frames = iterate_frames(path) if _is_labelled(path) else _read_with_ase(path)
    for frame in frames:
        yield frame.index, frame


def _is_labelled(path: Path) -> bool:
    """Whether one of our own readers takes the file."""
    try:
        return guess_format(path) not in UNLABELLED
    except DataFormatError:  # nothing known; ASE knows more formats
        return False


def _read_with_ase(path: Path) -> Iterator[Frame]:
    import ase.io

    try:
        for index, atoms in enumerate(ase.io.iread(path, index=":")):
            yield frame_of(atoms, str(path), index)
    except DataFormatError:
        raise
    except Exception as error:  # ASE's readers raise anything on a malformed file
        raise DataFormatError(f"cannot read {path} as a trajectory ({reason_of(error)})") from error
