"""Files of the run's folder beside the checkpoints, and the progress display."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from pwmlff import keys
from pwmlff.train.curve import CurveFile
from pwmlff.train.metrics import EpochResult, Metrics
from pwmlff.train.observers import StepReport
from pwmlff.train.progress import ProgressDisplay
from pwmlff.train.records import EpochTables, TensorBoardLog


def _result(epoch: int, valid: bool = True) -> EpochResult:
    train = Metrics(1.0 / epoch, {keys.ENERGY: 0.01 / epoch, keys.FORCES: 0.2 / epoch, keys.ATOMIC_ENERGIES: 1.0})
    return EpochResult(
        epoch=epoch,
        n_steps=10 * epoch,
        learning_rate=1e-3,
        seconds=2.0,
        train=train,
        valid=train if valid else None,
        is_best=True,
    )


@pytest.mark.parametrize("valid", [True, False])
def test_results_go_through_rows_of_numbers(valid: bool) -> None:
    assert EpochResult.from_row(_result(3, valid).to_row()) == _result(3, valid)


def test_tables_hold_the_history_and_no_later_epochs(tmp_path: Path) -> None:
    tables = EpochTables(tmp_path, [keys.ENERGY, keys.FORCES])
    tables.begin([])
    for epoch in (1, 2, 3):
        tables.on_epoch(_result(epoch))
    again = EpochTables(tmp_path, [keys.ENERGY, keys.FORCES])
    again.begin([_result(1), _result(2)])
    rows = np.loadtxt(tmp_path / "epoch_train.dat", skiprows=1)
    np.testing.assert_allclose(rows[:, :4], [[1, 1.0, 0.01, 0.2], [2, 0.5, 0.005, 0.1]])
    lines = (tmp_path / "epoch_valid.dat").read_text(encoding="utf-8").splitlines()
    assert len({len(line) for line in lines}) == 1  # fixed columns


def test_learning_curve_is_drawn_at_the_end(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    curve = CurveFile(tmp_path / "curve.png", [keys.ENERGY, keys.FORCES])
    curve.begin([_result(1)])
    curve.on_epoch(_result(2))
    assert not (tmp_path / "curve.png").exists()
    curve.end()
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_tensorboard_gets_scalars(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    log = TensorBoardLog(tmp_path)
    log.begin([])
    log.on_step(StepReport(1, 2, 5, 10, 5, _result(1).train, 1e-3))
    log.on_epoch(_result(1))
    log.end()
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    assert [event.step for event in events.Scalars("rmse_forces/valid")] == [10]
    assert events.Scalars("loss/running")[0].value == pytest.approx(1.0)


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize("has_rate", [True, False])
def test_display_prints_a_row_per_epoch(terminal: bool, has_rate: bool) -> None:
    text = io.StringIO()
    console = Console(file=text, width=160, force_terminal=terminal)
    quantities = [keys.ENERGY, keys.FORCES, keys.VIRIAL]
    display = ProgressDisplay(console, quantities, n_epochs=2, n_batches=10, has_rate=has_rate)
    display.begin([])
    result = _result(1) if has_rate else replace(_result(1), learning_rate=None)
    display.on_step(StepReport(1, 2, 5, 10, 5, result.train, result.learning_rate))
    display.on_epoch(result)
    display.end()
    shown = text.getvalue()
    assert "energy meV/atom" in shown
    assert "10 | 10" in shown  # 0.01 eV/atom
    assert "0.2 | 0.2" in shown
    assert ("lr" in shown) == has_rate
    if terminal:
        assert "5/20" in shown or "training" in shown
    else:
        assert max(len(line) for line in shown.splitlines()) <= 80
        assert "*: best epoch so far" in shown


def test_without_validation_frames_there_is_one_number_per_error() -> None:
    text = io.StringIO()
    display = ProgressDisplay(Console(file=text), [keys.ENERGY], n_epochs=1, n_batches=1, is_validated=False)
    display.begin([])
    display.on_epoch(_result(1, valid=False))
    assert "|" not in text.getvalue()
