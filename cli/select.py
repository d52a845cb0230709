"""`pwmlff select`: frames of a trajectory that are worth a first-principles calculation."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from pwmlff.errors import printable


class Method(str, Enum):
    """Values of `--by`, those of `pwmlff.selection.By`."""

    DEVIATION = "deviation"
    KPU = "kpu"
    FARTHEST = "farthest"


def select(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="MODELS... TRAJECTORIES...",
            help="One model or a committee, and LAMMPS dumps, extended XYZ or other files ASE reads, in any order.",
        ),
    ],
    number: Annotated[int, typer.Option("--number", "-n", min=1, help="How many frames.")] = 50,
    by: Annotated[
        Method | None,
        typer.Option(
            help="deviation of a committee (with several models), kpu of one model of LKF, or farthest: what is newest "
            "to one model (otherwise)."
        ),
    ] = None,
    lo: Annotated[
        float | None, typer.Option(help="Frames with less max_devi_f, eV/Å (or f_kpu_max) are known well enough.")
    ] = None,
    hi: Annotated[float | None, typer.Option(help="Frames with as much or more are too far off to be trusted.")] = None,
    train: Annotated[
        list[Path] | None, typer.Option(help="Training data, which the chosen frames are to be unlike. Repeatable.")
    ] = None,
    closest: Annotated[
        float | None,
        typer.Option(
            min=0.01,
            help="Å; frames with nearer atoms are dropped. Half the sum of covalent radii when not given.",
        ),
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="New folder of POSCARs, or a file that ends in .xyz.")
    ] = Path("selected"),
    elements: Annotated[
        str | None, typer.Option(help="Elements (or NULL) of the types 1, 2, ... of LAMMPS dumps, such as 'Cu,O'.")
    ] = None,
    freq: Annotated[int, typer.Option(min=1, help="Consider every N-th frame.")] = 1,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:<number>.")] = "auto",
    trust: Annotated[
        bool, typer.Option("--trust", help="Run code that an exported model without kernels holds; see docs/trust.md.")
    ] = False,
) -> None:
    """Pick the frames of a simulation whose labels a model would learn most from."""
    from pwmlff.device import choose_device
    from pwmlff.models.files import format_of
    from pwmlff.selection import By, select_frames
    from pwmlff.selection.files import check_new, write_selected

    models = [path for path in files if format_of(path)]
    check_new(output)
    selected = select_frames(
        models,
        [path for path in files if path not in models],
        number,
        by=None if by is None else By(by.value),
        lo=lo,
        hi=hi,
        train=train or (),
        closest=closest,
        elements=None if elements is None else elements.replace(",", " ").split(),
        every=freq,
        device=choose_device(device),
        trust=trust,
    )
    for line in selected.lines:
        typer.echo(printable(line))
    if not selected.frames:
        typer.echo("nothing is written")
        return
    write_selected(selected, output)
    typer.echo(printable(f"{len(selected.frames)} frames by {selected.by.value} -> {output}"))
