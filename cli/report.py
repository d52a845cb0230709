"""`pwmlff report`: whether a model can be trusted, on one page."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from pwmlff.report.run import Progress
    from pwmlff.report.section import Section

_NAMES = {  # of sections, while they are made
    "errors": "errors",
    "learning": "learning curve",
    "dimers": "short distances",
    "coverage": "coverage",
    "crystals": "equation of state, elasticity",
    "phonons": "phonons",
    "stability": "molecular dynamics",
}
_COLORS = {"green": "green", "amber": "yellow", "red": "red", "grey": "bright_black"}


def report(
    model: Annotated[Path, typer.Argument(help="Checkpoint, exported model or nep.txt.")],
    data: Annotated[
        list[Path] | None,
        typer.Argument(help="Test frames, files or folders; left out: the validation frames of the training."),
    ] = None,
    train: Annotated[
        list[Path] | None,
        typer.Option(help="Training frames; may be given several times. Left out: those the checkpoint names."),
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Page to write; a JSON file of that name is written beside it.")
    ] = Path("report.html"),
    quick: Annotated[
        bool, typer.Option("--quick", help="Fewer frames and shorter dynamics, for a first look.")
    ] = False,
    temperature: Annotated[
        float | None,
        typer.Option(
            min=1.0,
            help="Temperature of the data, K; dynamics is run at it and at 1.25 times. Left out: what "
            "the data record, else what their forces stand for.",
        ),
    ] = None,
    format: Annotated[
        str | None, typer.Option("--format", "-f", help="Data format; guessed from the content when not given.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:<number>.")] = "auto",
    trust: Annotated[
        bool, typer.Option("--trust", help="Run code that an exported model without kernels holds; see docs/trust.md.")
    ] = False,
) -> None:
    """Say whether a model can be trusted: errors, short distances, crystals, coverage and molecular dynamics.

    Writes one HTML page that holds everything, with a verdict in words on each part, and its numbers as JSON.
    """
    from rich.console import Console

    from pwmlff.data.detect import check_paths
    from pwmlff.device import choose_device
    from pwmlff.errors import printable
    from pwmlff.report.run import ReportOptions, make_report

    check_paths([*(data or []), *(train or [])])
    options = ReportOptions(temperature, quick, format, choose_device(device), trust)
    with _progress(Console(stderr=True)) as on_progress:
        made = make_report(model, data or [], output, options, train=train or [], on_progress=on_progress)
    console = Console(soft_wrap=True)
    color = _COLORS[made.verdict.grade.value]
    console.print(f"[{color}]{made.verdict.grade.value.upper()}[/]", end=" ")
    console.print(printable(made.verdict.words), highlight=False, markup=False)
    typer.echo(printable(f"wrote {made.page} (open it in a browser) and {made.data}"))


@contextmanager
def _progress(console: Console) -> Iterator[Progress]:
    """Show a bar for the section at work, and a line for each that is done; yields what is told of them."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("reading", total=1.0)

        def advance(key: str, part: float, section: Section | None) -> None:
            bar.update(task, description=_NAMES[key], completed=part)
            if section is not None:
                _print_section(bar.console, section)

        yield advance


def _print_section(console: Console, section: Section) -> None:
    from pwmlff.errors import printable

    color = _COLORS[section.grade.value]
    console.print(f"[{color}]{section.grade.value:>5}[/]  {_NAMES[section.key]}:", end=" ", soft_wrap=True)
    console.print(printable(section.words), highlight=False, markup=False, soft_wrap=True)
