"""Learning curves of finished runs in one file, a line of JSON each: the study without the folders of its runs."""

from __future__ import annotations

import argparse
import fcntl
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from cells import Run, run_file
from numpy.typing import NDArray
from runs import ENERGY, EPOCH, FORCE, TIME, count_epochs

from pwmlff.config import RunConfig

_COLUMNS = {"energy": ENERGY, "force": FORCE, "seconds": TIME}
_KEY = ("set", "model", "optimizer", "seed", "minutes")
_DIGITS = 9


class Record:
    """The curves of a file, which other calls of the study may add to at the same time.

    Args:
        path: The file; None for a record of nothing.
        minutes: The time of each run of this study; None for those with the epochs of the paper.
    """

    def __init__(self, path: Path | None, minutes: float | None) -> None:
        self._path = path
        self._minutes = minutes

    def curves(self, runs: Sequence[Run]) -> dict[Run, NDArray[np.float64]]:
        """Return those of the runs that are in the file, as `read_curve` does."""
        lines = {_key(line): line for line in self._lines()}
        return {run: _curve(lines[key]) for run in runs if (key := self._key_of(run)) in lines}

    def require_same_settings(self, runs: Sequence[Run], options: argparse.Namespace) -> None:
        """Stop where a run of the file had other settings; its errors would pass for those of these.

        Raises:
            SystemExit: The file, the run, and what differs.
        """
        lines = {_key(line): line for line in self._lines()}
        for run in runs:
            if line := lines.get(self._key_of(run)):
                epochs = len(line["energy"]) if options.minutes is not None else count_epochs(run, options)
                wanted = _settings(run, epochs, options)
                if differing := [key for key in wanted if line["settings"].get(key) != wanted[key]]:
                    raise SystemExit(
                        f"{self._path}: {run.label} was run with another {', '.join(differing)}; take its line out, "
                        "or name another file with --record"
                    )

    def add(self, run: Run, curve: NDArray[np.float64], options: argparse.Namespace) -> None:
        """Add a run that has come to its end."""
        if self._path is None:
            return
        line: dict[str, Any] = dict(zip(_KEY, self._key_of(run), strict=True))
        line["settings"] = _settings(run, int(curve[-1, EPOCH]), options)
        for name, column in _COLUMNS.items():
            line[name] = [float(f"{value:.{_DIGITS}g}") for value in curve[:, column]]
        with self._path.open("a", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if run not in self.curves([run]):  # another call may have found the folder of the run as finished too
                file.write(json.dumps(line) + "\n")

    def _lines(self) -> list[dict[str, Any]]:
        if self._path is None or not self._path.exists():
            return []
        return [json.loads(line) for line in self._path.read_text(encoding="utf-8").splitlines()]

    def _key_of(self, run: Run) -> tuple[Any, ...]:
        return (run.data.name, run.model, run.optimizer, run.seed, self._minutes)


def _key(line: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(line[name] for name in _KEY)


def _settings(run: Run, epochs: int, options: argparse.Namespace) -> dict[str, Any]:
    """Return the sections of the run file that decide its errors, with the defaults of what they leave out."""
    config = RunConfig.model_validate(run_file(run, epochs, options))
    return config.model_dump(mode="json", include={"precision", "ema_decay", "model", "optimizer"})


def _curve(line: dict[str, Any]) -> NDArray[np.float64]:
    curve = np.empty((len(line["energy"]), TIME + 1))
    curve[:, EPOCH] = np.arange(1, len(curve) + 1)
    for name, column in _COLUMNS.items():
        curve[:, column] = line[name]
    return curve
