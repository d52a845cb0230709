"""Energies of pairs of atoms over their distance, and holes in them.

    dimer      two atoms in empty space
    squeezed   the nearest pair of a data frame is pushed together along its line, all other atoms stay where they are

Below the shortest distance of the data the energy has to rise. Where it falls again from a height B above its value at
that distance, there is a hole behind a barrier B.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pwmlff.data.frame import Frame
from pwmlff.elements import atomic_number_of
from pwmlff.errors import ModelFileError
from pwmlff.evaluate.evaluator import predict_frames
from pwmlff.models import Potential
from pwmlff.report.structures import Contact, enlarged, nearest_contacts, shortest_distances, without_labels

NEAREST = 0.5  # of the shortest distance in the data: how far the curves go
_N_STEPS = 41
_DIP = 0.1  # eV; a fall that counts
_LEAST_ATOMS = 32  # of a frame in which a pair is squeezed
Pair = tuple[int, int]


@dataclass(frozen=True)
class Curve:
    """Energy over the distance of two atoms, from far to near.

    Attributes:
        distances: [n] Å, descending.
        energies: [n] eV; NaN from where the model gives no number.
    """

    distances: NDArray[np.float64]
    energies: NDArray[np.float64]


@dataclass(frozen=True)
class Hole:
    """Where the energy of a pair turns down below the shortest distance of the data.

    Attributes:
        distance: Of the top of the barrier, Å.
        barrier: Above the energy at the shortest distance of the data, eV.
    """

    distance: float
    barrier: float


def find_hole(curve: Curve, shortest: float) -> Hole | None:
    """Return the first hole below a distance; None where the energy rises to the end of the curve."""
    below = curve.distances <= shortest * (1 + 1e-9)
    distances, energies = curve.distances[below], curve.energies[below]
    if len(energies) < 2:
        return None
    start = energies[0]
    if not np.isfinite(start):
        return Hole(float(distances[0]), 0.0)
    top, where = start, distances[0]
    for distance, energy in zip(distances, energies, strict=True):
        if not np.isfinite(energy) or energy < top - _DIP:
            return Hole(float(where), float(top - start))
        if energy > top:
            top, where = energy, distance
    return None


def data_shortest(potential: Potential, frames: Sequence[Frame]) -> dict[Pair, float]:
    """Return the shortest distance of each pair of types, Å: what the model remembers, else that of the frames."""
    shortest = shortest_distances(frames, potential.type_of, potential.cutoff)
    if potential.knows_shortest():
        known = potential.shortest.cpu().numpy()
        for a in range(len(known)):
            for b in range(a, len(known)):
                value = float(min(known[a, b], known[b, a]))
                if value < potential.cutoff:
                    shortest[(a, b)] = value
    return shortest


def dimer_curve(potential: Potential, pair: Pair, shortest: float) -> Curve:
    """Return the energy of two atoms in empty space, from that of the two far apart."""
    numbers = np.array([atomic_number_of(potential.elements[kind]) for kind in pair])
    far = potential.cutoff * 1.01
    near = NEAREST * shortest
    inner = np.linspace(shortest, near, _N_STEPS)
    distances = np.concatenate([[far], np.linspace(potential.cutoff, shortest, 2 * _N_STEPS)[:-1], inner])
    frames = [
        Frame(
            atomic_numbers=numbers,
            positions=np.array([[0.0, 0.0, 0.0], [distance, 0.0, 0.0]]),
            cell=np.zeros((3, 3)),
            pbc=np.zeros(3, dtype=bool),
            source="dimer",
        )
        for distance in distances
    ]
    energies = _energies(potential, frames)
    return Curve(distances[1:], energies[1:] - energies[0])


def squeezed_curve(potential: Potential, contact: Contact, shortest: float) -> Curve:
    """Return the energy while a pair is pushed together, from that at the shortest distance of the data."""
    start = max(contact.distance, shortest)
    inner = np.linspace(shortest, NEAREST * shortest, _N_STEPS)
    outer = np.linspace(start, shortest, 6)[:-1] if start > shortest else np.empty(0)
    distances = np.concatenate([outer, inner])
    direction = contact.vector / contact.distance
    frames = []
    for distance in distances:
        positions = contact.frame.positions.copy()
        positions[contact.first] += 0.5 * (contact.distance - distance) * direction
        positions[contact.second] -= 0.5 * (contact.distance - distance) * direction
        frames.append(without_labels(contact.frame, positions))
    energies = _energies(potential, frames)
    return Curve(distances, energies - energies[len(outer)])


def _energies(potential: Potential, frames: list[Frame]) -> NDArray[np.float64]:
    """Return energies, eV; NaN from the first frame on for which there is no number."""
    energies = np.full(len(frames), np.nan)
    try:
        for place, result in enumerate(predict_frames(potential, frames)):
            energies[place] = result.energy
    except ModelFileError:  # what the curve then shows
        pass
    return energies


def contacts_of(frames: Sequence[Frame], potential: Potential, pair: Pair, n_frames: int) -> list[Contact]:
    """Return the nearest contacts of a pair of types, in frames evenly spread over the data."""
    numbers = {atomic_number_of(potential.elements[kind]) for kind in pair}
    holding = [frame for frame in frames if numbers <= set(frame.atomic_numbers.tolist())]
    if not holding:
        return []
    places = np.unique(np.linspace(0, len(holding) - 1, n_frames).round().astype(int))
    contacts = []
    for place in places:
        frame = enlarged(holding[int(place)], _LEAST_ATOMS, potential.cutoff)
        contact = nearest_contacts(frame, potential.type_of, potential.cutoff).get(pair)
        if contact is not None and contact.first != contact.second:
            contacts.append(contact)
    return contacts
