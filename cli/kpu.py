"""`pwmlff kpu`: Kalman prediction uncertainty along a trajectory."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pwmlff.errors import printable


def kpu(
    model: Annotated[Path, typer.Argument(help="Last checkpoint of a run with LKF or GKF.")],
    trajectory: Annotated[Path, typer.Argument(help="LAMMPS dump, extended XYZ or another file ASE reads.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write.")] = Path("kpu_model_devi.out"),
    elements: Annotated[
        str | None, typer.Option(help="Elements (or NULL) of the types 1, 2, ... of a LAMMPS dump, such as 'Cu,O'.")
    ] = None,
    freq: Annotated[int, typer.Option(min=1, help="Evaluate every N-th frame.")] = 1,
    atoms: Annotated[float, typer.Option(help="Part of the atoms whose forces are looked at, in (0, 1].")] = 0.5,
    seed: Annotated[int, typer.Option(min=0, help="Of the choice of these atoms.")] = 2024,
) -> None:
    """Tell how uncertain a model trained with a Kalman filter is of the structures of a trajectory."""
    from pwmlff.evaluate.kpu import KalmanUncertainty, write_kpu

    names = None if elements is None else elements.replace(",", " ").split()
    n_frames = write_kpu(KalmanUncertainty(model, atoms, seed), trajectory, output, elements=names, every=freq)
    typer.echo(printable(f"{n_frames} frames -> {output}"))
