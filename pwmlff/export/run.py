"""Exports a potential, and checks that the file computes what the potential computes."""

from __future__ import annotations

import glob
import hashlib
import os
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

import pwmlff
from pwmlff.data.batch import Batch, collate, make_sample
from pwmlff.data.frame import Frame
from pwmlff.elements import atomic_number_of
from pwmlff.errors import ModelFileError
from pwmlff.export.precision import PRECISIONS, choose_precision, in_precision
from pwmlff.models import Potential, name_of
from pwmlff.models.base import differentiate
from pwmlff.models.files import read_model, refuse_exported
from pwmlff.models.files.exported import arrays_of, load_exported, write_exported
from pwmlff.models.files.metadata import UNITS, ModelMetadata, TableMetadata

SUFFIX = ".pt"
_LONGEST_EXPORT = 3600.0  # s after which an unfinished file is one that nobody writes any more


def export_model(model_path: Path | str, output: Path | str | None = None, dtype: str | None = None) -> Path:
    """Export the model of a file.

    Args:
        model_path: A file that training or compression wrote.
        output: File to write; by default the model's name with the suffix `.pt`.
        dtype: A key of `PRECISIONS`; by default that of the training, mixed for float32.

    Returns:
        The path of the exported model.

    Raises:
        ModelFileError: The model cannot be read or is exported already, the dtype is unknown, or the exported model
            computes other numbers than its source.
    """
    model_path = Path(model_path)
    refuse_exported(model_path, "so it is exported already; for another precision export its checkpoint")
    source = read_model(model_path)
    return export_potential(
        source.potential,
        Path(output) if output else model_path.with_suffix(SUFFIX),
        dtype,
        checkpoint_sha256=hashlib.sha256(model_path.read_bytes()).hexdigest(),
        train_data=tuple(str(path) for path in source.config.get("train_data") or ()),
    )


def export_potential(
    potential: Potential,
    output: Path | str,
    dtype: str | None = None,
    *,
    checkpoint_sha256: str = "",
    train_data: tuple[str, ...] = (),
) -> Path:
    """Export a potential and check that the file computes what the potential computes.

    Args:
        potential: The model; it is not changed.
        output: File to write, replaced only when the check is passed.
        dtype: A key of `PRECISIONS`; by default that of the weights, mixed for float32.
        checkpoint_sha256: Of the file the potential was read from.
        train_data: Files it was trained on.

    Raises:
        ModelFileError: The dtype is unknown, the exported model computes other numbers, or cannot be written.
    """
    output = Path(output)
    dtype = choose_precision(potential, dtype)
    frozen = in_precision(potential, dtype).frozen()
    stored = frozen.stored(PRECISIONS[dtype].geometry)
    metadata = ModelMetadata(
        model_type=name_of(potential.network),
        elements=tuple(potential.elements),
        cutoff=potential.cutoff,
        dtype=dtype,
        table=_table_metadata(potential),
        family=None if stored is None else stored.family,
        arrays={} if stored is None else arrays_of(stored),
        pwmlff_version=pwmlff.__version__,
        torch_version=torch.__version__,
        units=UNITS,
        checkpoint_sha256=checkpoint_sha256,
        train_data=train_data,
    )
    temporary = output.with_name(f".{output.name}.{os.getpid()}.tmp")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        _sweep(output)
        write_exported(temporary, frozen, stored, metadata)
        _check_numbers(frozen, load_exported(temporary, trust=True).potential, PRECISIONS[dtype].tolerance, output)
        os.replace(temporary, output)
    except OSError as error:
        raise ModelFileError(f"cannot write '{output}': {error}") from error
    finally:
        temporary.unlink(missing_ok=True)
    return output


def _sweep(output: Path) -> None:
    """Remove what exports that were killed have left of this file."""
    for leftover in output.parent.glob(f".{glob.escape(output.name)}.*.tmp"):
        with suppress(OSError):
            if time.time() - leftover.stat().st_mtime > _LONGEST_EXPORT:
                leftover.unlink()


def _table_metadata(potential: Potential) -> TableMetadata | None:
    tables = potential.network.table_summary()
    if tables is None:
        return None
    shortest = dict(zip(potential.elements, tables.shortest, strict=True))
    return {"order": tables.order, "dx": tables.dx, "shortest": shortest}


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
