"""Optimizers: `OPTIMIZERS` maps the `optimizer` key of the input file to an update strategy."""

from __future__ import annotations

from pwmlff.optim.adam import AdamUpdate, AdamWUpdate
from pwmlff.optim.base import OptimizerConfig, UpdateStrategy
from pwmlff.optim.extra import ScheduleFreeUpdate, SoapUpdate
from pwmlff.optim.kalman import GlobalKalmanUpdate, KalmanUpdate
from pwmlff.optim.loss import ErrorSums, LossWeights
from pwmlff.optim.muon import MuonUpdate
from pwmlff.optim.snes import SnesUpdate

OPTIMIZERS: dict[str, type[UpdateStrategy]] = {
    "ADAM": AdamUpdate,
    "ADAMW": AdamWUpdate,
    "MUON": MuonUpdate,
    "SOAP": SoapUpdate,
    "SCHEDULE_FREE": ScheduleFreeUpdate,
    "LKF": KalmanUpdate,
    "GKF": GlobalKalmanUpdate,
    "SNES": SnesUpdate,
}

__all__ = ["OPTIMIZERS", "ErrorSums", "LossWeights", "OptimizerConfig", "UpdateStrategy"]
