"""`pwmlff infer`: energy, forces and virial of one structure."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pwmlff.evaluate.evaluator import FrameResult


def infer(
    model: Annotated[Path, typer.Argument(help="Checkpoint or exported model.")],
    structure: Annotated[Path, typer.Argument(help="atom.config, POSCAR, CIF, extended XYZ, LAMMPS data, ...")],
    format: Annotated[
        str | None,
        typer.Option("--format", "-f", help="pwmat/config, vasp/poscar, lammps/lmp, lammps/dump, or a name of ASE's."),
    ] = None,
    elements: Annotated[str | None, typer.Option(help="Elements of LAMMPS types 1, 2, ..., such as 'Cu,O'.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the structure with its results to an extended XYZ.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:<number>.")] = "auto",
    trust: Annotated[
        bool, typer.Option("--trust", help="Run code that an exported model without kernels holds; see docs/trust.md.")
    ] = False,
) -> None:
    """Predict the energy, atomic energies, forces, virial and stress of one structure."""
    from pwmlff.data.structures import read_structure
    from pwmlff.device import choose_device
    from pwmlff.errors import ConfigError
    from pwmlff.evaluate.evaluator import predict_frames
    from pwmlff.evaluate.inference import as_json, as_text, write_xyz
    from pwmlff.evaluate.loading import load_model
    from pwmlff.evaluate.notices import overflow_notices
    from pwmlff.models.files import format_of

    if format_of(structure):
        raise ConfigError(f"'{structure}' is a model, expected a structure: pwmlff infer MODEL STRUCTURE")
    potential = load_model(model, choose_device(device), trust)
    names = None if elements is None else elements.replace(",", " ").split()
    notes: list[str] = []
    frame = read_structure(structure, format=format, elements=names, notes=notes)
    for note in notes:
        typer.echo(note, err=True)
    result: FrameResult = next(predict_frames(potential, [frame]))
    typer.echo(as_json(result) if json else as_text(result))
    if output is not None:
        write_xyz(result, output)
    for notice in overflow_notices(potential):
        typer.echo(notice, err=True)
