"""What commands that train have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from rich.console import Console


def run_training(train: Callable[[Console], object]) -> None:
    """Train in all processes that a launcher started; a run that was asked to stop ends with its own exit code.

    Args:
        train: Does it, and prints to the console it gets.
    """
    from rich.console import Console

    from pwmlff import distributed
    from pwmlff.train import EXIT_STOPPED, TrainingStopped, ignore_until_exit

    with distributed.session():
        console = Console(quiet=not distributed.is_first())
        was_stopped = False
        try:
            train(console)
        except TrainingStopped as stop:
            console.print(f"{stop}; saved, run the same command to go on", highlight=False)
            was_stopped = True
    if was_stopped:
        ignore_until_exit()
        raise typer.Exit(EXIT_STOPPED)
