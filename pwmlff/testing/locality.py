"""Checks of what an atom feels: its neighbours within the cutoff, smoothly, and nothing else."""

from __future__ import annotations

import numpy as np

from pwmlff.testing import structures
from pwmlff.testing.asserting import agree, finite, matters, same
from pwmlff.testing.subject import Result, Subject


def no_frames(subject: Subject) -> None:
    """No structures have no results; a process may be given an empty share of a batch."""
    results = subject.form([])
    if results:
        raise AssertionError(f"no_frames: {len(results)} results for no structure, expected none")


def isolated_atom(subject: Subject) -> None:
    """An atom without neighbours has a finite energy of its own, no force and no virial."""
    frames = [structures.cluster(subject, np.zeros((1, 3)), [t]) for t in range(len(subject.elements))]
    for symbol, result in zip(subject.elements, subject.form(frames), strict=True):
        finite(f"isolated_atom of {symbol}", result)
        agree(f"isolated_atom of {symbol}: forces, eV/Å", result.forces, np.zeros((1, 3)), 0.0)
        agree(f"isolated_atom of {symbol}: virial, eV", result.virial, np.zeros((3, 3)), 0.0)


def fragments(subject: Subject) -> None:
    """Fragments farther apart than the cutoff do not feel each other, and their energies add up."""
    unit = subject.spacing / 2.7
    dimer = structures.cluster(subject, unit * np.array([[0, 0, 0], [0, 0, 2.6]]), [0, 1])
    trimer = structures.cluster(subject, unit * np.array([[0, 0, 0], [0, 0, 2.6], [2.2, 0.4, 1.0]]), [1, 0, 0])
    atom = structures.cluster(subject, np.zeros((1, 3)), [0])
    beside = np.array([1.02 * subject.cutoff, 0.0, 0.0])
    far = np.array([0.0, 60.0, 7.0])
    union = structures.changed(
        dimer,
        positions=np.concatenate([dimer.positions, trimer.positions + beside, atom.positions + far]),
        atomic_numbers=np.concatenate([dimer.atomic_numbers, trimer.atomic_numbers, atom.atomic_numbers]),
    )
    whole, *parts = subject.form([union, dimer, trimer, atom])
    matters("fragments: forces, eV/Å", parts[1].forces, subject)
    sums = Result(
        sum(part.energy for part in parts),
        np.concatenate([part.atomic_energies for part in parts]),
        np.concatenate([part.forces for part in parts]),
        sum((part.virial for part in parts), np.zeros((3, 3))),
    )
    same("fragments", whole, sums, subject.tolerance.few, subject.tolerance.virial)


def surroundings(subject: Subject) -> None:
    """The same surroundings have the same energy, whatever elements there are elsewhere in the structure."""
    pair = subject.spacing * np.array([[0, 0, 0], [0, 0, 0.93]])
    copper = structures.cluster(subject, pair, [0, 0])
    mixed = structures.cluster(subject, np.vstack([pair, [0, 40.0 + subject.cutoff, 0]]), [0, 0, 1])
    alone, beside = subject.form([copper, mixed])
    matters("surroundings: forces, eV/Å", alone.forces, subject)
    tolerance = 0.1 * subject.tolerance.few  # a pair and an atom that is not felt
    agree("surroundings: atomic energies, eV", beside.atomic_energies[:2], alone.atomic_energies, tolerance)
    agree("surroundings: forces, eV/Å", beside.forces[:2], alone.forces, tolerance)


def open_boundaries(subject: Subject) -> None:
    """A direction that is not periodic is the same as a periodic one with much empty space in it."""
    frame = structures.crystal(subject, (2, 1, 1), seed=4)
    for axis in (0, 2):
        others = [frame.cell[k] for k in range(3) if k != axis]
        normal = np.cross(*others)
        cell = frame.cell.copy()
        # other atoms are farther away than the cutoff, as the slab is thinner than 4 spacings
        cell[axis] = normal / np.linalg.norm(normal) * (2 * subject.cutoff + 4 * subject.spacing)
        # the cell vector that does not count stays as short as it was
        slab = structures.changed(frame, pbc=np.arange(3) != axis)
        crystal, open_slab, stack = subject.form([frame, slab, structures.changed(frame, cell=cell)])
        matters(f"open_boundaries, axis {axis}: effect of the images, eV", crystal.energy - open_slab.energy, subject)
        same(f"open_boundaries, axis {axis}", open_slab, stack, subject.tolerance.same, subject.tolerance.virial)


def cutoff(subject: Subject) -> None:
    """A neighbour that crosses the cutoff changes neither energy nor forces by a jump, in any surroundings."""
    width = 1e-5 if subject.is_flat_at_cutoff else 1e-7  # Å
    unit = subject.spacing / 2.7
    near = unit * np.array([[0, 0, 0], [2.4, 0, 0], [0, 2.6, 0.3]])
    distances = [subject.cutoff - width, subject.cutoff + width, 0.7 * subject.cutoff]
    inside, outside, well_inside = subject.form(
        [structures.cluster(subject, np.vstack([near, [0, 0, distance]]), [0, 1, 0, 1]) for distance in distances]
    )
    matters("cutoff: effect of a neighbour within, eV", well_inside.energy - outside.energy, subject)
    matters("cutoff: forces, eV/Å", outside.forces, subject)
    agree("cutoff: energy on both sides, eV", inside.energy, outside.energy, subject.tolerance.same)
    force_tolerance = max(1e-7, subject.tolerance.same)
    agree("cutoff: forces on both sides, eV/Å", inside.forces, outside.forces, force_tolerance)


def close_contact(subject: Subject) -> None:
    """Atoms in a collision have finite energies, forces and virial."""
    distances = (1e-2, 0.1, 0.5)  # Å
    places = [np.array([[0, 0, 0], [0, 0, distance], [2.5, 0, 0]]) for distance in distances]
    frames = [structures.cluster(subject, positions, [0, 1, 0]) for positions in places]
    for distance, result in zip(distances, subject.form(frames), strict=True):
        finite(f"close_contact at {distance} Å", result)


def reference(subject: Subject) -> None:
    """The form says what the reference form of the same model says, in crystals, slabs and clusters."""
    assert subject.reference is not None
    frame = structures.crystal(subject)
    frames = [
        frame,
        structures.changed(frame, pbc=np.array([True, False, True])),
        structures.small_cluster(subject),
        structures.cluster(subject, np.zeros((1, 3)), [1]),
    ]
    expected = subject.reference(frames)
    matters("reference: forces, eV/Å", expected[0].forces, subject, subject.tolerance.reference)
    for number, (result, wanted) in enumerate(zip(subject.form(frames), expected, strict=True)):
        tolerance = subject.tolerance.reference
        same(f"reference, structure {number}", result, wanted, tolerance, 10 * tolerance)
