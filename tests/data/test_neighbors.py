"""Neighbour lists against a sum over lattice images written out."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pwmlff.data.frame import Frame
from pwmlff.data.neighbors import nearest_pair, neighbor_list
from pwmlff.errors import DataFormatError

SKEWED = np.array([[3.1, 0.0, 0.0], [2.6, 2.9, 0.0], [-1.4, 1.1, 3.4]])


def brute_force(frame: Frame, cutoff: float) -> NDArray[np.float64]:
    """All directed pairs [E, 5] as i, j, vector, from every lattice image that could reach."""
    periodic = frame.cell * frame.pbc[:, None]
    # distance of lattice planes bounds the images needed
    reach = [0, 0, 0]
    for axis in np.flatnonzero(frame.pbc):
        others = [periodic[k] for k in range(3) if k != axis and frame.pbc[k]]
        rest = periodic[axis].copy()
        basis: list[NDArray[np.float64]] = []
        for other in others:
            direction = other - sum((other @ b) * b for b in basis)
            basis.append(direction / np.linalg.norm(direction))
        for b in basis:
            rest = rest - (rest @ b) * b
        extent = np.ptp(frame.positions, axis=0)
        reach[axis] = int(np.ceil((cutoff + np.linalg.norm(extent)) / np.linalg.norm(rest))) + 1
    rows = []
    for shift in itertools.product(*(range(-n, n + 1) for n in reach)):
        vectors = frame.positions[None, :] - frame.positions[:, None] + np.array(shift) @ periodic
        distances = np.linalg.norm(vectors, axis=2)
        within = distances < cutoff
        if shift == (0, 0, 0):
            np.fill_diagonal(within, False)
        for i, j in np.argwhere(within):
            rows.append([i, j, *vectors[i, j]])
    return sorted_pairs(np.array(rows).reshape(-1, 5))


def sorted_pairs(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    rounded = np.round(rows, 6)
    return rows[np.lexsort(rounded.T[::-1])]


def compare(frame: Frame, cutoff: float) -> int:
    neighbors = neighbor_list(frame, cutoff)
    center = np.repeat(np.arange(len(frame)), np.diff(neighbors.pair_start))
    rows = sorted_pairs(np.column_stack([center, neighbors.pair_neighbors, neighbors.pair_vectors]))
    expected = brute_force(frame, cutoff)
    assert rows.shape == expected.shape
    np.testing.assert_allclose(rows, expected, atol=1e-10)
    return len(rows)


def random_frame(seed: int, cell: NDArray[np.float64], pbc: tuple[bool, bool, bool], n_atoms: int) -> Frame:
    rng = np.random.default_rng(seed)
    positions = rng.uniform(-0.3, 1.3, (n_atoms, 3)) @ cell
    return Frame(atomic_numbers=np.full(n_atoms, 29), positions=positions, cell=cell, pbc=np.array(pbc))


@pytest.mark.parametrize("pbc", list(itertools.product([True, False], repeat=3)))
def test_periodic_in_some_directions(pbc: tuple[bool, bool, bool]) -> None:
    assert compare(random_frame(1, SKEWED, pbc, 6), 4.3) > 0


@pytest.mark.parametrize("length", np.linspace(1.3, 9.0, 23))
def test_swept_box_through_the_cutoff(length: float) -> None:
    """No window of box sizes in which images are lost or counted twice."""
    compare(random_frame(2, np.eye(3) * length, (True, True, True), 2), 4.0)


def test_one_atom_sees_its_images_only() -> None:
    frame = Frame(atomic_numbers=[29], positions=np.zeros((1, 3)), cell=np.eye(3) * 2.0)
    assert compare(frame, 2.01) == 6
    assert compare(frame, 2.0) == 0  # the cutoff itself is outside


def test_a_needle_shaped_cell() -> None:
    cell = np.array([[1.7, 0.0, 0.0], [8.3, 1.9, 0.0], [-4.2, 5.1, 14.0]])
    assert compare(random_frame(3, cell, (True, True, True), 3), 3.0) > 0


def test_isolated_molecule_without_a_cell() -> None:
    positions = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 1.1], [50.0, 0.0, 0.0]])
    frame = Frame(atomic_numbers=[8, 1, 1], positions=positions, cell=np.zeros((3, 3)), pbc=np.zeros(3, bool))
    assert compare(frame, 5.0) == 2


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    pbc=st.tuples(st.booleans(), st.booleans(), st.booleans()),
    n_atoms=st.integers(1, 5),
    cutoff=st.floats(1.0, 5.0),
)
def test_random_cells(seed: int, pbc: tuple[bool, bool, bool], n_atoms: int, cutoff: float) -> None:
    rng = np.random.default_rng(seed)
    cell = rng.normal(size=(3, 3)) * 3
    cell += np.sign(np.diag(cell) + 1e-9)[:, None] * np.eye(3) * 3
    if abs(np.linalg.det(cell)) > 10.0:
        compare(random_frame(seed, cell, pbc, n_atoms), cutoff)


def test_pairs_are_sorted_and_symmetric() -> None:
    neighbors = neighbor_list(random_frame(4, SKEWED, (True, True, True), 5), 4.0)
    assert neighbors.pair_start[0] == 0
    assert neighbors.pair_start[-1] == len(neighbors.pair_neighbors)
    np.testing.assert_allclose(neighbors.pair_vectors.sum(axis=0), 0.0, atol=1e-9)


def test_atoms_at_one_place_are_an_error() -> None:
    frame = Frame(
        atomic_numbers=[29, 29],
        positions=[[0, 0, 0], [3.0, 0, 0]],
        cell=np.eye(3) * 3.0,
        source="a.xyz",
        index=7,
    )
    with pytest.raises(DataFormatError, match=r"a\.xyz frame 7: atoms \d and \d are at the same place"):
        neighbor_list(frame, 4.0)


def far_apart(distance: float, pbc: tuple[bool, bool, bool] = (False, False, False)) -> Frame:
    """Two pairs of atoms, the second `distance` away along z."""
    positions = np.array([[0.0, 0, 0], [0.0, 0.9, 0.3], [0.5, 0, 0], [0.5, 0.8, 0.4]])
    positions[2:, 2] += distance
    return Frame(atomic_numbers=[1] * 4, positions=positions, cell=np.diag([5.0, 5.0, 0.0]), pbc=pbc, source="a.xyz")


@pytest.mark.parametrize("pbc", [(False, False, False), (True, True, False), (False, True, False)])
@pytest.mark.parametrize("distance", [5e4, 2e5, 9.9e5])
def test_an_atom_that_flew_away_is_no_matter(pbc: tuple[bool, bool, bool], distance: float) -> None:
    """The grid of the neighbour search is bounded; its library divides by zero beyond."""
    far, near = (neighbor_list(far_apart(d, pbc), 1.0) for d in (distance, 40.0))
    np.testing.assert_array_equal(far.pair_neighbors, near.pair_neighbors)
    np.testing.assert_array_equal(far.pair_start, near.pair_start)
    np.testing.assert_allclose(far.pair_vectors, near.pair_vectors, atol=1e-9)
    assert len(near.pair_neighbors) == 4


@pytest.mark.parametrize("long_axis", [0, 1, 2])
@pytest.mark.parametrize("widths", [(4.27, 4.49), (1.5, 8.1), (5.02, 5.98)])
@pytest.mark.parametrize("pbc", [(True, True, True), (True, False, False), (False, False, True)])
def test_cells_a_few_cutoffs_wide_and_very_long(
    long_axis: int, widths: tuple[float, float], pbc: tuple[bool, bool, bool]
) -> None:
    """Coarsened axis by axis, the grid of the neighbour search has no cell left along one of the short ones."""
    rng = np.random.default_rng(0)
    scaled, spread = rng.uniform(size=(6, 3)), np.insert(np.array(widths), long_axis, 20.0)
    for longest in (1e5, 99999.7):
        cells = [np.insert(np.array(widths), long_axis, length) for length in (longest, 40.0)]
        far, near = (
            neighbor_list(Frame(atomic_numbers=[1] * 6, positions=scaled * spread, cell=np.diag(cell), pbc=pbc), 1.0)
            for cell in cells
        )
        np.testing.assert_array_equal(far.pair_neighbors, near.pair_neighbors)
        np.testing.assert_allclose(far.pair_vectors, near.pair_vectors, atol=1e-9)


def test_a_long_thin_cell() -> None:
    """A grid too coarse for one axis is widened."""
    frame = Frame(atomic_numbers=[1, 1], positions=[[0, 0, 0], [0.5, 0.5, 0.5]], cell=np.diag([1.5e5, 1.5, 1.5]))
    compare_short = Frame(atomic_numbers=[1, 1], positions=frame.positions, cell=np.diag([20.0, 1.5, 1.5]))
    np.testing.assert_allclose(
        neighbor_list(frame, 1.0).pair_vectors, neighbor_list(compare_short, 1.0).pair_vectors, atol=1e-12
    )
    plate = Frame(atomic_numbers=[1], positions=[[0, 0, 0]], cell=np.diag([9e5, 9e5, 3.0]), source="a.xyz")
    with pytest.raises(
        DataFormatError, match=r"a\.xyz frame 0: the structure measures 9e\+05 x 9e\+05 x 3 Å, too long"
    ):
        neighbor_list(plate, 1.0)


@pytest.mark.parametrize("pbc", [(True, True, True), (True, False, True), (False, False, False)])
def test_nearest_pair_is_that_of_the_list(pbc: tuple[bool, bool, bool]) -> None:
    frame = random_frame(4, SKEWED, pbc, 30)
    neighbors = neighbor_list(frame, 1.5)
    distances = np.linalg.norm(neighbors.pair_vectors, axis=1)
    first, second, distance = nearest_pair(frame) or (0, 0, 0.0)
    assert distance == pytest.approx(distances.min())
    centers = np.repeat(np.arange(len(frame)), np.diff(neighbors.pair_start))
    pair = distances.argmin()
    assert {first, second} == {centers[pair], neighbors.pair_neighbors[pair]}


def test_nearest_pair_of_few_atoms() -> None:
    frame = Frame(atomic_numbers=[1, 1], positions=[[0, 0, 0], [0, 0, 1.6]], cell=np.eye(3) * 9.0)
    assert nearest_pair(frame) is None
    assert nearest_pair(replace(frame, cell=np.diag([9.0, 0.7, 9.0]))) in ((0, 0, 0.7), (1, 1, 0.7))
    with pytest.raises(DataFormatError, match="atoms 0 and 1 are at the same place"):
        nearest_pair(replace(frame, positions=np.zeros((2, 3))))
