"""Symmetry functions to choose from, and what they and their derivatives are in the training data.

For each element there are Gaussians at the atom, and around it where the atoms are: on grids whose steps grow with the
distance, from the shortest in the data to the cutoff. The angular ones are all of these (fewer) times all exponents and
signs.

With a_j = exp(-eta (r_ij - r_s)^2) f_c(r_ij) w_j, where the weight w_j tells the element of j, and B_jk the angular
term, a function G5 is the sum of a_j B_jk a_k over pairs: for all Gaussians of an exponent and a sign a product of
matrices, and so are its derivatives. This is why so many candidates can be looked at in seconds.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from pwmlff.data.batch import Batch
from pwmlff.elements import atomic_number_of
from pwmlff.models.bp.functions import SymmetryFunction
from pwmlff.ops.reference import bp
from pwmlff.ops.reference.cutoffs import cutoff_function

_RADIAL_GRIDS, _ANGULAR_GRIDS = (6, 10, 16), (3, 5)  # numbers of Gaussians around the atom
_N_RADIAL, _N_ANGULAR = 10, 5  # of those at the atom
_ZETAS, _SIGNS = (1.0, 2.0, 3.0, 4.0, 6.0, 8.0), (-1.0, 1.0)  # fast ones, see csrc/core/bp/moment_plan.hpp
_MANY_PAIRS = 10  # of elements of neighbours, from which on there are fewer angular functions of each
_FEWER_GRIDS, _FEWER, _FEWER_ZETAS = (4,), 3, (1.0, 4.0, 8.0)
_OVERLAP = 0.7  # standard deviation of a Gaussian, in steps of its grid
_NARROWEST = 0.3  # Å, of this; nets of narrower ones fail on new structures
_NEAREST = 0.98  # of the cutoff; farther neighbours are not worth functions


class Options(Protocol):
    """What the run file says of functions that are to be chosen, see `config.py`."""

    @property
    def Rmax(self) -> float: ...  # noqa: D102, N802
    @property
    def n_radial(self) -> int: ...  # noqa: D102
    @property
    def n_angular(self) -> int: ...  # noqa: D102
    @property
    def cost(self) -> float | None: ...  # noqa: D102
    @property
    def neighbor_weights(self) -> str: ...  # noqa: D102
    @property
    def cutoff_function(self) -> str: ...  # noqa: D102
    @property
    def inner_fraction(self) -> float: ...  # noqa: D102


@dataclass(frozen=True)
class _Group:
    """Candidates with the same neighbours.

    Attributes:
        who: These neighbours in the words of the run file.
        weights: [1 or 2, T] weights of the neighbours by type: of all, or of each of a pair.
        gaussians: [n, 2] eta in 1/Å² and r_s in Å.
        zetas: Exponents; none for radial functions.
    """

    who: Mapping[str, object]
    weights: Tensor
    gaussians: Tensor
    zetas: tuple[float, ...]


class Candidates:
    """The candidates of one element.

    Args:
        central: Its type.
        elements: Symbols in type order.
        shortest: [T] shortest distance to each type, Å.
        options: Of the run file.

    Attributes:
        functions: Radial before angular.
    """

    def __init__(self, central: int, elements: Sequence[str], shortest: np.ndarray, options: Options) -> None:
        self._central, self._options = central, options
        self._radial, self._angular = _groups(elements, shortest, options)
        common = {"central": elements[central], "cutoff": options.Rmax}
        self.functions = [
            SymmetryFunction.model_validate({"type": "G2", **common, **group.who, "eta": eta, "r_s": r_s})
            for group in self._radial
            for eta, r_s in group.gaussians.tolist()
        ]
        self.functions += [
            SymmetryFunction.model_validate(
                {"type": "G5", **common, **group.who, "eta": eta, "r_s": r_s, "lambda": sign, "zeta": zeta}
            )
            for group in self._angular
            for zeta, sign in itertools.product(group.zetas, _SIGNS)
            for eta, r_s in group.gaussians.tolist()
        ]

    def evaluate(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the values [n, C] around the atoms of the element, and the forces [N, 3, C] of their sums."""
        atoms = torch.nonzero(batch.atom_types == self._central).squeeze(-1).tolist()
        values = torch.zeros(len(atoms), len(self.functions), dtype=torch.float64)
        forces = torch.zeros(len(batch.atom_types), 3, len(self.functions), dtype=torch.float64)
        start = batch.pair_start.tolist()
        for place, atom in enumerate(atoms):
            pairs = slice(start[atom], start[atom + 1])
            values[place], by_vectors = self._around(batch.pair_vectors[pairs], batch.pair_types[pairs])
            forces.index_add_(0, batch.pair_neighbors[pairs], by_vectors, alpha=-1)
            forces[atom] += by_vectors.sum(0)
        return values, forces

    def _around(self, vectors: Tensor, types: Tensor) -> tuple[Tensor, Tensor]:
        """Return the values [C] of one atom with neighbours there [e, 3], and their derivatives [e, 3, C]."""
        distances = torch.linalg.vector_norm(vectors, dim=1)
        units = vectors / distances.unsqueeze(1)
        values, derivatives = [], []
        for group in self._radial:
            terms, slopes = self._terms(group, distances)
            weights = group.weights[0][types].unsqueeze(1)
            values.append((weights * terms).sum(0))
            derivatives.append((weights * slopes).unsqueeze(1) * units.unsqueeze(2))
        cosines = (units @ units.T).clamp(-1.0, 1.0)
        powers = {
            key: _angular_term(cosines, *key)
            for key in dict.fromkeys((z, s) for group in self._angular for z in group.zetas for s in _SIGNS)
        }
        for group in self._angular:
            terms, slopes = self._terms(group, distances)
            weights_of_two = [each[types].unsqueeze(1) for each in group.weights]
            for key in itertools.product(group.zetas, _SIGNS):
                value, derivative = _pair_sums(terms, slopes, weights_of_two, powers[key], units, distances)
                values.append(value)
                derivatives.append(derivative)
        return torch.cat(values), torch.cat(derivatives, dim=2)

    def _terms(self, group: _Group, distances: Tensor) -> tuple[Tensor, Tensor]:
        """Return exp(-eta (r - r_s)^2) f_c and its derivative, both [e, n]."""
        eta, r_s = group.gaussians.T
        r = distances.clone().requires_grad_()
        options = self._options
        step = cutoff_function(options.cutoff_function, r, options.Rmax, options.inner_fraction)
        (slope,) = torch.autograd.grad(step.sum(), r)
        away = distances.unsqueeze(1) - r_s
        gaussians = torch.exp(-eta * away.square())
        step, slope = step.detach().unsqueeze(1), slope.unsqueeze(1)
        return gaussians * step, gaussians * (slope - 2.0 * eta * away * step)


@dataclass(frozen=True)
class _AngularTerm:
    """2^(1 - zeta) (1 + lambda cos)^zeta, its derivative by the cosine, and this times the cosine; zero for j = k."""

    values: Tensor
    slopes: Tensor
    slopes_cosines: Tensor


def _angular_term(cosines: Tensor, zeta: float, sign: float) -> _AngularTerm:
    half = 0.5 + 0.5 * sign * cosines
    lower = half ** (zeta - 1.0)
    others = 1.0 - torch.eye(len(cosines), dtype=cosines.dtype)
    slopes = zeta * sign * lower * others
    return _AngularTerm(2.0 * lower * half * others, slopes, slopes * cosines)


def _pair_sums(
    terms: Tensor, slopes: Tensor, weights: Sequence[Tensor], angular: _AngularTerm, units: Tensor, distances: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the sums of a_j B_jk a_k over pairs of neighbours [n], and their derivatives by the vectors [e, 3, n]."""
    first, second = weights[0], weights[-1]
    is_same = len(weights) == 1
    value = torch.zeros(terms.shape[1], dtype=terms.dtype)
    derivative = torch.zeros(len(terms), 3, terms.shape[1], dtype=terms.dtype)
    # of neighbours of one kind each pair is met twice, as (j, k) and as (k, j), of two kinds from both sides
    for own, other in ((first, second),) if is_same else ((first, second), (second, first)):
        seen = other * terms  # [e, n]
        value += 0.5 * (own * terms * (angular.values @ seen)).sum(0)
        along = own * (slopes * (angular.values @ seen) - terms * (angular.slopes_cosines @ seen) / distances[:, None])
        turned = (angular.slopes @ (seen.unsqueeze(1) * units.unsqueeze(2)).flatten(1)).unflatten(1, (3, -1))
        derivative += along.unsqueeze(1) * units.unsqueeze(2)
        derivative += (own * terms / distances[:, None]).unsqueeze(1) * turned
    return value, derivative


# neighbours in the words of the run file, their weights, and the distance where they begin
_Seen = tuple[Mapping[str, object], Tensor, float]


def _groups(elements: Sequence[str], shortest: np.ndarray, options: Options) -> tuple[list[_Group], list[_Group]]:
    """Return the groups of radial and of angular functions."""
    near = [place for place, distance in enumerate(shortest) if distance < _NEAREST * options.Rmax]
    if options.neighbor_weights == "resolved":
        chosen = torch.eye(len(elements), dtype=torch.float64)
        kinds = [([elements[a]], chosen[[a]], shortest[a]) for a in near]
        pairs = [
            ([elements[a], elements[b]], chosen[[a]] if a == b else chosen[[a, b]], min(shortest[a], shortest[b]))
            for a, b in itertools.combinations_with_replacement(near, 2)
        ]
        radial: list[_Seen] = [({"neighbors": who}, weights, start) for who, weights, start in kinds]
        angular: list[_Seen] = [({"neighbors": who}, weights, start) for who, weights, start in pairs]
    else:
        counts = [atomic_number_of(e) if options.neighbor_weights == "Z" else 1 for e in elements]
        weights = torch.tensor([counts], dtype=torch.float64)
        every: _Seen = ({"weights": options.neighbor_weights}, weights, float(min(shortest)))
        radial = angular = [every] if near else []
    are_many = len(angular) > _MANY_PAIRS
    sizes = (_FEWER_GRIDS, _FEWER) if are_many else (_ANGULAR_GRIDS, _N_ANGULAR)
    zetas = _FEWER_ZETAS if are_many else _ZETAS
    of_one = [_Group(w, x, _gaussians(start, options.Rmax, _RADIAL_GRIDS, _N_RADIAL), ()) for w, x, start in radial]
    of_two = [_Group(w, x, _gaussians(start, options.Rmax, *sizes), zetas) for w, x, start in angular]
    return of_one if options.n_radial else [], of_two if options.n_angular else []


def _gaussians(start: float, cutoff: float, grids: Sequence[int], n_at_atom: int) -> Tensor:
    """Return eta and r_s [n, 2] of Gaussians at the atom, and on grids from the shortest distance to the cutoff."""
    return torch.tensor(list(_eta_and_shift(start, cutoff, grids, n_at_atom)), dtype=torch.float64)


def _eta_and_shift(start: float, cutoff: float, grids: Sequence[int], n_at_atom: int) -> Iterator[tuple[float, float]]:
    for eta in np.geomspace(0.25 / cutoff**2, 4.0 / start**2, n_at_atom):
        yield _rounded(eta), 0.0
    for n_steps in grids:
        ratio = (cutoff / start) ** (1 / n_steps)
        for place in range(n_steps):
            center = start * ratio**place
            width = _OVERLAP * center * (ratio - 1.0)
            if width >= _NARROWEST:
                yield _rounded(0.5 / width**2), _rounded(center)


def _rounded(value: float) -> float:
    """Return what is pleasant to read."""
    return float(f"{value:.4g}")


def radial_factor(
    function: SymmetryFunction, distances: np.ndarray, cutoff_name: str, inner_fraction: float
) -> np.ndarray:
    """Return what a function makes of one distance [n], without its angular term; of a triple that of its first piece.

    Args:
        function: Any.
        distances: [n] Å.
        cutoff_name: The cutoff function.
        inner_fraction: Of the cutoff, below which it is 1.
    """
    r = torch.as_tensor(distances, dtype=torch.float64)
    if function.centers is not None and function.half_widths is not None:
        return bp.piece(r, function.centers[0], function.half_widths[0]).numpy()
    step = cutoff_function(cutoff_name, r, function.reach, inner_fraction)
    if function.kappa is not None:
        return (torch.cos(function.kappa * r) * step).numpy()
    return (torch.exp(-(function.eta or 0.0) * (r - (function.r_s or 0.0)).square()) * step).numpy()
