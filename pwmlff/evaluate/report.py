"""Tables of errors for people."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from pwmlff import keys
from pwmlff.errors import printable
from pwmlff.evaluate.errors import ErrorStatistics
from pwmlff.evaluate.summary import ErrorSummary, ErrorTable

# label -> (name, unit shown, factor from internal units)
_ROWS = {
    keys.ENERGY: ("energy per atom", "meV", 1000.0),
    keys.FORCES: ("force components", "eV/Å", 1.0),
    keys.VIRIAL: ("virial per atom", "meV", 1000.0),
    keys.ATOMIC_ENERGIES: ("atomic energy", "meV", 1000.0),
}
_PLAIN_WIDTH = 100


def report_console() -> Console:
    """Standard output: its own width on a terminal, a fixed one in a pipe or a file."""
    console = Console()
    return console if console.is_terminal else Console(width=_PLAIN_WIDTH)


def tables(summary: ErrorSummary) -> Iterator[Table]:
    """Yield the table of all errors, then those per element and per source where there are several."""
    yield _quantity_table(summary.total)
    if len(summary.per_element) > 1:
        yield _element_table(summary)
    if len(summary.per_source) > 1:
        yield _source_table(summary)


def print_report(summary: ErrorSummary, console: Console) -> None:
    """Print the tables and what they suggest; in plain characters when the console is not a terminal."""
    for table in tables(summary):
        table.box = box.ROUNDED if console.is_terminal else box.ASCII
        console.print(table)
    for hint in summary.hints():
        console.print(printable(f"note: {hint}"), highlight=False, markup=False, soft_wrap=True)


def write_report(summary: ErrorSummary, path: Path) -> None:
    """Write the report as plain text, PWMLFF's `inference_summary.txt`."""
    with path.open("w", encoding="utf-8") as file:
        file.write(f"For {summary.total.n_frames} images:\n")
        print_report(summary, Console(file=file, width=_PLAIN_WIDTH, no_color=True, force_terminal=False))


def _quantity_table(table: ErrorTable) -> Table:
    rich = Table(title=f"{table.n_frames} frames, {table.n_atoms} atoms", title_justify="left")
    for heading in ("quantity", "RMSE", "MAE", "max", "R²", "unit", "frames"):
        rich.add_column(heading, justify="left" if heading in ("quantity", "unit") else "right")
    for label, (name, unit, factor) in _ROWS.items():
        errors = table.errors[label]
        if errors.count == 0:
            if label != keys.ATOMIC_ENERGIES:  # few data sets have them; their absence is no news
                rich.add_row(name, *["-"] * 4, unit, "no labels")
            continue
        rich.add_row(name, *_errors(errors, factor), unit, str(table.labelled[label]))
    return rich


def _element_table(summary: ErrorSummary) -> Table:
    rich = Table(title="force components per element, eV/Å", title_justify="left")
    for heading in ("element", "RMSE", "MAE", "max", "R²", "atoms"):
        rich.add_column(heading, justify="left" if heading == "element" else "right")
    for symbol, errors in sorted(summary.per_element.items()):
        rich.add_row(symbol, *_errors(errors, 1.0), str(summary.atoms_of[symbol]))
    return rich


def _source_table(summary: ErrorSummary) -> Table:
    rich = Table(title="RMSE per source", title_justify="left")
    rich.add_column("source", overflow="fold")
    for heading in ("energy meV/atom", "force eV/Å", "virial meV/atom", "frames"):
        rich.add_column(heading, justify="right")
    for source, table in summary.per_source.items():
        values = [
            _number(table.errors[label].rmse, _ROWS[label][2]) for label in (keys.ENERGY, keys.FORCES, keys.VIRIAL)
        ]
        rich.add_row(printable(source), *values, str(table.n_frames))
    return rich


def _errors(errors: ErrorStatistics, factor: float) -> list[str]:
    r2 = "-" if errors.r2 is None else f"{errors.r2:.5f}" if abs(errors.r2) < 100 else f"{errors.r2:.2g}"
    return [_number(errors.rmse, factor), _number(errors.mae, factor), _number(errors.max, factor), r2]


def _number(value: float | None, factor: float) -> str:
    return "-" if value is None else f"{value * factor:.4g}"
