"""The arrays in which the kernels take a network of Behler and Parrinello, family `bp`; `csrc/core/bp` evaluates them.

With T types, Fr radial and Fa angular functions of all central types, F = Fr + Fa; Real is float64 or float32, the same
in all arrays:

    cutoff_function   int64 []              place in `CUTOFF_FUNCTIONS`
    inner_fraction    float64 []            a, of the cutoff functions that begin to fall at a r_c
    radial_start      int64 [T + 1]         radial functions of central type t are rows radial_start[t] to [t + 1]
    radial_kind       int64 [Fr]            1 G1, 2 G2, 3 G3, 6 piece
    radial            float64 [Fr, 3]       r_c in Å, then eta and r_s; or kappa; or centre and half width; else 0
    radial_weights    Real [Fr, T]          by the type of the neighbour
    angular_start     int64 [T + 1]
    angular_kind      int64 [Fa]            4 G4, 5 G5, 7 triple
    angular           float64 [Fa, 7]       r_c, then eta, r_s, lambda, zeta; or three centres and three half widths
    angular_weights   Real [Fa, T, T]       by the types of j and k; symmetric, but for a triple
    scaling           Real [F, 2]           shift and factor: an input of a net is (G - shift) factor
    activations       int64 [L]             of each layer of the nets: the place in `ACTIVATIONS`; the last is linear
    net.{t}.{l}.weight, net.{t}.{l}.bias    Real [out, in], [out] of layer l of the net of central type t
    double_geometry   int64 []              1: distances and sums over neighbours are float64, 0: Real

Inputs are in the order: central type 0 with its radial, then its angular functions; central type 1; and so on. Sums of
G4 and G5 run over pairs of neighbours j < k, that of a triple over ordered pairs, where the first piece is that of j.
r_c of a piece is the end of it, that of a triple the larger end of its first two pieces. Formulas are in
`functions.py`, cutoff functions in `ops/reference/cutoffs.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import torch
from torch import Tensor

from pwmlff.models.bp.functions import KINDS, SymmetryFunction, functions_of, neighbor_weights, pair_weights

FAMILY = "bp"
_RADIAL_WIDTH, _ANGULAR_WIDTH = 3, 7


def function_arrays(
    functions: Sequence[SymmetryFunction], elements: Sequence[str], dtype: torch.dtype
) -> dict[str, Tensor]:
    """Return the arrays of symmetry functions, without cutoff function and scaling.

    Args:
        functions: In any order.
        elements: Symbols in type order.
        dtype: Of the weights.
    """
    by_type = [functions_of(functions, element) for element in elements]
    radial = [[f for f in own if f.is_radial] for own in by_type]
    angular = [[f for f in own if not f.is_radial] for own in by_type]
    n_types = len(elements)
    radial_rows, angular_rows = sum(radial, []), sum(angular, [])
    return {
        "radial_start": _starts(radial),
        "radial_kind": _kinds(radial_rows),
        "radial": _rows(radial_rows, _RADIAL_WIDTH),
        "radial_weights": torch.tensor([neighbor_weights(f, elements) for f in radial_rows], dtype=dtype).view(
            -1, n_types
        ),
        "angular_start": _starts(angular),
        "angular_kind": _kinds(angular_rows),
        "angular": _rows(angular_rows, _ANGULAR_WIDTH),
        "angular_weights": torch.tensor([pair_weights(f, elements) for f in angular_rows], dtype=dtype).view(
            -1, n_types, n_types
        ),
    }


def _starts(by_type: Sequence[Sequence[SymmetryFunction]]) -> Tensor:
    return torch.tensor([0, *accumulate(len(own) for own in by_type)])


def _kinds(functions: Sequence[SymmetryFunction]) -> Tensor:
    return torch.tensor([KINDS[f.type].number for f in functions], dtype=torch.int64)


def _rows(functions: Sequence[SymmetryFunction], width: int) -> Tensor:
    rows = [[*f.row, *[0.0] * (width - len(f.row))] for f in functions]
    return torch.tensor(rows, dtype=torch.float64).view(-1, width)
