"""Structures made of the data's: larger ones for dynamics, and what is near what in them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from pwmlff.data.frame import Frame
from pwmlff.data.neighbors import neighbor_list


@dataclass(frozen=True)
class Contact:
    """The nearest pair of two elements.

    Attributes:
        distance: Å.
        frame: Where it is.
        first: Its atom of the first type.
        second: The other.
        vector: [3] Å, from the first to the second.
    """

    distance: float
    frame: Frame
    first: int
    second: int
    vector: NDArray[np.float64]


def nearest_contacts(frame: Frame, type_of: Mapping[int, int], radius: float) -> dict[tuple[int, int], Contact]:
    """Return the nearest pair of each two types, by their indices in ascending order; none beyond the radius, Å."""
    neighbors = neighbor_list(frame, radius)
    types = np.array([type_of[number] for number in frame.atomic_numbers.tolist()])
    centers = np.repeat(np.arange(len(frame)), np.diff(neighbors.pair_start))
    distances = np.linalg.norm(neighbors.pair_vectors, axis=1)
    kinds = types[centers] * len(type_of) + types[neighbors.pair_neighbors]
    contacts = {}
    for kind in np.unique(kinds):
        a, b = divmod(int(kind), len(type_of))
        if a > b:
            continue
        pairs = np.flatnonzero(kinds == kind)
        pair = int(pairs[distances[pairs].argmin()])
        contacts[(a, b)] = Contact(
            float(distances[pair]),
            frame,
            int(centers[pair]),
            int(neighbors.pair_neighbors[pair]),
            neighbors.pair_vectors[pair],
        )
    return contacts


def shortest_distances(
    frames: Iterable[Frame], type_of: Mapping[int, int], radius: float
) -> dict[tuple[int, int], float]:
    """Return the shortest distance of each two types in some frames, Å, as far as they meet within the radius."""
    shortest: dict[tuple[int, int], float] = {}
    for frame in frames:
        for pair, contact in nearest_contacts(frame, type_of, radius).items():
            shortest[pair] = min(contact.distance, shortest.get(pair, np.inf))
    return shortest


def connected_axes(frame: Frame, radius: float) -> NDArray[np.bool_]:
    """Return along which cell vectors atoms see atoms of the next cell, [3]; a crystal: all, a slab: two of them."""
    if not frame.pbc.any():
        return np.zeros(3, dtype=bool)
    neighbors = neighbor_list(frame, radius)
    centers = np.repeat(np.arange(len(frame)), np.diff(neighbors.pair_start))
    inside = frame.positions[neighbors.pair_neighbors] - frame.positions[centers]
    cell = frame.cell.copy()
    for axis in np.flatnonzero(~frame.pbc):  # any vector out of the plane of the others does
        cell[axis] = np.linalg.svd(cell[frame.pbc])[2][-1] if frame.pbc.sum() == 2 else np.eye(3)[axis]
    if abs(np.linalg.det(cell)) < 1e-9:
        return frame.pbc.copy()
    shifts = (neighbors.pair_vectors - inside) @ np.linalg.inv(cell)
    return frame.pbc & (np.abs(shifts) > 0.5).any(axis=0)


def enlarged(frame: Frame, n_atoms: int, radius: float) -> Frame:
    """Repeat a structure along its shortest connected cell vectors until it has so many atoms.

    A lone molecule stays one, a slab grows in its plane.
    """
    axes = np.flatnonzero(connected_axes(frame, radius))
    if len(axes) == 0 or len(frame) >= n_atoms:
        return frame
    lengths, repeats = np.linalg.norm(frame.cell, axis=1), np.ones(3, dtype=int)
    while len(frame) * repeats.prod() < n_atoms:
        repeats[axes[np.argmin((lengths * repeats)[axes])]] += 1
    return frame_of(atoms_of(frame).repeat(repeats.tolist()), frame.source)


def is_bulk(frame: Frame, radius: float) -> bool:
    """Whether a structure goes on in all three directions."""
    return bool(connected_axes(frame, radius).all())


def formula_of(frame: Frame) -> str:
    """Return the composition, reduced to the smallest whole numbers."""
    return str(atoms_of(frame).symbols.formula.reduce()[0].format("hill"))


def without_labels(frame: Frame, positions: NDArray[np.float64]) -> Frame:
    """Copy a structure with other positions [N, 3] Å."""
    return replace(frame, positions=positions, energy=None, forces=None, virial=None, atomic_energies=None)


def atoms_of(frame: Frame) -> Atoms:
    """Return a structure as ASE has it."""
    return Atoms(numbers=frame.atomic_numbers, positions=frame.positions, cell=frame.cell, pbc=frame.pbc)


def frame_of(atoms: Atoms, source: str = "") -> Frame:
    """Return a structure of ASE as we have it."""
    return Frame(
        atomic_numbers=atoms.numbers, positions=atoms.positions, cell=atoms.cell.array, pbc=atoms.pbc, source=source
    )


def pair_name(pair: tuple[int, int], elements: list[str]) -> str:
    """Return such as Cu–O."""
    return f"{elements[pair[0]]}–{elements[pair[1]]}"
