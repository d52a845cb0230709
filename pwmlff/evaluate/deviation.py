"""Model deviation: how far the models of a committee are apart on structures none of them was trained on.

Over K models, with <.> the mean over them (population form, as deepmd-kit and `pair_style pwmlff` have it):

    force   s_i  = sqrt(sum_k |F_k,i - <F_i>|^2 / K)           max, min, avg over atoms, eV/Å
    energy  s_i  = sqrt(sum_k (E_k,i - <E_i>)^2 / K)           max, min, avg over atoms, eV
    virial  s_ab = sqrt(sum_k (W_k,ab - <W_ab>)^2 / K) / N     max, min, rms over the nine components, eV/atom

The root mean square over the components goes by the name `avg_devi_v`, as in deepmd-kit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from pwmlff.data.batch import Sample
from pwmlff.data.frame import Frame
from pwmlff.data.neighbors import NeighborList, neighbor_list
from pwmlff.elements import symbol_of
from pwmlff.errors import ConfigError, DataFormatError, did_you_mean
from pwmlff.evaluate.notices import overflow_notices
from pwmlff.evaluate.pair_model import AtomResult, PairModel
from pwmlff.evaluate.rows import check_output, write_rows

# file format -> its columns behind the time step
COLUMNS = {
    "dpgen": ("max_devi_v", "min_devi_v", "avg_devi_v", "max_devi_f", "min_devi_f", "avg_devi_f"),
    "pwact": ("avg_devi_f", "min_devi_f", "max_devi_f", "avg_devi_e", "min_devi_e", "max_devi_e"),
}


@dataclass
class DeviationSummary:
    """What was written.

    Attributes:
        n_frames: Rows of the file.
        least: Smallest `max_devi_f` of all frames, eV/Å.
        largest: Largest `max_devi_f` of all frames, eV/Å.
        largest_step: Step of the latter.
        notices: What was conspicuous in the predictions; see `Committee.notices`.
    """

    n_frames: int = 0
    least: float = np.inf
    largest: float = -np.inf
    largest_step: int = 0
    notices: list[str] = field(default_factory=list)

    def add(self, step: int, value: float) -> None:
        """Count a frame with its `max_devi_f`."""
        self.n_frames += 1
        self.least = min(self.least, value)
        if value > self.largest:
            self.largest, self.largest_step = value, step


class Committee:
    """Two or more models of the same elements; their cutoffs may differ.

    Args:
        members: By name, as messages call them.

    Raises:
        ConfigError: There are fewer than two models.
    """

    def __init__(self, members: Mapping[str, PairModel]) -> None:
        if len(members) < 2:
            raise ConfigError(f"model deviation needs at least two models, got {len(members)}")
        self.members = dict(members)

    @classmethod
    def load(cls, paths: Sequence[Path], device: torch.device, trust: bool = False) -> Committee:
        """Read the models.

        Args:
            paths: Model files of any kind.
            device: Where to put them.
            trust: Whether code in their files may be run, see `read_model`.

        Raises:
            ConfigError: There are fewer than two models, or one is named twice.
            ModelFileError: A file is missing, damaged, no model, or needs trust.
        """
        if len(set(paths)) < len(paths):
            raise ConfigError("a model is named twice; a committee needs different models")
        if len(paths) < 2:
            raise ConfigError(f"model deviation needs at least two models, got {len(paths)}")
        return cls({str(path): PairModel.load(path, device, trust) for path in paths})

    def predict(self, frame: Frame) -> list[AtomResult]:
        """Evaluate every model on a structure; models of one cutoff share its neighbour list.

        Raises:
            DataFormatError: A model does not know an element, or atoms coincide.
            ModelFileError: A prediction is not finite.
        """
        neighbors: dict[float, NeighborList] = {}
        results = []
        for name, model in self.members.items():
            types = _types(frame, name, model)
            if model.cutoff not in neighbors:
                neighbors[model.cutoff] = neighbor_list(frame, model.cutoff)
            results.append(model.evaluate(Sample(frame, types, neighbors[model.cutoff])))
        return results

    def deviation(self, frame: Frame) -> dict[str, float]:
        """The deviations of one structure: max, min and avg of `devi_f`, `devi_e` and `devi_v`."""
        return deviation_of(self.predict(frame))

    def notices(self) -> list[str]:
        """Say which models met distances, in all predictions so far, that they were not made for."""
        return [
            notice
            for name, model in self.members.items()
            for notice in overflow_notices(model.potential, f"the model '{name}'")
        ]


def deviation_of(results: Sequence[AtomResult]) -> dict[str, float]:
    """Return max, min and avg of `devi_f`, `devi_e` and `devi_v`, of what each model says of one structure."""
    forces = force_deviation(results)
    energies = _spread(np.stack([result.atomic_energies for result in results])[..., np.newaxis])
    virials = np.stack([result.atomic_virials.sum(axis=0) for result in results])
    components = _spread(virials[..., np.newaxis]) / len(forces)
    return {
        **_statistics(forces, "f", float(forces.mean())),
        **_statistics(energies, "e", float(energies.mean())),
        **_statistics(components, "v", float(np.sqrt(np.square(components).mean()))),
    }


def force_deviation(results: Sequence[AtomResult]) -> NDArray[np.float64]:
    """Return the deviation of the force of each atom, [N] eV/Å."""
    return _spread(np.stack([result.forces for result in results]))


def write_deviation(
    models: Sequence[Path],
    trajectory: Path,
    output: Path,
    *,
    format: str = "dpgen",
    elements: Sequence[str] | None = None,
    every: int = 1,
    device: torch.device | None = None,
    trust: bool = False,
) -> DeviationSummary:
    """Write the model deviation of a committee along a trajectory, one row per frame as it is read.

    Args:
        models: Model files of any kind.
        trajectory: LAMMPS dump, extended XYZ, or another file ASE reads.
        output: File to write, replaced when it is there.
        format: A key of `COLUMNS`.
        elements: Symbols of the types 1, 2, ... of a dump.
        every: Evaluate every n-th frame.
        device: Where to run; the CPU when None.
        trust: Whether code in model files may be run, see `read_model`.

    Raises:
        ConfigError: Fewer than two models, or the output would replace an input.
        DataFormatError: The trajectory cannot be read; rows of the frames before the fault are written.
        ModelFileError: A model cannot be read or predicts nonsense.
    """
    if format not in COLUMNS:
        raise ConfigError(f"unknown format '{format}' of a deviation file; {did_you_mean(format, COLUMNS)}")
    check_output(output, (*models, trajectory))
    committee = Committee.load(models, device or torch.device("cpu"), trust)
    summary = DeviationSummary()
    for step, deviation in write_rows(
        output,
        trajectory,
        committee.deviation,
        COLUMNS[format],
        elements=elements,
        every=every,
    ):
        summary.add(step, deviation["max_devi_f"])
    summary.notices += committee.notices()
    return summary


def _types(frame: Frame, name: str, model: PairModel) -> NDArray[np.int64]:
    type_of = model.type_of
    unknown = sorted(set(frame.atomic_numbers.tolist()) - set(type_of))
    if unknown:
        raise DataFormatError(
            f"{frame.where} holds {symbol_of(unknown[0])}, but the model '{name}' knows only "
            f"{', '.join(model.elements)}; all models of a committee must know all elements of the trajectory"
        )
    return np.array([type_of[number] for number in frame.atomic_numbers.tolist()], dtype=np.int64)


def _spread(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Standard deviation over the models (first axis), the last axis being that of a vector's components."""
    return np.sqrt(np.square(values - values.mean(axis=0)).sum(axis=-1).mean(axis=0))


def _statistics(spread: NDArray[np.float64], letter: str, average: float) -> dict[str, float]:
    return {
        f"max_devi_{letter}": float(spread.max()),
        f"min_devi_{letter}": float(spread.min()),
        f"avg_devi_{letter}": average,
    }
