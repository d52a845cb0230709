"""Training: one trainer for every model and every optimizer."""

from __future__ import annotations

from pwmlff.train.run import train_from_config
from pwmlff.train.signals import EXIT_STOPPED, TrainingStopped, ignore_until_exit
from pwmlff.train.trainer import Trainer, TrainerSettings

__all__ = ["EXIT_STOPPED", "Trainer", "TrainerSettings", "TrainingStopped", "ignore_until_exit", "train_from_config"]
