"""Symmetry functions chosen from the training data.

For each element there are many candidates, from the shortest distance in the data to the cutoff: Gaussians centred at
the atom and around it, and angular functions of several widths, exponents and both signs. Their values around atoms
of the data, and how these change when all atoms move a little (which forces are made of), are correlated; a function
is worth what it tells of all the others. The first chosen is the one that explains most of the variance of all, the
next the one that explains most of what is left, and so on: a selection of columns by pivoted QR, with the pivot that
lowers the remainder most.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from pwmlff.data.batch import Batch, collate, make_sample
from pwmlff.data.frame import Frame
from pwmlff.elements import atomic_number_of
from pwmlff.errors import ConfigError
from pwmlff.models.bp.functions import SymmetryFunction
from pwmlff.models.bp.stored import function_arrays
from pwmlff.ops.reference import bp
from pwmlff.ops.reference.cutoffs import CUTOFF_FUNCTIONS

MOST_FRAMES = 100  # that are looked at
MOST_ATOMS = 1000  # of each element
_WORK = 2e8  # products of triplets and functions for each element, a few seconds
_BLOCK = 2e6  # of them at a time, which bounds the memory
_STEP = 1e-3  # Å, of the displacements
_SEED = 20240229

_GRIDS = (6, 10, 16)  # shifted radial Gaussians between the shortest distance and the cutoff
_ANGULAR_GRIDS = (3, 5)
_N_CENTRED, _N_ANGULAR_CENTRED = 10, 5
_ZETAS = (1.0, 2.0, 4.0, 8.0, 16.0)
_OVERLAP = 0.7  # standard deviation of a Gaussian, in steps of its grid
_LEAST_SPREAD = 1e-3  # standard deviation of a function that is worth an input, and of its derivative in 1/Å
_SMALLEST = 1e-6  # part of a function's variance below which others have told all of it


class BasisOptions(Protocol):
    """What the run file says of functions that are to be chosen, see `config.py`."""

    @property
    def Rmax(self) -> float: ...  # noqa: N802, D102
    @property
    def n_radial(self) -> int: ...  # noqa: D102
    @property
    def n_angular(self) -> int: ...  # noqa: D102
    @property
    def neighbor_weights(self) -> str: ...  # noqa: D102
    @property
    def cutoff_function(self) -> str: ...  # noqa: D102
    @property
    def inner_fraction(self) -> float: ...  # noqa: D102


@dataclass(frozen=True)
class ElementBasis:
    """The functions chosen for the atoms of an element.

    Attributes:
        functions: Radial before angular.
        n_candidates: Of which they were chosen.
        n_atoms: Around which these were looked at.
        radial_share: Part of the variance of the radial candidates that the radial ones explain.
        share: Part of the variance of all candidates that all of them explain.
    """

    functions: tuple[SymmetryFunction, ...]
    n_candidates: int
    n_atoms: int
    radial_share: float
    share: float


def automatic_functions(
    frames: Sequence[Frame], elements: Sequence[str], options: BasisOptions
) -> list[SymmetryFunction]:
    """Return symmetry functions for each element; arguments and errors are those of `choose_basis`."""
    return [f for own in choose_basis(frames, elements, options).values() for f in own.functions]


def choose_basis(frames: Sequence[Frame], elements: Sequence[str], options: BasisOptions) -> dict[str, ElementBasis]:
    """Choose symmetry functions for each element, the same ones for the same data.

    Args:
        frames: The training data.
        elements: Symbols in type order.
        options: Cutoff, numbers of functions, and what else the run file says.

    Raises:
        ConfigError: An element has no neighbours in the data.
    """
    batches = _batches(frames, elements, options.Rmax)
    shortest = shortest_distances(batches, len(elements))
    basis = {}
    for central, element in enumerate(elements):
        candidates = _candidates(central, elements, shortest[central], options)
        if not candidates:
            raise ConfigError(
                f"model.descriptor: no atom of {element} has a neighbour within {options.Rmax:g} Å in the training "
                "data; raise `Rmax`, or list the `functions`"
            )
        environments = _environments(batches, central, len(candidates))
        correlation = _correlation(environments, candidates, elements, central, options)
        basis[element] = _chosen(candidates, correlation, len(environments), options)
    return basis


def shortest_distances(batches: Sequence[Batch], n_types: int) -> np.ndarray:
    """Return the shortest distance [T, T] by the types of both atoms, Å; infinite where no such pair is near."""
    shortest = np.full((n_types, n_types), np.inf)
    for batch in batches:
        central = batch.atom_types[batch.pair_centers].numpy()
        distances = torch.linalg.vector_norm(batch.pair_vectors, dim=1).numpy()
        np.minimum.at(shortest, (central, batch.pair_types.numpy()), distances)
    return np.minimum(shortest, shortest.T)


def _batches(frames: Sequence[Frame], elements: Sequence[str], cutoff: float) -> list[Batch]:
    """Return frames evenly spread over the data, each as a batch."""
    type_of = {atomic_number_of(element): place for place, element in enumerate(elements)}
    places = np.unique(np.linspace(0, len(frames) - 1, MOST_FRAMES).round().astype(int))
    return [collate([make_sample(frames[int(place)], type_of, cutoff)]) for place in places]


def _candidates(
    central: int, elements: Sequence[str], shortest: np.ndarray, options: BasisOptions
) -> list[SymmetryFunction]:
    """Return the candidates of an element, radial before angular.

    Args:
        central: Its type.
        elements: Symbols in type order.
        shortest: [T] distances to each type, Å.
        options: Of the run file.
    """
    near = [place for place, distance in enumerate(shortest) if distance < options.Rmax]
    if options.neighbor_weights == "resolved":
        single = [((elements[a],), shortest[a]) for a in near]
        pairs = [
            ((elements[a], elements[b]), min(shortest[a], shortest[b]))
            for a, b in itertools.combinations_with_replacement(near, 2)
        ]
        seen: list[tuple[Mapping[str, object], float]] = [({"neighbors": names}, start) for names, start in single]
        seen_pairs = [({"neighbors": names}, start) for names, start in pairs]
    else:
        start = min((shortest[place] for place in near), default=math.inf)
        seen = [({"weights": options.neighbor_weights}, start)] if near else []
        seen_pairs = list(seen)
    common = {"central": elements[central], "cutoff": options.Rmax}
    radial = [
        SymmetryFunction.model_validate({"type": "G2", **common, **who, "eta": eta, "r_s": r_s})
        for who, start in seen
        for eta, r_s in _gaussians(start, options.Rmax, _GRIDS, _N_CENTRED)
    ]
    angular = [
        SymmetryFunction.model_validate(
            {"type": "G5", **common, **who, "eta": eta, "r_s": r_s, "lambda": sign, "zeta": zeta}
        )
        for who, start in seen_pairs
        for eta, r_s in _gaussians(start, options.Rmax, _ANGULAR_GRIDS, _N_ANGULAR_CENTRED)
        for zeta in _ZETAS
        for sign in (-1.0, 1.0)
    ]
    return radial * (options.n_radial > 0) + angular * (options.n_angular > 0)


def _gaussians(start: float, cutoff: float, grids: Sequence[int], n_centred: int) -> Iterator[tuple[float, float]]:
    """Yield eta (1/Å²) and r_s (Å) of Gaussians at the atom, and on grids from the shortest distance to the cutoff."""
    for eta in np.geomspace(0.25 / cutoff**2, 4.0 / start**2, n_centred):
        yield _rounded(eta), 0.0
    for n_steps in grids:
        step = (cutoff - start) / n_steps
        for place in range(n_steps):
            yield _rounded(0.5 / (_OVERLAP * step) ** 2), _rounded(start + place * step)


def _rounded(value: float) -> float:
    """Return what is pleasant to read."""
    return float(f"{value:.4g}")


@dataclass(frozen=True)
class _Environments:
    """Neighbours of sampled atoms of one type, and how they move.

    Attributes:
        vectors: [e, 3] Å, those of one atom side by side.
        start: [n + 1] of each atom.
        types: [e].
        moves: [e, 3] by how much the vectors change in a displacement of all atoms, in units of its step.
    """

    vectors: Tensor
    start: Tensor
    types: Tensor
    moves: Tensor

    def __len__(self) -> int:
        """Return the number of atoms."""
        return len(self.start) - 1

    @property
    def counts(self) -> Tensor:
        """Number of neighbours of each atom, [n]."""
        return self.start[1:] - self.start[:-1]

    def among(self, types: Sequence[int]) -> _Environments:
        """Return those with the neighbours of these types only."""
        is_kept = torch.isin(self.types, torch.tensor(types))
        centers = torch.repeat_interleave(torch.arange(len(self)), self.counts)[is_kept]
        counts = torch.bincount(centers, minlength=len(self))
        return _Environments(self.vectors[is_kept], _starts(counts), self.types[is_kept], self.moves[is_kept])

    def blocks(self, n_functions: int) -> Iterator[tuple[slice, _Environments]]:
        """Yield few atoms at a time, so that their triplets and this many functions fit into the memory."""
        work = (self.counts * (self.counts + 1) // 2 * n_functions).cumsum(0)
        block = torch.div(work, _BLOCK, rounding_mode="floor")
        sizes = torch.unique_consecutive(block, return_counts=True)[1].tolist()
        first = 0
        for size in sizes:
            rows = slice(first, first + size)
            start, end = int(self.start[first]), int(self.start[first + size])
            part = slice(start, end)
            moved = self.start[first : first + size + 1] - start
            yield rows, _Environments(self.vectors[part], moved, self.types[part], self.moves[part])
            first += size


def _environments(batches: Sequence[Batch], central: int, n_functions: int) -> _Environments:
    """Sample atoms of a type from all batches, as many as time allows for this many functions."""
    random = np.random.default_rng(_SEED)
    generator = torch.Generator().manual_seed(_SEED)
    own = [np.flatnonzero(batch.atom_types.numpy() == central) for batch in batches]
    counts = np.concatenate([np.diff(b.pair_start.numpy())[atoms] for b, atoms in zip(batches, own, strict=True)])
    work = float((counts * (counts - 1.0) / 2).mean()) * n_functions
    n_atoms = min(MOST_ATOMS, max(1, int(_WORK / max(work, 1.0))), len(counts))
    per_frame = math.ceil(n_atoms / sum(len(atoms) > 0 for atoms in own))
    parts = []
    for batch, atoms in zip(batches, own, strict=True):
        taken = np.sort(random.permutation(atoms)[:per_frame])
        displacements = torch.randn(len(batch.atom_types), 3, generator=generator, dtype=torch.float64)
        ranges = [torch.arange(int(batch.pair_start[i]), int(batch.pair_start[i + 1])) for i in taken]
        places = torch.cat([torch.zeros(0, dtype=torch.int64), *ranges])
        moves = displacements[batch.pair_neighbors[places]] - displacements[batch.pair_centers[places]]
        n_neighbors = torch.tensor([len(each) for each in ranges], dtype=torch.int64)
        parts.append((batch.pair_vectors[places], n_neighbors, batch.pair_types[places], moves))
    vectors, numbers, types, moves = (torch.cat(each) for each in zip(*parts, strict=True))
    return _Environments(vectors, _starts(numbers), types, moves)


def _starts(counts: Tensor) -> Tensor:
    return torch.cat([counts.new_zeros(1), counts.cumsum(0)])


def _correlation(
    environments: _Environments,
    candidates: Sequence[SymmetryFunction],
    elements: Sequence[str],
    central: int,
    options: BasisOptions,
) -> Tensor:
    """Return how alike the candidates are, [C, C]: the mean of the correlations of values and of their changes.

    Rows and columns of functions that hardly differ from atom to atom are zero.
    """
    values, changes = _values_and_changes(environments, candidates, elements, central, options)
    values = values - values.mean(0)
    spread = values.square().mean(0).sqrt()
    size = changes.square().mean(0).sqrt()
    is_alive = (spread > _LEAST_SPREAD) & (size > _LEAST_SPREAD)
    values, changes = (
        torch.where(is_alive, columns / norm.clamp(min=_LEAST_SPREAD), 0.0)
        for columns, norm in ((values, spread), (changes, size))
    )
    return 0.5 * (values.T @ values + changes.T @ changes) / len(values)


def _values_and_changes(
    environments: _Environments,
    candidates: Sequence[SymmetryFunction],
    elements: Sequence[str],
    central: int,
    options: BasisOptions,
) -> tuple[Tensor, Tensor]:
    """Return the candidates [n, C] and their derivatives by the displacement [n, C]."""
    shape = len(environments), len(candidates)
    values, changes = torch.zeros(shape, dtype=torch.float64), torch.zeros(shape, dtype=torch.float64)
    cutoff = {
        "cutoff_function": torch.tensor(CUTOFF_FUNCTIONS.index(options.cutoff_function)),
        "inner_fraction": torch.tensor(options.inner_fraction, dtype=torch.float64),
    }

    def group(place: int) -> tuple[bool, tuple[str, ...]]:
        return candidates[place].is_radial, candidates[place].neighbors or tuple(elements)

    for (_, seen), group_places in itertools.groupby(range(len(candidates)), group):
        places = list(group_places)
        arrays = {**function_arrays([candidates[k] for k in places], elements, torch.float64), **cutoff}
        near = environments.among([elements.index(element) for element in seen])
        for rows, block in near.blocks(len(places)):
            atom_types = torch.full((len(block),), central)
            ahead, here, behind = (
                bp.symmetry_functions(arrays, block.vectors + step * block.moves, block.start, block.types, atom_types)[
                    central
                ].values
                for step in (_STEP, 0.0, -_STEP)
            )
            values[rows, places] = here
            changes[rows, places] = (ahead - behind) / (2 * _STEP)
    return values, changes


def _chosen(
    candidates: Sequence[SymmetryFunction], correlation: Tensor, n_atoms: int, options: BasisOptions
) -> ElementBasis:
    """Choose radial functions for the radial candidates, then angular ones for all."""
    is_radial = torch.tensor([function.is_radial for function in candidates])
    remainder = correlation.clone()
    radial = _pivots(remainder, is_radial, is_radial, options.n_radial)
    radial_share = _share(remainder, correlation, is_radial)
    everything = torch.ones_like(is_radial)
    angular = _pivots(remainder, ~is_radial, everything, options.n_angular)
    functions = [candidates[place] for place in sorted(radial) + sorted(angular)]
    share = _share(remainder, correlation, everything)
    return ElementBasis(tuple(functions), len(candidates), n_atoms, radial_share, share)


def _pivots(remainder: Tensor, may_be: Tensor, counts: Tensor, n_functions: int) -> list[int]:
    """Choose functions, each the one that lowers the remaining variance most, and take out what they tell.

    Args:
        remainder: [C, C] covariance of what the chosen ones have not told; changed in place.
        may_be: [C] bool, functions that may be chosen.
        counts: [C] bool, functions whose variance counts.
        n_functions: How many; fewer are chosen where nothing is left.
    """
    chosen: list[int] = []
    for _ in range(n_functions):
        variance = remainder.diagonal()
        is_open = may_be & (variance > _SMALLEST)
        if not is_open.any():
            break
        told = remainder[counts].square().sum(0) / variance.clamp(min=_SMALLEST)
        pivot = int(torch.where(is_open, told, -1.0).argmax())
        chosen.append(pivot)
        column = remainder[:, pivot] / variance[pivot].sqrt()
        remainder -= torch.outer(column, column)
    return chosen


def _share(remainder: Tensor, correlation: Tensor, counts: Tensor) -> float:
    whole = float(correlation.diagonal()[counts].sum())
    return 1.0 - float(remainder.diagonal()[counts].sum()) / whole if whole > 0 else 1.0
