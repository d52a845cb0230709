"""Optimizers: `OPTIMIZERS` maps the `optimizer` key of the input file to an update strategy."""

from __future__ import annotations

from pwmlff.optim.adam import DecoupledGradientUpdate, GradientUpdate
from pwmlff.optim.base import OptimizerConfig, UpdateStrategy
from pwmlff.optim.kalman import GlobalKalmanUpdate, KalmanUpdate
from pwmlff.optim.loss import ErrorSums, LossWeights

OPTIMIZERS: dict[str, type[UpdateStrategy]] = {
    "ADAM": GradientUpdate,
    "ADAMW": DecoupledGradientUpdate,
    "LKF": KalmanUpdate,
    "GKF": GlobalKalmanUpdate,
}

__all__ = ["OPTIMIZERS", "ErrorSums", "LossWeights", "OptimizerConfig", "UpdateStrategy"]
