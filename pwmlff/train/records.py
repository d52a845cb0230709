"""The files of a run's folder: columns of numbers per epoch, TensorBoard, and which records can be kept."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pwmlff import keys
from pwmlff.errors import TrainingError
from pwmlff.models.files.checkpoint import discard_partial
from pwmlff.optim.base import OptimizerRecords, UpdateStrategy
from pwmlff.train.curve import CurveFile
from pwmlff.train.metrics import EpochResult, Metrics
from pwmlff.train.observers import StepReport, TrainingObserver

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

# in the order of PWMLFF's files
COLUMNS = {
    keys.ENERGY: "RMSE_Etot(eV/atom)",
    keys.ATOMIC_ENERGIES: "RMSE_Ei(eV)",
    keys.GROUP_ENERGIES: "RMSE_Egroup(eV)",
    keys.FORCES: "RMSE_F(eV/Å)",
    keys.VIRIAL: "RMSE_virial(eV/atom)",
}
_WIDTH = 22


@dataclass(frozen=True)
class RunFiles:
    """Where a run keeps what it writes.

    Attributes:
        folder: `model_store_dir`.
        model_name: File name of the last checkpoint.
    """

    folder: Path
    model_name: str

    @property
    def last(self) -> Path:
        """Checkpoint of the last state, for resuming and for use."""
        return self.folder / self.model_name

    @property
    def best(self) -> Path:
        """Model of the best epoch."""
        return self.last.with_name(f"{self.last.stem}_best{self.last.suffix}")

    @property
    def snapshots(self) -> Path:
        """Folder of models kept at the end of cosine cycles."""
        return self.folder / "saved_models"

    def write_config(self, config: dict[str, Any]) -> None:
        """Write the resolved configuration as `std_input.json`."""
        path = self.folder / "std_input.json"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(config, indent=4) + "\n", encoding="utf-8")
        except OSError as error:
            raise TrainingError(f"cannot write '{path}': {error.strerror or error}; nothing was trained") from error

    def sweep(self) -> None:
        """Remove what kills left of checkpoints that were being written; nobody else may be writing them."""
        unfinished = self.snapshots.glob(".*.partial")
        names = [self.snapshots / path.name.removeprefix(".").removesuffix(".partial") for path in unfinished]
        for path in (self.last, self.best, *names):
            discard_partial(path)

    def set_aside(self) -> Path | None:
        """Rename checkpoints of another run, so that a new one does not overwrite them; return the last one's name."""
        moved = None
        for path in (self.best, self.last):
            if path.exists():
                moved = path.with_name(f"{path.stem}.previous{path.suffix}")
                path.replace(moved)
        return moved


class EpochTables(TrainingObserver):
    """Writes `epoch_train.dat` and `epoch_valid.dat`, one line per epoch in columns of fixed width.

    When they could not be written, they are written anew after the next epoch.
    """

    record = "epoch_train.dat and epoch_valid.dat"

    def __init__(self, folder: Path, quantities: Sequence[str]) -> None:
        """Choose the columns.

        Args:
            folder: Of the files.
            quantities: Those that are trained.
        """
        self._train, self._valid = folder / "epoch_train.dat", folder / "epoch_valid.dat"
        self._quantities = [name for name in COLUMNS if name in quantities]
        self._history: list[EpochResult] = []
        self._are_whole = False

    def begin(self, history: Sequence[EpochResult]) -> None:
        """Start the files with the epochs done before, and no later ones."""
        self._history = list(history)
        self._are_whole = False
        self._write_all()
        self._are_whole = True

    def on_epoch(self, result: EpochResult) -> None:
        """Append one line to each file."""
        self._history.append(result)
        are_whole, self._are_whole = self._are_whole, False
        if are_whole:
            self._append(result)
        else:
            self._write_all()
        self._are_whole = True

    def _write_all(self) -> None:
        names = ["loss", *(COLUMNS[name] for name in self._quantities)]
        self._train.parent.mkdir(parents=True, exist_ok=True)
        self._train.write_text(_header([*names, "real_lr", "time(s)"]), encoding="utf-8")
        self._valid.write_text(_header([*names, "time(s)"]), encoding="utf-8")
        for result in self._history:
            self._append(result)

    def _append(self, result: EpochResult) -> None:
        rate = math.nan if result.learning_rate is None else result.learning_rate
        _append(self._train, result.epoch, [*self._numbers(result.train), rate, result.seconds])
        if result.valid is not None:
            _append(self._valid, result.epoch, [*self._numbers(result.valid), result.seconds])

    def _numbers(self, metrics: Metrics) -> list[float]:
        return [metrics.loss, *(metrics.rmse.get(name, math.nan) for name in self._quantities)]


class TensorBoardLog(TrainingObserver):
    """Writes scalars for TensorBoard."""

    record = "tensorboard/"

    def __init__(self, folder: Path) -> None:
        """Choose the folder of the event files."""
        self._folder = folder
        self._writer: SummaryWriter | None = None
        self._threads: set[threading.Thread] = set()
        self._hook = threading.excepthook

    def begin(self, history: Sequence[EpochResult]) -> None:
        """Open the log; values after the last epoch done are replaced."""
        from torch.utils.tensorboard import SummaryWriter

        purge = history[-1].n_steps + 1 if history else 0
        before = set(threading.enumerate())
        self._writer = SummaryWriter(str(self._folder), purge_step=purge)
        self._threads = set(threading.enumerate()) - before
        self._hook, threading.excepthook = threading.excepthook, self._on_error_in_thread

    def on_step(self, report: StepReport) -> None:
        """Log the running errors of the epoch."""
        self._add("running", report.metrics, report.n_steps)
        if self._writer is not None and report.learning_rate is not None:
            self._writer.add_scalar("learning_rate", report.learning_rate, report.n_steps)

    def on_epoch(self, result: EpochResult) -> None:
        """Log the errors of the epoch."""
        self._add("train", result.train, result.n_steps)
        if result.valid is not None:
            self._add("valid", result.valid, result.n_steps)

    def end(self) -> None:
        """Close the log."""
        if self._writer is not None:
            try:
                self._writer.close()
            finally:
                threading.excepthook = self._hook

    def _on_error_in_thread(self, error: threading.ExceptHookArgs) -> None:
        """Print no traceback of a full disk: what is logged next raises the same error again, where it is told."""
        if error.thread not in self._threads or not issubclass(error.exc_type, OSError):
            self._hook(error)

    def _add(self, group: str, metrics: Metrics, step: int) -> None:
        if self._writer is None:
            return
        self._writer.add_scalar(f"loss/{group}", metrics.loss, step)
        for name, value in metrics.rmse.items():
            self._writer.add_scalar(f"rmse_{name}/{group}", value, step)


class OwnRecords(TrainingObserver):
    """Lets an optimizer write files of its own."""

    def __init__(self, records: OptimizerRecords) -> None:
        """Take what writes them."""
        self._records = records
        self.record = records.names

    def begin(self, history: Sequence[EpochResult]) -> None:
        """Start or continue them."""
        self._records.begin()

    def on_epoch(self, result: EpochResult) -> None:
        """Tell the errors of the epoch."""
        self._records.write({} if result.valid is None else result.valid.rmse)


def own_records(files: RunFiles, update: UpdateStrategy) -> list[TrainingObserver]:
    """Return the records that only this optimizer has."""
    records = update.records(files.folder)
    return [] if records is None else [OwnRecords(records)]


def optional_records(files: RunFiles, quantities: Sequence[str]) -> tuple[list[TrainingObserver], list[str]]:
    """Return the records whose libraries are installed, and a line on each of those that are not."""
    observers: list[TrainingObserver] = []
    missing = []
    if find_spec("matplotlib"):
        observers.append(CurveFile(files.folder / "learning_curve.png", quantities))
    else:
        missing.append("no learning curve is drawn: matplotlib is not installed")
    if find_spec("tensorboard"):
        observers.append(TensorBoardLog(files.folder / "tensorboard"))
    else:
        missing.append("no TensorBoard log: tensorboard is not installed")
    return observers, missing


def _header(names: Sequence[str]) -> str:
    return "epoch".rjust(8) + "".join(name.rjust(_WIDTH) for name in names) + "\n"


def _append(path: Path, epoch: int, numbers: Sequence[float]) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{epoch:8d}" + "".join(f"{number:{_WIDTH}.10e}" for number in numbers) + "\n")
