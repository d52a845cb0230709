"""What optimizers that follow a gradient share: one gradient of the loss per batch, and schedules.

The schedules are those of PWMLFF and deepmd-kit. Deviation from PWMLFF: they count optimizer steps, and prefactors
follow the learning rate relative to the configured start, not to a fixed 0.001.

An optimizer is a subclass of `GradientUpdate` that makes torch optimizers for the weights.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from pydantic import AliasChoices, Field, model_validator
from torch import Tensor, nn
from torch.optim import Optimizer

from pwmlff import distributed
from pwmlff.data.batch import Batch
from pwmlff.models.derivatives import predict
from pwmlff.models.potential import Potential
from pwmlff.optim.base import MAX_COUNT, USUAL_STEPS, OptimizerConfig, UpdateStrategy, require_finite
from pwmlff.optim.loss import ErrorSums, LossWeights, sum_errors
from pwmlff.optim.schedules import cosine_restarts, ends_cycle, exponential_decay, interpolate_weight

_STAIRS = 100  # stairs of the learning rate over a run when `decay_step` is not given


def _prefactor(default: float, *names: str, text: str) -> Any:
    """Field of a loss weight that also answers to deepmd-kit's name."""
    return Field(default, ge=0, validation_alias=AliasChoices(*names), description=text)


def rate_of_start(default: float) -> Any:
    """Field of the learning rate, for optimizers whose best differs."""
    names = AliasChoices("learning_rate", "start_lr")
    return Field(default, gt=0, validation_alias=names, description="Rate at the first step")


def rate_of_end(default: float) -> Any:
    """Likewise, of the rate that the schedule ends with."""
    return Field(default, gt=0, description="Rate at `stop_step` and afterwards")


class GradientConfig(OptimizerConfig):
    """The `optimizer` section of optimizers that follow a gradient."""

    learning_rate: float = rate_of_start(1e-3)
    stop_lr: float = rate_of_end(3.51e-8)
    stop_step: int | None = Field(
        None,
        ge=1,
        le=MAX_COUNT,
        description="Step at which `stop_lr` is reached; the last step of the run when not given",
    )
    decay_step: int | None = Field(
        None,
        ge=1,
        le=MAX_COUNT,
        validation_alias=AliasChoices("decay_step", "decay_steps"),
        description="Steps between two drops of the rate; a hundredth of `stop_step` when not given",
    )
    smooth: bool = Field(False, description="Let the rate fall at every step instead of every `decay_step`")
    scale_lr: bool = Field(False, description="Multiply the rate by sqrt(batch_size), as PWMLFF does for DP")
    t_0: int | None = Field(
        None, ge=1, le=MAX_COUNT, description="Epochs of the first cosine cycle; replaces the exponential decay"
    )
    t_mult: float = Field(1.0, ge=1, description="Each cosine cycle is this many times as long as the one before")
    lambda_2: float | None = Field(None, ge=0, description="Weight decay: L2 term (ADAM) or decoupled (all others)")
    max_norm: float | None = Field(None, gt=0, description="Clip the norm of the gradient to this value")
    norm_type: float = Field(2.0, gt=0, description="p of the norm that `max_norm` limits")
    clip_value: float | None = Field(None, gt=0, description="Clip each component of the gradient to this value")
    start_pre_fac_force: float = _prefactor(1000.0, "start_pre_fac_force", "start_pref_f", text="w_F at the start")
    end_pre_fac_force: float = _prefactor(1.0, "end_pre_fac_force", "limit_pref_f", text="w_F at the end")
    start_pre_fac_etot: float = _prefactor(0.02, "start_pre_fac_etot", "start_pref_e", text="w_E at the start")
    end_pre_fac_etot: float = _prefactor(1.0, "end_pre_fac_etot", "limit_pref_e", text="w_E at the end")
    start_pre_fac_virial: float = _prefactor(50.0, "start_pre_fac_virial", "start_pref_v", text="w_V at the start")
    end_pre_fac_virial: float = _prefactor(1.0, "end_pre_fac_virial", "limit_pref_v", text="w_V at the end")
    start_pre_fac_ei: float = _prefactor(0.1, "start_pre_fac_ei", "start_pref_ae", text="w_A at the start")
    end_pre_fac_ei: float = _prefactor(2.0, "end_pre_fac_ei", "limit_pref_ae", text="w_A at the end")
    start_pre_fac_egroup: float = _prefactor(0.02, "start_pre_fac_egroup", text="w_G at the start")
    end_pre_fac_egroup: float = _prefactor(1.0, "end_pre_fac_egroup", text="w_G at the end")

    @model_validator(mode="after")
    def _check_rates(self) -> GradientConfig:
        if self.stop_lr > self.learning_rate:
            raise ValueError(f"`stop_lr` is {self.stop_lr}, expected at most `learning_rate` ({self.learning_rate})")
        return self

    def weights_at(self, part: float) -> LossWeights:
        """Return the loss weights where the schedule has come down to this part of the rate of the start."""

        def weight(trained: bool, name: str) -> float:
            start, end = getattr(self, f"start_pre_fac_{name}"), getattr(self, f"end_pre_fac_{name}")
            return interpolate_weight(start, end, part, 1.0) if trained else 0.0

        return LossWeights(
            energy=weight(self.train_energy, "etot"),
            forces=weight(self.train_force, "force"),
            virial=weight(self.train_virial, "virial"),
            atomic_energies=weight(self.train_ei, "ei"),
            group_energies=weight(self.train_egroup, "egroup"),
        )

    def for_virials(self) -> dict[str, float]:
        """See the base: a thousandth of the weight they have otherwise."""
        return {"start_pre_fac_virial": 0.05, "end_pre_fac_virial": 0.001}

    @property
    def ranked_by(self) -> list[str]:
        """See the base."""
        return self.weights_at(0.0).quantities

    def cautions(self, n_steps: int) -> list[str]:
        """See the base; the learning rate falls within the run, however short that is."""
        if n_steps >= USUAL_STEPS:
            return []
        return [
            f"{self.optimizer} will do {n_steps} steps, and mostly needs {USUAL_STEPS} or more: raise `epochs`, or "
            'take `"optimizer": "LKF"`, which needs about a tenth'
        ]


class GradientUpdate(UpdateStrategy):
    """One step along the gradient of the batch's loss."""

    Config: ClassVar[type[OptimizerConfig]] = GradientConfig

    @classmethod
    def state_size(cls, config: GradientConfig, n_weights: int) -> int:
        """Return the bytes of two moments per weight."""
        return 16 * n_weights

    @abstractmethod
    def make_optimizers(self, weights: list[nn.Parameter], rate: float) -> list[Optimizer]:
        """Return torch optimizers that change each weight once together.

        Args:
            weights: All that are trained.
            rate: Learning rate to start with.

        Raises:
            ConfigError: A library is not installed.
        """

    def __init__(self, potential: Potential, config: GradientConfig, *, steps_per_epoch: int) -> None:
        """Prepare the optimizer and resolve the schedule; see `UpdateStrategy`."""
        super().__init__(potential, config, steps_per_epoch=steps_per_epoch)
        scale = config.batch_size**0.5 if config.scale_lr else 1.0
        self.start_rate, self.stop_rate = scale * config.learning_rate, scale * config.stop_lr
        self.stop_step = config.stop_step or config.epochs * steps_per_epoch
        self.decay_step = config.decay_step or max(1, self.stop_step // _STAIRS)
        self._named = {name: p for name, p in potential.named_parameters() if p.requires_grad}
        self._optimizers = self.make_optimizers(list(self._named.values()), self.start_rate)

    def step(self, batch: Batch) -> ErrorSums:
        """See `UpdateStrategy.step`."""
        weights = self.weights
        prediction = predict(self.potential, batch, **weights.predicted, create_graph=True)
        sums = sum_errors(prediction, batch)
        # this process's part of the loss of the whole batch: the gradients of the parts add up to that of the batch
        loss = sums.loss(weights, distributed.sum_(sums.counts.clone()))
        for optimizer in self._optimizers:
            optimizer.zero_grad(set_to_none=True)
        if loss.requires_grad:  # there may be no pair in these frames, or no frame
            # not to the positions as well: their second derivatives would cost as much again
            loss.backward(inputs=list(self._named.values()))
        if distributed.size() > 1:
            loss = self._sum_gradients(loss.detach())
        norm = self._clip()
        require_finite(loss, norm)
        for optimizer in self._optimizers:
            for group in optimizer.param_groups:
                group["lr"] = self.learning_rate
            optimizer.step()
        self.n_steps += 1
        return sums.detached()

    def _sum_gradients(self, loss: Tensor) -> Tensor:
        """Add up the gradients and the loss of all processes in one message; return the loss."""
        parameters = list(self._named.values())
        # a weight that no frame of the whole batch depends on keeps the gradient None, as with one process
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
        is_used = gradients[0].new_tensor([p.grad is not None for p in parameters])
        total = distributed.sum_(torch.cat([*(g.flatten() for g in gradients), is_used, loss.to(is_used).reshape(1)]))
        *pieces, uses, loss = total.split([*(p.numel() for p in parameters), len(parameters), 1])
        for parameter, piece, n_users in zip(parameters, pieces, uses.tolist(), strict=True):
            parameter.grad = piece.to(parameter.dtype).view_as(parameter) if n_users else None
        return loss.squeeze(0)

    def _clip(self) -> Tensor:
        """Limit the gradient as configured and return its norm before that."""
        parameters = [p for p in self._named.values() if p.grad is not None]
        gradients = [p.grad for p in parameters if p.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients, self.config.norm_type)
        if self.config.max_norm is not None:
            torch.nn.utils.clip_grads_with_norm_(parameters, self.config.max_norm, norm)
        if self.config.clip_value is not None:
            torch.nn.utils.clip_grad_value_(parameters, self.config.clip_value)
        return norm

    @property
    def learning_rate(self) -> float:
        """Learning rate of the next step."""
        return self.scheduled_rate

    @property
    def scheduled_rate(self) -> float:
        """Rate of the schedule at the next step, which the loss weights follow."""
        if self.config.t_0 is not None:
            first = self.config.t_0 * self.steps_per_epoch
            return cosine_restarts(self.n_steps, self.start_rate, self.stop_rate, first, self.config.t_mult)
        return exponential_decay(
            self.n_steps, self.start_rate, self.stop_rate, self.stop_step, self.decay_step, self.config.smooth
        )

    @property
    def weights(self) -> LossWeights:
        """Loss weights of the next step; they move from start to end as the rate of the schedule falls."""
        return self.config.weights_at(self.scheduled_rate / self.start_rate)

    @property
    def wants_snapshot(self) -> bool:
        """Whether a cosine cycle has just ended: the learning rate is lowest there."""
        if self.config.t_0 is None:
            return False
        return ends_cycle(self.n_steps, self.config.t_0 * self.steps_per_epoch, self.config.t_mult)

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return what the torch optimizers remember of each weight and by themselves, and the step count."""
        tensors, state = super().state()
        state["optimizers"] = []
        for optimizer in self._optimizers:
            groups = [{k: v for k, v in group.items() if k != "params"} for group in optimizer.param_groups]
            state["optimizers"].append({"groups": [_numbers(group) for group in groups], "weights": {}})
            for name, parameter in self._named.items():
                own = optimizer.state.get(parameter)
                if own:
                    state["optimizers"][-1]["weights"][name] = _numbers(own)
                    tensors |= {f"{key}/{name}": value for key, value in _tensors(own).items()}
        return tensors, state

    def load_state(self, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
        """Take back what `state` returned."""
        super().load_state(tensors, state)
        for optimizer, saved in zip(self._optimizers, state["optimizers"], strict=True):
            for group, numbers in zip(optimizer.param_groups, saved["groups"], strict=True):
                group.update(numbers)
            for name, numbers in saved["weights"].items():
                parameter = self._named[name]
                own = {key.split("/", 1)[0]: value for key, value in tensors.items() if key.endswith(f"/{name}")}
                optimizer.state[parameter] = {**_gathered(own, parameter.device), **numbers}


def _numbers(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is a number."""
    return {key: value for key, value in values.items() if isinstance(value, (bool, int, float))}


def _tensors(values: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return what is a tensor, and what is in a list of tensors as `key.place`."""
    found = {key: value for key, value in values.items() if isinstance(value, Tensor)}
    for key, value in values.items():
        if isinstance(value, list):
            found |= {f"{key}.{place}": torch.as_tensor(entry) for place, entry in enumerate(value)}
    return found


def _gathered(tensors: Mapping[str, Tensor], device: torch.device) -> dict[str, Any]:
    """Return what `_tensors` took apart, on a device."""
    found: dict[str, Any] = {}
    for key, value in tensors.items():
        name, _, place = key.partition(".")
        own = value.to("cpu" if name == "step" and device.type == "cpu" else device).clone()
        if place:
            found.setdefault(name, {})[int(place)] = own
        else:
            found[name] = own
    return {
        name: [value[place] for place in sorted(value)] if isinstance(value, dict) else value
        for name, value in found.items()
    }
