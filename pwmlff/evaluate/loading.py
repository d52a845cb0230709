"""Open a trained model for evaluation."""

from __future__ import annotations

from pathlib import Path

import torch

from pwmlff.models import Potential
from pwmlff.models.files import read_model


def load_model(path: Path | str, device: torch.device) -> Potential:
    """Read a model of any kind for evaluation on a device.

    Args:
        path: A file that `pwmlff.models.files.FORMATS` knows.
        device: Where to put the model.

    Raises:
        ModelFileError: The file is missing, damaged, or no model.
    """
    # weights that ask for no gradients save their part of the backward pass
    return read_model(path).potential.to(device).frozen()
