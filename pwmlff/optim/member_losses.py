"""Losses of many candidates on the same frames, from the errors that each of them has on each frame.

    L = sum_q lambda_q RMSE_q + lambda_1 sum|z| / m + lambda_2 sqrt(sum z^2 / m)

as in GPUMD: energies and virials per atom, energies after the constant per atom is taken off that suits the candidate
best. There is a loss for each type of atoms, on the frames that hold it and of the weights that are for it, and one of
everything. Deviation: a virial has nine components here, of which GPUMD takes six.

Letters: `P` candidates, `F` frames, `Q` quantities, `T` types, `n` weights.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from pwmlff import distributed, keys
from pwmlff.data.batch import Batch
from pwmlff.optim.loss import COUNT, QUANTITIES, SIGNED, SQUARES

Floats = NDArray[np.float64]
_ENERGY = QUANTITIES.index(keys.ENERGY)


@dataclass(frozen=True)
class FrameErrors:
    """Errors of candidates on all frames of a batch, the same in all processes.

    Attributes:
        sums: [P, F, Q, 5], the columns of `ErrorSums`.
        holds: [T + 1, F] whether a frame holds atoms of each type, and at last true.
    """

    sums: Floats
    holds: NDArray[np.bool_]

    @classmethod
    def gathered(cls, sums: Tensor, batch: Batch, n_types: int) -> FrameErrors:
        """Bring the frames of all processes into one order, so that sums over them have the same bits.

        Args:
            sums: Of this process's share of the batch, [P, F, Q, 5].
            batch: The share.
            n_types: T; 0 where types have no losses of their own.
        """
        own = sums.cpu().numpy()
        holds = np.zeros((n_types + 1, batch.n_frames), dtype=np.bool_)
        if n_types:
            holds[batch.atom_types.cpu().numpy(), batch.atom_frame.cpu().numpy()] = True
        holds[-1] = True
        shares = distributed.gather((batch.codes, own, holds))
        # frames of one code are told apart by what the first candidate makes of them
        places = [
            (code, errors[0, frame].tobytes(), share, frame)
            for share, (codes, errors, _) in enumerate(shares)
            for frame, code in enumerate(codes)
        ]
        starts = np.cumsum([0, *(len(codes) for codes, _, _ in shares)])
        order = [starts[share] + frame for *_, share, frame in sorted(places)]
        return cls(
            np.concatenate([errors for _, errors, _ in shares], axis=1)[:, order],
            np.concatenate([held for _, _, held in shares], axis=1)[:, order],
        )

    @property
    def is_held(self) -> NDArray[np.bool_]:
        """[T + 1] whether there are atoms of each type."""
        return np.asarray(self.holds.any(1))

    def energy_offsets(self) -> Floats:
        """Return the mean error of the energy per atom of each candidate, [P] eV; 0 without labels."""
        energies = self.sums[:, :, _ENERGY]
        return energies[:, :, SIGNED].sum(1) / np.maximum(energies[:, :, COUNT].sum(1), 1.0)

    def rmse(self, *, shifted: bool) -> Floats:
        """Return the root mean square errors [T + 1, P, Q], 0 where there are no labels.

        Args:
            shifted: Take the offset off the energies.
        """
        counts, squares = self.sums[..., COUNT], self.sums[..., SQUARES]
        if shifted:  # a frame has one energy
            error = self.sums[:, :, _ENERGY, SIGNED] - self.energy_offsets()[:, None] * counts[:, :, _ENERGY]
            squares = squares.copy()
            squares[:, :, _ENERGY] = np.square(error)
        means = [squares[:, held].sum(1) / np.maximum(counts[:, held].sum(1), 1.0) for held in self.holds]
        return np.sqrt(np.stack(means))


@dataclass(frozen=True)
class Penalties:
    """lambda_1, lambda_2 and whose weights they are for.

    Attributes:
        lambda_1: eV.
        lambda_2: eV.
        type_of: [n] type of each weight; -1 for those of several types.
        n_types: T; 0 where no weight is for one type.
    """

    lambda_1: float
    lambda_2: float
    type_of: NDArray[np.int64]
    n_types: int

    @property
    def n_per_type(self) -> float:
        """Weights per type, m."""
        return max(1.0, len(self.type_of) / max(1, self.n_types))

    def of(self, weights: Floats) -> Floats:
        """Return both terms of the candidates' losses, [T + 1, P, 2] eV, the last row for all weights [P, n]."""
        own = [self.type_of == number for number in range(self.n_types)]
        terms = [self._terms(weights[:, mask], self.n_per_type) for mask in own]
        return np.stack([*terms, self._terms(weights, max(1, weights.shape[1]))])

    def _terms(self, weights: Floats, n_weights: float) -> Floats:
        mean, mean_square = np.abs(weights).sum(1) / n_weights, np.square(weights).sum(1) / n_weights
        return np.stack([self.lambda_1 * mean, self.lambda_2 * np.sqrt(mean_square)], axis=1)
