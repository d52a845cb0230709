"""`pwmlff train`: fit a potential to labelled frames."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pwmlff.cli.running import run_training

if TYPE_CHECKING:
    from rich.console import Console


def train(
    config: Annotated[
        Path,
        typer.Argument(
            help="Run file: JSON with the keys of PWMLFF, or a nep.in of GPUMD.", exists=True, dir_okay=False
        ),
    ],
    epochs: Annotated[
        int | None,
        typer.Option(min=1, max=2**63 - 1, help="Instead of the file's optimizer.epochs; not with several optimizers."),
    ] = None,
    committee: Annotated[
        int | None,
        typer.Option(
            min=2,
            max=100,
            help="Train so many models, which tell by their spread what is unknown; model_num when not given.",
        ),
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

    With --committee 4 there are four runs, in the folders member_1 to member_4 of model_record/; those that are done
    are not trained again. At the end their deviation on the held-out frames is told.

    Several processes: mpirun -np 4 pwmlff train config.json, or torchrun --nproc_per_node 4 -m pwmlff train config.json
    """
    from pwmlff.config import load_config
    from pwmlff.errors import ConfigError
    from pwmlff.train import train_from_config
    from pwmlff.train.committee import train_committee

    def train_all(console: Console) -> None:
        run = load_config(config)
        if epochs is not None:
            if len(run.stages) > 1:
                raise ConfigError(
                    f"--epochs: '{config}' lists {len(run.stages)} optimizers; give each its `epochs` there"
                )
            run = run.with_stages([run.stages[0].model_copy(update={"epochs": epochs})])
        if early_stop is not None:
            run = run.model_copy(update={"early_stop": early_stop})
        n_members = committee or run.model_num
        if n_members == 1:
            train_from_config(run, fresh=fresh, console=console)
        else:
            train_committee(run, n_members, fresh=fresh, console=console)

    run_training(train_all)
