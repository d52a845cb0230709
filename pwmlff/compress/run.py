"""Compresses the model of a checkpoint, and measures what that costs and gains."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from pwmlff.compress.choose import SPACINGS, Choice, choose_spacing
from pwmlff.compress.deviations import Deviations, compare
from pwmlff.compress.ranges import shortest_distances
from pwmlff.compress.speed import Speed, measure_speed
from pwmlff.compress.structures import covalent_distances, hard_sphere_frames
from pwmlff.compress.tabulate import tabulate
from pwmlff.data.frame import Frame
from pwmlff.data.readers import read_frames
from pwmlff.errors import ConfigError, ModelFileError
from pwmlff.models import Potential, name_of
from pwmlff.models.base import Tabulation
from pwmlff.models.files import ModelFile, read_model, refuse_exported
from pwmlff.models.files.checkpoint import save_checkpoint
from pwmlff.models.tables import Order, TableSummary

SUFFIX = ".ckpt"
_MOST_TRAINING_FRAMES = 500  # compared on when no data is given
_N_MADE_UP = 8


@dataclass(frozen=True)
class Compression:
    """What was done and measured.

    Attributes:
        output: The compressed checkpoint.
        potential: Its model.
        tables: What is in it.
        choice: Spacing, with those ruled out before it when it was chosen by tolerance.
        shortest: Shortest distance in Å of each element in the training data and further data that was given, as far
            as it is known.
        range_source: Where the range of the tables is from: these data, from whose distances fine tables reach a tenth
            further; empty where tables are for all distances.
        deviations: From the uncompressed model.
        measured_on: Which structures these were measured on.
        speed: Of both.
    """

    output: Path
    potential: Potential
    tables: TableSummary
    choice: Choice
    shortest: dict[str, float]
    range_source: str
    deviations: Deviations
    measured_on: str
    speed: Speed


def compress_model(
    checkpoint_path: Path | str,
    data: Sequence[Path] = (),
    *,
    dx: float | Literal["auto"] | None = None,
    order: Order = 3,
    save: Path | str | None = None,
    tolerance: float = 1e-4,
    format: str | None = None,
) -> Compression:
    """Compress the model of a checkpoint and write it as another checkpoint.

    Args:
        checkpoint_path: A file that training wrote.
        data: Frames to compare on, whose distances the tables cover beside those of the training data; none: the
            statistics in the checkpoint, and the training data it names.
        dx: Grid spacing; "auto": the coarsest one that keeps the tolerance; None: what the family takes.
        order: Of the polynomials, 3 or 5.
        save: File to write; `.ckpt` is added when it has no suffix of that name. None: such as `cmp_dp_model`.
        tolerance: Of the force error when dx is "auto", eV/Å.
        format: Of the data; found from the content when None.

    Raises:
        ModelFileError: The checkpoint cannot be read, or its model cannot be compressed.
        ConfigError: The output would replace the checkpoint, or no spacing keeps the tolerance.
        DataFormatError: The data cannot be read or does not fit the model.
    """
    source = Path(checkpoint_path)
    refuse_exported(source, "which cannot be compressed; compress its checkpoint, and export that")
    model = read_model(source)
    original = model.potential.frozen()
    output = _output(Path(save or f"cmp_{model.config.get('model_type', name_of(original.network)).lower()}_model"))
    if output.resolve() == source.resolve():
        raise ConfigError(f"'{output}' is the model to compress; name another file with -s")
    tabulation = original.network.tabulation()
    dx = tabulation.spacing if dx is None else dx
    tabulate(original, SPACINGS[0] if dx == "auto" else dx, order)  # refuses before data is read
    given = read_frames(data, format=format) if data else None
    shortest = _known_shortest(original, tabulation)
    knows_training = bool((shortest < original.cutoff).any())
    if given is not None:
        shortest = shortest_distances(given, original, shortest)
    if tabulation.shortest is not None and bool((shortest >= original.cutoff).all()):
        raise ModelFileError(
            f"'{source}' does not know the distances of its training data; name data to scan: "
            f"pwmlff compress {source} DATA"
        )
    frames, measured_on = _frames(model, tabulation, given, shortest)

    def tabulated(spacing: float) -> Potential:
        return tabulate(original, spacing, order, shortest).frozen()

    choice = choose_spacing(original, tabulated, frames, tolerance) if dx == "auto" else Choice(dx, tabulated(dx))
    tables = choice.compressed.network.table_summary()
    assert tables is not None  # just made
    result = Compression(
        output=output,
        potential=choice.compressed,
        tables=tables,
        choice=choice,
        shortest=_by_element(original, shortest, tabulation),
        range_source="" if tabulation.shortest is None else _range_source(knows_training, data),
        deviations=compare(original, choice.compressed, frames),
        measured_on=measured_on,
        speed=measure_speed(original, choice.compressed, frames),
    )
    save_checkpoint(output, choice.compressed, config=_config(model, source, result))
    return result


def _known_shortest(original: Potential, tabulation: Tabulation) -> Tensor:
    """Return the shortest distance [T] of each element in the training data, Å; the cutoff where it is not known."""
    if tabulation.shortest is not None:
        return tabulation.shortest
    if original.knows_shortest():
        return original.shortest.amin(1)
    return torch.full((len(original.elements),), original.cutoff, dtype=torch.float64)


def _by_element(original: Potential, shortest: Tensor, tabulation: Tabulation) -> dict[str, float]:
    """Return distances by element; those that tables are made for are known, or taken to be the cutoff."""
    named = zip(original.elements, shortest.tolist(), strict=True)
    return {symbol: r for symbol, r in named if r < original.cutoff or tabulation.shortest is not None}


def _frames(
    model: ModelFile, tabulation: Tabulation, given: Sequence[Frame] | None, shortest: Tensor
) -> tuple[Sequence[Frame], str]:
    """Return what to compare on, and its name: data given, otherwise training data, otherwise made-up structures."""
    if given is not None:
        return given, f"the {len(given)} frames given"
    config = model.config
    paths = [Path(path) for path in config.get("train_data") or ()]
    missing = [path for path in paths if not path.exists()]
    if paths and not missing:
        frames = read_frames(paths, format=config.get("format"), skip_bad=bool(config.get("skip_bad")))
        if len(frames) <= _MOST_TRAINING_FRAMES:
            return frames, f"the {len(frames)} frames of the training data"
        some = [frames[index * len(frames) // _MOST_TRAINING_FRAMES] for index in range(_MOST_TRAINING_FRAMES)]
        return some, f"{len(some)} of the {len(frames)} frames of the training data"
    reason = f"'{missing[0]}' is not there" if missing else "the model names none"
    potential, distances, n_neighbors = model.potential, shortest.numpy(), tabulation.n_neighbors
    what = "the density and shortest distances of the training data"
    if bool((shortest >= potential.cutoff).all()):
        distances, n_neighbors, what = covalent_distances(potential.elements), 0.0, "distances of covalent radii"
    made_up = hard_sphere_frames(potential, distances, n_neighbors, _N_MADE_UP)
    return made_up, f"{len(made_up)} made-up structures with {what} ({reason}); name data for a better measure"


def _output(save: Path) -> Path:
    return save if save.suffix == SUFFIX else save.with_name(save.name + SUFFIX)


def _range_source(knows_training: bool, data: Sequence[Path]) -> str:
    training = ["training data (statistics in the checkpoint)"] if knows_training else []
    return " and ".join([*training, *map(str, data)])


def _config(model: ModelFile, source: Path, result: Compression) -> dict[str, Any]:
    """Return the configuration of the compressed checkpoint: that of the training, and how it was compressed."""
    network, deviations = result.potential.network, result.deviations
    record = {
        "source": str(source),
        "source_sha256": hashlib.sha256(source.read_bytes()).hexdigest(),
        "order": result.tables.order,
        "dx": result.tables.dx,
        "shortest": result.shortest,
        "range_source": result.range_source,
        "measured_on": result.measured_on,
        "largest_deviation": {
            "energy_per_atom": deviations.energy.max,
            "force": deviations.forces.max,
            "virial_per_atom": deviations.virial.max,
        },
    }
    section = network.config.model_dump(mode="json")
    return {**model.config, "model_type": name_of(network), "model": section, "compression": record}
