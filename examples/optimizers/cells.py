"""The cells of the study: models, optimizers and data as tables, and the run file of each combination."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pwmlff.optim
from pwmlff.config import RunConfig
from pwmlff.data.readers import ReadReport, read_frames
from pwmlff.elements import symbol_of
from pwmlff.models import MODELS as FAMILIES
from pwmlff.models import build_potential
from pwmlff.optim.kalman import MOST_IN_ONE_BLOCK
from pwmlff.train.data import without_isolated

SHIPPED = Path(__file__).resolve().parent.parent / "data"
MOST_FOR_GKF = 30_000  # weights; memory and time of a step grow with their square: 3.3 GB at 27 000


def _deep_potential(embedding: list[int], fitting: list[int], **top: Any) -> dict[str, Any]:
    model = {"descriptor": {"M2": 16, "network_size": embedding}, "fitting_net": {"network_size": fitting}}
    return {"model_type": "DP", **top, "model": model}


# The sizes of the paper. NEP and NN get the section `model` that `pwmlff init` writes for the data.
MODELS: dict[str, dict[str, Any]] = {
    "DP-small": _deep_potential([25, 25, 25], [50, 50, 50, 1]),
    "DP-middle": _deep_potential([25, 50, 100], [120, 120, 120, 1]),
    "DP-large": _deep_potential([25, 50, 120], [240, 240, 240, 1]),
    "DP-type": _deep_potential([25, 25, 25], [50, 50, 50, 1], type_embedding=True),
    "NEP": {"model_type": "NEP"},
    "NN": {"model_type": "NN"},
}
SIZES = ("DP-small", "DP-middle", "DP-large")


@dataclass(frozen=True)
class Method:
    """An optimizer of the study.

    Attributes:
        section: Its keys.
        length: Which of the numbers of --epochs is for it.
        top: Further keys at the top level.
        timed: Further keys of the section with --minutes.
        package: What it needs besides pwmlff.
    """

    section: dict[str, Any]
    length: str
    top: dict[str, Any] = field(default_factory=dict)
    timed: dict[str, Any] = field(default_factory=dict)
    package: str = ""


_AVERAGED = {"ema_decay": 0.999}
OPTIMIZERS: dict[str, Method] = {
    "Adam": Method({"optimizer": "ADAM", "batch_size": 1}, "gradient", _AVERAGED),
    "LKF": Method({"optimizer": "LKF", "batch_size": 4}, "Kalman"),
    "GKF": Method({"optimizer": "GKF", "batch_size": 4}, "Kalman"),
    "SNES": Method({"optimizer": "SNES"}, "generations", timed={"output_interval": 10}),
    "Muon": Method({"optimizer": "MUON", "batch_size": 1}, "gradient", _AVERAGED),
    "SOAP": Method({"optimizer": "SOAP", "batch_size": 1}, "gradient", _AVERAGED, package="pytorch_optimizer"),
    "SF-AdamW": Method({"optimizer": "SCHEDULE_FREE", "batch_size": 1}, "gradient", package="pytorch_optimizer"),
}
LENGTHS = {"gradient": 300, "Kalman": 30, "generations": 10}  # epochs; the first two are the paper's


@dataclass(frozen=True)
class DataSet:
    """Frames to train on and unseen frames."""

    name: str
    train: Path
    test: Path


@dataclass(frozen=True)
class Run:
    """One training: a model and an optimizer on a set, with a seed, in a folder."""

    data: DataSet
    model: str
    optimizer: str
    seed: int
    folder: Path

    @property
    def label(self) -> str:
        """How the run is called."""
        return f"{self.data.name}, {self.model}, {self.optimizer}, seed {self.seed}"


def find_sets(data: Path | None, names: list[str] | None) -> list[DataSet]:
    """Return the sets of a folder, or those of ../data."""
    if data is None:
        sets = [DataSet(n, SHIPPED / f"{n}_train.xyz", SHIPPED / f"{n}_test.xyz") for n in ("li27", "lih")]
    else:
        tests = sorted(data.resolve().glob("*/test.xyz"))
        sets = [DataSet(t.parent.name, t.parent / "train.xyz", t) for t in tests if (t.parent / "train.xyz").exists()]
    by_name = {each.name: each for each in sets}
    if not sets:
        raise SystemExit(f"{data}: no folder in it holds train.xyz and test.xyz")
    if unknown := set(names or ()) - set(by_name):
        raise SystemExit(f"no such set: {', '.join(sorted(unknown))}; there are {', '.join(by_name)}")
    return [by_name[name] for name in names] if names else sets


def run_file(run: Run, epochs: int, options: argparse.Namespace) -> dict[str, Any]:
    """Return the content of config.json."""
    method, elements = OPTIMIZERS[run.optimizer], _elements(run.data)
    timed = {} if options.minutes is None else method.timed
    return {
        "atom_type": elements,
        "train_data": [str(run.data.train)],
        "valid_data": [str(run.data.test)],
        "format": "extxyz",
        "precision": options.precision,
        "device": "cpu",
        "threads": 1,
        "seed": run.seed,
        **method.top,
        **MODELS[run.model],
        "model": _model_section(run, options),
        "optimizer": {**method.section, **timed, "epochs": epochs},
    }


def why_not(run: Run, options: argparse.Namespace) -> str | None:
    """Return why a run cannot be made, or need not; None where it can."""
    method = OPTIMIZERS[run.optimizer]
    name = method.section["optimizer"]
    if name not in pwmlff.optim.OPTIMIZERS:
        return f"this pwmlff has no optimizer {name}"
    if method.package and find_spec(method.package) is None:
        return "it needs a package more: pip install 'pwmlff[optimizers]'"
    if name == "GKF":
        config = RunConfig.model_validate(run_file(run, 1, options))
        potential = build_potential(config.model_key, config.model, config.elements, dtype=config.precision)
        n_weights = sum(parameter.numel() for parameter in potential.parameters())
        if n_weights <= MOST_IN_ONE_BLOCK:
            return f"{n_weights} weights are one block of LKF, which is GKF then"
        if n_weights > MOST_FOR_GKF:
            return f"{n_weights} weights are too many for one covariance"
    return None


def _model_section(run: Run, options: argparse.Namespace) -> dict[str, Any]:
    row = MODELS[run.model]
    if "model" not in row:
        optimizer = OPTIMIZERS[run.optimizer].section["optimizer"]
        return _suggested(row["model_type"], run.data, pwmlff.optim.OPTIMIZERS[optimizer].searches)
    cutoffs = {"Rmax": options.Rmax, "Rmin": options.Rmin}
    return {**row["model"], "descriptor": {**cutoffs, **row["model"]["descriptor"]}}


@cache
def _suggested(family: str, data: DataSet, searches: bool) -> dict[str, Any]:
    """Return the section `model` that `pwmlff init` would write, for a search or for gradients."""
    frames = without_isolated(read_frames([data.train]), ReadReport())[0]
    hooks = FAMILIES[family].RunFile
    suggestion = hooks.suggested(FAMILIES[family].Config(), _elements(data), frames)
    if searches:
        suggestion = hooks.for_search(suggestion)
    return suggestion.config.model_dump(mode="json")


@cache
def _elements(data: DataSet) -> list[str]:
    numbers = {int(number) for frame in read_frames([data.train]) for number in frame.atomic_numbers}
    return sorted(symbol_of(number) for number in numbers)
