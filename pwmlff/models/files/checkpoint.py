"""Checkpoint files: safetensors with a JSON header, checked by SHA-256, replaced in one stroke. Never a pickle.

Tensors are named `potential/...` (weights, statistics, energy shift) and `run/...` (optimizer, random numbers; absent
in a file that holds only a model). The header's metadata are texts:

    format          "pwmlff-checkpoint"
    format_version  number of the layout; `_UPGRADES` leads an older one to the present
    content         JSON: model_key, elements, dtype, config (the resolved input file), state, pwmlff_version
    sha256          of content and tensors
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

import pwmlff
from pwmlff.errors import ConfigError, ModelFileError
from pwmlff.models import DTYPES, Potential, ZBLConfig, build_potential, known_models, name_of
from pwmlff.models.base import network_dtype
from pwmlff.models.files.metadata import LARGEST_CUTOFF, one_line
from pwmlff.models.files.model_file import ModelFile

FORMAT = "pwmlff-checkpoint"
FORMAT_VERSION = 2
_POTENTIAL, _RUN = "potential/", "run/"


Content = dict[str, Any]


def _name_intervals(content: Content, tensors: dict[str, Tensor]) -> tuple[Content, dict[str, Tensor]]:
    """1 -> 2: the intervals of tables are fine and coarse, no longer inner and outer, which are distances elsewhere."""
    table = content["config"].get("model", {}).get("table")
    if table is not None:
        table["grids"] = [{"lower": g["lower"], "fine": g["inner"], "coarse": g["outer"]} for g in table["grids"]]
    return content, tensors


# from version -> function that turns (content, tensors) of that version into those of the next
_UPGRADES: dict[int, Callable[[Content, dict[str, Tensor]], tuple[Content, dict[str, Tensor]]]] = {1: _name_intervals}


def is_checkpoint(path: Path) -> bool:
    """Whether a file's first bytes are those of a checkpoint, ours or the pickled one of another program."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        head = file.read(9)
    # a safetensors file begins with the length of its JSON header (8 bytes) and the header's brace
    return head.startswith(b"PK\x03\x04") or (len(head) == 9 and head[8:] == b"{" and head[4:8] == b"\0\0\0\0")


def save_checkpoint(
    path: Path | str,
    potential: Potential,
    *,
    config: dict[str, Any],
    tensors: dict[str, Tensor] | None = None,
    state: dict[str, Any] | None = None,
) -> None:
    """Write a checkpoint; whatever happens, the file at `path` is the old or the new one, whole.

    Args:
        path: File to make or replace.
        potential: The model.
        config: Resolved configuration, as JSON values; `config["model"]` builds the network again.
        tensors: State of the run.
        state: State of the run, as JSON values.

    Raises:
        ModelFileError: The file cannot be written, for instance because the disk is full.
    """
    content = json.dumps(
        {
            "model_key": _model_key(potential),
            "elements": list(potential.elements),
            "dtype": _dtype_name(potential),
            "config": config,
            "state": state or {},
            "pwmlff_version": pwmlff.__version__,
        }
    )
    named = {_POTENTIAL + name: value for name, value in potential.state_dict().items()}
    named |= {_RUN + name: value for name, value in (tensors or {}).items()}
    stored = {name: value.detach().cpu().contiguous() for name, value in named.items()}
    metadata = {"format": FORMAT, "format_version": str(FORMAT_VERSION), "content": content}
    metadata["sha256"] = _fingerprint(content, stored)
    _replace_file(Path(path), stored, metadata)


def load_checkpoint(path: Path | str) -> ModelFile:
    """Read a checkpoint and build its model.

    Args:
        path: A file written by `save_checkpoint`.

    Raises:
        ModelFileError: The file is missing, damaged, altered, of a newer version, or no checkpoint at all.
    """
    content, tensors = _read_verified(Path(path))
    config = content["config"]
    network_class = known_models().get(content["model_key"])
    if network_class is None:
        raise ModelFileError(
            f"'{path}' holds a {one_line(content['model_key'])} model{_versions(content)}; "
            f"this pwmlff has {', '.join(known_models())}"
        )
    weights = {k.removeprefix(_POTENTIAL): v for k, v in tensors.items() if k.startswith(_POTENTIAL)}

    def build() -> Potential:
        settings = network_class.Config.model_validate(config["model"])
        return build_potential(
            content["model_key"], settings, content["elements"], dtype=content["dtype"], zbl=_zbl_config(config)
        )

    try:
        with torch.random.fork_rng(devices=[]):  # the weights drawn here are replaced at once
            with torch.device("meta"):  # takes no memory, however wide the file says that layers are
                described = build()
            weights.setdefault("shortest", torch.zeros(described.shortest.shape))  # not known to older checkpoints
            _check_sizes(described, weights)
            potential = build()
        missing, unexpected = potential.load_state_dict(weights, strict=False)
        if missing or unexpected:
            raise ValueError(
                f"{len(missing)} weights are missing and {len(unexpected)} unknown (such as "
                f"'{[*missing, *unexpected][0]}')"
            )
        _check_elements(content["elements"], potential.cutoff)
    except (ValueError, KeyError, TypeError, IndexError, ArithmeticError, RuntimeError, ConfigError) as error:
        reason = one_line(" ".join(str(error).split()))  # torch reports on several lines
        raise ModelFileError(f"the model in '{path}' cannot be built again{_versions(content)}: {reason}") from error
    run = {k.removeprefix(_RUN): v for k, v in tensors.items() if k.startswith(_RUN)}
    return ModelFile(potential, config, run, content["state"], content.get("pwmlff_version", ""))


def _check_sizes(potential: Potential, weights: dict[str, Tensor]) -> None:
    """Raise ValueError where the file's weights are not those of its configuration."""
    for name, value in potential.state_dict().items():
        if name in weights and weights[name].shape != value.shape:
            raise ValueError(f"'{name}' has shape {list(weights[name].shape)}, expected {list(value.shape)}")
    absent = sum(value.numel() for name, value in potential.state_dict().items() if name not in weights)
    if absent:
        raise ValueError(f"{absent} weights are missing")


def _check_elements(elements: list[str], cutoff: float) -> None:
    if not elements or len(set(elements)) < len(elements):
        raise ValueError(f"its elements are {' '.join(elements)}, expected one or more, each once")
    if not 0 < cutoff <= LARGEST_CUTOFF:
        raise ValueError(f"its cutoff is {cutoff} Å, expected up to {LARGEST_CUTOFF} Å")


def load_potential(path: Path | str) -> Potential:
    """Read only the model of a checkpoint; raises what `load_checkpoint` raises."""
    return load_checkpoint(path).potential


def discard_partial(path: Path) -> None:
    """Remove what a kill while `save_checkpoint` wrote `path` has left; nobody may be writing it now."""
    partial = path.with_name(f".{path.name}.partial")
    if partial.is_dir():
        shutil.rmtree(partial)
    else:
        partial.unlink(missing_ok=True)


def _model_key(potential: Potential) -> str:
    name = name_of(potential.network)
    if name not in known_models():
        raise ModelFileError(f"a {name} has no name in pwmlff.models and cannot be saved")
    return name


def _fingerprint(content: str, tensors: dict[str, Tensor]) -> str:
    digest = hashlib.sha256(content.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _replace_file(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    # safetensors writes beside its target under a name of its own: in a folder, all that a kill leaves has one name
    workshop = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        discard_partial(path)
        workshop.mkdir()
        temporary = workshop / path.name
        temporary.touch()
        mode = temporary.stat().st_mode  # as the user's umask has it; safetensors would make the file private
        save_file(tensors, temporary, metadata=metadata)
        temporary.chmod(mode)
        _flush(temporary)
        os.replace(temporary, path)
        _flush(path.parent)
    except (OSError, SafetensorError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or " ".join(str(error).split())
        kept = "; the one written before is still there, whole" if path.exists() else ""
        raise ModelFileError(f"cannot write the checkpoint '{path}': {reason}{kept}") from error
    finally:
        with suppress(OSError):
            discard_partial(path)


def _flush(path: Path) -> None:
    """Wait until a file, or the entries of a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read_verified(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    if not path.is_file():
        raise ModelFileError(f"no checkpoint at '{path}'")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            version = _check_format(path, metadata)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping, only keys()
    except (SafetensorError, OSError) as error:
        raise ModelFileError(f"'{path}' is {_guess_content(path)} ({one_line(error)})") from error
    if metadata.get("sha256") != _fingerprint(metadata.get("content", ""), tensors):
        raise ModelFileError(f"'{path}' is damaged or was altered: its SHA-256 does not match; use another copy")
    try:
        content = json.loads(metadata["content"])
        for old in range(version, FORMAT_VERSION):
            content, tensors = _UPGRADES[old](content, tensors)
        _check_content(content)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ModelFileError(f"'{path}' holds no usable content ({one_line(error)}); use another copy") from error
    return content, tensors


_CONTENT = {"model_key": str, "elements": list, "dtype": str, "config": dict, "state": dict}


def _check_content(content: Content) -> None:
    for key, kind in _CONTENT.items():
        if not isinstance(content[key], kind):
            raise TypeError(f"`{key}` is {one_line(repr(content[key]))}, expected a {kind.__name__}")
    if not all(isinstance(symbol, str) for symbol in content["elements"]):
        raise TypeError("`elements` holds something that is no name")
    if content["dtype"] not in DTYPES:
        raise ValueError(f"`dtype` is {content['dtype']!r}, expected {' or '.join(DTYPES)}")


def _check_format(path: Path, metadata: dict[str, str]) -> int:
    if metadata.get("format") != FORMAT:
        raise ModelFileError(f"'{path}' is a safetensors file, but no pwmlff checkpoint")
    version = metadata.get("format_version", "")
    if version not in {str(number) for number in range(1, FORMAT_VERSION + 1)}:
        raise ModelFileError(
            f"'{path}' has checkpoint format version {one_line(version or 'none')}, "
            f"this pwmlff reads 1 to {FORMAT_VERSION}{_versions(_unverified_content(metadata))}; "
            "use the version of pwmlff that wrote it, or a newer one"
        )
    return int(version)


def _unverified_content(metadata: dict[str, str]) -> dict[str, Any]:
    """Return what can be read of the content of a file in an unknown format, for messages."""
    try:
        content = json.loads(metadata.get("content", ""))
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _versions(content: dict[str, Any]) -> str:
    """Say which program wrote the content and which one reads it."""
    written = content.get("pwmlff_version", "")
    return f" (written by pwmlff {one_line(written)}, this is {pwmlff.__version__})" if written else ""


def _guess_content(path: Path) -> str:
    """Say what a file that is no safetensors file may be."""
    with path.open("rb") as file:
        start = file.read(2)
    if start in (b"PK", b"\x80\x02"):
        return "a pickled file, perhaps a checkpoint of PWMLFF or MatPL; such files can run code and are not loaded"
    return "truncated or no pwmlff checkpoint; use another copy"


def _dtype_name(potential: Potential) -> str:
    dtype = network_dtype(potential.network)
    return next(name for name, value in DTYPES.items() if value == dtype)


def _zbl_config(config: dict[str, Any]) -> ZBLConfig | None:
    return None if config.get("zbl") is None else ZBLConfig.model_validate(config["zbl"])
