"""`pwmlff devi`: model deviation of a committee along a trajectory."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pwmlff.errors import printable


def devi(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="MODELS... TRAJECTORY",
            help="Two or more checkpoints or exported models, then a LAMMPS dump, extended XYZ or another file ASE "
            "reads.",
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write.")] = Path("model_devi.out"),
    format: Annotated[
        str,
        typer.Option(
            "--format", "-f", help="Whose columns the file has: dpgen (virial, force) or pwact (force, energy)."
        ),
    ] = "dpgen",
    elements: Annotated[
        str | None, typer.Option(help="Elements (or NULL) of the types 1, 2, ... of a LAMMPS dump, such as 'Cu,O'.")
    ] = None,
    freq: Annotated[int, typer.Option(min=1, help="Evaluate every N-th frame.")] = 1,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:<number>.")] = "auto",
    trust: Annotated[
        bool, typer.Option("--trust", help="Run code that an exported model without kernels holds; see docs/trust.md.")
    ] = False,
) -> None:
    """Recompute the model deviation of a committee over a trajectory, as the pair style writes it during a run."""
    from pwmlff.data.detect import check_paths
    from pwmlff.device import choose_device
    from pwmlff.errors import ConfigError
    from pwmlff.evaluate.deviation import write_deviation
    from pwmlff.models.files import format_of

    *models, trajectory = files
    check_paths(files)
    if format_of(trajectory):
        raise ConfigError(f"'{trajectory}' is a model, expected a trajectory last: pwmlff devi MODELS... TRAJECTORY")
    summary = write_deviation(
        models,
        trajectory,
        output,
        format=format,
        elements=None if elements is None else elements.replace(",", " ").split(),
        every=freq,
        device=choose_device(device),
        trust=trust,
    )
    typer.echo(
        f"{summary.n_frames} frames, {len(models)} models -> {printable(str(output))}\n"
        f"max_devi_f from {summary.least:.4g} to {summary.largest:.4g} eV/Å, "
        f"the largest at step {summary.largest_step}"
    )
    for notice in summary.notices:
        typer.echo(notice, err=True)
