"""One run of the study: training in a process and a folder of its own, and what it leaves.

    python runs.py config.json [SECONDS LONGEST]

trains as the file says, as `pwmlff train` would, and notes after every epoch in clock.txt how long the processor has
worked; with SECONDS it stops after so much work and two epochs, or in an epoch of more than LONGEST seconds.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from cells import LENGTHS, OPTIMIZERS, Run, run_file
from numpy.typing import NDArray

import pwmlff
from pwmlff.train import EXIT_STOPPED, TrainingStopped
from pwmlff.train.metrics import EpochResult
from pwmlff.train.observers import TrainingObserver

TRIAL = 15.0  # s of work of a run that tells how long an epoch takes
PLENTY = 1_000_000  # epochs of that run
CUT_SHORT = "cut-short"  # mark of an epoch in clock.txt
EPOCH, ENERGY, FORCE, TIME = range(4)  # columns of a curve; the time is that of the processor, s


class TooLongError(Exception):
    """An epoch takes more than the time of the whole run."""


class Clock(TrainingObserver):
    """Notes the work of the processor, epoch by epoch; that of an epoch cut short by a signal is kept for its rest."""

    record = "clock.txt"

    def __init__(self, most: float = math.inf, longest: float = math.inf) -> None:
        """Stop the run after `most` s, and two epochs at least, or in an epoch of more than `longest` s."""
        self._most, self._longest = most, longest
        self._n_epochs = 0
        self._epoch = 1
        self._last = self._first = time.process_time()

    def begin(self, history: Sequence[EpochResult]) -> None:
        """Start anew where a run is resumed, with what was done of its epoch."""
        self._epoch = 1 + (history[-1].epoch if history else 0)
        self._first = time.process_time()
        self._last = self._first - read_clock(Path(), cut_short=True).get(self._epoch, 0.0)
        self._limit_epoch(self._first)

    def on_epoch(self, result: EpochResult) -> None:
        """Note the work of this epoch."""
        self._n_epochs += 1
        now = time.process_time()
        self._note(f"{result.epoch} {now - self._last:.4f}")
        self._epoch, self._last = result.epoch + 1, now
        self._limit_epoch(now)
        if self._n_epochs > 1 and now - self._first > self._most:
            _end_run()

    def stop(self) -> None:
        """Note what was done of the epoch that a signal cut short."""
        self._note(f"{self._epoch} {time.process_time() - self._last:.4f} {CUT_SHORT}")

    def _limit_epoch(self, now: float) -> None:
        if self._longest < math.inf:
            signal.signal(signal.SIGPROF, _end_run)
            signal.setitimer(signal.ITIMER_PROF, max(self._last + self._longest - now, 1e-3))

    def _note(self, line: str) -> None:
        with Path("clock.txt").open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")


def _end_run(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def read_clock(folder: Path, *, cut_short: bool = False) -> dict[int, float]:
    """Return the work of each epoch, s, or of each that a signal cut short; of one that was done twice, the last."""
    path = folder / "clock.txt"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    rows = [line.split() for line in lines]
    return {int(epoch): float(seconds) for epoch, seconds, *mark in rows if mark == [CUT_SHORT] * cut_short}


def read_curve(folder: Path) -> NDArray[np.float64]:
    """Return the errors on unseen frames and the work of each epoch; no row before the first."""
    table, work = folder / "model_record" / "epoch_valid.dat", read_clock(folder)
    if not table.exists() or not work:
        return np.empty((0, TIME + 1))
    header, *lines = table.read_text(encoding="utf-8").splitlines()
    names = header.split()
    columns = [0, *(next(k for k, name in enumerate(names) if name.startswith(key)) for key in ("RMSE_E", "RMSE_F"))]
    rows = np.array([[line.split()[k] for k in columns] for line in lines], dtype=float).reshape(-1, TIME)
    rows = rows[[int(epoch) in work for epoch in rows[:, EPOCH]]]
    return np.column_stack([rows, [work[int(epoch)] for epoch in rows[:, EPOCH]]])


@contextmanager
def locked(folder: Path) -> Iterator[bool]:
    """Tell whether a folder is ours for the length of a `with` block; another call of the study may work in it."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


def make(run: Run, options: argparse.Namespace) -> NDArray[np.float64]:
    """Make a run, or what is left of it, and return its learning curve.

    Raises:
        TooLongError: Its time does not allow an epoch.
        SystemExit: Training failed or was stopped, or the folder holds a run with other settings.
    """
    epochs = count_epochs(run, options)
    require_same_settings(run, epochs, options)
    if len(read_curve(run.folder)) < epochs:
        call(run.folder, run_file(run, epochs, options))
    return read_curve(run.folder)


def count_epochs(run: Run, options: argparse.Namespace) -> int:
    """Return the epochs a run has: those of its kind, or as many as its time allows by the measure of a short run.

    Raises:
        TooLongError: Its time does not allow one.
    """
    if options.minutes is None:
        return int(dict(zip(LENGTHS, options.epochs, strict=True))[OPTIMIZERS[run.optimizer].length])
    if (run.folder / "config.json").exists():  # a run that was interrupted keeps its schedule
        return int(json.loads((run.folder / "config.json").read_text())["optimizer"]["epochs"])
    budget, epoch = 60 * options.minutes, measure_epoch(run, options)
    if epoch > budget:
        raise TooLongError(f"an epoch takes {epoch / 60:.2g} min or more, the run has {options.minutes:g}")
    return round(budget / epoch)


def measure_epoch(run: Run, options: argparse.Namespace) -> float:
    """Return the work of an epoch by a short run, s; of one that is longer than the time of the run, a part of it."""
    trial, budget = run.folder / "trial", 60 * options.minutes
    if len(read_curve(trial)) < 2:
        call(trial, run_file(run, PLENTY, options), (TRIAL, max(TRIAL, 2 * budget)))
    if len(curve := read_curve(trial)) > 1:
        return float(np.median(curve[1:, TIME]))  # the first epoch is slower
    part = max(read_clock(trial, cut_short=True).values(), default=0.0)
    if part <= budget:
        raise SystemExit(f"{trial}: training was stopped; the same command goes on with it")
    return part


def require_same_settings(run: Run, epochs: int, options: argparse.Namespace) -> None:
    """Stop where the folder of a run holds one with other settings; its errors would pass for those of this one."""
    path = run.folder / "config.json"
    if not path.exists():
        return
    there, wanted = json.loads(path.read_text()), run_file(run, epochs, options)
    if differing := [key for key in wanted if there.get(key) != wanted[key]]:
        raise SystemExit(f"{run.folder} holds a run with another {', '.join(differing)}; name a new folder with --work")


def call(folder: Path, config: dict[str, Any], limits: tuple[float, ...] = ()) -> None:
    """Train in a process of its own, whose log is in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config, indent=1))
    command = [sys.executable, str(Path(__file__).resolve()), "config.json", *map(str, limits)]
    with (folder / "log").open("a") as log:
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            code = process.wait()
        except BaseException:
            process.terminate()
            process.wait()
            raise
    if code not in (0, EXIT_STOPPED):
        raise SystemExit(f"{folder}: training failed:\n{(folder / 'log').read_text()[-2000:]}")
    if code == EXIT_STOPPED and not limits:
        raise SystemExit(f"{folder}: training was stopped; the same command goes on with it")


if __name__ == "__main__":
    clock = Clock(*map(float, sys.argv[2:]))
    try:
        pwmlff.train(sys.argv[1], callbacks=[clock])
    except TrainingStopped:
        clock.stop()
        sys.exit(EXIT_STOPPED)
