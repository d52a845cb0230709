"""Training in Python: what `pwmlff.train(...)` does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from rich.console import Console

from pwmlff import distributed
from pwmlff.config import RunConfig, load_config
from pwmlff.errors import ConfigError
from pwmlff.evaluate.model import Model, load
from pwmlff.models.files.checkpoint import load_checkpoint
from pwmlff.train.metrics import EpochResult
from pwmlff.train.observers import TrainingObserver
from pwmlff.train.records import RunFiles
from pwmlff.train.run import train_from_config
from pwmlff.train.trainer import history_of

Callback = TrainingObserver | Callable[[EpochResult], object]


@dataclass(frozen=True)
class TrainedRun:
    """What a training run left.

    Attributes:
        folder: Of checkpoints and logs, `model_store_dir`.
        last: Checkpoint of the last epoch, from which the run can be resumed.
        best: Model of the best epoch, the one to use.
        history: The epochs, those of earlier parts of a resumed run included.
    """

    folder: Path
    last: Path
    best: Path
    history: tuple[EpochResult, ...]

    def load(self) -> Model:
        """Return the best model."""
        return load(self.best)


def train(
    config: RunConfig | Mapping[str, Any] | Path | str,
    *,
    callbacks: Sequence[Callback] = (),
    fresh: bool = False,
    quiet: bool = False,
) -> TrainedRun:
    """Train a potential, or go on with a run that was interrupted, as `pwmlff train` does.

    Args:
        config: A run file, its content as a dictionary, or a `RunConfig`; paths in it are relative to the working
            folder. `pwmlff schema --markdown` lists the keys.
        callbacks: Functions called with the `EpochResult` after each epoch, or `TrainingObserver`s, which are told of
            steps too.
        fresh: Start anew even where the run could be resumed.
        quiet: Print nothing.

    Returns:
        Where the models are, and the errors of each epoch; `load()` gives the best model.

    Raises:
        ConfigError: A key is wrong, or the run file does not fit the data.
        DataFormatError: The data cannot be read.
        TrainingStopped: A signal came; the state is saved and the same call resumes.
        TrainingError: The loss is not finite, or another run is going on in the folder.
        ModelFileError: A checkpoint cannot be read or written.
    """
    run = _config(config)
    history = _History()
    watchers = [callback if isinstance(callback, TrainingObserver) else _Called(callback) for callback in callbacks]
    with distributed.session():
        console = Console(quiet=quiet or not distributed.is_first())
        last = train_from_config(run, fresh=fresh, console=console, callbacks=[history, *watchers])
    files = RunFiles(run.model_store_dir, run.model_name)
    epochs = history.epochs or history_of(load_checkpoint(last))  # nothing was left to do
    return TrainedRun(files.folder, last, files.best if files.best.exists() else last, tuple(epochs))


class CallableModule(ModuleType):
    """The package `pwmlff.train`, which is a function too: `pwmlff.train(...)` and `import pwmlff.train` both work."""

    __call__ = staticmethod(train)


class _History(TrainingObserver):
    """Keeps the epochs."""

    def __init__(self) -> None:
        self.epochs: list[EpochResult] = []

    def begin(self, history: Sequence[EpochResult]) -> None:
        self.epochs = list(history)

    def on_epoch(self, result: EpochResult) -> None:
        self.epochs.append(result)


class _Called(TrainingObserver):
    """Calls a function after each epoch."""

    record = "what a callback writes"

    def __init__(self, function: Callable[[EpochResult], object]) -> None:
        self._function = function

    def on_epoch(self, result: EpochResult) -> None:
        self._function(result)


def _config(config: RunConfig | Mapping[str, Any] | Path | str) -> RunConfig:
    if isinstance(config, RunConfig):
        return config
    if isinstance(config, Mapping):
        return RunConfig.model_validate(dict(config), context={"where": "the dictionary"})
    path = Path(config)
    if not path.is_file():
        raise ConfigError(f"no run file '{path}'; `pwmlff init` writes one")
    return load_config(path)
