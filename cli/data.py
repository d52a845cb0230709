"""`pwmlff data`: convert data files and look into them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pwmlff.data.split import SplitBy
from pwmlff.errors import printable

if TYPE_CHECKING:
    from rich.console import Console

    from pwmlff.data.readers import ReadReport
    from pwmlff.data.report import DataSummary

app = typer.Typer(help="Convert data files and look into them.", no_args_is_help=True)

_LISTED = 20  # frames listed of each kind before "and n more"

Inputs = Annotated[list[Path], typer.Argument(help="Files and folders, formats may be mixed.")]
Format = Annotated[
    str | None,
    typer.Option("--format", "-f", help="Format of the input, such as pwmat/movement; guessed if not given."),
]
EnergyKey = Annotated[
    str | None, typer.Option("--energy-key", help="Key of the energy in extended XYZ, such as REF_energy.")
]
ForcesKey = Annotated[str | None, typer.Option("--forces-key", help="Column of the forces in extended XYZ.")]
VirialKey = Annotated[
    str | None, typer.Option("--virial-key", help="Key of the virial in extended XYZ: eV, -stress * volume.")
]
StressKey = Annotated[str | None, typer.Option("--stress-key", help="Key of ASE's stress in extended XYZ, eV/Å^3.")]
SkipBad = Annotated[bool, typer.Option("--skip-bad", help="Drop faulty frames and list them instead of stopping.")]


@app.command()
def convert(
    inputs: Inputs,
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", help="Ends in .h5 (store) or .xyz (extended XYZ), or is a new folder (deepmd/npy)."
        ),
    ],
    format: Format = None,
    split: Annotated[
        float | None, typer.Option(help="Training fraction; writes NAME_train and NAME_valid.", min=0.0, max=1.0)
    ] = None,
    by: Annotated[
        SplitBy, typer.Option(help="time: the first part of each file trains; random: drawn from all frames.")
    ] = SplitBy.TIME,
    seed: Annotated[int, typer.Option(help="Seed of the random split.")] = 2023,
    skip_bad: SkipBad = False,
    append: Annotated[bool, typer.Option("--append", help="Add to an existing store.")] = False,
    unlabelled: Annotated[bool, typer.Option("--unlabelled", help="Take files without a single label too.")] = False,
    energy_key: EnergyKey = None,
    forces_key: ForcesKey = None,
    virial_key: VirialKey = None,
    stress_key: StressKey = None,
) -> None:
    """Convert data files into an HDF5 store, extended XYZ or deepmd/npy, whole or split in two."""
    from rich.console import Console

    from pwmlff.data.convert import convert as run
    from pwmlff.data.readers import LabelKeys, ReadReport

    report = ReadReport(needs_labels=not unlabelled)
    written = run(
        inputs,
        output,
        format=format,
        split=split,
        by=by,
        seed=seed,
        skip_bad=skip_bad,
        append=append,
        report=report,
        labels=LabelKeys(energy_key, forces_key, virial_key, stress_key),
    )
    console = Console(soft_wrap=True, highlight=False)
    _print_report(console, report)
    for path, n_frames in written.items():
        console.print(printable(f"{path}: {n_frames} frames written"), markup=False)


@app.command()
def info(
    inputs: Inputs,
    cutoff: Annotated[float, typer.Option(help="Cutoff for neighbour counts, Å.", min=0.5)] = 6.0,
    format: Format = None,
    skip_bad: SkipBad = False,
    energy_key: EnergyKey = None,
    forces_key: ForcesKey = None,
    virial_key: VirialKey = None,
    stress_key: StressKey = None,
) -> None:
    """Show what data files hold: labels, ranges, contacts, duplicates, outliers; check the sums of stores."""
    from itertools import chain

    from rich.console import Console

    from pwmlff.data.detect import STORE, check_paths, guess_format
    from pwmlff.data.readers import LabelKeys, ReadReport, iterate_frames
    from pwmlff.data.report import summarize
    from pwmlff.data.store import verify_store

    check_paths(inputs)
    report = ReadReport()
    for path in inputs:
        if path.is_file() and path.suffix in (".h5", ".hdf5") and guess_format(path) == STORE:
            report.note(path, f"checksums of {verify_store(path)} segments are right")
    labels = LabelKeys(energy_key, forces_key, virial_key, stress_key)
    frames = (iterate_frames(path, format=format, skip_bad=skip_bad, report=report, labels=labels) for path in inputs)
    summary = summarize(chain.from_iterable(frames), cutoff)
    console = Console(soft_wrap=True, highlight=False)
    _print_report(console, report)
    _print_summary(console, summary, cutoff)


def _print_report(console: Console, report: ReadReport) -> None:
    for note in (*report.labels, *report.notes):
        console.print(printable(note), markup=False)
    if report.skipped:
        console.print(f"{len(report.skipped)} faulty frames dropped:")
        _print_list(console, report.skipped)


def _print_summary(console: Console, summary: DataSummary, cutoff: float) -> None:
    from rich.table import Table

    table = Table(show_header=False)
    table.add_column(style="bold")
    table.add_column()
    sizes = summary.atoms_per_frame
    table.add_row("frames", str(summary.n_frames))
    table.add_row("atoms", f"{summary.n_atoms} ({sizes.low:.0f} to {sizes.high:.0f} a frame)")
    table.add_row("elements", ", ".join(f"{name} {count}" for name, count in summary.elements.items()))
    table.add_row("compositions", _shortened([f"{name}: {count}" for name, count in summary.compositions.items()]))
    for name, count in summary.labels.items():
        table.add_row(f"with {name}", f"{count} of {summary.n_frames} frames")
    for name, values in summary.ranges.items():
        text = f"{values.low:.4f} to {values.high:.4f}, mean {values.mean:.4f}"
        table.add_row(name, f"{values.mean:.4f}" if values.low == values.high else text)
    for pair, distance in summary.shortest.items():
        table.add_row(f"shortest {pair} (Å)", f"{distance:.3f}")
    table.add_row(f"neighbours within {cutoff:g} Å", f"mean {summary.neighbors_mean:.1f}, max {summary.neighbors_max}")
    table.add_row("duplicates", f"{sum(len(group) - 1 for group in summary.duplicates)} frames")
    table.add_row("outliers", str(len(summary.outliers)))
    console.print(table)
    for warning in summary.warnings:
        console.print(printable(f"WARNING: {warning}"), markup=False)
    _print_list(console, [" = ".join(group) for group in summary.duplicates], "same structure: ")
    _print_list(console, summary.outliers, "outlier: ")


def _print_list(console: Console, lines: list[str], prefix: str = "  ") -> None:
    for line in lines[:_LISTED]:
        console.print(printable(prefix + line), markup=False)
    if len(lines) > _LISTED:
        console.print(f"  … and {len(lines) - _LISTED} more")


def _shortened(items: list[str]) -> str:
    rest = f" … and {len(items) - _LISTED} more" if len(items) > _LISTED else ""
    return ", ".join(items[:_LISTED]) + rest
