"""Times the optimizer steps of a training run from inside its process.

Used on both sides of the comparison, so it needs nothing but the standard library and torch.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import torch


class StepsDone(BaseException):
    """Enough steps were timed; no `except Exception` of the program under test holds it up."""


def stamp_adam(n_steps: int) -> list[float]:
    """Note the time after each step of Adam, and stop the run after `n_steps`.

    The difference of two stamps holds all a step costs: batch, neighbours, loss, gradient, update, log.
    """
    stamps: list[float] = []
    original = torch.optim.Adam.step

    def step(self: torch.optim.Adam, *args: Any, **kwargs: Any) -> Any:
        result = original(self, *args, **kwargs)
        stamps.append(time.perf_counter())
        if len(stamps) >= n_steps:
            raise StepsDone
        return result

    torch.optim.Adam.step = step  # type: ignore[method-assign]
    return stamps


def figures(stamps: list[float], n_warm: int) -> dict[str, Any]:
    """Return step times in s after `n_warm` steps, the process's peak memory in bytes, and its threads."""
    kept = stamps[n_warm:]
    return {
        "seconds": [later - earlier for earlier, later in zip(kept, kept[1:])],  # noqa: B905 (one is shorter)
        "peak_bytes": _peak_bytes(),
        "threads": torch.get_num_threads(),
    }


def _peak_bytes() -> int:
    # unlike getrusage, this does not count the parent's memory before exec
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024
    return 0
