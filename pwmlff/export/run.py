"""Exports a potential, and checks that the file computes what the potential computes."""

from __future__ import annotations

from pathlib import Path

import torch

import pwmlff
from pwmlff.export.check import write_checked
from pwmlff.export.precision import PRECISIONS, choose_precision, in_precision
from pwmlff.models import Potential, name_of
from pwmlff.models.files import digest_of, read_model, refuse_exported
from pwmlff.models.files.exported import arrays_of, load_exported, write_exported
from pwmlff.models.files.metadata import UNITS, ModelMetadata, TableMetadata

SUFFIX = ".pt"


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
        checkpoint_sha256=digest_of(model_path),
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
    write_checked(
        output,
        lambda path: write_exported(path, frozen, stored, metadata),
        lambda path: load_exported(path, trust=True).potential,
        frozen,
        PRECISIONS[dtype].tolerance,
    )
    return output


def _table_metadata(potential: Potential) -> TableMetadata | None:
    tables = potential.network.table_summary()
    if tables is None:
        return None
    shortest = dict(zip(potential.elements, tables.shortest, strict=False))  # none of tables for all distances
    return {"order": tables.order, "dx": tables.dx, "shortest": shortest}
