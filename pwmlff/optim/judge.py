"""Evaluates a potential with many weights on one batch, without gradients; what no weight changes is computed once.

Letters: `P` candidates, `F` frames, `N` atoms, `Q` quantities.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

import torch
from torch import Tensor

from pwmlff.data.batch import Batch
from pwmlff.models.derivatives import Prediction, forces_from_gradients, predict_from, virial_from_gradients
from pwmlff.models.potential import Potential
from pwmlff.ops import StoredEvaluator, evaluate_candidates
from pwmlff.optim.loss import LossWeights, sum_errors

_ATOMS_AT_ONCE = 1_000_000  # of all candidates that are evaluated together; their forces and errors take 100 MB


class Judge:
    """A potential and a batch.

    Attributes:
        batch: As given.
    """

    def __init__(self, potential: Potential, batch: Batch, weights: LossWeights) -> None:
        """Prepare.

        Args:
            potential: With ever other weights, to be told before each evaluation.
            batch: This process's share.
            weights: Of the quantities.
        """
        self.batch = batch
        self._network = potential.network
        self._wanted = weights.predicted
        self._energies, self._gradients = potential.without_weights(*batch.pairs)

    def prediction(self) -> Prediction:
        """Return what the potential says with its present weights."""
        if self._wanted["forces"] or self._wanted["virial"] or self._network.has_kernels:
            energies, gradients = self._network.energies_and_gradients(*self.batch.pairs)
            gradients = gradients if self._gradients is None else gradients + self._gradients
        else:
            energies, gradients = self._network(*self.batch.pairs), None
        return predict_from(energies.to(torch.float64) + self._energies, gradients, self.batch, **self._wanted)

    def frame_errors(self, candidates: Iterable[None]) -> Tensor:
        """Return the errors of candidates on each frame, [P, F, Q, 5], the columns of `ErrorSums`.

        Args:
            candidates: Gives the potential the weights of the next one.
        """
        each = iter(candidates)
        next(each)
        evaluator = None if self._wanted["groups"] else self._network.native_evaluator(self.batch.energy.device)
        if evaluator is None or self.batch.energy.device.type != "cpu":
            sums = [self._own_errors(), *(self._own_errors() for _ in each)]
            return torch.stack(sums)
        evaluators = self._evaluators(evaluator, each)
        n_at_once = max(1, _ATOMS_AT_ONCE // max(1, len(self.batch.atom_types)))
        parts = []
        while some := list(islice(evaluators, n_at_once)):
            parts.append(sum_errors(self._together(some), self.batch, per_frame=True).values)
        return torch.cat(parts)

    def _own_errors(self) -> Tensor:
        return sum_errors(self.prediction(), self.batch, per_frame=True).values

    def _evaluators(self, first: StoredEvaluator, others: Iterator[None]) -> Iterator[StoredEvaluator]:
        yield first
        for _ in others:
            evaluator = self._network.native_evaluator(self.batch.energy.device)
            assert evaluator is not None  # as of the first
            yield evaluator

    def _together(self, candidates: list[StoredEvaluator]) -> Prediction:
        """Return what candidates say, with a dimension of these in front."""
        batch = self.batch
        energies, forces, virials = evaluate_candidates(
            candidates, batch.pairs, batch.pair_neighbors, batch.frame_start, virials=self._wanted["virial"]
        )
        energies = energies + self._energies
        if self._gradients is not None:
            forces = forces + forces_from_gradients(self._gradients, batch)
            virials = virials + virial_from_gradients(self._gradients, batch) if self._wanted["virial"] else virials
        return Prediction(
            energy=energies.new_zeros(len(energies), batch.n_frames).index_add(1, batch.atom_frame, energies),
            atomic_energies=energies,
            forces=forces if self._wanted["forces"] else None,
            virial=virials if self._wanted["virial"] else None,
        )
