"""`pwmlff export`: a trained model as one file for LAMMPS, or for another program."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pwmlff.errors import ConfigError, printable


def export(
    model: Annotated[
        Path,
        typer.Argument(
            help="Checkpoint that training or `pwmlff compress` wrote, nep.txt, or a folder of n2p2.", exists=True
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="File or folder to write; without it, MODEL with the suffix .pt, or that of the format.",
        ),
    ] = None,
    dtype: Annotated[
        str | None,
        typer.Option(
            help="float64, mixed (geometry and sums in float64, nets in float32) or float32; without it, float64 "
            "after a float64 training and mixed after a float32 one."
        ),
    ] = None,
    format: Annotated[
        str,
        typer.Option(
            help="pt, which LAMMPS and the ASE calculator run, nep for the nep.txt of GPUMD (NEP models), or n2p2 for "
            "a folder of n2p2 (NN models)."
        ),
    ] = "pt",
) -> None:
    """Write a model as TorchScript, which LAMMPS and the ASE calculator run, or in the format of another program."""
    from pwmlff.export import export_as, export_model
    from pwmlff.models.files.exported import read_metadata

    if format.lower() != "pt":
        if dtype is not None:
            raise ConfigError(f"--dtype is for the format pt; {format} has numbers of one kind")
        path, words = export_as(model, format, output)
        typer.echo(printable(f"{path}: {words}, checked"))
        return
    path = export_model(model, output, dtype)
    metadata = read_metadata(path)
    typer.echo(printable(f"{path}: {metadata.model_type}, {metadata.dtype}, cutoff {metadata.cutoff:g} Å, checked"))
    typer.echo(printable(f"LAMMPS: pair_style pwmlff {path}\n        pair_coeff * * {' '.join(metadata.elements)}"))
    if metadata.family is None:
        typer.echo("it has no kernels and is run as code: --trust, trust=True or 'trust yes' where it is used")
