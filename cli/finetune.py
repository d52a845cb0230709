"""`pwmlff finetune`: go on from a trained model with new frames."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pwmlff.cli.running import run_training

if TYPE_CHECKING:
    from rich.console import Console


class Optimizer(str, Enum):
    """Those that have settings for fine-tuning."""

    LKF = "LKF"
    ADAM = "ADAM"


class EnergyShift(str, Enum):
    """Values of the run file's `energy_shift`."""

    AUTO = "auto"
    KEEP = "keep"
    FIT = "fit"


def finetune(
    model: Annotated[Path, typer.Argument(help="Checkpoint, nep.txt or folder of n2p2 to start from.")],
    data: Annotated[list[Path], typer.Argument(help="New labelled frames: files or folders.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the run.")] = Path("finetuned"),
    valid: Annotated[
        list[Path] | None, typer.Option(help="Frames to validate on; a tenth of the new ones when not given.")
    ] = None,
    optimizer: Annotated[
        Optimizer, typer.Option(case_sensitive=False, help="With settings made for a good start.")
    ] = Optimizer.LKF,
    epochs: Annotated[int | None, typer.Option(min=1, help="Passes over the frames; 30 with LKF.")] = None,
    freeze: Annotated[
        list[str] | None,
        typer.Option(help="Part that stays as it is: descriptor (or embedding), hidden, output, fitting. Repeatable."),
    ] = None,
    replay: Annotated[
        list[Path] | None,
        typer.Option(help="Frames the model was trained on, mixed in against forgetting. Repeatable."),
    ] = None,
    replay_fraction: Annotated[
        float, typer.Option(min=0.001, max=0.999, help="Part of the training frames that are such.")
    ] = 0.2,
    energy_shift: Annotated[
        EnergyShift,
        typer.Option(help="Energies per atom: kept, fitted to the new frames, or fitted if they are of another level."),
    ] = EnergyShift.AUTO,
    format: Annotated[
        str | None, typer.Option("--format", "-f", help="Of all data; guessed from the content when not given.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of everything random.")] = 2023,
    fresh: Annotated[bool, typer.Option("--fresh", help="Start anew, even where a run could be resumed.")] = False,
) -> None:
    """Train a model further on new frames, with the settings it was made with.

    Elements it does not know are added. Writes the run file finetune.json into the folder of the run, then trains;
    the same command, or `pwmlff train` with that file, goes on where it stopped.
    """
    from pwmlff import distributed
    from pwmlff.config import load_config
    from pwmlff.train import train_from_config
    from pwmlff.train.finetune import FineTuning, finetune_settings, write_run_file

    wanted = FineTuning(
        model=model,
        data=data,
        valid=valid or (),
        folder=output,
        optimizer=optimizer.value,
        epochs=epochs,
        freeze=freeze or (),
        replay=replay or (),
        replay_fraction=replay_fraction,
        energy_shift=energy_shift.value,
        format=format,
        seed=seed,
    )

    def train(console: Console) -> None:
        path = distributed.from_first(lambda: write_run_file(finetune_settings(wanted), output))
        console.print(f"run file: {path}", highlight=False, markup=False, soft_wrap=True)
        train_from_config(load_config(path), fresh=fresh, console=console)

    run_training(train)
