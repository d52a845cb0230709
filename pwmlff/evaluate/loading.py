"""Open a trained model for evaluation."""

from __future__ import annotations

from pathlib import Path

import torch

from pwmlff.models import Potential
from pwmlff.models.files import read_model


def load_model(path: Path | str, device: torch.device, trust: bool = False) -> Potential:
    """Read a model of any kind for evaluation on a device.

    Args:
        path: A file that `pwmlff.models.files.FORMATS` knows.
        device: Where to put the model.
        trust: Whether code in the file may be run, see `read_model`.

    Raises:
        ModelFileError: The file is missing, damaged, no model, or needs trust.
    """
    # weights that ask for no gradients save their part of the backward pass
    return read_model(path, trust).potential.to(device).frozen()
