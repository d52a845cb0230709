"""Isolated atoms among the training frames: their energies are a reference, not a part of the material.

An atom without neighbours is several eV away from all others, and its descriptor is that of no atom of a material.
Trained like a frame of it, it pulls at both. As in MACE, such frames are taken out, and their energies e_Z tell the
zero of energy of each element,

    shift_Z = e_Z + c,    c = <(E - sum_i e_Z(i)) / N> over the other frames,

where c, one number for all elements, leaves the mean cohesive energy out of what the network has to learn. Energies
per composition are so defined also where the frames have too few compositions for a fit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from pwmlff.data.chained import ChainedFrames
from pwmlff.data.frame import Frame
from pwmlff.data.store import StoredFrames
from pwmlff.elements import symbol_of
from pwmlff.errors import DataFormatError

FAR = 7.0  # Å; no element's nearest neighbours are so far in any crystal
_SAME_ENERGY = 1e-4  # eV


def is_isolated_atom(frame: Frame) -> bool:
    """Whether a frame is one atom that is `FAR` from its own images."""
    if len(frame) != 1:
        return False
    vectors = frame.cell[frame.pbc]
    if len(vectors) == 0:
        return True
    # the shortest vector of the lattice is among these, as long as the cell is not skewed very much
    steps = np.stack(np.meshgrid(*[np.arange(-2, 3)] * len(vectors), indexing="ij"), axis=-1).reshape(-1, len(vectors))
    lengths = np.linalg.norm(steps[steps.any(axis=1)] @ vectors, axis=1)
    return bool(lengths.min() >= FAR)


def isolated_atoms(frames: Sequence[Frame]) -> list[int]:
    """Return the places of isolated atoms among some frames; of a store only those of one atom are read."""
    if isinstance(frames, ChainedFrames):
        places, start = [], 0
        for part in frames.parts:
            places += [start + place for place in isolated_atoms(part)]
            start += len(part)
        return places
    lone = np.flatnonzero(frames.n_atoms == 1) if isinstance(frames, StoredFrames) else range(len(frames))
    return [int(place) for place in lone if is_isolated_atom(frames[int(place)])]


def isolated_energies(frames: Iterable[Frame]) -> tuple[dict[str, float], list[str]]:
    """Return the energy of each element's isolated atom, and what to say of atoms that are there several times.

    Args:
        frames: Isolated atoms; those without energy tell nothing.

    Returns:
        eV by symbol, of each element the lowest: the ground state of the atom. Lines for the user.
    """
    energies: dict[str, list[float]] = {}
    for frame in frames:
        if frame.energy is not None:
            energies.setdefault(symbol_of(int(frame.atomic_numbers[0])), []).append(frame.energy)
    notes = [
        f"isolated atoms of {symbol} have {len(values)} energies from {min(values):.4f} to {max(values):.4f} eV; the "
        "lowest is taken"
        for symbol, values in energies.items()
        if max(values) - min(values) > _SAME_ENERGY
    ]
    return {symbol: min(values) for symbol, values in energies.items()}, notes


def shift_from_isolated(
    frames: Iterable[Frame], elements: Sequence[str], isolated: Mapping[str, float]
) -> NDArray[np.float64]:
    """Return the zero of energy of each element, see above.

    Args:
        frames: Labelled structures without the isolated atoms.
        elements: Symbols in type order.
        isolated: Energy of each of them, eV.

    Returns:
        [T] eV per atom.

    Raises:
        DataFormatError: No frame has an energy.
    """
    cohesive = [
        (frame.energy - sum(isolated[symbol_of(number)] for number in frame.atomic_numbers.tolist())) / len(frame)
        for frame in frames
        if frame.energy is not None
    ]
    if not cohesive:
        raise DataFormatError("no frame has an energy; the energy shift per element cannot be fitted")
    return np.array([isolated[symbol] for symbol in elements]) + np.mean(cohesive)
