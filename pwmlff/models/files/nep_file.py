"""What a `nep.txt` of GPUMD, MatPL or TorchNEP says, and its text.

    nep{3|4|5}[_zbl] T El1 El2 ...
    zbl inner outer [factor]                   only after _zbl; `zbl 0 0`: each pair of elements has its own, at the end
    cutoff rR rA [rR2 rA2 ...] [MN_R MN_A]     Å, for all elements or for each; largest numbers of neighbours
    n_max nR nA
    basis_size kR kA
    l_max L 222 1111 [112 123 233 134]         switches of further invariants, 2 for 222
    ANN H 0

and then one number a line:

    net        nep3: w0 [H, D], b0 [H], w1 [H]; nep4: these for each element; nep5: these and a bias for each element
    bias       common to all elements; biases are subtracted from energies
    c_nk       [nR + 1, kR + 1, T, T], the last index that of the neighbour; then the angular ones likewise
    q_scaler   [D]
    repulsion  after `zbl 0 0`: of each pair of elements 11, 12, ..., 22, ...: range and screening, 10 numbers

Letters: `T` elements, `D` length of the descriptor, `H` neurons.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pwmlff.models.zbl import ZBLConfig


@dataclass(frozen=True, kw_only=True)
class NepFile:
    """The numbers of a `nep.txt`.

    Attributes:
        version: 3, 4 or 5.
        elements: Symbols in type order.
        zbl: Short-range repulsion; None for none.
        cutoffs: [T, 2] Å, radial and angular; those of a pair are the means.
        neighbors: Largest number of neighbours within both cutoffs; None where the file does not tell.
        n_max: Radial and angular.
        basis_size: Likewise.
        l_max: Largest l.
        extras: 1 where a further invariant is on.
        neurons: H.
        nets: [T, H (D + 2)], of version 3 [1, H (D + 2)].
        biases: [T] of version 5, [0] of others.
        common_bias: eV.
        radial: [T, T, nR + 1, kR + 1] by (central, neighbour) type.
        angular: [T, T, nA + 1, kA + 1].
        scaler: [D].
    """

    version: int
    elements: tuple[str, ...]
    zbl: ZBLConfig | None = None
    cutoffs: NDArray[np.float64]
    neighbors: tuple[int, int] | None = None
    n_max: tuple[int, int]
    basis_size: tuple[int, int]
    l_max: int
    extras: tuple[int, ...]
    neurons: int
    nets: NDArray[np.float64]
    biases: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    common_bias: float
    radial: NDArray[np.float64]
    angular: NDArray[np.float64]
    scaler: NDArray[np.float64]

    def text(self) -> str:
        """Return the text of the file: eight digits of each number, as GPUMD prints them."""
        rows = self.nets if self.version < 5 else np.column_stack([self.nets, self.biases])
        coefficients = [array.transpose(2, 3, 0, 1) for array in (self.radial, self.angular)]
        flexible = () if self.zbl is None else self.zbl.flexible or ()
        arrays = [rows, np.array(self.common_bias), *coefficients, self.scaler, np.array(flexible)]
        lines = [" ".join(words) for words in self._header()]
        lines += [f"{number:15.7e}" for array in arrays for number in array.flat]
        return "\n".join(lines) + "\n"

    def _header(self) -> list[tuple[str, ...]]:
        """Return the words of each line before the numbers."""
        version = f"nep{self.version}{'' if self.zbl is None else '_zbl'}"
        is_same = (self.cutoffs == self.cutoffs[0]).all()
        extras = list(self.extras)
        while len(extras) > 2 and extras[-1] == 0:
            del extras[-1]
        lines = [(version, str(len(self.elements)), *self.elements)]
        if self.zbl is not None:
            lines.append(("zbl", *_repulsion_words(self.zbl)))
        cutoffs = (self.cutoffs[:1] if is_same else self.cutoffs).flatten().tolist()
        return [
            *lines,
            ("cutoff", *map(_decimal, cutoffs), *map(str, self.neighbors or ())),
            ("n_max", *map(str, self.n_max)),
            ("basis_size", *map(str, self.basis_size)),
            ("l_max", str(self.l_max), str(2 * extras[0]), *map(str, extras[1:])),
            ("ANN", str(self.neurons), "0"),
        ]


def _repulsion_words(zbl: ZBLConfig) -> tuple[str, ...]:
    if zbl.flexible is not None:
        return "0", "0"
    factor = () if zbl.typewise_factor is None else (zbl.typewise_factor,)
    return tuple(map(_decimal, (zbl.inner, zbl.outer, *factor)))


def _decimal(number: float) -> str:
    """Return the shortest text that reads as this number."""
    return np.format_float_positional(number, trim="-")
