"""Files that hold a model: one table of kinds, so that whoever takes a model takes every kind.

`FORMATS` is asked in its order; the first that recognises a path reads it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pwmlff.errors import ModelFileError
from pwmlff.models import Potential
from pwmlff.models.files import checkpoint, exported, n2p2_folder, nep_txt
from pwmlff.models.files.model_file import ModelFile


@dataclass(frozen=True)
class Format:
    """A kind of model file, or of a folder that holds a model.

    Attributes:
        name: In messages, without an article.
        recognise: Whether a path that exists is of this kind, whole or damaged; looks at the first bytes.
        read: Reads such a path, told whether its code may be run; raises ModelFileError.
        write: Writes a potential at a path, and says in words what the file is; raises ModelFileError where such a file
            cannot hold it, OSError where it cannot be written. None where another function does it.
        key: Of such a format in `pwmlff export --format`.
        suffix: Of its files or folders.
        tolerance: By which what is read differs from what was written, in eV and eV/Å relative to the largest.
    """

    name: str
    recognise: Callable[[Path], bool]
    read: Callable[[Path, bool], ModelFile]
    write: Callable[[Path, Potential], str] | None = None
    key: str = ""
    suffix: str = ""
    tolerance: float = 0.0


def _load_checkpoint(path: Path, trust: bool) -> ModelFile:
    del trust  # there is no code in a checkpoint
    return checkpoint.load_checkpoint(path)


def _load_nep_txt(path: Path, trust: bool) -> ModelFile:
    del trust  # nor in this
    return nep_txt.load_nep_txt(path)


def _load_n2p2(path: Path, trust: bool) -> ModelFile:
    del trust  # nor in these
    return n2p2_folder.load_n2p2(path)


FORMATS = (
    Format("model of pwmlff export", exported.is_exported, exported.load_exported),
    Format("checkpoint", checkpoint.is_checkpoint, _load_checkpoint),
    Format("folder of n2p2", n2p2_folder.is_n2p2, _load_n2p2, n2p2_folder.write_n2p2, "n2p2", ".n2p2", 1e-9),
    Format("nep.txt", nep_txt.is_nep_txt, _load_nep_txt, nep_txt.write_nep_txt, "nep", ".txt", 1e-5),
)


def format_of(path: Path | str) -> Format | None:
    """Return the kind of a file; None where it is no model."""
    path = Path(path)
    return next((row for row in FORMATS if row.recognise(path)), None) if path.exists() else None


def read_model(path: Path | str, trust: bool = False) -> ModelFile:
    """Read a model of any kind.

    Args:
        path: Of the file.
        trust: Whether code in the file may be run: TorchScript, which only models without kernels need.

    Raises:
        ModelFileError: The file is missing, damaged, no model, or needs trust.
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
    return row.read(path, trust)


def digest_of(path: Path | str) -> str:
    """Return the SHA-256 of a model's file, or of the files of its folder in the order of their names."""
    path = Path(path)
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    digest = hashlib.sha256()
    for file in files:
        if file.is_file():
            digest.update(file.read_bytes())
    return digest.hexdigest()


def refuse_exported(path: Path | str, why: str) -> None:
    """Say that a command wants a checkpoint; whether an exported model holds code does not matter then.

    Args:
        path: Of a file of any kind.
        why: What cannot be done with an exported model, and what to do.

    Raises:
        ModelFileError: It is an exported model, or a damaged one.
    """
    path = Path(path)
    if path.exists() and exported.is_exported(path):
        exported.read_metadata(path)
        raise ModelFileError(f"'{path}' is an exported model, {why}")


__all__ = ["FORMATS", "Format", "ModelFile", "digest_of", "format_of", "read_model", "refuse_exported"]
