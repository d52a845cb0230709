"""Training: one trainer for every model and every optimizer.

In Python, `pwmlff.train(...)` trains a potential, or goes on with a run that was interrupted:

    run = pwmlff.train("train.json")                    # or the content of a run file as a dictionary
    run = pwmlff.train(settings, callbacks=[print], quiet=True)
    model = run.load()                                  # the best one

    train(config, *, callbacks=(), fresh=False, quiet=False) -> TrainedRun
"""

from __future__ import annotations

import sys

from pwmlff.train.python import CallableModule, TrainedRun, train
from pwmlff.train.run import train_from_config
from pwmlff.train.signals import EXIT_STOPPED, TrainingStopped, ignore_until_exit
from pwmlff.train.trainer import Trainer, TrainerSettings

__all__ = [
    "EXIT_STOPPED",
    "TrainedRun",
    "Trainer",
    "TrainerSettings",
    "TrainingStopped",
    "ignore_until_exit",
    "train",
    "train_from_config",
]

sys.modules[__name__].__class__ = CallableModule
__doc__ = f"{__doc__}\n    {train.__doc__}"  # what `help(pwmlff.train)` begins with
