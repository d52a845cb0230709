"""`pwmlff script`: PWMLFF's and MatPL's name for `pwmlff export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pwmlff.cli.export import export


def script(
    model: Annotated[
        Path, typer.Argument(help="Checkpoint that training or `pwmlff compress` wrote.", exists=True, dir_okay=False)
    ],
    name: Annotated[
        Path | None, typer.Argument(help="File to write, with or without .pt; left out: MODEL with the suffix .pt.")
    ] = None,
) -> None:
    """Write a model for LAMMPS: the name in PWMLFF and MatPL of `pwmlff export`, which has more options."""
    export(model, None if name is None else name.with_name(f"{name.name.removesuffix('.pt')}.pt"), None, "pt")
