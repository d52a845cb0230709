"""A training input of deepmd-kit as a run file of ours: `pwmlff init --from input.json`.

Each line of what is written says where it comes from, with deepmd-kit's default where the input leaves a key out: ours
are others. What has no counterpart is listed above; what would be another physical model is refused. Keys and defaults
are those of deepmd-kit 2 and 3, see its page "training parameters".
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from pwmlff.errors import ConfigError, in_one_line

_PLAIN = ("se_e2_a", "se_a")
_EMBEDDED = ("se_atten", "se_atten_v2", "dpa1")  # one net for all elements
_PRECISIONS = {"default": "float64", "float64": "float64", "double": "float64", "float32": "float32"}
_ACTIVATIONS = ("tanh", "sigmoid")
_AUTO_ATOMS = 32  # in a batch of size "auto"
_UNKNOWN_EPOCHS = 100
_INDENT = "    "


@dataclass
class DeepmdInput:
    """What an input of deepmd-kit becomes.

    Attributes:
        values: The run file.
        origins: Where each value comes from, by its dotted path.
        left_out: One line per key that has no counterpart.
    """

    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)

    def text(self, source: Path) -> str:
        """Return the run file with a comment on each line."""
        head = [f"// From {in_one_line(str(source))} of deepmd-kit. All keys: `pwmlff schema --markdown`."]
        if self.left_out:
            head += ["// No counterpart here:", *(f"//   {in_one_line(line)}" for line in self.left_out)]
        return "\n".join([*head, "{", *self._lines(self.values, "", 1), "}", ""])

    def _lines(self, section: Mapping[str, Any], prefix: str, depth: int) -> list[str]:
        lines = []
        for place, (key, value) in enumerate(section.items()):
            comma = "," if place + 1 < len(section) else ""
            if isinstance(value, Mapping) and f"{prefix}{key}" not in self.origins:
                inner = self._lines(value, f"{prefix}{key}.", depth + 1)
                lines += [f'{_INDENT * depth}"{key}": {{', *inner, f"{_INDENT * depth}}}{comma}"]
            else:
                origin = self.origins.get(f"{prefix}{key}", "")
                comment = f"  // {in_one_line(origin)}" if origin else ""
                lines.append(f"{_INDENT * depth}{json.dumps(key)}: {json.dumps(value)}{comma}{comment}")
        return lines


class _Section:
    """A section of the input; what nobody has taken from it is left over.

    Args:
        values: Its keys.
        path: Where it stands, for messages.
    """

    def __init__(self, values: Any, path: str) -> None:
        if not isinstance(values, Mapping):
            raise ConfigError(
                f"{path or 'the input'} is {json.dumps(values)}, expected a section of deepmd-kit's input"
            )
        self.values = {key: value for key, value in values.items() if not key.startswith("_")}
        self.path = path
        self.taken: set[str] = set()

    def place(self, key: str) -> str:
        return f"{self.path}.{key}" if self.path else key

    def take(self, key: str, default: Any = None) -> Any:
        self.taken.add(key)
        return self.values.get(key, default)

    def section(self, key: str) -> _Section:
        return _Section(self.take(key, {}), self.place(key))

    def number(self, key: str, default: float) -> float:
        value = self.take(key, default)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ConfigError(f"{self.place(key)} is {json.dumps(value)}, expected a number")
        return value

    def origin(self, key: str) -> str:
        return self.place(key) if key in self.values else f"{self.place(key)}, deepmd-kit's default"

    def rest(self) -> list[str]:
        return [
            f"{self.place(key)}: {json.dumps(value)}" for key, value in self.values.items() if key not in self.taken
        ]

    def refuse(self, key: str, allowed: tuple[Any, ...], why: str) -> None:
        value = self.take(key)
        if value is not None and value not in allowed:
            raise ConfigError(f"{self.place(key)} is {json.dumps(value)}: {why}")


def from_deepmd(values: Any, name: Path) -> DeepmdInput:
    """Translate a training input of deepmd-kit.

    Args:
        values: Its content; paths in it are taken relative to the present folder, as deepmd-kit does.
        name: Of the file, for messages.

    Raises:
        ConfigError: It is none, or asks for what has no counterpart.
    """
    root = _Section(values, "")
    if "model" not in root.values or "training" not in root.values:
        raise ConfigError(
            f"'{name}' has no sections `model` and `training`, expected an input of deepmd-kit's `dp train`"
        )
    result = DeepmdInput()
    model, training = root.section("model"), root.section("training")
    loss, rate, optimizer = root.section("loss"), root.section("learning_rate"), root.section("optimizer")
    sections = [root, model, training, loss, rate, optimizer]
    model.refuse("model_dict", (), "several tasks have no counterpart")
    model.refuse("type", ("standard",), "only standard models have a counterpart")
    model.refuse("spin", (), "spins have no counterpart")
    loss.refuse("type", ("ener",), "only energies, forces and virials are trained here")
    data = _add_data(result, training, sections)
    _add_model(result, model, sections)
    _add_training(result, training, loss, rate, optimizer, data)
    result.left_out += [line for section in sections for line in section.rest()]
    return result


@dataclass(frozen=True)
class _Data:
    """What the systems of an input hold.

    Attributes:
        frames: Of each system; empty where they were not found.
        atoms: Mean number of atoms of a frame.
        batch_size: What the input says of it.
    """

    frames: list[int]
    atoms: float
    batch_size: Any = None


def _add_data(result: DeepmdInput, training: _Section, sections: list[_Section]) -> _Data:
    if "training_data" not in training.values and "systems" in training.values:  # deepmd-kit 1
        train, valid = training, None
    else:
        train = training.section("training_data")
        valid = training.section("validation_data") if training.take("validation_data") else None
        sections.append(train)
    values, origins = result.values, result.origins
    values["model_type"] = "DP"
    values["atom_type"] = []
    systems = _systems(train)
    values["train_data"], origins["train_data"] = systems, train.place("systems")
    if valid is not None:
        sections.append(valid)
        values["valid_data"], origins["valid_data"] = _systems(valid), valid.place("systems")
        for key in ("batch_size", "numb_btch"):
            valid.take(key)  # all frames are validated
    else:
        values["valid_ratio"] = 0.1
        origins["valid_ratio"] = "deepmd-kit would train on all frames: there is no validation_data"
    values["seed"], origins["seed"] = int(training.number("seed", 1)), training.origin("seed")
    data = _look_at(systems)
    weights = _weights(train, data.frames)
    if weights is not None:
        values["train_weights"] = dict(zip(systems, weights, strict=True))
        origins["train_weights"] = "sys_probs or auto_prob, as times a frame is drawn in an epoch"
    return replace(data, batch_size=train.take("batch_size", "auto"))


def _systems(section: _Section) -> list[str]:
    systems = section.take("systems")
    systems = [systems] if isinstance(systems, str) else systems
    if not isinstance(systems, list) or not systems or not all(isinstance(system, str) for system in systems):
        raise ConfigError(f"{section.place('systems')} is {json.dumps(systems)}, expected a list of folders")
    return systems


def _look_at(systems: list[str]) -> _Data:
    frames, atoms = [], 0
    for system in systems:
        files = sorted(Path(system).rglob("set.*/coord.npy")) if Path(system).is_dir() else []
        tables = [np.load(file, mmap_mode="r", allow_pickle=False) for file in files]
        if not tables:
            return _Data([], 1.0)
        frames.append(sum(len(table) for table in tables))
        atoms += sum(table.size // 3 for table in tables)
    return _Data(frames, atoms / max(1, sum(frames)))


def _weights(train: _Section, frames: list[int]) -> list[float] | None:
    """Return how often a frame of each system is drawn for one of all; None where deepmd-kit draws all alike."""
    given = [key for key in ("sys_probs", "sys_weights") if train.values.get(key) is not None]
    rule = train.values.get("auto_prob", "prob_sys_size")
    if not frames or (not given and rule == "prob_sys_size"):
        train.taken.update(["auto_prob"] if rule == "prob_sys_size" else [])
        return None  # what is not understood is left over
    if given:
        parts = [float(part) for part in train.take(given[0])]
        train.take("auto_prob")
    elif rule == "prob_uniform":
        parts = [1.0] * len(frames)
        train.take("auto_prob")
    else:
        blocks = re.findall(r"(\d+):(\d+):([\d.eE+-]+)", str(train.take("auto_prob")))
        parts = [0.0] * len(frames)
        for first, last, share in blocks:
            place = slice(int(first), int(last))
            for system in range(len(frames))[place]:
                parts[system] = float(share) * frames[system] / sum(frames[place])
    if len(parts) != len(frames) or not sum(parts) > 0:
        raise ConfigError(f"{train.path}: expected a probability for each of the {len(frames)} systems")
    scale = sum(frames) / sum(parts)
    return [round(scale * part / count, 6) for part, count in zip(parts, frames, strict=True)]


def _add_model(result: DeepmdInput, model: _Section, sections: list[_Section]) -> None:
    descriptor, fitting = model.section("descriptor"), model.section("fitting_net")
    sections += [descriptor, fitting]
    values, origins = result.values, result.origins
    symbols = model.take("type_map")
    if not isinstance(symbols, list) or not symbols:
        raise ConfigError('model.type_map is missing; name the elements, for instance ["O", "H"]')
    values["atom_type"], origins["atom_type"] = symbols, "model.type_map"
    kind = descriptor.take("type")
    if kind not in _PLAIN + _EMBEDDED:
        raise ConfigError(
            f"model.descriptor.type is {json.dumps(kind)}: it has no counterpart here; known are "
            f"{', '.join(_PLAIN + _EMBEDDED)}. `pwmlff init --help` lists our models"
        )
    fitting.refuse("type", ("ener",), "only fitting nets of energies have a counterpart")
    for key in ("numb_fparam", "numb_aparam"):
        fitting.refuse(key, (0,), "parameters of frames and atoms have no counterpart")
    _add_kind(result, kind, model, descriptor)
    section: dict[str, Any] = {}
    values["model"] = {"descriptor": section}
    for ours, theirs, default in (
        ("Rmax", "rcut", 6.0),
        ("Rmin", "rcut_smth", 0.5),
        ("M2", "axis_neuron", 4),
        ("network_size", "neuron", [10, 20, 40]),
        ("resnet_dt", "resnet_dt", False),
    ):
        section[ours] = descriptor.take(theirs, default)
        origins[f"model.descriptor.{ours}"] = descriptor.origin(theirs)
    _add_activation(result, section, descriptor, "descriptor")
    net: dict[str, Any] = {"network_size": [*fitting.take("neuron", [120, 120, 120]), 1]}
    origins["model.fitting_net.network_size"] = f"{fitting.origin('neuron')}, and the output"
    net["resnet_dt"] = fitting.take("resnet_dt", True)
    origins["model.fitting_net.resnet_dt"] = fitting.origin("resnet_dt")
    _add_activation(result, net, fitting, "fitting_net")
    values["model"]["fitting_net"] = net
    precisions = {_PRECISIONS.get(str(part.take("precision", "default")), "other") for part in (descriptor, fitting)}
    values["precision"] = "float32" if precisions == {"float32"} else "float64"
    origins["precision"] = "precision of the nets" + (", which here is one for all" if len(precisions) > 1 else "")
    for part in (descriptor, fitting):
        part.take("seed")  # one seed for all


def _add_kind(result: DeepmdInput, kind: str, model: _Section, descriptor: _Section) -> None:
    if kind in _EMBEDDED or model.take("type_embedding") is not None:
        result.values["type_embedding"] = True
        result.origins["type_embedding"] = (
            "one net for all elements; it sees their properties here, where deepmd-kit learns a vector for each"
        )
        if descriptor.values.get("attn_layer", 2 if kind in _EMBEDDED else 0):
            result.left_out.append("model.descriptor.attn_layer: attention; the model here is without it")
            descriptor.take("attn_layer")
    if descriptor.take("type_one_side", False):
        result.left_out.append(
            "model.descriptor.type_one_side: one net per element of the neighbour; here there is one per pair of "
            "elements, or with type_embedding one for all"
        )
    if descriptor.take("exclude_types", []):
        raise ConfigError("model.descriptor.exclude_types: pairs of elements cannot be left out here")
    if model.take("use_srtab") is not None:
        result.left_out.append(
            'model.use_srtab: a table at short distances; "zbl": {"inner": 0.5, "outer": 1.0} is near'
        )


def _add_activation(result: DeepmdInput, section: dict[str, Any], theirs: _Section, name: str) -> None:
    activation = theirs.take("activation_function", "tanh")
    section["activation"] = activation if activation in _ACTIVATIONS else "tanh"
    result.origins[f"model.{name}.activation"] = theirs.origin("activation_function")
    if activation not in _ACTIVATIONS:
        result.origins[f"model.{name}.activation"] += (
            f", which is {activation}: here there is {' or '.join(_ACTIVATIONS)}"
        )


def _add_training(
    result: DeepmdInput, training: _Section, loss: _Section, rate: _Section, optimizer: _Section, data: _Data
) -> None:
    names = {"adam": "ADAM", "adamw": "ADAMW", "lkf": "LKF"}
    given = optimizer.take("type") or training.take("opt_type") or "Adam"
    name = names.get(str(given).lower())
    if name is None:
        raise ConfigError(f"the optimizer is {json.dumps(given)}, expected one of Adam, AdamW and LKF")
    section: dict[str, Any] = {"optimizer": name}
    result.values["optimizer"], origins = section, result.origins
    steps = int(training.number("numb_steps", training.number("stop_batch", 1_000_000)))
    section["batch_size"], origins["optimizer.batch_size"] = _batch_size(data.batch_size, data.atoms)
    n_frames = sum(data.frames)
    if n_frames:
        section["epochs"] = math.ceil(steps * section["batch_size"] / n_frames)
        origins["optimizer.epochs"] = f"{training.origin('numb_steps')}: {steps} steps with {n_frames} frames"
    else:
        section["epochs"] = _UNKNOWN_EPOCHS
        origins["optimizer.epochs"] = f"the data are not there: write numb_steps ({steps}) * batch_size / frames"
    weights = {ours: _prefactors(loss, theirs) for ours, theirs in _PREFACTORS.items()}
    for ours, flag in _FLAGS.items():
        section[flag] = any(weights[ours])
    if name == "LKF":
        section["block_size"] = int(training.number("kf_blocksize", 5120))
        origins["optimizer.block_size"] = training.origin("kf_blocksize")
        result.left_out.append("learning_rate and the prefactors of loss: LKF has others, see docs/training.md")
        rate.taken.update(rate.values)
        return
    _add_rate(section, origins, rate, steps)
    for ours, theirs in _PREFACTORS.items():
        for end, key, weight in zip(("start", "end"), ("start", "limit"), weights[ours], strict=True):
            section[f"{end}_pre_fac_{ours}"] = weight
            origins[f"optimizer.{end}_pre_fac_{ours}"] = loss.origin(f"{key}_pref_{theirs}")


_PREFACTORS = {"etot": "e", "force": "f", "virial": "v", "ei": "ae"}
_FLAGS = {"etot": "train_energy", "force": "train_force", "virial": "train_virial", "ei": "train_ei"}
_DEFAULT_WEIGHTS = {"e": (0.02, 1.0), "f": (1000.0, 1.0), "v": (0.0, 0.0), "ae": (0.0, 0.0)}


def _prefactors(loss: _Section, letter: str) -> tuple[float, float]:
    start, end = _DEFAULT_WEIGHTS[letter]
    return loss.number(f"start_pref_{letter}", start), loss.number(f"limit_pref_{letter}", end)


def _add_rate(section: dict[str, Any], origins: dict[str, str], rate: _Section, steps: int) -> None:
    rate.refuse("type", ("exp",), "only the exponential schedule is translated; `t_0` of a run file has cosine cycles")
    start, decay = rate.number("start_lr", 1e-3), int(rate.number("decay_steps", 5000))
    stop, origin = rate.number("stop_lr", 1e-8), rate.origin("stop_lr")
    if rate.values.get("decay_rate") is not None:
        stop, origin = start * rate.number("decay_rate", 1.0) ** (steps / decay), "learning_rate.decay_rate"
    rows = (
        ("learning_rate", start, rate.origin("start_lr")),
        ("stop_lr", stop, origin),
        ("decay_step", decay, rate.origin("decay_steps")),
        ("stop_step", steps, "training.numb_steps"),
    )
    for key, value, comment in rows:
        section[key], origins[f"optimizer.{key}"] = value, comment


def _batch_size(given: Any, atoms: float) -> tuple[int, str]:
    if isinstance(given, int) and not isinstance(given, bool):
        return max(1, given), "batch_size"
    if isinstance(given, list) and given:
        return max(1, round(sum(given) / len(given))), f"batch_size, the mean of {given}: one for all systems"
    least = re.fullmatch(r"(?:auto|mixed|max|filter)(?::(\d+))?", str(given))
    if least is None:
        raise ConfigError(f"batch_size is {json.dumps(given)}, expected a number, a list of numbers, or auto")
    wanted = int(least[1] or _AUTO_ATOMS)
    return max(1, math.ceil(wanted / atoms)), f'batch_size "{given}": frames that have {wanted} atoms together'
