"""What a run file can say from its training data, before anything is trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import BaseModel

from pwmlff import keys
from pwmlff.config import RunConfig
from pwmlff.config.choice import chosen_by
from pwmlff.config.template import USUAL_OPTIMIZER
from pwmlff.data.dataset import FrameDataset, iterate_batches
from pwmlff.data.divided import divided
from pwmlff.data.frame import Frame
from pwmlff.data.pressure import implausible_pressure, pressure_of
from pwmlff.data.radial import radial_density
from pwmlff.data.readers import ReadReport, read_frames
from pwmlff.data.spacing import describe_spacing
from pwmlff.data.suspects import SuspectFrames
from pwmlff.models import MODELS, ZBLConfig
from pwmlff.models.distances import watch_shortest
from pwmlff.optim import OPTIMIZERS, OptimizerConfig
from pwmlff.plots.radial_curves import plot_radial_curves
from pwmlff.train.data import FrameCounts, count_frames, without_isolated
from pwmlff.train.ending import duration
from pwmlff.train.estimate import measure_pace
from pwmlff.train.sampler import BatchSampler

_N_SHELLS = 200  # of the picture
_NEAREST = 4.0  # Å, up to which distances are looked at for the repulsion
_FEW_FRAMES = 50
_MARGIN = 0.9  # of the time allowed, for start and end of a run


@dataclass
class Start:
    """What a run file is to say; the arguments of `starting_file`.

    Attributes:
        values: What differs from the defaults, nested like the run file.
        reasons: Why, by dotted path.
        remarks: Lines about the model.
        picture: What was drawn; None for nothing.
    """

    values: dict[str, Any] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    picture: Path | None = None

    def choose(self, path: str, value: Any, reason: str) -> None:
        """Set a value of the optimizer or at the top level."""
        section, _, key = path.rpartition(".")
        (self.values.setdefault(section, {}) if section else self.values)[key] = value
        self.reasons[path] = reason


def starting_run(
    model: str,
    elements: Sequence[str],
    data: Sequence[Path],
    picture: Path,
    *,
    optimizer: str = USUAL_OPTIMIZER,
    minutes: float | None = None,
) -> Start:
    """Look at the training data and choose what is right for them, and draw what the atoms see.

    Args:
        model: A name in `MODELS`, upper or lower case, or another.
        elements: Symbols in type order; none where they are not known.
        data: Files or folders to train on; none where they are not known.
        picture: PNG to write.
        optimizer: A name in `OPTIMIZERS`, likewise.
        minutes: The time the run may take; None for as long as it is worth.

    Returns:
        The choices; none where the data are not there.
    """
    start = Start()
    key, method = (name.strip().upper().replace("-", "_") for name in (model, optimizer))
    if key not in MODELS or method not in OPTIMIZERS or not elements or not data:
        return start
    to_train, to_validate = divided(data)
    frames = without_isolated(read_frames(to_train), ReadReport())[0]
    family = MODELS[key].RunFile
    suggestion = family.suggested(MODELS[key].Config(), elements, frames)
    if OPTIMIZERS[method].searches:
        suggestion = family.for_search(suggestion)
    start.values["model"] = suggestion.config.model_dump(mode="json")
    start.reasons |= {f"model.{path}": reason for path, reason in suggestion.reasons.items()}
    start.remarks += suggestion.lines
    suspects = SuspectFrames()
    counts = count_frames(suspects.watch(frames))
    if to_validate:
        n_valid, n_train = len(read_frames(to_validate)), counts.n_frames
        start.reasons["valid_ratio"] = f"not used: the data are divided, {n_valid} frames choose the best epoch"
    else:
        n_valid = _hold_out(start, counts)
        start.remarks += describe_spacing(frames)
        n_train = counts.n_frames - n_valid
    start.remarks += suspects.notes()
    _choose_repulsion(start, frames, elements)
    usual = OPTIMIZERS[method].Config.model_validate({"optimizer": method})
    _choose_optimizer(start, usual, counts, n_train, implausible_pressure(map(pressure_of, frames)))
    choice = {**chosen_by(key), "atom_type": list(elements), "train_data": [str(path) for path in data]}
    config = RunConfig.model_validate(
        {**choice, **start.values, "optimizer": {"optimizer": method, **start.values["optimizer"]}}
    )
    _choose_epochs(start, config, frames, n_train, n_valid, minutes)
    start.picture = _draw(suggestion.config, key, elements, frames, picture)
    return start


def _hold_out(start: Start, counts: FrameCounts) -> int:
    """Choose how many frames are held out, and return that."""
    few = counts.n_frames < _FEW_FRAMES
    ratio = 0.2 if few else 0.1
    n_valid = round(ratio * counts.n_frames)
    start.choose("valid_ratio", ratio, f"{n_valid} of {counts.n_frames} frames are held out, and choose the best epoch")
    return n_valid


def _choose_repulsion(start: Start, frames: Sequence[Frame], elements: Sequence[str]) -> None:
    shortest = torch.full((len(elements), len(elements)), _NEAREST, dtype=torch.float64)
    near = FrameDataset(frames, elements, _NEAREST, cache_bytes=0)
    for _ in watch_shortest(iterate_batches(near, 1), shortest):
        pass
    zbl = ZBLConfig.below(shortest, elements)
    nearest = float(shortest.min())
    if zbl is None:
        why = f"the data hold distances down to {nearest:.2f} Å and teach the repulsion of nuclei themselves"
        start.choose("zbl", None, why)
        return
    why = f"keeps atoms apart below the shortest distances of the data ({nearest:.2f} Å), where nothing is learned"
    start.choose("zbl", zbl.model_dump(mode="json", include={"flexible"}), why)


def _choose_optimizer(
    start: Start, usual: OptimizerConfig, counts: FrameCounts, n_train: int, implausible: float | None
) -> None:
    size = usual.for_frames(n_train).batch_size
    few = "" if size == usual.batch_size else f", fewer than the usual {usual.batch_size} as there are few"
    start.choose("optimizer.batch_size", size, f"frames per step{few}")
    n_virials = counts.n_labelled[keys.VIRIAL]
    has_virials = 2 * n_virials >= counts.n_frames
    why = f"{n_virials} of {counts.n_frames} frames have virials"
    if implausible is not None:
        why += f", but they mean a pressure of {implausible:+.0f} GPa: true if the samples really are under it"
    elif has_virials:
        why += ", without them pressures are wrong"
    train_virial = has_virials and implausible is None
    start.choose("optimizer.train_virial", train_virial, why)
    for key, value in usual.for_virials().items() if train_virial else ():
        start.choose(f"optimizer.{key}", value, "little: virials of many calculations do not fit their energies")


def _choose_epochs(
    start: Start, config: RunConfig, frames: Sequence[Frame], n_train: int, n_valid: int, minutes: float | None
) -> None:
    """Choose the number of epochs, by what they take on this machine."""
    optimizer = config.stages[0]
    n_steps = len(
        BatchSampler(n_train, optimizer.batch_size, shuffle=False, seed=0, least_batches=optimizer.least_steps)
    )
    epochs = optimizer.usual_epochs(n_steps)
    seconds = measure_pace(config, frames).epoch(n_steps, n_valid)
    reason = f"about {duration(seconds)} each on this machine, "
    affordable = epochs if minutes is None else max(1, int(_MARGIN * 60 * minutes / seconds))
    if affordable >= epochs:
        reason += f"{duration(epochs * seconds)} together"
    else:
        reason += f"cut to {minutes:g} minutes; {epochs} would be usual"
    start.choose("optimizer.epochs", min(affordable, epochs), reason)


def _draw(
    settings: BaseModel, key: str, elements: Sequence[str], frames: Sequence[Frame], picture: Path
) -> Path | None:
    row = MODELS[key]
    with torch.random.fork_rng(devices=[]):
        cutoff = row.from_config(settings, elements, torch.float64).cutoff
    edges = np.linspace(0.0, cutoff, _N_SHELLS + 1)
    distances = 0.5 * (edges[1:] + edges[:-1])
    curves = row.RunFile.radial_curves(settings, elements, distances)
    if not any(curves.values()) or find_spec("matplotlib") is None:
        return None
    plot_radial_curves(distances, curves, radial_density(frames, elements, edges), picture)
    return picture
