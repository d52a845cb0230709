"""`pwmlff test`: errors of a model on labelled data."""

# ruff: noqa: PT028 - the command is called `test`; it is no test function
from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pwmlff.cli.data import EnergyKey, ForcesKey, StressKey, VirialKey
from pwmlff.errors import printable

if TYPE_CHECKING:
    from rich.console import Console

    from pwmlff.data.readers import LabelKeys


@dataclass(frozen=True)
class _Request:
    """What to test on what, from the command line or from PWMLFF's test.json."""

    model: Path
    data: list[Path]
    format: str | None
    output: Path
    labels: LabelKeys
    elements: list[str] | None = None  # what test.json lists


def test(
    model: Annotated[
        Path,
        typer.Argument(
            help="Checkpoint, exported model, or a run file such as PWMLFF's test.json.", metavar="MODEL|test.json"
        ),
    ],
    data: Annotated[list[Path] | None, typer.Argument(help="Labelled data files or folders.")] = None,
    format: Annotated[
        str | None, typer.Option("--format", "-f", help="Data format; guessed from the content when not given.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder of the results.  [default: test_result]")
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Most frames of one batch; bounded by memory when not given.")
    ] = None,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Drop unusable frames and list them.")] = False,
    unlabelled: Annotated[bool, typer.Option("--unlabelled", help="Take frames without a single label too.")] = False,
    energy_key: EnergyKey = None,
    forces_key: ForcesKey = None,
    virial_key: VirialKey = None,
    stress_key: StressKey = None,
    plots: Annotated[bool, typer.Option("--plots/--no-plots", help="Draw parity plots.")] = True,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:<number>.")] = "auto",
    trust: Annotated[
        bool, typer.Option("--trust", help="Run code that an exported model without kernels holds; see docs/trust.md.")
    ] = False,
) -> None:
    """Compare a model's energies, forces and virials with labels.

    Prints a table of errors; writes summary.json, the text files of PWMLFF's test_result/ and parity plots.
    """
    from rich.console import Console

    from pwmlff.data.readers import LabelKeys, ReadReport, read_frames
    from pwmlff.device import choose_device
    from pwmlff.evaluate.loading import load_model
    from pwmlff.evaluate.notices import overflow_notices
    from pwmlff.evaluate.report import print_report, report_console
    from pwmlff.evaluate.run import evaluate_model

    request = _read_request(
        model, data or [], format, output, LabelKeys(energy_key, forces_key, virial_key, stress_key)
    )
    _check_paths(request)
    potential = load_model(request.model, choose_device(device), trust)
    reading = ReadReport(needs_labels=not unlabelled)
    frames = read_frames(request.data, format=request.format, skip_bad=skip_bad, report=reading, labels=request.labels)
    notes = Console(stderr=True)
    _print_lines(notes, _element_notice(request.elements, potential.elements))
    _print_lines(notes, [*_divided_notice(request.data), *reading.labels, *reading.notes])
    with _progress(notes, len(frames)) as advance:
        summary = evaluate_model(
            potential,
            frames,
            request.output,
            model_name=str(request.model),
            data_names=[str(path) for path in request.data],
            batch_size=batch_size,
            skipped=reading.skipped if skip_bad else None,  # one list of all dropped frames
            unlabelled=unlabelled,
            plots=plots,
            on_frame=advance,
        )
    _print_lines(notes, [f"dropped: {reason}" for reason in reading.skipped] + overflow_notices(potential))
    print_report(summary, report_console())
    typer.echo(printable(f"results in {request.output}/ (summary.json, parity plots, PWMLFF's text files)"))


def _read_request(
    model: Path, data: list[Path], format: str | None, output: Path | None, labels: LabelKeys
) -> _Request:
    from pwmlff.config import is_run_file, load_config
    from pwmlff.errors import ConfigError

    if not is_run_file(model):
        return _Request(model, data, format, output or Path("test_result"), labels)

    config = load_config(model, is_test=True)
    for notice in config.notices:
        typer.echo(notice, err=True)
    if config.model_load_file is None:
        raise ConfigError(f"{model} names no model: set `model_load_file` to a checkpoint")
    return _Request(
        Path(config.model_load_file),
        data or [Path(path) for path in config.test_data],
        format or config.format,
        output or Path(config.test_dir_name),
        labels if labels.given() else config.label_keys,
        config.elements or None,
    )


def _check_paths(request: _Request) -> None:
    """Catch swapped and forgotten arguments before anything is loaded."""
    from pwmlff.data.detect import check_paths
    from pwmlff.errors import ConfigError
    from pwmlff.models.files import format_of

    if not request.data:
        raise ConfigError("nothing to test on: name data files after the model, or set `test_data` in test.json")
    swapped = [path for path in request.data if format_of(path)]
    if swapped:
        raise ConfigError(f"'{swapped[0]}' is a model, expected data; the model comes first: pwmlff test MODEL DATA...")
    if not all(path.exists() for path in request.data):
        check_paths([request.model, *request.data])


def _element_notice(listed: list[str] | None, known: list[str]) -> list[str]:
    if listed is None or listed == known:
        return []
    return [f"atom_type lists {' '.join(listed)}, the model knows {' '.join(known)}; the model's elements are used"]


def _divided_notice(paths: list[Path]) -> list[str]:
    from pwmlff.data.divided import is_divided

    return [
        f"{path} is divided into train and valid: the frames of both are tested, as in PWMLFF; those of valid alone "
        "tell how the model does on others than it was trained on"
        for path in paths
        if is_divided(path)
    ]


def _print_lines(console: Console, lines: list[str]) -> None:
    for line in lines:
        console.print(printable(line), highlight=False, markup=False, soft_wrap=True)


@contextmanager
def _progress(console: Console, total: int) -> Iterator[Callable[[], None]]:
    """Show a bar on a terminal; yields the function that moves it by one frame."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("testing"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("testing", total=total)
        yield lambda: progress.advance(task)
