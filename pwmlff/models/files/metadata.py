"""What an exported model says about itself: read before anything of the model is used.

`metadata.json` is a JSON object with the keys of `ModelMetadata`. Of what the plugin reads it refuses the same
(`lammps_plugin/exported_metadata.cpp`).
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field, fields
from typing import Any, TypedDict

from pwmlff.elements import SYMBOLS
from pwmlff.errors import ModelFileError

FORMAT_VERSION = 2
METADATA_FILE = "metadata.json"
LARGEST_CUTOFF = 20.0  # Å; as in run files
UNITS = {"length": "angstrom", "energy": "eV"}  # of all numbers of a model; readers convert nothing
_LARGEST_RANK = 8  # of an array


class TableMetadata(TypedDict):
    """The tables of a compressed model, see `pwmlff.models.tables.TableSummary`."""

    order: int
    dx: float
    shortest: dict[str, float]  # distance in Å of each element; empty of tables for all distances


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
        units: Of the numbers that go in and come out: `UNITS`.
        checkpoint_sha256: Of the checkpoint file the model was made from; empty when it was not made from one.
        train_data: Files the model was trained on, as its configuration names them.
        table: Of a compressed model; None of others.
        family: Whose kernels evaluate the arrays, see `csrc/core/families.cpp`; None of TorchScript only.
        arrays: The whole model for these kernels; none without a family.
        format_version: Of the exported file.
    """

    model_type: str
    elements: tuple[str, ...]
    cutoff: float
    dtype: str
    pwmlff_version: str
    torch_version: str
    units: dict[str, str]
    checkpoint_sha256: str = ""
    train_data: tuple[str, ...] = ()
    table: TableMetadata | None = None
    family: str | None = None
    arrays: dict[str, StoredArray] = field(default_factory=dict)
    format_version: int = FORMAT_VERSION

    def to_json(self) -> str:
        """Return the text of `metadata.json`."""
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: bytes | str, path: object) -> ModelMetadata:
        """Read the text of `metadata.json`.

        Args:
            text: Of the file; empty when the model has none.
            path: Of the exported model, for messages.

        Raises:
            ModelFileError: It is missing, no JSON, of another version, lacks a key, or says what cannot be.
        """
        again = "export the model again with `pwmlff export`"
        if not text:
            raise ModelFileError(f"'{path}' is TorchScript without pwmlff metadata ({METADATA_FILE}); {again}")
        try:
            content: dict[str, Any] = json.loads(text)
            version = content["format_version"]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise ModelFileError(
                f"'{path}': its {METADATA_FILE} cannot be read ({one_line(error)}); {again}"
            ) from error
        if type(version) is not int or version != FORMAT_VERSION:
            raise ModelFileError(
                f"'{path}' has format version {one_line(version)}, this pwmlff reads version {FORMAT_VERSION}; "
                "export the checkpoint again with this pwmlff"
            )
        known = {key: value for key, value in content.items() if key in {f.name for f in fields(cls)}}
        try:
            metadata = cls(**known)
            _check(metadata)
        except TypeError as error:
            raise ModelFileError(f"'{path}': its {METADATA_FILE} is incomplete ({one_line(error)}); {again}") from error
        except ValueError as error:
            raise ModelFileError(f"'{path}': its {METADATA_FILE} says {one_line(error)}; {again}") from error
        # JSON has lists only
        object.__setattr__(metadata, "elements", tuple(metadata.elements))
        object.__setattr__(metadata, "train_data", tuple(metadata.train_data))
        return metadata


def one_line(what: object) -> str:
    """Return a text of others as part of a message: its first line, without control characters, not too long."""
    lines = str(what).strip().splitlines() or [type(what).__name__]
    text = "".join(character if character.isprintable() else "?" for character in lines[0])
    return text if len(text) <= 200 else text[:200] + "..."


def _check(metadata: ModelMetadata) -> None:
    """Raise ValueError where metadata, read from a file, are not what their annotations say."""
    for name in ("model_type", "dtype", "pwmlff_version", "torch_version", "checkpoint_sha256"):
        _expect(isinstance(getattr(metadata, name), str), f"{name} is no text")
    elements, cutoff = metadata.elements, metadata.cutoff
    _expect(isinstance(elements, list) and len(elements) > 0, "there are no elements")
    for index, symbol in enumerate(elements):
        _expect(isinstance(symbol, str) and symbol in SYMBOLS, f"{symbol!r} is an element")
        _expect(symbol not in elements[:index], f"there is {symbol} twice")
    is_number = isinstance(cutoff, (int, float)) and not isinstance(cutoff, bool) and math.isfinite(cutoff)
    _expect(is_number and 0 < cutoff <= LARGEST_CUTOFF, f"the cutoff is {cutoff!r} Å, expected up to {LARGEST_CUTOFF}")
    _expect(metadata.dtype in ("float64", "mixed", "float32"), f"the dtype is {metadata.dtype!r}")
    _expect(metadata.family is None or isinstance(metadata.family, str), "the family is no text")
    _expect(isinstance(metadata.train_data, list), "train_data is no list")
    _expect(isinstance(metadata.units, dict), "units is no table")
    for name, unit in UNITS.items():
        found = metadata.units.get(name)
        _expect(found == unit, f"the unit of {name} is {found!r}, expected {unit!r}")
    _expect(metadata.table is None or isinstance(metadata.table, dict), "table is no table")
    _expect(isinstance(metadata.arrays, dict), "arrays is no table")
    for name, array in metadata.arrays.items():
        _check_array(name, array)


def _check_array(name: str, array: object) -> None:
    _expect(isinstance(array, dict), f"{name!r} is nowhere")
    assert isinstance(array, dict)
    _expect(isinstance(array.get("record"), str), f"{name!r} is in no record")
    _expect(array.get("dtype") in ("float32", "float64", "int64"), f"{name!r} has dtype {array.get('dtype')!r}")
    shape = array.get("shape")
    is_shape = isinstance(shape, list) and len(shape) <= _LARGEST_RANK and all(type(n) is int and n > 0 for n in shape)
    _expect(is_shape, f"{name!r} has the shape {shape!r}")


def _expect(condition: bool, otherwise: str) -> None:
    if not condition:
        raise ValueError(otherwise)
