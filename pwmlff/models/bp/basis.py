"""Symmetry functions chosen from the training data.

Many candidates (`candidates.py`) are evaluated in frames spread over the data. Where these have forces, a linear model
of the forces is built up of them: the function that lowers the remaining error most comes first, the one that lowers
what is left most comes next, and so on (orthogonal matching pursuit). A net makes more of its functions than a linear
model does, but functions that serve the one serve the other. Without forces, a function is worth what it tells of all
the other candidates around the atoms: the first is the one that explains most of their variance, and so on (pivoted QR
with the pivot that lowers the remainder most).

Numbers of functions are given, or what all functions of an element may cost (`cost.py`). Then the one that gains most
for its cost comes first, as long as it is affordable.

How much of the variance of all candidates the chosen ones explain is told for both.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pwmlff.data.batch import Batch, collate, make_sample
from pwmlff.data.frame import Frame
from pwmlff.elements import atomic_number_of
from pwmlff.errors import ConfigError
from pwmlff.models.bp.candidates import Candidates, Options
from pwmlff.models.bp.cost import Surroundings
from pwmlff.models.bp.functions import SymmetryFunction

MOST_FRAMES = 40  # that are looked at
MOST_ATOMS = 1200  # of them together, if it is more than one frame; some 10 ms each
_LEAST_SPREAD = 0.01  # standard deviation of the values of a function that is worth an input
_LEAST_NEW = 1e-4  # part of a function that the chosen ones do not tell, for it to be chosen


@dataclass(frozen=True)
class ElementBasis:
    """The functions chosen for the atoms of an element.

    Attributes:
        functions: Radial before angular.
        n_candidates: Of which they were chosen.
        n_terms: Of their sums around an atom, on average (`cost.py`).
        share: Part of the variance of all candidates that they explain, in the frames that were looked at.
    """

    functions: tuple[SymmetryFunction, ...]
    n_candidates: int
    n_terms: float
    share: float


@dataclass(frozen=True)
class Basis:
    """The functions chosen for all elements.

    Attributes:
        elements: By symbol, in type order.
        n_frames: Frames that were looked at.
        n_atoms: Their atoms.
        force_share: Part of the variance of the forces there that a linear model of the functions explains; None where
            there are no forces.
    """

    elements: dict[str, ElementBasis]
    n_frames: int
    n_atoms: int
    force_share: float | None

    @property
    def functions(self) -> list[SymmetryFunction]:
        """Those of all elements."""
        return [function for own in self.elements.values() for function in own.functions]


def automatic_functions(frames: Sequence[Frame], elements: Sequence[str], options: Options) -> list[SymmetryFunction]:
    """Return symmetry functions for each element; arguments and errors are those of `choose_basis`."""
    return choose_basis(frames, elements, options).functions


def choose_basis(frames: Sequence[Frame], elements: Sequence[str], options: Options) -> Basis:
    """Choose symmetry functions for each element, the same ones for the same data.

    Args:
        frames: The training data.
        elements: Symbols in type order.
        options: Cutoff, numbers of functions, and what else the run file says.

    Raises:
        ConfigError: An element has no neighbours in the data, or none of its functions is affordable.
    """
    batches = _batches(frames, elements, options.Rmax)
    shortest = shortest_distances(batches, len(elements))
    candidates = [Candidates(central, elements, shortest[central], options) for central in range(len(elements))]
    for element, own in zip(elements, candidates, strict=True):
        if not own.functions:
            raise ConfigError(
                f"model.descriptor: no atom of {element} has a neighbour within {options.Rmax:g} Å in the training "
                "data; raise `Rmax`, or list the `functions`"
            )
    surroundings = Surroundings(elements)
    for batch in batches:
        surroundings.add(batch)
    terms = [
        [surroundings.terms(central, function) for function in own.functions] for central, own in enumerate(candidates)
    ]
    pool = _Pool(candidates, _Purses(candidates, terms, options))
    for batch in batches:
        pool.add(batch)
    chosen = pool.by_forces() if pool.has_forces else pool.by_values()
    for element, places, prices in zip(elements, chosen, terms, strict=True):
        cheapest = min((price for price in prices if price > 0), default=0.0)
        if not places and options.cost is not None and options.cost < cheapest:
            raise ConfigError(
                f"model.descriptor.cost: expected at least the {cheapest:.4g} terms per atom of one function of "
                f"{element}, got {options.cost:g}"
            )
    return Basis(
        elements={
            element: ElementBasis(
                functions=tuple(own.functions[place] for place in sorted(places)),
                n_candidates=len(own.functions),
                n_terms=sum(terms[central][place] for place in places),
                share=pool.share(central, places),
            )
            for central, (element, own, places) in enumerate(zip(elements, candidates, chosen, strict=True))
        },
        n_frames=len(batches),
        n_atoms=sum(len(batch.atom_types) for batch in batches),
        force_share=pool.force_share(chosen) if pool.has_forces else None,
    )


def shortest_distances(batches: Sequence[Batch], n_types: int) -> np.ndarray:
    """Return the shortest distance [T, T] by the types of both atoms, Å; infinite where no such pair is near."""
    shortest = np.full((n_types, n_types), np.inf)
    for batch in batches:
        central = batch.atom_types[batch.pair_centers].numpy()
        distances = torch.linalg.vector_norm(batch.pair_vectors, dim=1).numpy()
        np.minimum.at(shortest, (central, batch.pair_types.numpy()), distances)
    return np.minimum(shortest, shortest.T)


def _batches(frames: Sequence[Frame], elements: Sequence[str], cutoff: float) -> list[Batch]:
    """Return frames evenly spread over the data, each as a batch, with all elements that the data has."""
    type_of = {atomic_number_of(element): place for place, element in enumerate(elements)}
    order = _spread(len(frames))
    batches: list[Batch] = []
    n_atoms, missing = 0, set(type_of)
    for place in order:
        frame = frames[place]
        is_needed = bool(missing & set(frame.atomic_numbers.tolist()))
        is_affordable = n_atoms + len(frame) <= MOST_ATOMS and len(batches) < MOST_FRAMES
        if is_affordable or is_needed or not batches:
            batches.append(collate([make_sample(frame, type_of, cutoff)]))
            n_atoms += len(frame)
            missing -= set(frame.atomic_numbers.tolist())
        if not missing and (n_atoms >= MOST_ATOMS or len(batches) >= MOST_FRAMES):
            break
    return batches


def _spread(count: int) -> list[int]:
    """Return 0 to count - 1 in an order whose beginnings are evenly spread."""
    golden = 0.6180339887498949
    return sorted(range(count), key=lambda place: (place * golden) % 1.0)


class _Purses:
    """What may be chosen: so many functions of each element and kind, or of each element what its purse affords.

    Args:
        candidates: Of each element.
        terms: The same for the terms of each.
        options: Numbers of functions, or their cost.

    Attributes:
        prices: [C] of all candidates.
    """

    def __init__(self, candidates: Sequence[Candidates], terms: Sequence[Sequence[float]], options: Options) -> None:
        kinds = [(central, f.is_radial) for central, own in enumerate(candidates) for f in own.functions]
        if options.cost is None:
            purses = [2 * central + is_radial for central, is_radial in kinds]
            contents = [float(options.n_angular), float(options.n_radial)] * len(candidates)
            self.prices = torch.ones(len(kinds), dtype=torch.float64)
        else:
            purses = [central for central, _ in kinds]
            contents = [options.cost] * len(candidates)
            self.prices = torch.tensor([price for own in terms for price in own], dtype=torch.float64)
        self.are_shared = options.cost is not None
        self._purses = torch.tensor(purses)
        self._contents = torch.tensor(contents, dtype=torch.float64)

    def affordable(self) -> Tensor:
        """Return which candidates [C] can still be paid."""
        return self.prices <= self._contents[self._purses]

    def pay(self, place: int) -> None:
        """Take the price of a candidate out of its purse."""
        self._contents[self._purses[place]] -= self.prices[place]


class _Pool:
    """All candidates with what was seen of them.

    Args:
        candidates: Of each element.
        purses: What may be chosen.
    """

    def __init__(self, candidates: Sequence[Candidates], purses: _Purses) -> None:
        self._candidates = candidates
        self._purses = purses
        self._values: list[list[Tensor]] = [[] for _ in candidates]
        sizes = [len(own.functions) for own in candidates]
        self._starts = [0, *itertools.accumulate(sizes)]
        self._products = torch.zeros(sum(sizes) + 1, sum(sizes) + 1, dtype=torch.float64)  # the last is the force
        self._correlations: list[Tensor] | None = None
        self.has_forces = False

    def add(self, batch: Batch) -> None:
        """Look at a frame."""
        columns = []
        for values, own in zip(self._values, self._candidates, strict=True):
            around, forces = own.evaluate(batch)
            values.append(around)
            columns.append(forces.flatten(0, 1))
        if bool(batch.has_forces.all()):
            self.has_forces = True
            table = torch.cat([*columns, batch.forces.reshape(-1, 1)], dim=1)  # [3 N, C + 1]
            self._products += table.T @ table

    def by_forces(self) -> list[list[int]]:
        """Choose by the forces; return the places of the chosen ones among those of each element."""
        scales = self._products.diagonal().sqrt().clamp(min=1e-300)
        remainder = self._products / torch.outer(scales, scales)
        central_of = [central for central, own in enumerate(self._candidates) for _ in own.functions]
        is_alive = torch.cat([self._correlation(central).diagonal() > 0 for central in range(len(self._candidates))])
        chosen: list[list[int]] = [[] for _ in self._candidates]
        while True:
            variance = remainder.diagonal()[:-1]
            is_open = is_alive & (variance > _LEAST_NEW) & self._purses.affordable()
            if not is_open.any():
                return chosen
            gain = remainder[-1, :-1].square() / variance.clamp(min=_LEAST_NEW) / self._purses.prices
            pivot = int(torch.where(is_open, gain, -1.0).argmax())
            _take_out(remainder, pivot)
            self._purses.pay(pivot)
            central = central_of[pivot]
            chosen[central].append(pivot - self._starts[central])

    def by_values(self) -> list[list[int]]:
        """Choose by the values around atoms; return as `by_forces`.

        Radial functions come first and tell of radial ones, unless all are paid from one purse.
        """
        chosen = []
        for central, (own, start) in enumerate(zip(self._candidates, self._starts, strict=False)):
            remainder = self._correlation(central).clone()
            is_radial = torch.tensor([function.is_radial for function in own.functions])
            every = torch.ones_like(is_radial)
            part = slice(start, start + len(own.functions))
            places: list[int] = []
            for kind, counts in (
                [(every, every)] if self._purses.are_shared else [(is_radial, is_radial), (~is_radial, every)]
            ):
                while True:
                    variance = remainder.diagonal()
                    is_open = kind & (variance > _LEAST_NEW) & self._purses.affordable()[part]
                    if not is_open.any():
                        break
                    told = (
                        remainder[counts].square().sum(0) / variance.clamp(min=_LEAST_NEW) / self._purses.prices[part]
                    )
                    places.append(int(torch.where(is_open, told, -1.0).argmax()))
                    _take_out(remainder, places[-1])
                    self._purses.pay(start + places[-1])
            chosen.append(places)
        return chosen

    def share(self, central: int, places: Sequence[int]) -> float:
        """Return which part of the variance of all candidates of an element these explain."""
        correlation = self._correlation(central)
        whole = float(correlation.diagonal().sum())
        remainder = correlation.clone()
        for place in places:
            if remainder[place, place] > 0:
                _take_out(remainder, place)
        return 1.0 - float(remainder.diagonal().clamp(min=0.0).sum()) / whole if whole > 0 else 1.0

    def force_share(self, chosen: Sequence[Sequence[int]]) -> float:
        """Return which part of the squares of the forces a linear model of these functions explains."""
        remainder = self._products.clone()
        for start, places in zip(self._starts, chosen, strict=False):
            for place in places:
                if remainder[start + place, start + place] > 0:
                    _take_out(remainder, start + place)
        return 1.0 - float(remainder[-1, -1] / self._products[-1, -1].clamp(min=1e-300))

    def _correlation(self, central: int) -> Tensor:
        """Return the correlations [C, C] of the values; zero where a function hardly differs from atom to atom."""
        if self._correlations is None:
            self._correlations = [_correlation(torch.cat(values)) for values in self._values]
        return self._correlations[central]


def _correlation(values: Tensor) -> Tensor:
    values = values - values.mean(0)
    spread = values.square().mean(0).sqrt()
    values = torch.where(spread > _LEAST_SPREAD, values / spread.clamp(min=_LEAST_SPREAD), 0.0)
    return values.T @ values / len(values)


def _take_out(remainder: Tensor, pivot: int) -> None:
    """Subtract from a covariance what one of its variables tells."""
    column = remainder[:, pivot] / remainder[pivot, pivot].sqrt()
    remainder -= torch.outer(column, column)
