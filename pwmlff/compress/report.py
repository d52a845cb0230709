"""What `pwmlff compress` prints."""

from __future__ import annotations

from collections.abc import Iterator

from rich import box
from rich.console import Console
from rich.table import Table

from pwmlff.compress.run import Compression
from pwmlff.compress.speed import Spread
from pwmlff.errors import printable
from pwmlff.evaluate.errors import ErrorStatistics

FORCE_ERROR_LIMIT = 1e-3  # eV/Å; beyond it tables spoil a good model


def print_report(result: Compression, console: Console) -> None:
    """Print everything about a compression; in plain characters when the console is not a terminal."""
    for part in (_description(result), _range_table(result), _deviation_table(result), _speed(result)):
        if isinstance(part, Table):
            part.box = box.ROUNDED if console.is_terminal else box.ASCII
            console.print(part)
        else:
            console.print(printable(part), highlight=False, markup=False, soft_wrap=True)


def warnings(result: Compression) -> Iterator[str]:
    """Yield what is wrong with a compression."""
    error = result.deviations.force_error
    if not error <= FORCE_ERROR_LIMIT:
        yield (
            f"warning: the tables change forces by up to {error:.1e} eV/Å, more than {FORCE_ERROR_LIMIT:g}; "
            "take a smaller -d, order 5 (-o 5) or -d auto"
        )


def _description(result: Compression) -> str:
    tables = result.tables
    lines = [
        f"{tables.n_tables} table{'s' if tables.n_tables > 1 else ''}, one per {tables.per}: "
        f"order {tables.order}, dx {tables.dx:g}, {tables.size / 1e6:.3g} MB",
        f"range {_range(result)}; later counted as too near: {_counted(result)}",
        f"measured on {result.measured_on}",
    ]
    if result.choice.too_coarse:
        errors = ", ".join(f"{dx:g} ({error:.1e})" for dx, error in result.choice.too_coarse.items())
        lines.insert(1, f"chosen by tolerance; too coarse, with a force error in eV/Å of at least: {errors}")
    return "\n".join(lines)


def _range(result: Compression) -> str:
    return f"from {result.range_source}" if result.range_source else "from distance 0 to the cutoffs"


def _counted(result: Compression) -> str:
    if result.potential.knows_shortest():
        return "pairs nearer than any of their elements in the training data"
    unknown = "the model knows no pairs of its training data"
    return f"pairs beyond the fine part of the tables ({unknown})" if result.range_source else f"none ({unknown})"


def _range_table(result: Compression) -> Table:
    rich = Table(title="range of the tables", title_justify="left")
    for heading in ("central element", "shortest distance Å", *result.tables.parts, "MB"):
        rich.add_column(heading, justify="left" if heading == "central element" else "right")
    for element, reach in zip(result.potential.elements, result.tables.ranges, strict=True):
        shortest = f"{result.shortest[element]:.4f}" if element in result.shortest else "unknown"
        rich.add_row(element, shortest, *(f"{end:.4f}" for end in reach.ends), f"{reach.size / 1e6:.3g}")
    return rich


def _deviation_table(result: Compression) -> Table:
    deviations = result.deviations
    rich = Table(title="compressed minus uncompressed", title_justify="left")
    for heading in ("quantity", "RMS", "largest", "unit"):
        rich.add_column(heading, justify="left" if heading in ("quantity", "unit") else "right")
    rows: tuple[tuple[str, ErrorStatistics, str], ...] = (
        ("energy per atom", deviations.energy, "eV"),
        ("force components", deviations.forces, "eV/Å"),
        ("virial per atom", deviations.virial, "eV"),
    )
    for name, sums, unit in rows:
        rich.add_row(name, f"{sums.rmse or 0.0:.2e}", f"{sums.max_absolute:.2e}", unit)
    return rich


def _speed(result: Compression) -> str:
    speed = result.speed
    threads = f"{speed.n_threads} thread{'s' if speed.n_threads > 1 else ''}"
    return (
        f"uncompressed {_spread(speed.original)}, compressed {_spread(speed.compressed)} µs/atom for energies and "
        f"forces ({speed.n_atoms} atoms, {threads}): {_spread(speed.ratio)} times as fast, median (least to most) of "
        f"{speed.n_turns} measurements by turns\n"
        + ("the tables do not pay here: at its best the model is faster as it is\n" if not _pays(result) else "")
        + f"wrote {result.output}"
    )


def _pays(result: Compression) -> bool:
    """Compare the least times: what else runs on a machine only adds to them."""
    return result.speed.compressed.least < result.speed.original.least


def _spread(values: Spread) -> str:
    return f"{values.median:.1f} ({values.least:.1f} to {values.most:.1f})"
