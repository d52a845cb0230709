"""`pwmlff compress`: a faster model, with tables in the place of embedding nets or radial functions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

if TYPE_CHECKING:
    from pwmlff.models.tables import Order


def compress(
    model: Annotated[
        Path,
        typer.Argument(
            help="Checkpoint that training wrote, of a Deep Potential or a NEP; or a nep.txt.",
            exists=True,
            dir_okay=False,
        ),
    ],
    data: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Frames to measure the deviation on, whose distances the tables cover beside those of the training "
            "data; without them, the training data."
        ),
    ] = None,
    dx: Annotated[
        str | None,
        typer.Option(
            "--dx",
            "-d",
            help="Grid spacing, or auto: the coarsest that keeps the tolerance. Left out: 0.01 for a Deep Potential, "
            "0.05 (Å) for a NEP.",
        ),
    ] = None,
    order: Annotated[
        int, typer.Option("--order", "-o", help="Order of the polynomials, 3 or 5; -s names the output.")
    ] = 3,
    save: Annotated[
        Path | None,
        typer.Option("--save", "-s", help="File to write; .ckpt is added. Left out: cmp_dp_model, cmp_nep_model."),
    ] = None,
    tolerance: Annotated[
        float, typer.Option(min=0.0, help="With -d auto: largest deviation of a force component, eV/Å.")
    ] = 1e-4,
    format: Annotated[
        str | None, typer.Option("--format", "-f", help="Data format; guessed from the content when not given.")
    ] = None,
) -> None:
    """Replace the embedding nets of a Deep Potential, or the radial functions of a NEP, by tables.

    Writes a checkpoint for test, infer, export and ASE, and prints how far it is from the model and how much faster.
    """
    from pwmlff.compress.report import print_report, warnings
    from pwmlff.compress.run import compress_model
    from pwmlff.data.detect import check_paths
    from pwmlff.errors import ConfigError
    from pwmlff.evaluate.report import report_console

    try:
        spacing = dx if dx is None or dx == "auto" else float(dx)
    except ValueError as error:
        raise ConfigError(f"the grid spacing (-d) is '{dx}', expected a number such as 0.01, or auto") from error
    check_paths(data or [])
    result = compress_model(
        model,
        data or [],
        dx=cast("float | Literal['auto'] | None", spacing),
        order=cast("Order", order),  # others are refused there
        save=save,
        tolerance=tolerance,
        format=format,
    )
    print_report(result, report_console())
    for warning in warnings(result):
        typer.echo(warning, err=True)
