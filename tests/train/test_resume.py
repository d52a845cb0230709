"""Keys that may change between the parts of one run."""

from __future__ import annotations

from pwmlff.config.fields import walk
from pwmlff.config.run import run_class
from pwmlff.models import MODELS
from pwmlff.optim import OPTIMIZERS
from pwmlff.train.resume import _MAY_CHANGE


def test_keys_that_may_change_are_keys_of_run_files() -> None:
    known = {path for path, _ in walk(run_class(*MODELS.values()))}
    known |= {f"optimizer.{path}" for row in OPTIMIZERS.values() for path, _ in walk(row.Config)}
    assert known >= _MAY_CHANGE
