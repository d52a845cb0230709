"""Checks of what must not depend on how a structure is written down: origin, axes, order, cell, batch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pwmlff.testing import structures
from pwmlff.testing.asserting import agree, matters, same
from pwmlff.testing.subject import Result, Subject

_ROTATION_AXIS, _ROTATION_ANGLE = np.array([0.28, -0.77, 0.49]), 1.37  # of no symmetry


def translation(subject: Subject) -> None:
    """The origin does not count, nor in which periodic image an atom stands."""
    frame = structures.crystal(subject)
    images = np.random.default_rng(1).integers(-2, 3, frame.positions.shape)
    here, there, elsewhere = subject.form(
        [
            frame,
            structures.changed(frame, positions=frame.positions + [0.3, -7.1, 2.2]),
            structures.changed(frame, positions=frame.positions + images @ frame.cell),
        ]
    )
    matters("translation: forces, eV/Å", here.forces, subject)
    same("translation", there, here, subject.tolerance.same, subject.tolerance.virial)
    same("periodic images", elsewhere, here, subject.tolerance.same, subject.tolerance.virial)


def rotation(subject: Subject) -> None:
    """Energies stay, forces and virial turn with the structure."""
    _turned("rotation", subject, _rotation_matrix())


def inversion(subject: Subject) -> None:
    """The mirror image, whose cell is left-handed, has the same energy."""
    _turned("inversion", subject, -_rotation_matrix())


def _turned(what: str, subject: Subject, matrix: NDArray[np.float64]) -> None:
    for name, frame in {
        "crystal": structures.crystal(subject),
        "cluster": structures.small_cluster(subject),
    }.items():
        turned = structures.changed(frame, positions=frame.positions @ matrix.T, cell=frame.cell @ matrix.T)
        before, after = subject.form([frame, turned])
        matters(f"{what}: forces, eV/Å", before.forces, subject)
        expected = Result(
            before.energy, before.atomic_energies, before.forces @ matrix.T, matrix @ before.virial @ matrix.T
        )
        same(f"{what} of a {name}", after, expected, subject.tolerance.same, subject.tolerance.virial)


def _rotation_matrix() -> NDArray[np.float64]:
    """Rodrigues' formula."""
    x, y, z = _ROTATION_AXIS / np.linalg.norm(_ROTATION_AXIS)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(_ROTATION_ANGLE) * cross + (1 - np.cos(_ROTATION_ANGLE)) * cross @ cross


def permutation(subject: Subject) -> None:
    """The order of the atoms does not count."""
    frame = structures.crystal(subject)
    order = np.random.default_rng(0).permutation(len(frame))
    shuffled = structures.changed(frame, positions=frame.positions[order], atomic_numbers=frame.atomic_numbers[order])
    before, after = subject.form([frame, shuffled])
    matters("permutation: forces, eV/Å", before.forces, subject)
    expected = Result(before.energy, before.atomic_energies[order], before.forces[order], before.virial)
    same("permutation", after, expected, subject.tolerance.same, subject.tolerance.virial)


def batch(subject: Subject) -> None:
    """A structure is not influenced by others that are evaluated with it, whatever their size and composition."""
    frames = [
        structures.crystal(subject, (1, 1, 1), seed=2),
        structures.small_cluster(subject),
        structures.crystal(subject, (2, 1, 1), seed=3),
        structures.cluster(subject, np.zeros((1, 3)), [0]),
    ]
    together = subject.form(frames)
    matters("batch: forces, eV/Å", together[0].forces, subject)
    for number, frame in enumerate(frames):
        (alone,) = subject.form([frame])
        same(f"batch, structure {number}", together[number], alone, subject.tolerance.same, subject.tolerance.virial)


def supercell(subject: Subject) -> None:
    """Twice the cell has twice the energy and virial, and the same forces."""
    frame = structures.crystal(subject, (1, 1, 1))
    doubled = structures.changed(
        frame,
        positions=np.concatenate([frame.positions, frame.positions + frame.cell[0]]),
        atomic_numbers=np.tile(frame.atomic_numbers, 2),
        cell=frame.cell * [[2], [1], [1]],
    )
    single, double = subject.form([frame, doubled])
    matters("supercell: forces, eV/Å", single.forces, subject)
    same(
        "supercell",
        double,
        Result(
            2 * single.energy, np.tile(single.atomic_energies, 2), np.tile(single.forces, (2, 1)), 2 * single.virial
        ),
        2 * subject.tolerance.same,
        2 * subject.tolerance.virial,
    )


def newton(subject: Subject) -> None:
    """Forces sum to zero and the virial is symmetric: nothing pushes or turns a structure as a whole."""
    for frame in (structures.crystal(subject, (2, 1, 1), seed=1), structures.small_cluster(subject)):
        (result,) = subject.form([frame])
        matters("newton: forces, eV/Å", result.forces, subject)
        matters("newton: virial, eV", result.virial, subject)
        agree("newton: sum of forces, eV/Å", result.forces.sum(0), np.zeros(3), subject.tolerance.same)
        agree("newton: virial and its transpose, eV", result.virial, result.virial.T, subject.tolerance.virial)


def energy_sum(subject: Subject) -> None:
    """The energy is the sum of the atomic energies."""
    for result in subject.form([structures.crystal(subject), structures.small_cluster(subject)]):
        matters("energy_sum: atomic energies, eV", result.atomic_energies, subject)
        agree("energy_sum: energy, eV", result.energy, result.atomic_energies.sum(), subject.tolerance.same)
