"""The section on short distances: what the model does with pairs nearer than any in its data.

Two kinds of curves for each pair of elements:

    dimer      two atoms in empty space
    squeezed   the nearest pair of a data frame is pushed together along its line, all other atoms stay where they are

Below the shortest distance of the data the energy has to rise. Where it falls again from a height B above its value at
that distance, there is a hole behind a barrier B, which dynamics at the temperature T passes at a rate of about
exp(-B / kT) per vibration. Dimers are graded milder: a model of a crystal never meets one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pwmlff.data.frame import Frame
from pwmlff.elements import atomic_number_of, covalent_radius
from pwmlff.errors import ModelFileError
from pwmlff.evaluate.evaluator import predict_frames
from pwmlff.models import Potential
from pwmlff.report import figures, limits
from pwmlff.report.inputs import Subject
from pwmlff.report.section import Note, Picture, Section, Table
from pwmlff.report.structures import (
    Contact,
    enlarged,
    is_bulk,
    nearest_contacts,
    pair_name,
    shortest_distances,
    without_labels,
)
from pwmlff.report.tags import BOLTZMANN
from pwmlff.report.verdict import Grade, no_worse_than

_NEAREST = 0.5  # of the shortest distance in the data: how far the curves go
_N_STEPS = 41
_DIP = 0.1  # eV; a fall that counts
_SAFE = 30.0  # kT
_LEAST_ATOMS = 32  # of a frame in which a pair is squeezed
_MOST_ATOMS = 400
_LOOKED_AT = 50  # frames, for whether there are molecules or surfaces among them
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


def dimers_section(
    subject: Subject, temperature: float, *, most_pairs: int, n_frames: int, on_pair: Callable[[float], None]
) -> tuple[Section, dict[Pair, float]]:
    """Draw and judge the curves.

    Args:
        subject: The model and its frames.
        temperature: K, the highest that dynamics will have.
        most_pairs: Of elements, those that are nearest in units of their covalent radii.
        n_frames: In which a pair is squeezed.
        on_pair: Told the part that is done.

    Returns:
        The section, and the shortest distance of each pair of types in the data, Å.
    """
    section = Section(
        "dimers",
        "Short distances",
        "What the model does with pairs nearer than any in the data: it should push them apart.",
    )
    section.limits = [limits.BARRIER]
    potential = subject.potential
    frames = [frame for frame in subject.all[0] if len(frame) <= _MOST_ATOMS] or subject.all[0][:1]
    shortest = data_shortest(potential, frames)
    elements = list(potential.elements)
    pairs = sorted(shortest, key=lambda pair: shortest[pair] / _covalent(pair, elements))
    shown = pairs[:most_pairs]
    if not shown:
        section.find(Grade.GREY, "No two atoms of the data are within the cutoff of each other.")
        return section, shortest
    dimers, squeezed = {}, {}
    for place, pair in enumerate(shown):
        dimers[pair] = dimer_curve(potential, pair, shortest[pair])
        contacts = _contacts(frames, potential, pair, n_frames)
        squeezed[pair] = [squeezed_curve(potential, contact, shortest[pair]) for contact in contacts]
        on_pair((place + 1) / len(shown))
    is_open = any(not is_bulk(frame, potential.cutoff) for frame in frames[:: max(1, len(frames) // _LOOKED_AT)])
    rows, numbers = [], {}
    for pair in shown:
        rows.append(_judge(section, pair, shortest[pair], squeezed[pair], dimers[pair], temperature, elements, is_open))
        numbers[pair_name(pair, elements)] = {"shortest": shortest[pair], "holes": rows[-1][2:4]}
    if section.grade is Grade.GREEN:
        lone = [finding for finding in section.findings if finding.grade is Grade.GREY]
        section.findings = lone
        section.find(
            Grade.GREEN,
            f"{'All pairs' if len(shown) > 1 else 'Atoms'} repel each other down to half the shortest distance of the "
            f"data, or the barrier in front of a hole is higher than {_SAFE:g} kT at {temperature:.0f} K.",
        )
    headings = ["pair", "shortest in the data, Å", "hole when squeezed", "hole of the dimer"]
    section.blocks.append(Table(headings, rows, "Distance of the top of the barrier, and its height."))
    names = {pair: pair_name(pair, elements) for pair in shown}
    svg = figures.pair_curves([(names[pair], shortest[pair], dimers[pair], squeezed[pair]) for pair in shown])
    section.blocks.append(
        Picture(
            svg,
            "Energy of a dimer in empty space (from its separated atoms), and of the nearest pair of a data frame that "
            "is squeezed (from the energy at the data's shortest distance, the dotted line).",
        )
    )
    if len(pairs) > len(shown):
        section.blocks.append(Note(f"{len(pairs) - len(shown)} more pairs of elements are not drawn."))
    repulsion = "has" if len(potential.repulsion) else "has no"
    section.blocks.append(Note(f"The model {repulsion} built-in short-range repulsion (ZBL)."))
    section.numbers = {"temperature": temperature, "pairs": numbers}
    return section, shortest


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
    near = _NEAREST * shortest
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
    inner = np.linspace(shortest, _NEAREST * shortest, _N_STEPS)
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


def _contacts(frames: Sequence[Frame], potential: Potential, pair: Pair, n_frames: int) -> list[Contact]:
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


def _judge(
    section: Section,
    pair: Pair,
    shortest: float,
    squeezed: Sequence[Curve],
    dimer: Curve,
    temperature: float,
    elements: list[str],
    is_open: bool,
) -> list[str]:
    """Add the findings on a pair, and return its row of the table."""
    name, kt = pair_name(pair, elements), BOLTZMANN * temperature
    holes = [hole for hole in (find_hole(curve, shortest) for curve in squeezed) if hole is not None]
    worst_hole = min(holes, key=lambda hole: hole.barrier, default=None)
    lone = find_hole(dimer, shortest)
    if worst_hole is not None:
        grade = _grade(worst_hole, kt)
        is_bonding = shortest <= 1.2 * _covalent(pair, elements) + 0.7
        grade = grade if is_bonding else no_worse_than(grade, Grade.AMBER)
        words = (
            f"{name}: squeezed below {worst_hole.distance:.2f} Å the pair is pulled together, behind a barrier of "
            f"{worst_hole.barrier:.2g} eV ({worst_hole.barrier / kt:.0f} kT at {temperature:.0f} K)."
        )
        if not is_bonding:
            words += f" The data hold no {name} nearer than {shortest:.2f} Å, so their bond is not known."
        section.find(grade, words)
    elif squeezed:
        section.find(Grade.GREEN, f"{name} repel each other in data frames down to {_NEAREST * shortest:.2f} Å.")
    if lone is not None:
        # a crystal has no lone pairs
        grade = no_worse_than(_grade(lone, kt), Grade.AMBER) if is_open or not squeezed else Grade.GREY
        section.find(
            grade,
            f"{name}: a lone pair has a hole below {lone.distance:.2f} Å (barrier {lone.barrier:.2g} eV), which "
            "matters only where two such atoms meet alone.",
        )
    return [name, f"{shortest:.3f}", _hole_words(worst_hole) if squeezed else "not tried", _hole_words(lone)]


def _grade(hole: Hole, kt: float) -> Grade:
    return limits.BARRIER.grade(_SAFE * kt / max(hole.barrier, 1e-9))


def _hole_words(hole: Hole | None) -> str:
    return "none" if hole is None else f"{hole.distance:.2f} Å, {hole.barrier:.2g} eV"


def _covalent(pair: Pair, elements: list[str] | Mapping[int, str]) -> float:
    return covalent_radius(elements[pair[0]]) + covalent_radius(elements[pair[1]])
