"""Writes a file or folder beside its place, and puts it there when it computes what the model computes."""

from __future__ import annotations

import glob
import os
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
from torch import Tensor

from pwmlff.data.batch import Batch, collate, make_sample
from pwmlff.data.frame import Frame
from pwmlff.elements import atomic_number_of
from pwmlff.errors import ModelFileError
from pwmlff.models import Potential
from pwmlff.models.base import differentiate

_LONGEST_EXPORT = 3600.0  # s after which an unfinished file is one that nobody writes any more


def write_checked(
    output: Path,
    write: Callable[[Path], None],
    read: Callable[[Path], Potential],
    source: Potential,
    tolerance: float,
) -> None:
    """Write a file that holds a model, or a folder whose files do.

    Args:
        output: File to write, replaced only when the check is passed; or folder, in which other files stay.
        write: Writes it at a path of its own.
        read: Reads it there.
        source: What it is to compute.
        tolerance: By which its results may differ, in eV and eV/Å relative to the largest.

    Raises:
        ModelFileError: It computes other numbers, or cannot be written.
    """
    temporary = output.with_name(f".{output.name}.{os.getpid()}.tmp")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        _sweep(output)
        write(temporary)
        _check_numbers(source, read(temporary), tolerance, output)
        _put(temporary, output)
    except OSError as error:
        raise ModelFileError(f"cannot write '{output}': {error}") from error
    finally:
        _remove(temporary)


def _put(written: Path, output: Path) -> None:
    """Move what was written to its place; of a folder that is there already, files of the same names are replaced."""
    if not (written.is_dir() and output.is_dir()):
        os.replace(written, output)
        return
    for path in sorted(written.iterdir()):
        os.replace(path, output / path.name)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _sweep(output: Path) -> None:
    """Remove what exports that were killed have left of this file."""
    for leftover in output.parent.glob(f".{glob.escape(output.name)}.*.tmp"):
        with suppress(OSError):
            if time.time() - leftover.stat().st_mtime > _LONGEST_EXPORT:
                _remove(leftover)


def _check_numbers(source: Potential, exported: Potential, tolerance: float, output: Path) -> None:
    batch = _sample_batch(source)
    # kernels against automatic differentiation
    computed, expected = exported.energies_and_gradients(*batch.pairs), differentiate(source, *batch.pairs)
    for name, values, others in zip(("atomic energies", "pair gradients"), computed, expected, strict=True):
        error, allowed = _largest(values - others), tolerance * max(1.0, _largest(others))
        if not error <= allowed:  # NaN fails too
            raise ModelFileError(
                f"the exported model '{output}' differs from its source by {error:.1e} in the {name} of a test frame, "
                f"expected less than {allowed:.1e}; nothing was written"
            )


def _largest(values: Tensor) -> float:
    return float(values.abs().max())


def _sample_batch(potential: Potential) -> Batch:
    """Return a small periodic structure that holds every element and has ordinary distances."""
    n_side, spacing = 2, 2.6  # Å
    while n_side**3 < len(potential.elements):
        n_side += 1
    corners = np.stack(np.meshgrid(*[np.arange(n_side)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    shifts = np.random.default_rng(0).uniform(-0.25, 0.25, corners.shape)
    symbols = [potential.elements[index % len(potential.elements)] for index in range(len(corners))]
    frame = Frame(
        atomic_numbers=np.array([atomic_number_of(symbol) for symbol in symbols]),
        positions=corners * spacing + shifts,
        cell=np.eye(3) * n_side * spacing,
        source="export self-check",
    )
    return collate([make_sample(frame, potential.type_of, potential.cutoff)])
