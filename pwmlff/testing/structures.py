"""Structures for the checks: small, of low symmetry, with every element of the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pwmlff.data.frame import Frame
from pwmlff.elements import atomic_number_of
from pwmlff.testing.subject import Subject

_FCC = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])


def crystal(subject: Subject, repeat: Sequence[int] = (2, 2, 1), seed: int = 0) -> Frame:
    """Return a periodic crystal, sheared by about 2 % and shaken by about 0.1 Å.

    Args:
        subject: For elements and spacing.
        repeat: Cubic fcc cells of four atoms along each axis; the thinnest are thinner than most cutoffs.
        seed: Of shear, displacements and elements.
    """
    rng = np.random.default_rng(seed)
    corners = np.array(list(np.ndindex(*repeat)))
    fractional = (corners[:, None] + _FCC).reshape(-1, 3)
    deformed = np.sqrt(2) * subject.spacing * (np.eye(3) + 0.02 * rng.standard_normal((3, 3)))
    positions = fractional @ deformed + 0.04 * subject.spacing * rng.standard_normal(fractional.shape)
    numbers = rng.permutation(np.resize(atomic_numbers(subject), len(positions)))
    return Frame(atomic_numbers=numbers, positions=positions, cell=np.array(repeat)[:, None] * deformed)


def cluster(subject: Subject, positions: ArrayLike, types: Sequence[int]) -> Frame:
    """Return atoms in open space.

    Args:
        subject: For the elements.
        positions: [N, 3] Å.
        types: [N] type indices, taken modulo the number of elements.
    """
    numbers = atomic_numbers(subject)
    return Frame(
        atomic_numbers=numbers[np.asarray(types) % len(numbers)],
        positions=np.asarray(positions, dtype=float),
        cell=np.zeros((3, 3)),
        pbc=np.zeros(3, dtype=bool),
    )


def small_cluster(subject: Subject) -> Frame:
    """Return four atoms without symmetry."""
    places = np.array([[0, 0, 0], [2.4, 0, 0.2], [0.1, 2.6, 0.3], [1.2, 1.4, 2.2]])
    return cluster(subject, places / 2.7 * subject.spacing, [0, 1, 0, 1])


def changed(frame: Frame, **values: Any) -> Frame:
    """Copy a frame with other values, without labels, which the change would make wrong."""
    return replace(frame, energy=None, forces=None, virial=None, atomic_energies=None, **values)


def atomic_numbers(subject: Subject) -> NDArray[np.int64]:
    """Return the atomic number of each type."""
    return np.array([atomic_number_of(symbol) for symbol in subject.elements])
