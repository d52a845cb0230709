"""Writes a potential as TorchScript, which runs without Python.

    forward(pair_vectors [E, 3], pair_start [N + 1], pair_types [E], atom_types [N])
        -> (atomic_energies [N] eV, pair_gradients [E, 3] dE/dr_ij eV/Å), both float64

TorchScript is deprecated upstream: this is the only Python file that touches `torch.jit`, and
`lammps_plugin/torch_runner.cpp` the only C++ file. LAMMPS runs a Deep Potential without torch, see `native.py`.
"""

from __future__ import annotations

import hashlib
import io
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

import pwmlff
from pwmlff.data.batch import Batch, collate, make_sample
from pwmlff.data.frame import Frame
from pwmlff.elements import atomic_number_of
from pwmlff.errors import ModelFileError
from pwmlff.export.metadata import DIGEST_FILE, METADATA_FILE, ModelMetadata, TableMetadata, digest
from pwmlff.export.native import native_form
from pwmlff.export.precision import PRECISIONS, choose_precision, in_precision
from pwmlff.models import NetworkConfig, Potential, known_models
from pwmlff.models.checkpoint import load_checkpoint
from pwmlff.models.dp.compressed import CompressedDeepPotential
from pwmlff.models.inference import AutogradInference, PotentialInference
from pwmlff.ops import library

SUFFIX = ".pt"


@dataclass(frozen=True)
class ExportedFile:
    """An exported model that was read back.

    Attributes:
        module: Callable as `PotentialInference.forward` is.
        metadata: What the file says about itself.
    """

    module: torch.jit.ScriptModule
    metadata: ModelMetadata


def export_model(checkpoint_path: Path | str, output: Path | str | None = None, dtype: str | None = None) -> Path:
    """Export the model of a checkpoint.

    Args:
        checkpoint_path: A file that training or compression wrote.
        output: File to write; by default the checkpoint's name with the suffix `.pt`.
        dtype: A key of `PRECISIONS`; by default that of the training, mixed for float32.

    Returns:
        The path of the exported model.

    Raises:
        ModelFileError: The checkpoint cannot be read, the dtype is unknown, or the exported model computes
            other numbers than the checkpoint.
    """
    checkpoint_path = Path(checkpoint_path)
    checkpoint = load_checkpoint(checkpoint_path)
    config_class = type(checkpoint.potential.network).Config
    return export_potential(
        checkpoint.potential,
        Path(output) if output else checkpoint_path.with_suffix(SUFFIX),
        dtype,
        config=config_class.model_validate(checkpoint.config["model"]),
        checkpoint_sha256=hashlib.sha256(checkpoint_path.read_bytes()).hexdigest(),
        train_data=tuple(str(path) for path in checkpoint.config.get("train_data") or ()),
    )


def export_potential(
    potential: Potential,
    output: Path | str,
    dtype: str | None = None,
    *,
    config: NetworkConfig | None = None,
    checkpoint_sha256: str = "",
    train_data: tuple[str, ...] = (),
) -> Path:
    """Export a potential and check that the file computes what the potential computes.

    Args:
        potential: The model; it is not changed.
        output: File to write, replaced only when the check is passed.
        dtype: A key of `PRECISIONS`; by default that of the weights, mixed for float32.
        config: Of the network, to build it in another precision; a Deep Potential knows its own.
        checkpoint_sha256: Of the file the potential was read from.
        train_data: Files it was trained on.

    Raises:
        ModelFileError: The dtype is unknown, the exported model computes other numbers, or cannot be written.
    """
    output = Path(output)
    dtype = choose_precision(potential, dtype)
    frozen = in_precision(potential, dtype, config).eval().requires_grad_(False)
    with _deprecation_silenced():
        inference = PotentialInference(frozen, PRECISIONS[dtype].geometry)
        module = torch.jit.script(inference)
        torch.jit.save(module, draft := io.BytesIO())
    metadata = ModelMetadata(
        model_type=_model_type(potential),
        elements=tuple(potential.elements),
        cutoff=potential.cutoff,
        dtype=dtype,
        table=_table_metadata(potential),
        native=native_form(inference, draft),
        pwmlff_version=pwmlff.__version__,
        torch_version=torch.__version__,
        checkpoint_sha256=checkpoint_sha256,
        train_data=train_data,
    )
    text = metadata.to_json()
    temporary = output.with_name(f".{output.name}.{os.getpid()}.tmp")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with _deprecation_silenced():
            extra_files = {METADATA_FILE: text, DIGEST_FILE: digest(text, _tensors(module))}
            torch.jit.save(module, str(temporary), _extra_files=extra_files)
        _self_check(frozen, load_exported(temporary), output)
        assert metadata.native == native_form(inference, temporary)  # torch numbers the entries as in the draft
        os.replace(temporary, output)
    except OSError as error:
        raise ModelFileError(f"cannot write '{output}': {error}") from error
    finally:
        temporary.unlink(missing_ok=True)
    return output


def load_exported(path: Path | str) -> ExportedFile:
    """Read an exported model.

    Args:
        path: A file that `export_model` wrote.

    Raises:
        ModelFileError: It is missing, damaged, altered, of another version, or was not written by pwmlff.
    """
    path = Path(path)
    if not path.is_file():
        raise ModelFileError(f"no exported model at '{path}'")
    library.load()  # the module may call torch.ops.pwmlff
    extra_files = {METADATA_FILE: "", DIGEST_FILE: ""}
    try:
        with _deprecation_silenced():
            module = torch.jit.load(str(path), map_location="cpu", _extra_files=extra_files)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[0]
        raise ModelFileError(
            f"'{path}' cannot be read as TorchScript, it may be truncated or no exported model ({reason})"
        ) from error
    text, expected = (_as_text(extra_files[name]) for name in (METADATA_FILE, DIGEST_FILE))
    metadata = ModelMetadata.from_json(text, path)
    if digest(text, _tensors(module)) != expected:
        raise ModelFileError(f"'{path}' is damaged or was altered: its SHA-256 does not match; export the model again")
    return ExportedFile(module, metadata)


def _as_text(content: str | bytes) -> str:
    return content.decode() if isinstance(content, bytes) else content


def _tensors(module: nn.Module) -> dict[str, Tensor]:
    return dict(module.named_parameters()) | dict(module.named_buffers())


def _model_type(potential: Potential) -> str:
    """Return the model's name in `pwmlff.models`, or its class name when it has none."""
    network_class = type(potential.network)
    return next((key for key, value in known_models().items() if value is network_class), network_class.__name__)


def _table_metadata(potential: Potential) -> TableMetadata | None:
    network = potential.network
    if not isinstance(network, CompressedDeepPotential):
        return None
    table, shortest = network.table, network.environment.shortest.tolist()
    return {"order": table.order, "dx": table.dx, "shortest": dict(zip(potential.elements, shortest, strict=True))}


def _self_check(potential: Potential, exported: ExportedFile, output: Path) -> None:
    batch = _sample_batch(potential)
    inputs = (batch.pair_vectors, batch.pair_start, batch.pair_types, batch.atom_types)
    tolerance = PRECISIONS[exported.metadata.dtype].tolerance
    names = ("atomic energies", "pair gradients")
    for name, found, expected in zip(
        names, exported.module(*inputs), AutogradInference(potential)(*inputs), strict=True
    ):
        error = float((found - expected).abs().max())
        scale = max(1.0, float(expected.abs().max()))
        if not error <= tolerance * scale:  # NaN fails too
            raise ModelFileError(
                f"the exported model '{output}' differs from its source by {error:.1e} in the {name} of a test frame, "
                f"expected less than {tolerance * scale:.1e}; nothing was written"
            )


def _sample_batch(potential: Potential) -> Batch:
    """Return a small periodic structure that holds every element and has ordinary distances."""
    n_side, spacing = 2, 2.6  # Å
    while n_side**3 < len(potential.elements):
        n_side += 1
    corners = np.stack(np.meshgrid(*[np.arange(n_side)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    shifts = np.random.default_rng(0).uniform(-0.25, 0.25, corners.shape)
    symbols = [potential.elements[index % len(potential.elements)] for index in range(len(corners))]
    frame = Frame(
        atomic_numbers=np.array([atomic_number_of(symbol) for symbol in symbols]),
        positions=corners * spacing + shifts,
        cell=np.eye(3) * n_side * spacing,
        source="export self-check",
    )
    return collate([make_sample(frame, potential.type_of, potential.cutoff)])


@contextmanager
def _deprecation_silenced() -> Iterator[None]:
    """Silence torch's advice to leave TorchScript; this file is the place where that will happen."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*torch.jit.*", category=DeprecationWarning)
        yield
