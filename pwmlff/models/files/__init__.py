"""Files that hold a model: one table of kinds, so that whoever takes a model takes every kind.

`FORMATS` is asked in its order; the first that recognises a path reads it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pwmlff.errors import ModelFileError
from pwmlff.models.files import checkpoint, exported
from pwmlff.models.files.model_file import ModelFile


@dataclass(frozen=True)
class Format:
    """A kind of model file.

    Attributes:
        name: In messages, without an article.
        recognise: Whether a path that exists is of this kind, whole or damaged; looks at the first bytes.
        read: Reads such a path; raises ModelFileError.
    """

    name: str
    recognise: Callable[[Path], bool]
    read: Callable[[Path], ModelFile]


FORMATS = (
    Format("model of pwmlff export", exported.is_exported, exported.load_exported),
    Format("checkpoint", checkpoint.is_checkpoint, checkpoint.load_checkpoint),
)


def format_of(path: Path | str) -> Format | None:
    """Return the kind of a file; None where it is no model."""
    path = Path(path)
    return next((row for row in FORMATS if row.recognise(path)), None) if path.exists() else None


def read_model(path: Path | str) -> ModelFile:
    """Read a model of any kind.

    Raises:
        ModelFileError: The file is missing, damaged, or no model.
    """
    path = Path(path)
    if not path.exists():
        raise ModelFileError(f"no model file '{path}'; `pwmlff train` writes model_record/dp_model.ckpt")
    row = format_of(path)
    if row is None:
        kinds = " or ".join(f"a {row.name}" for row in FORMATS)
        raise ModelFileError(
            f"'{path}' is no model (its first bytes are not those of {kinds}); "
            "the model comes first, then the data: pwmlff test MODEL DATA..., pwmlff infer MODEL STRUCTURE"
        )
    return row.read(path)


__all__ = ["FORMATS", "Format", "ModelFile", "format_of", "read_model"]
