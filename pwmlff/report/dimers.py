"""The section on short distances: what the model does with pairs nearer than any in its data.

Where the energy of a pair falls behind a barrier B (see `pair_curves.py`), dynamics at the temperature T passes it at a
rate of about exp(-B / kT) per vibration. Dimers are graded milder: a model of a crystal never meets one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from pwmlff.elements import size_of
from pwmlff.report import figures, limits
from pwmlff.report.inputs import Subject
from pwmlff.report.pair_curves import (
    NEAREST,
    Curve,
    Hole,
    Pair,
    contacts_of,
    data_shortest,
    dimer_curve,
    find_hole,
    squeezed_curve,
)
from pwmlff.report.section import Note, Picture, Section, Table
from pwmlff.report.structures import is_bulk, pair_name
from pwmlff.report.tags import BOLTZMANN
from pwmlff.report.verdict import Grade, no_worse_than

_SAFE = 30.0  # kT
_MOST_ATOMS = 400
_LOOKED_AT = 50  # frames, for whether there are molecules or surfaces among them


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
        contacts = contacts_of(frames, potential, pair, n_frames)
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
        section.find(Grade.GREEN, f"{name} repel each other in data frames down to {NEAREST * shortest:.2f} Å.")
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
    return size_of(elements[pair[0]]) + size_of(elements[pair[1]])
