"""Open a trained model for evaluation."""

from __future__ import annotations

import zipfile
from pathlib import Path

import torch

from pwmlff.errors import ModelFileError
from pwmlff.evaluate.predictor import Predictor
from pwmlff.models.checkpoint import load_potential

_ZIP_MAGIC = b"PK\x03\x04"  # TorchScript archives are zip files


def is_model_file(path: Path | str) -> bool:
    """Whether a file's first bytes are those of a checkpoint or of an exported model."""
    path = Path(path)
    if not path.is_file():
        return False
    with path.open("rb") as file:
        head = file.read(9)
    # a safetensors file begins with the length of its JSON header (8 bytes) and the header's brace
    return head.startswith(_ZIP_MAGIC) or (len(head) == 9 and head[8:] == b"{" and head[4:8] == b"\0\0\0\0")


def load_model(path: Path | str, device: torch.device) -> Predictor:
    """Load a checkpoint or an exported model for prediction.

    Args:
        path: A checkpoint written by `pwmlff train` or `pwmlff compress`, or a `.pt` file written by `pwmlff export`.
        device: Where to put the model.

    Raises:
        ModelFileError: The file is missing, damaged, or neither of the two.
    """
    path = Path(path)
    if not path.exists():
        raise ModelFileError(f"no model file '{path}'; `pwmlff train` writes model_record/dp_model.ckpt")
    if not is_model_file(path):
        raise ModelFileError(
            f"'{path}' is no model (its first bytes are not those of a checkpoint); "
            "the model comes first, then the data: pwmlff test MODEL DATA..., pwmlff infer MODEL STRUCTURE"
        )
    if is_torchscript(path):
        from pwmlff.export.torchscript import load_exported

        return Predictor.of_exported(load_exported(path), device)
    # weights that ask for no gradients save their part of the backward pass
    return Predictor.of_potential(load_potential(path).to(device).eval().requires_grad_(False))


def is_torchscript(path: Path) -> bool:
    """Whether a file is an exported model, whole or truncated, and not a pickled checkpoint of another program."""
    with path.open("rb") as file:
        if file.read(len(_ZIP_MAGIC)) != _ZIP_MAGIC:
            return False
    if not zipfile.is_zipfile(path):
        return True  # truncated; its reader says so
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())
