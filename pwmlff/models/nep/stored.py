"""The arrays in which the kernels take a NEP, family `nep`; `csrc/core/nep` evaluates them.

With T types, nR and nA functions g_n made of kR and kA Chebyshev functions, largest l L, X further invariants,
D = nR + nA (L + X) and H neurons; Real is float64 or float32, the same in all arrays:

    cutoff            float64 [T, 2]            Å, radial and angular; that of a pair is the mean of its types'
    l_max             int64 []                  L, 0 to 8
    extras            int64 [6]                 1 where on: 222, 1111, 112, 123, 233, 134, in this order
    radial            Real [T, T, nR, kR]       c_nk by (central, neighbour) type
    angular           Real [T, T, nA, kA]
    net               Real [T, H (D + 2) + 1]   by central type w0 [H, D], b0 [H], w1 [H], b1
    scaler            Real [D]                  multiplies the descriptor
    double_geometry   int64 []                  1: distances and sums over neighbours are float64, 0: Real

or, in the place of radial and angular, tables of the functions g_n: polynomials of so many terms in the distance from
the begin of an interval, lowest power first; L' intervals divide the way from 0 to the cutoff of a pair,

    radial.table      Real [T, T, L', terms, nR]   terms 4 or 6, the same in both
    angular.table     Real [T, T, L', terms, nA]

Formula and order of the descriptor are in `ops/reference/nep.py`.
"""

from __future__ import annotations

FAMILY = "nep"
