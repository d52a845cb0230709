"""The first signal is a wish, its echo nothing, a later one an order."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from pwmlff.train import signals
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
