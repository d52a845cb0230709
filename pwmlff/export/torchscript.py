"""Writes a potential as TorchScript, the one form LAMMPS runs without Python.

    forward(pair_vectors [E, 3], pair_start [N + 1], pair_types [E], atom_types [N])
        -> (atomic_energies [N] eV, pair_gradients [E, 3] dE/dr_ij eV/Å), both float64

TorchScript is deprecated upstream: this is the only Python file that touches `torch.jit`, and
`lammps_plugin/model_runner.cpp` the only C++ file.
"""

from __future__ import annotations

import copy
import hashlib
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
from pwmlff.errors import ModelFileError, did_you_mean
from pwmlff.export.metadata import DIGEST_FILE, METADATA_FILE, ModelMetadata, digest
from pwmlff.models import DTYPES, MODELS, Potential, ZBLConfig, build_potential
from pwmlff.models.checkpoint import Checkpoint, load_checkpoint
from pwmlff.models.inference import AutogradInference, PotentialInference
from pwmlff.ops import library

SUFFIX = ".pt"
_SELF_CHECK_TOLERANCE = {"float64": 1e-9, "float32": 1e-3}  # eV and eV/Å, relative to the largest number


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
        checkpoint_path: A file that training wrote.
        output: File to write; by default the checkpoint's name with the suffix `.pt`.
        dtype: "float64" or "float32"; by default that of the training.

    Returns:
        The path of the exported model.

    Raises:
        ModelFileError: The checkpoint cannot be read, the dtype is unknown, or the exported model computes
            other numbers than the checkpoint.
    """
    checkpoint_path = Path(checkpoint_path)
    checkpoint = load_checkpoint(checkpoint_path)
    if dtype is not None and dtype not in DTYPES:
        raise ModelFileError(f"dtype '{dtype}' is unknown; {did_you_mean(dtype, DTYPES)}")
    potential = checkpoint.potential if dtype is None else _rebuilt(checkpoint, dtype)
    return export_potential(
        potential,
        Path(output) if output else checkpoint_path.with_suffix(SUFFIX),
        checkpoint_sha256=hashlib.sha256(checkpoint_path.read_bytes()).hexdigest(),
        train_data=tuple(str(path) for path in checkpoint.config.get("train_data") or ()),
    )


def export_potential(
    potential: Potential,
    output: Path | str,
    *,
    checkpoint_sha256: str = "",
    train_data: tuple[str, ...] = (),
) -> Path:
    """Export a potential and check that the file computes what the potential computes.

    Args:
        potential: The model; it is not changed.
        output: File to write, replaced only when the check is passed.
        checkpoint_sha256: Of the file the potential was read from.
        train_data: Files it was trained on.

    Raises:
        ModelFileError: The exported model computes other numbers, or cannot be written.
    """
    output = Path(output)
    frozen = copy.deepcopy(potential).cpu().eval().requires_grad_(False)
    metadata = ModelMetadata(
        model_type=_model_type(potential),
        elements=tuple(potential.elements),
        cutoff=potential.cutoff,
        dtype=_dtype_name(potential),
        pwmlff_version=pwmlff.__version__,
        torch_version=torch.__version__,
        checkpoint_sha256=checkpoint_sha256,
        train_data=train_data,
    )
    with _deprecation_silenced():
        module = torch.jit.script(PotentialInference(frozen))
    text = metadata.to_json()
    temporary = output.with_name(f".{output.name}.{os.getpid()}.tmp")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with _deprecation_silenced():
            extra_files = {METADATA_FILE: text, DIGEST_FILE: digest(text, _tensors(module))}
            torch.jit.save(module, str(temporary), _extra_files=extra_files)
        _self_check(frozen, load_exported(temporary), output)
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
    """Return the model's key in `MODELS`, or its class name when it has no row there."""
    network_class = type(potential.network)
    return next((key for key, value in MODELS.items() if value is network_class), network_class.__name__)


def _dtype_name(potential: Potential) -> str:
    numbers = next((p.dtype for p in potential.network.parameters()), torch.float64)
    return next(name for name, value in DTYPES.items() if value == numbers)


def _rebuilt(checkpoint: Checkpoint, dtype: str) -> Potential:
    """Return the same potential in another precision; what is float64 by design stays so."""
    old, config = checkpoint.potential, checkpoint.config
    key = _model_type(old)
    zbl = None if config.get("zbl") is None else ZBLConfig.model_validate(config["zbl"])
    with torch.random.fork_rng(devices=[]):  # the weights drawn here are replaced at once
        model_config = MODELS[key].Config.model_validate(config["model"])
        new = build_potential(key, model_config, old.elements, dtype=dtype, zbl=zbl)
    new.load_state_dict(old.state_dict())
    return new


def _self_check(potential: Potential, exported: ExportedFile, output: Path) -> None:
    batch = _sample_batch(potential)
    inputs = (batch.pair_vectors, batch.pair_start, batch.pair_types, batch.atom_types)
    tolerance = _SELF_CHECK_TOLERANCE[exported.metadata.dtype]
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
