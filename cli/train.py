"""`pwmlff train`: fit a potential to labelled frames."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def train(
    config: Annotated[
        Path,
        typer.Argument(
            help="Run file: JSON with the keys of PWMLFF, or a nep.in of GPUMD.", exists=True, dir_okay=False
        ),
    ],
    epochs: Annotated[
        int | None, typer.Option(min=1, max=2**63 - 1, help="Instead of the file's optimizer.epochs.")
    ] = None,
    early_stop: Annotated[
        int | None,
        typer.Option(min=1, max=2**63 - 1, metavar="EPOCHS", help="End when so many in a row were no better."),
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Start anew, even where a run could be resumed.")] = False,
) -> None:
    """Train a model; writes checkpoints, logs and the learning curve to model_record/.

    A run that was interrupted goes on where it stopped when the same command is given again. On SIGTERM or SIGINT
    the state is saved after the present step and the exit code is 75.

    Several processes: mpirun -np 4 pwmlff train config.json, or torchrun --nproc_per_node 4 -m pwmlff train config.json
    """
    from rich.console import Console

    from pwmlff import distributed
    from pwmlff.config import load_config
    from pwmlff.train import EXIT_STOPPED, TrainingStopped, ignore_until_exit, train_from_config

    with distributed.session():
        console = Console(quiet=not distributed.is_first())
        run = load_config(config)
        if epochs is not None:
            run = run.model_copy(update={"optimizer": run.optimizer.model_copy(update={"epochs": epochs})})
        if early_stop is not None:
            run = run.model_copy(update={"early_stop": early_stop})
        was_stopped = False
        try:
            train_from_config(run, fresh=fresh, console=console)
        except TrainingStopped as stop:
            console.print(f"{stop}; saved, run the same command to go on", highlight=False)
            was_stopped = True
    if was_stopped:
        ignore_until_exit()
        raise typer.Exit(EXIT_STOPPED)
