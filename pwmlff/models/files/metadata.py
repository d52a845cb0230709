"""What an exported model says about itself: read by the LAMMPS plugin before it uses the model.

`metadata.json` is a JSON object with the keys of `ModelMetadata`. Beside it lies `sha256`, the hexadecimal SHA-256 of

    the bytes of metadata.json, then for each array, in the order of their names:
    the name (UTF-8) and the numbers (C order, little-endian)

The arrays of a model without a family are the parameters and buffers of its TorchScript.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, TypedDict

import torch
from torch import Tensor

from pwmlff.errors import ModelFileError

FORMAT_VERSION = 2
METADATA_FILE = "metadata.json"
DIGEST_FILE = "sha256"


class TableMetadata(TypedDict):
    """The tables of a compressed model, see `pwmlff.models.tables.TableSummary`."""

    order: int
    dx: float
    shortest: dict[str, float]  # distance in Å of each element


class StoredArray(TypedDict):
    """Where an array is."""

    record: str  # path below the archive's folder; stored as it is, C order, little-endian
    dtype: str  # float32, float64 or int64
    shape: list[int]


@dataclass(frozen=True, kw_only=True)
class ModelMetadata:
    """The content of `metadata.json`.

    Attributes:
        model_type: A key of `pwmlff.models.known_models()`.
        elements: Symbols in type order.
        cutoff: Å.
        dtype: A key of `PRECISIONS`; results are float64.
        pwmlff_version: Of the program that wrote the file.
        torch_version: Likewise.
        checkpoint_sha256: Of the checkpoint file the model was made from; empty when it was not made from one.
        train_data: Files the model was trained on, as its configuration names them.
        table: Of a compressed model; None of others.
        family: Whose kernels evaluate the arrays, see `csrc/core/families.cpp`; None of TorchScript only.
        arrays: The whole model for these kernels; none without a family.
        units: Of the numbers that go in and come out.
        format_version: Of the exported file.
    """

    model_type: str
    elements: tuple[str, ...]
    cutoff: float
    dtype: str
    pwmlff_version: str
    torch_version: str
    checkpoint_sha256: str = ""
    train_data: tuple[str, ...] = ()
    table: TableMetadata | None = None
    family: str | None = None
    arrays: dict[str, StoredArray] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=lambda: {"length": "angstrom", "energy": "eV"})
    format_version: int = FORMAT_VERSION

    def to_json(self) -> str:
        """Return the text of `metadata.json`."""
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str, path: object) -> ModelMetadata:
        """Read the text of `metadata.json`.

        Args:
            text: Of the file; empty when the model has none.
            path: Of the exported model, for messages.

        Raises:
            ModelFileError: It is missing, no JSON, of another version, or lacks a key.
        """
        again = "export the model again with `pwmlff export`"
        if not text:
            raise ModelFileError(f"'{path}' is TorchScript without pwmlff metadata ({METADATA_FILE}); {again}")
        try:
            content: dict[str, Any] = json.loads(text)
            version = content["format_version"]
        except (json.JSONDecodeError, KeyError, TypeError) as error:
            raise ModelFileError(f"'{path}': its {METADATA_FILE} cannot be read ({error}); {again}") from error
        if version != FORMAT_VERSION:
            raise ModelFileError(
                f"'{path}' has format version {version}, this pwmlff reads version {FORMAT_VERSION}; "
                "export the checkpoint again with this pwmlff"
            )
        known = {key: value for key, value in content.items() if key in {f.name for f in fields(cls)}}
        try:
            metadata = cls(**known)
        except TypeError as error:
            raise ModelFileError(f"'{path}': its {METADATA_FILE} is incomplete ({error}); {again}") from error
        # JSON has lists only
        object.__setattr__(metadata, "elements", tuple(metadata.elements))
        object.__setattr__(metadata, "train_data", tuple(metadata.train_data))
        return metadata


def digest(metadata_text: str, tensors: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 that the module docstring defines.

    Args:
        metadata_text: The text of `metadata.json`.
        tensors: Parameters and buffers by name.
    """
    sha = hashlib.sha256(metadata_text.encode())
    for name in sorted(tensors):
        sha.update(name.encode())
        sha.update(tensors[name].detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return sha.hexdigest()
