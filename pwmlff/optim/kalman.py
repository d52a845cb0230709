"""LKF and GKF: an extended Kalman filter estimates the weights, each label a measurement.

Layer-wise (RLEKF, Hu et al., AAAI 2023; Li 2025) with a covariance per block of weights, or global (GKF) with one. The
filter itself is in `kalman_filter.py`, what is measured in `kalman_measurements.py`.

Deviations from PWMLFF, each a key: the measurements of a batch are taken in together as one vector, from one forward
pass (`joint`), and the batch may be measured in several parts (`parts`); atoms are drawn without replacement; the
variance that forgetting builds up and the length of a step are bounded (`p_max`, `max_step`); weights decay where
nothing is measured (`weight_decay`); and a run that has lost its way returns to its last good weights (`guard`). No
key: only ratios of prefactors count, see `_MOST`.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor

from pwmlff import distributed
from pwmlff.data.batch import Batch
from pwmlff.models.derivatives import predict_from
from pwmlff.models.potential import Potential
from pwmlff.optim.base import MAX_COUNT, NonFiniteError, OptimizerConfig, RunLostError, UpdateStrategy
from pwmlff.optim.kalman_blocks import WeightVector, split_blocks
from pwmlff.optim.kalman_filter import FilterError, KalmanFilter
from pwmlff.optim.kalman_guard import Guard
from pwmlff.optim.kalman_measurements import (
    ForceDraw,
    Kind,
    atomic_energies_kind,
    energy_kind,
    forces_kind,
    group_energies_kind,
    virial_kind,
)
from pwmlff.optim.kalman_parts import order_by_part, sum_parts
from pwmlff.optim.loss import ErrorSums, LossWeights, sum_errors

# Virials have a tenth of what they could have: stresses of many calculations have an offset (Pulay stress), which
# energies would pay for.
PREFACTORS = LossWeights(energy=200.0, forces=60.0, virial=6.0, atomic_energies=60.0, group_energies=60.0)
# Those given are multiplied by the largest factor that takes none above these: prefactors c times as large do what `P`
# c^2 times as large does, and `p0_weight` and `p_max` are for this scale.
_MOST = replace(PREFACTORS, virial=60.0)
_USUAL_STEPS, _USUAL_EPOCHS = 2500, (15, 60)  # of a run, within these bounds of epochs
_LEAST_STEPS = 20  # of an epoch, wanted of a batch size that was not given
USUAL_MAX_STEP = 5.0  # root mean squares of one weight, where the run file gives no `max_step`
MOST_OF_LENGTH = 0.2  # of the weight vector, likewise
MOST_IN_ONE_BLOCK = 5120  # weights, where the run file gives no `block_size`
USUAL_BLOCK = 1024  # of more of them
_PRIOR_INTERVAL = 10  # steps from one measurement of the prior to the next
MOST_FORCE_GROUPS = 1000  # each takes as much memory as the weights


class KalmanConfig(OptimizerConfig):
    """The `optimizer` section for LKF and GKF."""

    optimizer: str = Field("LKF", description="Name of the optimizer")
    batch_size: int = Field(
        8,
        ge=1,
        le=MAX_COUNT,
        description="Frames per optimizer step, over all processes together; fewer when not given and there are less "
        f"than {8 * _LEAST_STEPS} frames",
    )
    kalman_lambda: float = Field(0.98, gt=0, le=1, description="Memory lambda of the first step")
    kalman_nue: float = Field(0.9987, gt=0, le=1, description="nu: each step leaves this part of 1 - lambda")
    block_size: int | None = Field(
        None,
        ge=1,
        le=MAX_COUNT,
        description="Most weights of one block of P; memory grows with its square. If not given, all weights are one "
        f"block where they are at most {MOST_IN_ONE_BLOCK}, otherwise {USUAL_BLOCK}",
    )
    p0_weight: float = Field(1.0, gt=0, le=1, description="Variance of the weights at the start: P = p0_weight 1")
    p_max: float = Field(100.0, gt=0, description="Largest variance of a weight that forgetting may lead to")
    max_step: float | None = Field(
        None,
        gt=0,
        description="Longest step of the weight vector, in root mean squares of one weight. If not given, "
        f"{USUAL_MAX_STEP:g}, or 1/{1 / MOST_OF_LENGTH:g} of the vector's length where that is less",
    )
    joint: bool = Field(
        True, description="Take in all measurements of a batch as one vector; else one after another, as PWMLFF does"
    )
    parts: int = Field(
        0, ge=0, le=MAX_COUNT, description="Parts of a batch with measurements of their own; 0: each frame is one"
    )
    nselect: int = Field(0, ge=0, le=MAX_COUNT, description="Atoms per frame whose forces are measured; 0: all")
    groupsize: int = Field(
        6, ge=1, le=MAX_COUNT, description="Atoms per frame of one force measurement, if `nselect` is not 0"
    )
    force_groups: int | None = Field(
        None,
        ge=1,
        le=MAX_COUNT,
        description="Force measurements per part; `nselect` / `groupsize` when not given, 1 if all atoms",
    )
    replacement: bool = Field(False, description="Draw atoms with replacement, as PWMLFF does")
    force_per_atom: bool = Field(
        False, description="Divide force measurements by the number of atoms of the frame, as PWMLFF does"
    )
    p_precision: Literal["float64", "float32"] = Field("float64", description="Number format of P")
    weight_decay: float = Field(
        0.01, ge=0, lt=1, description="Part of the weights that a step takes away where nothing was measured"
    )
    guard: bool = Field(True, description="Return to the last good weights when errors explode")
    pre_fac_force: float = Field(
        PREFACTORS.forces, ge=0, description="Prefactor of forces; only ratios of prefactors count"
    )
    pre_fac_etot: float = Field(PREFACTORS.energy, ge=0, description="Prefactor of energies per atom")
    pre_fac_virial: float = Field(PREFACTORS.virial, ge=0, description="Prefactor of virials per atom")
    pre_fac_ei: float = Field(PREFACTORS.atomic_energies, ge=0, description="Prefactor of atomic energies")
    pre_fac_egroup: float = Field(PREFACTORS.group_energies, ge=0, description="Prefactor of group energies")

    @model_validator(mode="after")
    def _check(self) -> KalmanConfig:
        if 0 < self.nselect < self.groupsize:
            raise ValueError(f"`groupsize` is {self.groupsize}, expected at most `nselect` ({self.nselect})")
        if self.n_force_groups > MOST_FORCE_GROUPS:
            raise ValueError(
                f"`nselect`, `groupsize` and `force_groups` make {self.n_force_groups} measurements of the forces of a "
                f"part, expected at most {MOST_FORCE_GROUPS}"
            )
        if self.trained and not self.ranked_by:
            raise ValueError("the prefactors of all that is trained are 0; give one of them another value")
        return self

    def for_frames(self, n_frames: int) -> KalmanConfig:
        """Return the settings for so many frames: few are taken in smaller batches of 2 at least."""
        if "batch_size" in self.model_fields_set:
            return self
        return self.model_copy(update={"batch_size": min(self.batch_size, max(2, n_frames // _LEAST_STEPS))})

    def usual_epochs(self, steps_per_epoch: int) -> int:
        """See the base; errors on other frames have settled by then, see `docs/training.md`."""
        least, most = _USUAL_EPOCHS
        return min(max(-(-_USUAL_STEPS // steps_per_epoch), least), most)

    @property
    def prefactors(self) -> LossWeights:
        """Prefactors as they were given, 0 for what is not trained."""
        return LossWeights(
            energy=self.pre_fac_etot if self.train_energy else 0.0,
            forces=self.pre_fac_force if self.train_force else 0.0,
            virial=self.pre_fac_virial if self.train_virial else 0.0,
            atomic_energies=self.pre_fac_ei if self.train_ei else 0.0,
            group_energies=self.pre_fac_egroup if self.train_egroup else 0.0,
        )

    @property
    def ranked_by(self) -> list[str]:
        """See the base: prefactors stay as they are."""
        return self.prefactors.quantities

    @property
    def n_force_groups(self) -> int:
        """Number of force measurements."""
        if self.force_groups is not None:
            return self.force_groups
        return self.nselect // self.groupsize if self.nselect else 1


class KalmanUpdate(UpdateStrategy):
    """LKF: block-diagonal covariance; see the module docstring."""

    Config: ClassVar[type[OptimizerConfig]] = KalmanConfig
    state_keys = ", `block_size`"
    default_ema_decay = 0.99  # the filter jumps from batch to batch about a mean that is much better

    @classmethod
    def state_size(cls, config: KalmanConfig, n_weights: int) -> int:
        """Return the bytes of P: half of each symmetric block."""
        width = 8 if config.p_precision == "float64" else 4
        return n_weights * cls.longest_block(config, n_weights) * width // 2

    @classmethod
    def longest_block(cls, config: KalmanConfig, n_weights: int) -> int:
        """Return the weights of the largest block of P, at most."""
        if config.block_size is None:
            return n_weights if n_weights <= MOST_IN_ONE_BLOCK else USUAL_BLOCK
        return min(config.block_size, n_weights)

    def __init__(self, potential: Potential, config: KalmanConfig, *, steps_per_epoch: int) -> None:
        """Set P to `p0_weight` times the identity; see `UpdateStrategy`."""
        super().__init__(potential, config, steps_per_epoch=steps_per_epoch)
        self._vector = WeightVector(potential)
        n_atoms = config.nselect // config.groupsize * config.groupsize
        self._draw = ForceDraw(n_atoms, config.n_force_groups, config.replacement)
        self.filter = KalmanFilter(
            self._blocks(),
            p0=config.p0_weight,
            p_max=config.p_max,
            forgetting=config.kalman_lambda,
            nu=config.kalman_nue,
            dtype=getattr(torch, config.p_precision),
            device=self._vector.parameters[0].device,
        )
        self._guard = Guard(self._vector.read())

    def _blocks(self) -> list[tuple[int, int]]:
        return split_blocks(self._vector.sizes, self.longest_block(self.config, len(self._vector)))

    def step(self, batch: Batch) -> ErrorSums:
        """See `UpdateStrategy.step`."""
        self.went_back = False
        try:
            sums = self._take_in(batch)
        except FilterError as error:
            if not self.config.guard:
                raise NonFiniteError(str(error)) from error
            self._roll_back(str(error), anew=True)
            try:
                sums = self._take_in(batch)
            except FilterError as again:
                raise NonFiniteError(str(again)) from again
        self.n_steps += 1
        if self.config.guard:
            if self._guard.is_lost(_over_processes(sums)):
                self._roll_back("the errors have grown tenfold", anew=False)
            else:
                self._guard.keep(self._vector.read())
        return sums

    def _take_in(self, batch: Batch) -> ErrorSums:
        """Change the weights by all measurements of a batch; return the errors at the first measurement of each."""
        batch, parts = order_by_part(batch, self.config.parts)
        kinds = self._kinds()
        values = ErrorSums.zero(batch.energy.device).values
        for number, taken in enumerate([kinds] if self.config.joint else [[kind] for kind in kinds]):
            measure = self._measure if number else self._measure_first
            directions, residuals, errors = measure(batch, parts, taken)
            if number == 0:
                self._guard.previous = self._vector.read()
                directions, residuals = self._with_prior(directions, residuals)
            is_new = values[:, -1:] == 0  # no labels of the quantity so far
            values = torch.where(is_new, errors.values, values)
            if len(residuals):
                self._change_weights(self.filter.step(directions, residuals))
        return ErrorSums(values)

    def _with_prior(self, directions: Tensor, residuals: Tensor) -> tuple[Tensor, Tensor]:
        """Measure the length of the weight vector besides, h = a |w|, and expect none: weight decay.

        What was measured before holds the weights in its directions; in all others, along which noise would carry them
        away, they decay. There the variance of h is so much of the noise's that the part `weight_decay` is taken away
        per step. One more row can cost as much as eight, so it is measured now and then, for the steps in between.
        """
        if self.config.weight_decay == 0 or self.n_steps % _PRIOR_INTERVAL != _PRIOR_INTERVAL - 1:
            return directions, residuals
        weights = self._vector.read()
        length = weights.norm()
        if length == 0:
            return directions, residuals
        kept = (1.0 - self.config.weight_decay) ** _PRIOR_INTERVAL
        a = math.sqrt((1.0 / kept - 1.0) * self.filter.noise / self.filter.largest_variance)
        rows = torch.cat([directions.T, (a / length * weights).unsqueeze(0)])  # H lies in memory as rows
        return rows.T, torch.cat([residuals, (-a * length).unsqueeze(0)])

    def _measure_first(self, batch: Batch, parts: Tensor, kinds: list[Kind]) -> tuple[Tensor, Tensor, ErrorSums]:
        """Measure, and take the last step back where it was wrong.

        A step is right to first order. One that wakes a unit whose tanh was flat for all atoms may move every energy by
        0.2 eV/atom. The next batch tells: its errors stand out, and do not with the weights before that step.
        """
        measured = self._measure(batch, parts, kinds)
        if not self.config.guard or not self._guard.stands_out(_over_processes(measured[-1])):
            return measured
        weights = self._vector.read()
        self._vector.write(self._guard.previous)
        again = self._measure(batch, parts, kinds)
        if not self._guard.stands_out(_over_processes(again[-1])):
            self._guard.n_taken_back += 1
            return again
        self._vector.write(weights)
        return measured

    def _measure(self, batch: Batch, parts: Tensor, kinds: list[Kind]) -> tuple[Tensor, Tensor, ErrorSums]:
        """Return H [n, k] and e [k] of the kinds on all parts, over all processes, and the errors of this one."""
        kinds = sorted(kinds, key=lambda kind: not kind.by_gradients)  # as `Evaluation` wants them
        n_directed = sum(kind.by_gradients for kind in kinds)
        evaluation = self.potential.evaluate_parts(
            *batch.pairs, part_start=batch.frame_start.cpu()[parts], gradients=n_directed > 0
        )
        energies = evaluation.energies.requires_grad_()
        gradients = evaluation.gradients.requires_grad_() if evaluation.gradients is not None else None
        prediction = predict_from(
            energies,
            gradients,
            batch,
            forces=any(kind.forces for kind in kinds),
            virial=any(kind.virial for kind in kinds),
            groups=any(kind.groups for kind in kinds),
        )
        measured = [kind.measure(prediction, batch) for kind in kinds]
        by_energies, by_gradients = [], [batch.pair_vectors.new_zeros(0, *batch.pair_vectors.shape)]
        for kind, measurement in zip(kinds, measured, strict=True):
            leaves = [energies] if gradients is None or not kind.by_gradients else [energies, gradients]
            e, *c = torch.autograd.grad(
                measurement.value, leaves, retain_graph=True, allow_unused=True, materialize_grads=True
            )
            by_energies.append(e)
            by_gradients += [by_pair.unsqueeze(0) for by_pair in c]
        rows = evaluation.weight_gradients(torch.stack(by_energies), torch.cat(by_gradients))  # [P, K, n]
        sums = distributed.sum_(sum_parts(torch.stack([m.sums for m in measured], dim=1), parts))  # [P, K, 2]
        errors = sum_errors(prediction, batch).detached()
        residuals, counts = sums.flatten(0, 1).unbind(1)
        directions = distributed.sum_(rows).flatten(0, 1)
        has_labels = counts > 0
        if not has_labels.all():
            directions, residuals, counts = directions[has_labels], residuals[has_labels], counts[has_labels]
        return directions.T, residuals / counts.sqrt(), errors  # mean over frames times the root of their number

    def _kinds(self) -> list[Kind]:
        """Return what is measured in this step, in the order of PWMLFF."""
        config, given = self.config, self.config.prefactors
        most = _MOST.as_tuple()
        factor = 1.0 / max(value / limit for value, limit in zip(given.as_tuple(), most, strict=True))
        kinds = []
        if config.train_virial:
            kinds.append(virial_kind(factor * given.virial))
        if config.train_energy:
            kinds.append(energy_kind(factor * given.energy))
        if config.train_ei:
            kinds.append(atomic_energies_kind(factor * given.atomic_energies))
        if config.train_egroup:
            kinds.append(group_energies_kind(factor * given.group_energies))
        if config.train_force:
            groups = range(self._draw.n_groups)
            kinds += [
                forces_kind(factor * given.forces, group, self._draw, self.n_steps, per_atom=config.force_per_atom)
                for group in groups
            ]
        return kinds

    def _change_weights(self, change: Tensor) -> None:
        """Add the change, shortened where it is longer than `max_step` allows."""
        weights = self._vector.read()
        given = self.config.max_step
        most = min(USUAL_MAX_STEP, MOST_OF_LENGTH * len(weights) ** 0.5) if given is None else given
        longest = most * weights.square().mean().sqrt()
        length = change.norm()
        if length > longest:
            change = change * (longest / length)
        self._vector.write(weights + change)

    def _roll_back(self, reason: str, *, anew: bool) -> None:
        self._vector.write(self._guard.roll_back())
        self.went_back = True
        if self._guard.has_given_up:
            raise RunLostError(
                f"step {self.n_steps}: {reason}, and going back to the last good weights with an ever smaller "
                "covariance has not helped; a smaller `p_max`, a larger `weight_decay` or `precision` float64 may"
            )
        self.filter.shrink(self._guard.factor, anew=anew)
        self.say(
            f"step {self.n_steps}: {reason}; back to the last good weights, with the covariance "
            f"{'of the start ' if anew else ''}times {self._guard.factor:g}"
        )

    @property
    def weights(self) -> LossWeights:
        """The prefactors; the filter minimises no loss, but epochs must compare."""
        return self.config.prefactors

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return the filter, half of P, and the guard."""
        tensors, state = super().state()
        for name, owner in (("filter", self.filter), ("guard", self._guard)):
            held, state[name] = owner.state()
            tensors |= {f"{name}/{key}": value for key, value in held.items()}
        return tensors, state

    def load_state(self, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
        """Take back what `state` returned."""
        super().load_state(tensors, state)
        for name, owner in (("filter", self.filter), ("guard", self._guard)):
            prefix = f"{name}/"
            held = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
            owner.load_state(held, state[name])


def _over_processes(sums: ErrorSums) -> dict[str, float]:
    """Return the errors of the whole batch by quantity."""
    return ErrorSums(distributed.sum_(sums.values.clone())).rmse()


class GlobalKalmanUpdate(KalmanUpdate):
    """GKF: one covariance of all weights; for small networks."""

    state_keys = ""

    @classmethod
    def longest_block(cls, config: KalmanConfig, n_weights: int) -> int:
        """Return the number of weights: there is one block."""
        return n_weights
