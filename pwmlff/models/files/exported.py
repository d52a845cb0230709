"""Exported models: one file that runs in LAMMPS and elsewhere, without Python.

It is a TorchScript archive, a zip file with stored entries:

    forward(pair_vectors [E, 3], pair_start [N + 1], pair_types [E], atom_types [N])
        -> (atomic_energies [N] eV, pair_gradients [E, 3] dE/dr_ij eV/Å), both float64

The model of a family with kernels is nothing but named arrays, which `metadata.json` lists. Whoever reads the file here
and in LAMMPS takes these and does not touch the code beside them, which is for other programs that load TorchScript
(after `libpwmlff_ops.so`). Only a model of another author, which has no family, is run as TorchScript.

TorchScript is deprecated upstream: this is the only Python file that touches `torch.jit`, and
`lammps_plugin/script_runner.cpp` the only C++ file.
"""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Tuple  # noqa: UP035 - TorchScript does not read `tuple[...]`

import torch
from torch import Tensor, nn

from pwmlff.errors import ModelFileError
from pwmlff.models.files.metadata import DIGEST_FILE, METADATA_FILE, ModelMetadata, StoredArray, digest
from pwmlff.models.files.model_file import ModelFile
from pwmlff.models.native import ExportedNetwork, StoredNetwork
from pwmlff.models.potential import Potential
from pwmlff.ops import StoredModel, library

_ZIP_MAGIC = b"PK\x03\x04"
_LOCAL_HEADER = 30  # bytes before the name, see PKWARE's APPNOTE.TXT, section 4.3.7


def is_exported(path: Path) -> bool:
    """Whether a file is TorchScript, whole or truncated, and not a pickled checkpoint of another program."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        if file.read(len(_ZIP_MAGIC)) != _ZIP_MAGIC:
            return False
    if not zipfile.is_zipfile(path):
        return True  # truncated; its reader says so
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())


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
        tensors = _tensors(module) if stored is None else stored.arrays
        text = metadata.to_json()
        torch.jit.save(module, str(path), _extra_files={METADATA_FILE: text, DIGEST_FILE: digest(text, tensors)})


def load_exported(path: Path | str) -> ModelFile:
    """Read an exported model.

    Args:
        path: A file that `pwmlff export` wrote.

    Raises:
        ModelFileError: It is missing, damaged, altered, of another version, or was not written by pwmlff.
    """
    path = Path(path)
    if not path.is_file():
        raise ModelFileError(f"no exported model at '{path}'")
    try:
        with zipfile.ZipFile(path) as archive:
            records = _Records(archive)
            text, expected = (records.read(f"extra/{name}").decode() for name in (METADATA_FILE, DIGEST_FILE))
            metadata = ModelMetadata.from_json(text, path)
            arrays = {name: _read_array(records, array) for name, array in metadata.arrays.items()}
        network: ExportedNetwork
        if metadata.family is None:
            module = _read_module(path)
            arrays = _tensors(module)
            network = ScriptedNetwork(module, metadata.cutoff)
        # compared before anything is made of them
        if digest(text, arrays) != expected:
            raise ModelFileError(
                f"'{path}' is damaged or was altered: its SHA-256 does not match; export the model again"
            )
        if metadata.family is not None:
            network = StoredNetwork(StoredModel(metadata.family, arrays), metadata.cutoff)
    except (zipfile.BadZipFile, OSError, EOFError, KeyError, ValueError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelFileError(
            f"'{path}' cannot be read, it may be truncated or no exported model ({reason}); export the model again"
        ) from error
    potential = Potential(network, metadata.elements)
    shortest = arrays.get("shortest", arrays.get("potential.shortest"))  # of the kernels, of TorchScript
    if shortest is not None and shortest.shape == potential.shortest.shape:
        potential.shortest.copy_(shortest)
    return ModelFile(potential.frozen(), pwmlff_version=metadata.pwmlff_version, metadata=metadata)


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


class _Records:
    """The bytes of an archive's stored entries.

    `zipfile` compares them with a checksum of its own and fails without saying where; here the digest tells.
    """

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._entries = {entry.filename.partition("/")[2]: entry for entry in archive.infolist()}

    def read(self, path: str) -> bytes:
        """Return an entry by its path below the one folder that holds all; nothing where there is none."""
        entry = self._entries.get(path)
        if entry is None:
            return b""
        file = self._archive.fp
        assert file is not None  # the archive is open
        file.seek(entry.header_offset)
        header = file.read(_LOCAL_HEADER)
        file.seek(int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little"), 1)
        return file.read(entry.file_size)


def _read_array(records: _Records, array: StoredArray) -> Tensor:
    """Return an array; raises ValueError or KeyError where it is not what it should be."""
    dtype = {"float64": torch.float64, "float32": torch.float32, "int64": torch.int64}[array["dtype"]]
    content = bytearray(records.read(array["record"]))
    numbers = torch.frombuffer(content, dtype=dtype) if content else torch.empty(0, dtype=dtype)
    return numbers.reshape(array["shape"])


def _read_module(path: Path) -> torch.jit.ScriptModule:
    library.load()  # the module may call torch.ops.pwmlff
    with _deprecation_silenced():
        return torch.jit.load(str(path), map_location="cpu")


def _tensors(module: nn.Module) -> dict[str, Tensor]:
    return dict(module.named_parameters()) | dict(module.named_buffers())


@contextmanager
def _deprecation_silenced() -> Iterator[None]:
    """Silence torch's advice to leave TorchScript; this file is the place where that will happen."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*torch.jit.*", category=DeprecationWarning)
        yield
