"""The first signal is a wish, its echo nothing, a later one an order."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pwmlff.data.frame import Frame
from pwmlff.data.writers import write_extxyz
from pwmlff.train import EXIT_STOPPED, signals
from pwmlff.train.signals import StopRequest


@pytest.fixture(autouse=True)
def handler_of_python() -> Iterator[None]:
    """What a terminal gives; a shell's background jobs start with SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_echo_of_a_signal_does_nothing_and_a_later_one_acts(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(signals.time, "monotonic", lambda: now)
    before = signal.getsignal(signal.SIGINT)
    with StopRequest() as stop:
        assert not stop.requested
        signal.raise_signal(signal.SIGTERM)
        assert stop.requested
        signal.raise_signal(signal.SIGINT)  # a launcher passes on what the terminal has sent
        now += 60.0
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_echo_after_the_end_does_nothing_either(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(signals.time, "monotonic", lambda: now)
    before = signal.getsignal(signal.SIGTERM)
    with StopRequest():
        signal.raise_signal(signal.SIGINT)
    signal.raise_signal(signal.SIGTERM)  # pictures are being drawn
    now += 60.0
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGTERM) is before


def test_without_a_signal_the_handlers_go_back() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with StopRequest():
        assert signal.getsignal(signal.SIGINT) is not before[0]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


# the `pwmlff` command, with signals after the first one: while pictures are drawn, when the command is over and at the
# very end of the interpreter
_PROGRAM = """
import atexit, os, signal, sys
from pwmlff.cli.main import main
from pwmlff.optim.gradient import GradientUpdate
from pwmlff.train import stages
from pwmlff.train.observers import TrainingObserver

def again():
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(os.getpid(), number)

class Pictures(TrainingObserver):
    def end(self):
        again()

class Last:
    def __del__(self):
        again()

stages.optional_records = lambda files, quantities: ([Pictures()], [])
step = GradientUpdate.step

def signalled(self, batch):
    if self.n_steps == 2:
        again()
    return step(self, batch)

GradientUpdate.step = signalled
atexit.register(again)
sys.last = Last()
signal.signal(signal.SIGINT, signal.default_int_handler)
main()
"""


def test_repeated_signals_change_nothing_until_the_process_is_gone(tmp_path: Path, cu_frames: list[Frame]) -> None:
    write_extxyz(tmp_path / "cu.xyz", cu_frames[:2])
    run = {
        "model_type": "DP",
        "atom_type": ["Cu"],
        "train_data": ["cu.xyz"],
        "valid_ratio": 0,
        "device": "cpu",
        "model": {
            "descriptor": {"Rmax": 4.0, "network_size": [4, 8], "M2": 2},
            "fitting_net": {"network_size": [6, 1]},
        },
    }
    (tmp_path / "run.json").write_text(json.dumps(run), encoding="utf-8")
    command = [sys.executable, "-c", _PROGRAM, "train", "run.json"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (EXIT_STOPPED, "")
    assert result.stdout.endswith("saved, run the same command to go on\n")
