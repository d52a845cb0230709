"""Going on from a trained model: its settings, new elements, another zero of energy, frames against forgetting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pwmlff.config import RunConfig
from pwmlff.config.problems import raise_all
from pwmlff.data.frame import Frame
from pwmlff.data.lazy_frames import LazyFrames
from pwmlff.data.statistics import fit_energy_shift
from pwmlff.elements import atomic_number_of
from pwmlff.errors import ModelFileError
from pwmlff.evaluate.evaluator import predict_frames
from pwmlff.models import MODELS, Potential
from pwmlff.models.files import ModelFile, read_model, refuse_exported

# Energies of another code, pseudopotential or functional differ by a constant for each element; those of structures
# that a model does not know yet differ by less, and not all by the same.
_LEAST_SHIFT = 0.3  # eV/atom
_LEAST_RATIO = 5.0  # of the error before to that after the fit
_NOTED_SHIFT = 0.02  # eV/atom, worth a line


def start_model(path: Path) -> ModelFile:
    """Read a model that training can go on from.

    Raises:
        ModelFileError: The file is missing, damaged, or holds a model that cannot be trained.
    """
    refuse_exported(path, "which cannot be trained; start from the checkpoint it was made from")
    model = read_model(path)
    kind = model.potential.network.untrainable
    if kind:
        source = model.config.get("compression", {}).get("source", "the checkpoint it was made from")
        raise ModelFileError(f"'{path}' is {kind}, which cannot be trained; start from {source}")
    return model


def completed(config: RunConfig, start: Potential) -> RunConfig:
    """Return the run file with what it does not say of model and repulsion as it is in the start model.

    Raises:
        ConfigError: What it says of the model does not fit the elements.
    """
    elements = config.atom_type or tuple(start.elements)
    update: dict[str, Any] = {"atom_type": elements}
    types, settings = start.places_of(elements), start.network.config
    if isinstance(settings, type(config.model)):
        hooks = MODELS[config.model_key].RunFile
        update["model"] = hooks.continued(config.model, settings, elements, types, start.elements)
        raise_all([f"model.{line}" for line in hooks.element_problems(update["model"], elements)], "the run file")
    if "zbl" not in config.model_fields_set:
        for repulsion in start.repulsion:
            update["zbl"] = repulsion.config.of_types(types, len(start.elements))
    return config.model_copy(update=update)


def describe_new_elements(elements: Sequence[str], start: Potential) -> list[str]:
    """Say as what the elements start that a start model does not know."""
    new = [symbol for symbol in elements if symbol not in start.elements]
    if not new:
        return []
    relatives = ", ".join(f"{symbol} starts as a copy of {start.relative_of(symbol)}" for symbol in new)
    return [f"new elements: {relatives}"]


def match_energies(
    potential: Potential, frames: Sequence[Frame], known: Sequence[str], policy: str
) -> tuple[NDArray[np.float64], list[str]]:
    """Fit what the energies per atom of a start model lack to those of some frames.

    Args:
        potential: With the weights of the start model, and perhaps further elements.
        frames: Of the data to train on.
        known: Elements of the start model. What the others lack is fitted whatever the policy.
        policy: `fit`, `keep`, or `auto`: fit where the energies differ by constants that another level of theory makes.

    Returns:
        [T] eV to add to the energy per atom of each element, and lines for the user.

    Raises:
        DataFormatError: A frame holds an element that the potential does not know.
        ModelFileError: A prediction is not finite.
    """
    elements = potential.elements
    new = [symbol for symbol in elements if symbol not in known]
    correction = np.zeros(len(elements))
    residuals = [
        replace(result.frame, energy=result.frame.energy - result.energy)
        for result in predict_frames(potential, [frame for frame in frames if frame.energy is not None])
        if result.frame.energy is not None
    ]
    if not residuals:
        return correction, []
    everything = fit_energy_shift(residuals, elements)
    with_new = [frame for frame in residuals if set(_types(frame, elements)) & set(_places(new, elements))]
    if with_new:
        correction[_places(new, elements)] = fit_energy_shift(with_new, elements, of=new)
    before, after = (_rms(residuals, elements, shift) for shift in (correction, everything))
    is_constant = before > _LEAST_RATIO * after and len(new) < len(elements)
    distance = (
        f"energies of the data lie {before:.4g} eV/atom from those of the start model, {after:.3g} with a constant for "
        "each element"
    )
    if policy == "fit" or (policy == "auto" and is_constant and before > _LEAST_SHIFT):
        theory = ", as those of another level of theory" if policy == "auto" else ""
        return everything, [f"{distance}{theory}: added per atom are {_listed(elements, everything)}"]
    lines = []
    if new:
        added = _listed(new, correction[_places(new, elements)])
        lines.append(f"energies of new elements fitted: added per atom are {added}")
    if policy == "auto" and is_constant and before > _NOTED_SHIFT:
        lines.append(f"{distance}: taken for an error of the model; `energy_shift` fit takes it for another zero")
    return correction, lines


class ShiftedFrames(LazyFrames):
    """Frames with other energies per atom.

    Args:
        frames: The frames.
        elements: Symbols in type order.
        shift: [T] eV, added to the energy of each atom; atomic energies too.
    """

    def __init__(self, frames: Sequence[Frame], elements: Sequence[str], shift: NDArray[np.float64]) -> None:
        self._frames = frames
        self._elements = elements
        self._shift = shift

    def __len__(self) -> int:
        """Number of frames."""
        return len(self._frames)

    def frame(self, index: int) -> Frame:
        """See the base."""
        frame = self._frames[index]
        by_atom = self._shift[_types(frame, self._elements)]
        energy = None if frame.energy is None else frame.energy + float(by_atom.sum())
        atomic = None if frame.atomic_energies is None else frame.atomic_energies + by_atom
        return replace(frame, energy=energy, atomic_energies=atomic)


def _types(frame: Frame, elements: Sequence[str]) -> NDArray[np.int64]:
    """Return the place [N] of each atom's element."""
    places = np.full(max(max(_numbers(elements)), int(frame.atomic_numbers.max())) + 1, -1, dtype=np.int64)
    places[_numbers(elements)] = np.arange(len(elements))
    return places[frame.atomic_numbers]


def _numbers(elements: Sequence[str]) -> list[int]:
    return [atomic_number_of(symbol) for symbol in elements]


def _places(some: Sequence[str], elements: Sequence[str]) -> list[int]:
    return [elements.index(symbol) for symbol in some]


def _rms(residuals: Sequence[Frame], elements: Sequence[str], shift: NDArray[np.float64]) -> float:
    """Return what is left of energies per atom after a shift [T], eV/atom."""
    left = [(frame.energy or 0.0) / len(frame) - shift[_types(frame, elements)].mean() for frame in residuals]
    return float(np.sqrt(np.mean(np.square(left))))


def _listed(elements: Sequence[str], values: NDArray[np.float64]) -> str:
    return ", ".join(f"{symbol} {value:+.4f}" for symbol, value in zip(elements, values, strict=True)) + " eV"
