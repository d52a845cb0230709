"""Networks of Behler and Parrinello (PRL 98, 146401, 2007), from their stored arrays.

The energy of an atom is a plain net of its element, fed with its symmetry functions after shift and factor. Formulas
of the functions are in `models/bp/functions.py`, the arrays in `models/bp/stored.py`.

Letters: `N` atoms, `E` pairs, `M` triplets (pairs of neighbours of one atom), `T` types, `F` functions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from pwmlff.ops.pairs import pair_centers
from pwmlff.ops.reference.cutoffs import CUTOFF_FUNCTIONS, cutoff_function
from pwmlff.ops.reference.nets import plain_net

_G1, _G2, _G3, _G4, _G5, _PIECE, _TRIPLE = range(1, 8)

Arrays = Mapping[str, Tensor]


class TypeFunctions(NamedTuple):
    """Symmetry functions of the atoms of one type.

    Attributes:
        atoms: [n] their indices.
        values: [n, F of the type], radial functions before angular ones.
    """

    atoms: Tensor
    values: Tensor


class _Neighbors(NamedTuple):
    """Neighbours of the atoms of one type: centre (place among these atoms) [e], vector [e, 3] and type [e]."""

    centers: Tensor
    vectors: Tensor
    types: Tensor


class _Triplets(NamedTuple):
    """Pairs of neighbours j < k: centre [M], distances to j, to k and between them, cosine [M], types of j and k."""

    centers: Tensor
    distances: tuple[Tensor, Tensor, Tensor]
    cosine: Tensor
    types: tuple[Tensor, Tensor]


class _Cutoff(NamedTuple):
    """The cutoff function of a model."""

    name: str
    inner_fraction: float

    def __call__(self, distances: Tensor, cutoff: float) -> Tensor:
        return cutoff_function(self.name, distances, cutoff, self.inner_fraction)


def atomic_energies(
    arrays: Arrays,
    pair_vectors: Tensor,
    pair_start: Tensor,
    pair_types: Tensor,
    atom_types: Tensor,
    overflows: Tensor,
) -> Tensor:
    """Evaluate a whole model, with the precision that its arrays say.

    Args:
        arrays: See `models/bp/stored.py`.
        pair_vectors: [E, 3] float64, Å.
        pair_start: [N + 1] int64.
        pair_types: [E] int64.
        atom_types: [N] int64.
        overflows: [2] int64; nothing is added, for there are no tables.

    Returns:
        [N] eV float64, a function of the pair vectors and of the arrays.
    """
    activations = arrays["activations"].tolist()
    energies = torch.zeros(len(atom_types), dtype=torch.float64, device=atom_types.device)
    by_type = symmetry_functions(arrays, pair_vectors, pair_start, pair_types, atom_types)
    for central, (atoms, values) in enumerate(_inputs(arrays, by_type)):
        inputs = values.to(arrays["scaling"].dtype)  # [n, F]
        layers = [
            (arrays[f"net.{central}.{layer}.weight"], arrays[f"net.{central}.{layer}.bias"])
            for layer in range(len(activations))
        ]
        energies = energies.index_copy(0, atoms, plain_net(inputs, layers, activations).squeeze(1).to(torch.float64))
    return energies


def descriptors(
    arrays: Arrays, pair_vectors: Tensor, pair_start: Tensor, pair_types: Tensor, atom_types: Tensor
) -> Tensor:
    """Return what the nets see, [N, D], with zeros where an element has fewer functions; see `atomic_energies`."""
    by_type = symmetry_functions(arrays, pair_vectors, pair_start, pair_types, atom_types)
    return scaled(arrays, by_type, len(atom_types))


def scaled(arrays: Arrays, by_type: Sequence[TypeFunctions], n_atoms: int) -> Tensor:
    """Return symmetry functions with shift and factor as the rows of all atoms, [N, D] float64; see `descriptors`."""
    inputs = _inputs(arrays, by_type)
    width = max(values.shape[1] for _, values in inputs)
    result = torch.zeros(n_atoms, width, dtype=torch.float64, device=arrays["scaling"].device)
    for atoms, values in inputs:
        result[atoms, : values.shape[1]] = values.to(torch.float64)
    return result


def _inputs(arrays: Arrays, by_type: Sequence[TypeFunctions]) -> list[TypeFunctions]:
    """Return the symmetry functions of the atoms of each type with shift and factor."""
    parts = arrays["scaling"].split([values.shape[1] for _, values in by_type])
    return [
        TypeFunctions(atoms, (values - part[:, 0]) * part[:, 1])
        for (atoms, values), part in zip(by_type, parts, strict=True)
    ]


def symmetry_functions(
    arrays: Arrays, pair_vectors: Tensor, pair_start: Tensor, pair_types: Tensor, atom_types: Tensor
) -> list[TypeFunctions]:
    """Return the symmetry functions of the atoms of each type, before shift and factor.

    Args:
        arrays: Those of the functions, of the cutoff function, and perhaps `double_geometry`, which is float64 when it
            is not there.
        pair_vectors: The others as in `atomic_energies`.
        pair_start: See there.
        pair_types: See there.
        atom_types: See there.
    """
    is_double = "double_geometry" not in arrays or bool(arrays["double_geometry"])
    wide = torch.float64 if is_double else arrays["radial_weights"].dtype
    cutoff = _Cutoff(CUTOFF_FUNCTIONS[int(arrays["cutoff_function"])], float(arrays["inner_fraction"]))
    centers = pair_centers(pair_start)  # [E]
    center_types = atom_types.index_select(0, centers)
    radial_start, angular_start = arrays["radial_start"].tolist(), arrays["angular_start"].tolist()
    results = []
    for central in range(len(radial_start) - 1):
        atoms = torch.nonzero(atom_types == central).squeeze(-1)  # [n]
        places = torch.nonzero(center_types == central).squeeze(-1)  # [e]
        own = _Neighbors(
            torch.searchsorted(atoms, centers.index_select(0, places)),
            pair_vectors.index_select(0, places).to(wide),
            pair_types.index_select(0, places),
        )
        radial = slice(radial_start[central], radial_start[central + 1])
        angular = slice(angular_start[central], angular_start[central + 1])
        values = [_radial(arrays, radial, own, len(atoms), cutoff), _angular(arrays, angular, own, len(atoms), cutoff)]
        results.append(TypeFunctions(atoms, torch.cat(values, dim=1)))
    return results


def _radial(arrays: Arrays, rows: slice, neighbors: _Neighbors, n_atoms: int, cutoff: _Cutoff) -> Tensor:
    """Return the radial functions [n, F] of these rows."""
    kinds, parameters = arrays["radial_kind"][rows].tolist(), arrays["radial"][rows].tolist()
    near = _within(neighbors, max((row[0] for row in parameters), default=0.0))
    distances = torch.linalg.vector_norm(near.vectors, dim=1)  # [e]
    steps = {row[0]: cutoff(distances, row[0]) for kind, row in zip(kinds, parameters, strict=True) if kind != _PIECE}
    functions = [distances.new_zeros(len(distances), 0)]
    for kind, (r_c, *values) in zip(kinds, parameters, strict=True):
        functions.append(_radial_terms(kind, distances, steps.get(r_c), *values).unsqueeze(1))
    terms = torch.cat(functions, dim=1) * arrays["radial_weights"][rows].T.index_select(0, near.types)  # [e, F]
    return terms.new_zeros(n_atoms, terms.shape[1]).index_add(0, near.centers, terms)


def _radial_terms(kind: int, distances: Tensor, steps: Tensor | None, a: float, b: float) -> Tensor:
    if kind == _PIECE:
        return piece(distances, a, b)
    assert steps is not None
    if kind == _G2:
        return torch.exp(-a * (distances - b).square()) * steps
    return torch.cos(a * distances) * steps if kind == _G3 else steps


def _angular(arrays: Arrays, rows: slice, neighbors: _Neighbors, n_atoms: int, cutoff: _Cutoff) -> Tensor:
    """Return the angular functions [n, F] of these rows; only neighbours within the largest of their cutoffs meet."""
    kinds, parameters = arrays["angular_kind"][rows].tolist(), arrays["angular"][rows].tolist()
    weights = arrays["angular_weights"][rows]
    triplets = _triplets(_within(neighbors, max((row[0] for row in parameters), default=0.0)))
    factors = _Factors(triplets, cutoff)
    jk, kj = (first * weights.shape[-1] + second for first, second in (triplets.types, triplets.types[::-1]))  # [M]
    columns = [triplets.cosine.new_zeros(0, len(triplets.cosine))]
    for kind, row, weight in zip(kinds, parameters, weights.flatten(1), strict=True):
        if kind == _TRIPLE:
            r_ij, r_ik, r_jk = triplets.distances
            terms = _triple(row, r_ij, r_ik, r_jk) * weight.index_select(0, jk)
            terms = terms + _triple(row, r_ik, r_ij, r_jk) * weight.index_select(0, kj)
        else:
            r_c, eta, r_s, sign, zeta = row[:5]
            terms = factors.cosines(sign, zeta) * factors.gaussians(kind, eta, r_s) * factors.steps(kind, r_c)
            terms = terms * weight.index_select(0, jk)
        columns.append(terms.unsqueeze(0))
    terms = torch.cat(columns).T  # [M, F]
    return terms.new_zeros(n_atoms, terms.shape[1]).index_add(0, triplets.centers, terms)


class _Factors:
    """What the functions G4 and G5 of some triplets share, [M] each, made when it is first asked for."""

    def __init__(self, triplets: _Triplets, cutoff: _Cutoff) -> None:
        self._triplets, self._cutoff = triplets, cutoff
        self._made: dict[tuple[object, ...], Tensor] = {}

    def cosines(self, sign: float, zeta: float) -> Tensor:
        """Return 2^(1 - zeta) (1 + lambda cos theta)^zeta."""

        def make() -> Tensor:
            half = 0.5 + 0.5 * sign * self._triplets.cosine
            return 2.0 * half.clamp(min=0.0) ** zeta  # rounding may carry it below

        return self._once(("cosines", sign, zeta), make)

    def gaussians(self, kind: int, eta: float, r_s: float) -> Tensor:
        """Return the product of the Gaussians, which has that of r_jk in G4."""

        def make() -> Tensor:
            first, *others = ((distances - r_s).square() for distances in self._sides(kind))
            return torch.exp(-eta * sum(others, first))

        return self._once(("gaussians", kind, eta, r_s), make)

    def steps(self, kind: int, r_c: float) -> Tensor:
        """Return the product of the cutoff functions, which has that of r_jk in G4."""

        def make() -> Tensor:
            first, *others = (self._cutoff(distances, r_c) for distances in self._sides(kind))
            return math.prod(others, start=first)

        return self._once(("steps", kind, r_c), make)

    def _sides(self, kind: int) -> tuple[Tensor, ...]:
        return self._triplets.distances if kind == _G4 else self._triplets.distances[:2]

    def _once(self, key: tuple[object, ...], make: Callable[[], Tensor]) -> Tensor:
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]


def _triple(row: list[float], first: Tensor, second: Tensor, between: Tensor) -> Tensor:
    """Return the product of the three pieces of a row, [M], where the first belongs to one of the neighbours."""
    sides = zip((first, second, between), row[1:4], row[4:7], strict=True)
    a, b, c = (piece(distances, center, half_width) for distances, center, half_width in sides)
    return a * b * c


def piece(distances: Tensor, center: float, half_width: float) -> Tensor:
    """Return [1 + cos(pi (r - c) / h)] / 2 where |r - c| < h, else 0."""
    x = (distances - center) / half_width
    is_inside = ~(x.abs() >= 1.0)
    return torch.where(is_inside, 0.5 + 0.5 * torch.cos(math.pi * torch.where(is_inside, x, 0.0)), 0.0)


def _within(neighbors: _Neighbors, reach: float) -> _Neighbors:
    """Return the neighbours nearer than the reach, in Å."""
    is_near = ~(neighbors.vectors.detach().square().sum(1) >= reach * reach)  # what is not a number stays to be seen
    places = torch.nonzero(is_near).squeeze(-1)
    return _Neighbors(*(each.index_select(0, places) for each in neighbors))


def _triplets(neighbors: _Neighbors) -> _Triplets:
    """Return all pairs j < k of neighbours of the same atom, which lie side by side."""
    centers, vectors, types = neighbors
    n = len(centers)
    last = torch.searchsorted(centers, centers, right=True)  # [e] where the neighbours of the same atom end
    counts = last - torch.arange(n, device=centers.device) - 1  # [e] neighbours behind each
    j = torch.repeat_interleave(torch.arange(n, device=centers.device), counts)  # [M]
    ends = counts.cumsum(0)
    k = j + 1 + torch.arange(len(j), device=j.device) - (ends - counts).index_select(0, j)
    lengths = torch.linalg.vector_norm(vectors, dim=1)
    v_ij, v_ik = vectors.index_select(0, j), vectors.index_select(0, k)
    r_ij, r_ik = lengths.index_select(0, j), lengths.index_select(0, k)
    return _Triplets(
        centers.index_select(0, j),
        (r_ij, r_ik, torch.linalg.vector_norm(v_ik - v_ij, dim=1)),
        (v_ij * v_ik).sum(1) / (r_ij * r_ik),
        (types.index_select(0, j), types.index_select(0, k)),
    )
