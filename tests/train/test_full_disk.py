"""A full disk: records are missed with one line each, a checkpoint ends the run with one, the older is whole."""

from __future__ import annotations

import io
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from pwmlff import keys
from pwmlff.config import RunConfig
from pwmlff.data.batch import Batch
from pwmlff.errors import ModelFileError, TrainingError
from pwmlff.models.files.checkpoint import load_checkpoint
from pwmlff.optim import OPTIMIZERS, ErrorSums
from pwmlff.train import train_from_config
from pwmlff.train.curve import CurveFile
from pwmlff.train.metrics import EpochResult, Metrics
from pwmlff.train.observers import Observers, TrainingObserver
from pwmlff.train.records import EpochTables

RunFactory = Callable[..., RunConfig]
FULL = Path("/dev/full")  # every write fails
_METRICS = Metrics(1.0, {keys.ENERGY: 0.1})

pytestmark = pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")


def _result(epoch: int) -> EpochResult:
    return EpochResult(epoch, 10 * epoch, 1e-3, 2.0, _METRICS, _METRICS, is_best=True)


@pytest.fixture
def file_limit() -> Iterator[Callable[[int], None]]:
    """A function that limits the size of files this process writes, in bytes, until the test ends."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_records_that_cannot_be_written_are_told_once(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    for name in ("epoch_train.dat", "epoch_valid.dat", "learning_curve.png"):
        (tmp_path / name).symlink_to(FULL)
    records: list[TrainingObserver] = [
        EpochTables(tmp_path, [keys.ENERGY]),
        CurveFile(tmp_path / "learning_curve.png", [keys.ENERGY]),
    ]
    lines: list[str] = []
    observers = Observers(records, lines.append)
    observers.begin([])
    for epoch in (1, 2):
        observers.on_epoch(_result(epoch))
    observers.end()
    assert lines == [
        "warning: cannot write epoch_train.dat and epoch_valid.dat: No space left on device; training goes on",
        "warning: cannot write learning_curve.png: No space left on device; training goes on",
    ]


def test_tables_catch_up(tmp_path: Path) -> None:
    tables = EpochTables(tmp_path, [keys.ENERGY])
    observers = Observers([tables], lambda line: None)
    observers.begin([_result(1)])
    train = tmp_path / "epoch_train.dat"
    train.rename(tmp_path / "away")
    train.symlink_to(FULL)
    observers.on_epoch(_result(2))
    train.unlink()
    observers.on_epoch(_result(3))
    for name in ("epoch_train.dat", "epoch_valid.dat"):
        assert np.loadtxt(tmp_path / name, skiprows=1)[:, 0].tolist() == [1, 2, 3]


def test_tensorboard_that_cannot_be_written(tmp_path: Path) -> None:
    """In a process of its own: the limit holds for every file, also for one that takes the output of the tests."""
    pytest.importorskip("tensorboard")
    code = """
import resource, sys
from pathlib import Path
from pwmlff.train.metrics import Metrics
from pwmlff.train.observers import Observers, StepReport
from pwmlff.train.records import TensorBoardLog

observers = Observers([TensorBoardLog(Path(sys.argv[1]))], print)
observers.begin([])
resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))
for step in range(40):
    observers.on_step(StepReport(1, 2, 5, 10, step, Metrics(1.0, {"energy": 0.1}), 1e-3))
observers.end()
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "warning: cannot write tensorboard/: File too large; training goes on\n"


@pytest.mark.parametrize("optimizer", ["ADAM", "LKF"])
def test_checkpoint_that_cannot_be_written_ends_the_run(
    make_run: RunFactory,
    monkeypatch: pytest.MonkeyPatch,
    file_limit: Callable[[int], None],
    capfd: pytest.CaptureFixture[str],
    optimizer: str,
) -> None:
    config = make_run(optimizer={"optimizer": optimizer})
    last = config.model_store_dir / config.model_name
    strategy = OPTIMIZERS[optimizer]
    step = strategy.step

    def filling(self: object, batch: Batch) -> ErrorSums:
        if self.n_steps == 5:  # type: ignore[attr-defined]
            file_limit(500)
        return step(self, batch)  # type: ignore[arg-type]

    def with_curve(files: object, quantities: list[str]) -> tuple[list[TrainingObserver], list[str]]:
        return [CurveFile(config.model_store_dir / "learning_curve.png", quantities)], []

    monkeypatch.setattr(strategy, "step", filling)
    monkeypatch.setattr("pwmlff.train.stages.optional_records", with_curve)
    text = io.StringIO()
    try:
        with capfd.disabled(), pytest.raises(ModelFileError) as error:
            train_from_config(config, console=Console(file=text, width=200))
    finally:
        file_limit(resource.RLIM_INFINITY)  # pytest reports before fixtures end, perhaps into a file
    message = str(error.value)
    assert message.startswith(f"cannot write the checkpoint '{config.model_store_dir}/toy_model")
    assert message.endswith("File too large (os error 27); the one written before is still there, whole")
    assert "\n" not in message
    assert text.getvalue().count("warning: cannot write learning_curve.png: File too large") == 1
    assert load_checkpoint(last).state["epoch"] == 2
    assert [path.name for path in config.model_store_dir.iterdir() if path.name.startswith(".")] == []


def test_full_disk_at_the_start(make_run: RunFactory) -> None:
    config = make_run()
    config.model_store_dir.mkdir()
    (config.model_store_dir / "std_input.json").symlink_to(FULL)
    with pytest.raises(TrainingError, match=r"cannot write '.*std_input\.json': No space left on device; nothing was"):
        train_from_config(config, console=Console(quiet=True))
