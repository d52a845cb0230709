"""What every kind of model file gives when it is read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from pwmlff.models.files.metadata import ModelMetadata
from pwmlff.models.potential import Potential


@dataclass
class ModelFile:
    """A model read from a file.

    Attributes:
        potential: Ready to use.
        config: Resolved configuration of the run that made it; empty where the file does not hold it.
        tensors: State of the run as tensors; empty in a file that holds only a model.
        state: State of the run as JSON values; likewise.
        pwmlff_version: Of the program that wrote the file; empty where the file does not tell.
        metadata: What an exported model says about itself; None of others.
    """

    potential: Potential
    config: dict[str, Any] = field(default_factory=dict)
    tensors: dict[str, Tensor] = field(default_factory=dict)
    state: dict[str, Any] = field(default_factory=dict)
    pwmlff_version: str = ""
    metadata: ModelMetadata | None = None
