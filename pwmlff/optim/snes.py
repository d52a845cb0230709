"""SNES: a population of candidates instead of a gradient, as GPUMD trains its NEPs (Fan et al., PRB 104, 104309, 2021).

One step is one generation: candidates are drawn about the present weights, evaluated on the batch and ranked, see
`search_distribution.py` and `member_losses.py`. The potential has the mean of the distribution and the energy per atom
that suits it, not the best candidate as in GPUMD.

Further deviations: the means begin with the weights of the untrained or loaded model, uniform in (-1, 1) only for a NEP
with `start` gpumd; types that no frame of the batch holds are left as they are; NEP 3 has the step sizes and penalties
per type of the other versions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor

from pwmlff.data.batch import Batch
from pwmlff.models.derivatives import Prediction
from pwmlff.models.potential import Potential
from pwmlff.optim.base import MAX_COUNT, NonFiniteError, OptimizerConfig, UpdateStrategy
from pwmlff.optim.judge import Judge
from pwmlff.optim.kalman_blocks import WeightVector
from pwmlff.optim.loss import ErrorSums, LossWeights, sum_errors
from pwmlff.optim.member_losses import FrameErrors, Penalties
from pwmlff.optim.search_distribution import SearchDistribution
from pwmlff.optim.snes_records import SearchReport, SnesRecords, read_restart

USUAL_GENERATIONS = 20_000
_USUAL_DEVIATION = 0.1  # of root mean squares
_USUAL_PENALTY = 1e-6  # square of lambda_1 and lambda_2 per weight of a type


class SnesConfig(OptimizerConfig):
    """The `optimizer` section of SNES."""

    batch_size: int = Field(1000, ge=1, le=MAX_COUNT, description="Frames per generation, over all processes together")
    epochs: int = Field(
        200, ge=1, le=MAX_COUNT, description="Epochs of `output_interval` generations, or of one pass over the frames"
    )
    output_interval: int = Field(
        100, ge=1, le=MAX_COUNT, description="Generations of an epoch at least, after which errors are told"
    )
    population: int = Field(50, ge=2, le=100_000, description="Candidates of a generation")
    sigma0: float | None = Field(
        None,
        gt=0,
        description=f"Deviation of all weights at the start, 0.1 in GPUMD; if not given, {_USUAL_DEVIATION:g} of the "
        "root mean square of each layer's weights",
    )
    sigma_max: float = Field(1.0, gt=0, description="Bound of the deviations")
    lambda_1: float | None = Field(
        None, ge=0, description="Weight of the mean magnitude of the weights; sqrt(1e-6 n) if not given, n per type"
    )
    lambda_2: float | None = Field(
        None, ge=0, description="Weight of their root mean square; the default is that of `lambda_1`"
    )
    lambda_e: float = Field(1.0, ge=0, description="Weight of the error of energies per atom")
    lambda_f: float = Field(1.0, ge=0, description="Weight of the error of forces")
    lambda_v: float = Field(0.1, ge=0, description="Weight of the error of virials per atom")
    lambda_ei: float = Field(1.0, ge=0, description="Weight of the error of atomic energies")
    lambda_egroup: float = Field(1.0, ge=0, description="Weight of the error of group energies")
    nep_restart: Path | None = Field(
        None, description="`nep.restart` of GPUMD or of a run here, to begin with its means and deviations"
    )

    @model_validator(mode="after")
    def _check(self) -> SnesConfig:
        if self.trained and not self.ranked_by:
            raise ValueError("the weights `lambda_...` of all that is trained are 0; give one of them another value")
        if self.sigma0 is not None and self.sigma0 > self.sigma_max:
            raise ValueError(f"`sigma0` is {self.sigma0:g}, expected at most `sigma_max` ({self.sigma_max:g})")
        return self

    @property
    def loss_weights(self) -> LossWeights:
        """Weights of root mean square errors, 0 for what is not trained."""
        return LossWeights(
            energy=self.lambda_e if self.train_energy else 0.0,
            forces=self.lambda_f if self.train_force else 0.0,
            virial=self.lambda_v if self.train_virial else 0.0,
            atomic_energies=self.lambda_ei if self.train_ei else 0.0,
            group_energies=self.lambda_egroup if self.train_egroup else 0.0,
        )

    @property
    def ranked_by(self) -> list[str]:
        """See the base: weights stay as they are."""
        return self.loss_weights.quantities

    @property
    def least_steps(self) -> int:
        """See the base."""
        return self.output_interval

    def for_frames(self, n_frames: int) -> SnesConfig:
        """Return the settings for so many frames: batches of equal size, as in GPUMD."""
        if "batch_size" in self.model_fields_set:
            return self
        n_batches = -(-n_frames // self.batch_size)
        return self.model_copy(update={"batch_size": -(-n_frames // max(1, n_batches))})

    def usual_epochs(self, steps_per_epoch: int) -> int:
        """See the base."""
        return max(1, -(-USUAL_GENERATIONS // steps_per_epoch))

    def cautions(self, n_steps: int) -> list[str]:
        """See the base."""
        lines = []
        if n_steps < USUAL_GENERATIONS:
            lines.append(
                f"SNES will do {n_steps} generations, and mostly needs {USUAL_GENERATIONS} or more: raise `epochs`, or "
                'take `"optimizer": "LKF"`, which is much quicker'
            )
        if self.nep_restart is not None:
            lines.append(
                f"'{self.nep_restart}' holds no scaling of the descriptor: take it from the nep.txt beside it by "
                "`model_load_file`, or train on the same frames with `model.start` gpumd"
            )
        return lines


class SnesUpdate(UpdateStrategy):
    """Separable natural evolution strategy; see the module.

    Attributes:
        distribution: Means and deviations of the weights.
        penalties: Of the weights.
        kept_losses: Loss of the mean on the last batch, its two penalties, and the root mean square errors of energies,
            forces and virials.
    """

    Config: ClassVar[type[OptimizerConfig]] = SnesConfig
    searches = True
    state_keys = ", `population`"

    @classmethod
    def state_size(cls, config: SnesConfig, n_weights: int) -> int:
        """Return the bytes of means, deviations and a population."""
        return 8 * (2 + config.population) * n_weights

    def __init__(self, potential: Potential, config: SnesConfig, *, steps_per_epoch: int) -> None:
        """Begin at the weights of the potential; see `UpdateStrategy`."""
        super().__init__(potential, config, steps_per_epoch=steps_per_epoch)
        self._vector = WeightVector(potential)
        types = potential.network.types_of_weights()
        common = torch.tensor(-1)
        type_of = torch.cat([types.get(p, common).expand(p.shape).flatten() for p in self._vector.parameters])
        n_types = len(potential.elements) if bool((type_of >= 0).any()) else 0
        usual = (_USUAL_PENALTY * len(type_of) / max(1, n_types)) ** 0.5
        self.penalties = Penalties(
            usual if config.lambda_1 is None else config.lambda_1,
            usual if config.lambda_2 is None else config.lambda_2,
            type_of.numpy(),
            n_types,
        )
        mean, deviation = self._start()
        self.distribution = SearchDistribution(
            mean,
            deviation,
            largest=config.sigma_max,
            n_per_type=self.penalties.n_per_type,
            seed=torch.initial_seed(),
        )
        self.kept_losses = [0.0] * 6

    def _start(self) -> tuple[np.ndarray, np.ndarray]:
        """Return means and deviations to begin with, [n] each."""
        path = self.config.nep_restart
        if path is None:
            mean = self._vector.read().cpu().numpy()
            given = self.config.sigma0
            return mean, self._usual_deviation(mean) if given is None else np.full_like(mean, given)
        tables = read_restart(path, self.potential.network)
        names = self._names()
        mean, deviation = (np.concatenate([table[name].ravel() for name in names]) for table in tables)
        self._put(mean)
        return mean, deviation

    def _usual_deviation(self, mean: np.ndarray) -> np.ndarray:
        """Return deviations [n] by the size of the weights of each parameter; of all, where these begin with 0."""
        deviation = np.empty_like(mean)
        bounds = np.cumsum(self._vector.sizes)[:-1]
        for weights, own in zip(np.split(mean, bounds), np.split(deviation, bounds), strict=True):
            own[:] = _USUAL_DEVIATION * _root_mean_square(weights if weights.any() else mean)
        return np.minimum(deviation, self.config.sigma_max)

    def _names(self) -> list[str]:
        """Return the names of the trained parameters in the network."""
        return [name for name, weight in self.potential.network.named_parameters() if weight.requires_grad]

    def report(self) -> SearchReport:
        """Return where the search is."""
        names, bounds = self._names(), np.cumsum(self._vector.sizes)[:-1]
        both = (self.distribution.mean, self.distribution.deviation)
        mean, deviation = (dict(zip(names, np.split(values, bounds), strict=True)) for values in both)
        return SearchReport(self.n_steps, self.kept_losses, mean, deviation)

    def step(self, batch: Batch) -> ErrorSums:
        """See `UpdateStrategy.step`; the errors are those of the mean after the step."""
        with torch.no_grad():
            judge = Judge(self.potential, batch, self.weights)
            self._move(judge)
            prediction = self._settle(judge)
            self.n_steps += 1
            return sum_errors(prediction, batch)

    def _move(self, judge: Judge) -> None:
        """Evaluate a generation and move the distribution."""
        distribution, penalties = self.distribution, self.penalties
        s = distribution.draw(self.n_steps, self.config.population)
        members = distribution.members(s)
        sums = judge.frame_errors(self._each(members))
        errors = FrameErrors.gathered(sums, judge.batch, penalties.n_types)
        losses = errors.rmse(shifted=self._is_shifted) @ np.array(self.weights.as_tuple())  # [T + 1, P]
        losses = np.where(np.isfinite(losses), losses, np.inf) + penalties.of(members).sum(2)
        if not np.isfinite(losses[-1]).any():
            self._put(distribution.mean)
            raise NonFiniteError("no candidate has a finite loss")
        ranking_of = np.where(penalties.type_of < 0, penalties.n_types, penalties.type_of)
        distribution.move(s, losses, np.where(errors.is_held[ranking_of], ranking_of, -1))

    def _settle(self, judge: Judge) -> Prediction:
        """Give the potential the mean and the energy that suits it; return what it says."""
        self._put(self.distribution.mean)
        prediction = judge.prediction()
        sums = sum_errors(prediction, judge.batch, per_frame=True).values
        errors = FrameErrors.gathered(sums.unsqueeze(0), judge.batch, self.penalties.n_types)
        rmse = errors.rmse(shifted=self._is_shifted)[-1, 0]
        penalty = self.penalties.of(self.distribution.mean[None])[-1, 0]
        loss = float(rmse @ np.array(self.weights.as_tuple()) + penalty.sum())
        self.kept_losses = [loss, *penalty.tolist(), *rmse[:3].tolist()]
        if not self._is_shifted:
            return prediction
        offset = float(errors.energy_offsets()[0])
        self.potential.energy_shift -= offset
        return replace(
            prediction,
            energy=prediction.energy - offset * judge.batch.n_atoms.to(torch.float64),
            atomic_energies=prediction.atomic_energies - offset,
        )

    def _each(self, members: np.ndarray) -> Iterator[None]:
        """Give the potential the weights of one member [P, n] after the other."""
        for weights in members:
            self._put(weights)
            yield

    def _put(self, weights: np.ndarray) -> None:
        self._vector.write(torch.from_numpy(weights))

    @property
    def _is_shifted(self) -> bool:
        """Whether energies count up to a constant; atomic energies tell that constant."""
        return not (self.config.train_ei or self.config.train_egroup)

    @property
    def weights(self) -> LossWeights:
        """Weights of the errors, constant; by them the trainer shows a loss of mean squares."""
        return self.config.loss_weights

    def records(self, folder: Path) -> SnesRecords:
        """See the base: the files of GPUMD."""
        return SnesRecords(folder, self.potential.network, self.report)

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return means, deviations, the seed of all generations, and the losses that are still to be written."""
        tensors, state = super().state()
        tensors["mean"] = torch.from_numpy(self.distribution.mean.copy())
        tensors["deviation"] = torch.from_numpy(self.distribution.deviation.copy())
        return tensors, {**state, "seed": self.distribution.seed, "kept_losses": self.kept_losses}

    def load_state(self, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
        """Take back what `state` returned."""
        super().load_state(tensors, state)
        self.distribution.mean = tensors["mean"].cpu().numpy().copy()
        self.distribution.deviation = tensors["deviation"].cpu().numpy().copy()
        self.distribution.seed = int(state["seed"])
        self.kept_losses = list(state["kept_losses"])


def _root_mean_square(weights: np.ndarray) -> float:
    return float(np.sqrt(np.square(weights).mean()))
