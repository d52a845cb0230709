"""Exported models: one file that runs in LAMMPS and elsewhere, without Python.

It is a TorchScript archive, a zip file that ends in a SHA-256 of itself (`archive.py`), with one more entry,
`extra/metadata.json` (`metadata.py`). As TorchScript it is

    forward(pair_vectors [E, 3], pair_start [N + 1], pair_types [E], atom_types [N])
        -> (atomic_energies [N] eV, pair_gradients [E, 3] dE/dr_ij eV/Å), both float64

The model of a family with kernels is nothing but named arrays, which `metadata.json` lists. Whoever reads the file here
and in LAMMPS takes these and does not touch the code beside them, which is for other programs that load TorchScript
(after `libpwmlff_ops.so`). Only a model of another author, which has no family, is run as TorchScript, and only for who
says that he trusts the file: TorchScript is a program.

TorchScript is deprecated upstream: this is the only Python file that touches `torch.jit`, and
`lammps_plugin/script_runner.cpp` the only C++ file.
"""

from __future__ import annotations

import io
import math
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Tuple  # noqa: UP035 - TorchScript does not read `tuple[...]`

import torch
from torch import Tensor, nn

from pwmlff.errors import ModelFileError
from pwmlff.models.files.archive import Archive, with_digest
from pwmlff.models.files.metadata import METADATA_FILE, ModelMetadata, StoredArray, one_line
from pwmlff.models.files.model_file import ModelFile
from pwmlff.models.native import ExportedNetwork, StoredNetwork
from pwmlff.models.potential import Potential
from pwmlff.ops import StoredModel, library

_ZIP_MAGIC = b"PK\x03\x04"
_TAIL = 1 << 20  # bytes that hold the table of contents
_DTYPES = {"float64": torch.float64, "float32": torch.float32, "int64": torch.int64}


def is_exported(path: Path) -> bool:
    """Whether a file is TorchScript, whole or truncated, and not a pickled checkpoint of another program."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        if file.read(len(_ZIP_MAGIC)) != _ZIP_MAGIC:
            return False
        file.seek(max(0, path.stat().st_size - _TAIL))
        tail = file.read()
    # names are readable in the table of contents at the end; where that is cut off, the reader says so
    return b"PK\x05\x06" not in tail or b"/constants.pkl" in tail


def arrays_of(stored: StoredModel) -> dict[str, StoredArray]:
    """Return where `write_exported` puts the arrays: torch numbers them in the order in which it meets them."""
    return {
        name: {
            "record": f"data/{number}",
            "dtype": str(stored.arrays[name].dtype).removeprefix("torch."),
            "shape": list(stored.arrays[name].shape),
        }
        for number, name in enumerate(sorted(stored.arrays))
    }


def write_exported(path: Path, potential: Potential, stored: StoredModel | None, metadata: ModelMetadata) -> None:
    """Write a model.

    Args:
        path: File to make or replace.
        potential: The model, frozen and on the CPU.
        stored: The same for the kernels of its family; None where it has none.
        metadata: Of the file.

    Raises:
        ModelFileError: The native library, which writes the arrays, is not there.
        OSError: The file cannot be written.
    """
    if stored is not None and not library.load():
        raise ModelFileError(f"exporting needs the native library, which is not loaded: {library.status().error}")
    with _deprecation_silenced():
        module = torch.jit.script(_Differentiated(potential) if stored is None else _Stored(stored))
        # into memory: torch ends the process where a disk is full
        torch.jit.save(module, buffer := io.BytesIO(), _extra_files={METADATA_FILE: metadata.to_json()})
    with path.open("wb") as file:
        file.write(with_digest(buffer.getvalue()))
        file.flush()
        os.fsync(file.fileno())


def load_exported(path: Path | str, trust: bool = False) -> ModelFile:
    """Read an exported model.

    Args:
        path: A file that `pwmlff export` wrote.
        trust: Whether the file's code may be run, which a model without a family needs.

    Raises:
        ModelFileError: It is missing, damaged, altered, of another version, was not written by pwmlff, or needs trust.
    """
    path = Path(path)
    content, archive, metadata = _open(path)
    network: ExportedNetwork
    try:
        if metadata.family is None:
            if not trust:
                raise ModelFileError(
                    f"'{path}' is TorchScript of a {metadata.model_type}, which pwmlff has no kernels for: a program "
                    "that can do anything you can; if you trust who wrote it, say --trust (in Python: trust=True)"
                )
            module = _read_module(content)
            arrays = dict(module.named_buffers())
            network = ScriptedNetwork(module, metadata.cutoff)
        else:
            arrays = {name: _read_array(archive, name, array) for name, array in metadata.arrays.items()}
            network = StoredNetwork(StoredModel(metadata.family, arrays), metadata.cutoff)
            network.check(len(metadata.elements))
    except (OSError, EOFError, ValueError, RuntimeError) as error:
        raise ModelFileError(
            f"'{path}' cannot be used ({one_line(error)}); export the model again with `pwmlff export`"
        ) from error
    potential = Potential(network, metadata.elements)
    shortest = arrays.get("shortest", arrays.get("potential.shortest"))  # of the kernels, of TorchScript
    if shortest is not None and shortest.shape == potential.shortest.shape:
        potential.shortest.copy_(shortest)
    return ModelFile(potential.frozen(), pwmlff_version=metadata.pwmlff_version, metadata=metadata)


def read_metadata(path: Path | str) -> ModelMetadata:
    """Return what an exported model says of itself; nothing of it is evaluated.

    Raises:
        ModelFileError: As `load_exported`, but no trust is needed.
    """
    return _open(Path(path))[2]


def _open(path: Path) -> tuple[bytes, Archive, ModelMetadata]:
    if not path.is_file():
        raise ModelFileError(f"no exported model at '{path}'")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelFileError(f"'{path}' cannot be read: {error.strerror}") from error
    archive = Archive(content, path)
    return content, archive, ModelMetadata.from_json(bytes(archive.find(f"extra/{METADATA_FILE}") or b""), path)


class ScriptedNetwork(ExportedNetwork):
    """TorchScript that gives atomic energies and pair gradients.

    Args:
        module: The potential.
        cutoff: Å.
    """

    def __init__(self, module: torch.jit.ScriptModule, cutoff: float) -> None:
        super().__init__(cutoff)
        self.module = module

    def evaluate(self, *pairs: Tensor) -> tuple[Tensor, Tensor]:
        """See the base."""
        with torch.enable_grad():  # a caller's `no_grad` would make all derivatives zero
            return self.module(*pairs)


class _Stored(nn.Module):
    """Calls the native operation on named arrays."""

    def __init__(self, stored: StoredModel) -> None:
        super().__init__()
        arrays = {name: stored.arrays[name].detach().cpu().contiguous() for name in sorted(stored.arrays)}
        self.model = torch.classes.pwmlff.Model(stored.family, arrays)

    def forward(
        self, pair_vectors: Tensor, pair_start: Tensor, pair_types: Tensor, atom_types: Tensor
    ) -> Tuple[Tensor, Tensor]:  # noqa: UP006
        return torch.ops.pwmlff.evaluate(self.model, pair_vectors, pair_start, pair_types, atom_types)


class _Differentiated(nn.Module):
    """Differentiates a potential automatically."""

    def __init__(self, potential: Potential) -> None:
        super().__init__()
        self.potential = potential

    def forward(
        self, pair_vectors: Tensor, pair_start: Tensor, pair_types: Tensor, atom_types: Tensor
    ) -> Tuple[Tensor, Tensor]:  # noqa: UP006
        vectors = pair_vectors.detach().requires_grad_(True)
        energies = self.potential(vectors, pair_start, pair_types, atom_types)
        gradients = torch.zeros_like(pair_vectors)
        if energies.requires_grad:  # not so when no atom has a neighbour
            by_vectors = torch.autograd.grad([energies.sum()], [vectors], allow_unused=True)[0]
            if by_vectors is not None:
                gradients = by_vectors
        return energies.detach(), gradients


def _read_array(archive: Archive, name: str, array: StoredArray) -> Tensor:
    """Return a copy of an array; raises ValueError where it is not what it should be."""
    dtype, shape = _DTYPES[array["dtype"]], array["shape"]
    content = archive.find(array["record"])
    if content is None:
        raise ValueError(f"{name!r} should be in {array['record']!r}, which is missing")
    size = math.prod(shape) * dtype.itemsize
    if len(content) != size:
        raise ValueError(f"{name!r} has {len(content)} bytes, expected {size}")
    numbers = torch.frombuffer(bytearray(content), dtype=dtype).reshape(shape)
    if not bool(numbers.isfinite().all()):
        raise ValueError(f"{name!r} holds a number that is not finite")
    return numbers


def _read_module(content: bytes) -> torch.jit.ScriptModule:
    library.load()  # the module may call torch.ops.pwmlff
    with _deprecation_silenced():
        return torch.jit.load(io.BytesIO(content), map_location="cpu")


@contextmanager
def _deprecation_silenced() -> Iterator[None]:
    """Silence torch's advice to leave TorchScript; this file is the place where that will happen."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*torch.jit.*", category=DeprecationWarning)
        yield
