"""Writes a model in a format of other programs."""

from __future__ import annotations

from pathlib import Path

from pwmlff.errors import ModelFileError, did_you_mean
from pwmlff.export.check import write_checked
from pwmlff.export.precision import in_precision
from pwmlff.models.files import FORMATS, read_model, refuse_exported

WRITABLE = {row.key: row for row in FORMATS if row.write is not None}


def export_as(model_path: Path | str, format: str, output: Path | str | None = None) -> tuple[Path, str]:
    """Write the model of a file in a format of other programs, and check that what is read from there computes it.

    Args:
        model_path: A file that training wrote, or of such a format.
        format: A key of `WRITABLE`.
        output: File to write; by default the model's name with the suffix of the format.

    Returns:
        The path of the file, and what it is in words.

    Raises:
        ModelFileError: The model cannot be read, the format is unknown or cannot hold it, or it would compute other
            numbers.
    """
    row = WRITABLE.get(format.lower())
    if row is None:
        raise ModelFileError(f"format '{format}' is unknown; {did_you_mean(format, WRITABLE)}")
    assert row.write is not None
    model_path = Path(model_path)
    refuse_exported(model_path, f"which cannot be written as {row.name}; write its checkpoint")
    output = Path(output) if output else model_path.with_suffix(row.suffix)
    if output.exists() and output.samefile(model_path):
        raise ModelFileError(f"'{output}' is the model itself; name another file with --output")
    source = in_precision(read_model(model_path).potential, "float64").frozen()
    words: list[str] = []
    write = row.write
    write_checked(
        output,
        lambda path: words.append(write(path, source)),
        lambda path: row.read(path, False).potential,
        source,
        row.tolerance,
    )
    return output, words[0]
