"""`pwmlff init`: a commented run file to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_USUAL_MODEL = "nep"
_EXAMPLE_ELEMENTS = ["Cu"]
_EXAMPLE_DATA = ["MOVEMENT"]


def init(
    model: Annotated[
        str, typer.Argument(help="Model to train: nep (accurate and fast), dp, dp_type_embedding or nn.")
    ] = _USUAL_MODEL,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write.  [default: <model>.json]")
    ] = None,
    elements: Annotated[
        str | None, typer.Option(help="Elements such as 'Cu,O'; read from --data when not given.")
    ] = None,
    data: Annotated[list[Path] | None, typer.Option(help="Training data; may be given several times.")] = None,
    source: Annotated[
        Path | None,
        typer.Option(
            "--from", help="Translate this training input of deepmd-kit instead.", exists=True, dir_okay=False
        ),
    ] = None,
    optimizer: Annotated[str, typer.Option(help="Optimizer, such as LKF or ADAM.")] = "LKF",
    minutes: Annotated[
        float | None, typer.Option(min=0.01, help="Time the run may take on this machine; it does fewer epochs then.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
) -> None:
    """Write a commented run file for `pwmlff train`; with --data its settings are right for these data.

    Cutoffs, repulsion, virials, batches and the number of epochs come from the data and the speed of this machine, each
    with the reason behind it.
    """
    from pwmlff.config.template import starting_file
    from pwmlff.errors import ConfigError, printable
    from pwmlff.train.start import starting_run

    output = output or Path("dp.json" if source else f"{model.lower()}.json")
    if output.exists() and not force:
        raise ConfigError(f"'{output}' exists already; name another file with --output, or overwrite it with --force")
    if source is not None:
        if model != _USUAL_MODEL:
            raise ConfigError(f"--from translates a Deep Potential of deepmd-kit, not to '{model}'; leave that out")
        _translate(source, output)
        return
    symbols, known = _symbols(elements, data), [path for path in data or [] if path.exists()]
    # before the data are read: a name that is wrong costs no time
    starting_file(model, symbols or _EXAMPLE_ELEMENTS, _EXAMPLE_DATA, optimizer=optimizer)
    given = known if len(known) == len(data or []) else []
    start = starting_run(model, symbols, given, output.with_suffix(".png"), optimizer=optimizer, minutes=minutes)
    text = starting_file(
        model,
        symbols or _EXAMPLE_ELEMENTS,
        [str(path) for path in data or _EXAMPLE_DATA],
        optimizer=optimizer,
        values=start.values,
        reasons=start.reasons,
        remarks=start.remarks,
    )
    output.write_text(text, encoding="utf-8")
    for path, reason in start.reasons.items():
        typer.echo(printable(f"{path}: {reason}"))
    for line in start.remarks:
        typer.echo(printable(line))
    if start.picture is not None:
        typer.echo(printable(f"drawn over the distances in the data: {start.picture}"))
    if not symbols or not data:
        typer.echo(f"{output}: set atom_type and train_data to your elements and files", err=True)
    typer.echo(f"wrote {output}; next: pwmlff train {output}")


def _symbols(elements: str | None, data: list[Path] | None) -> list[str]:
    """Return the elements as given, else those of the data by atomic number, else none."""
    from pwmlff.elements import atomic_number_of, symbol_of
    from pwmlff.errors import ConfigError

    if elements is not None:
        symbols = [symbol_of(atomic_number_of(name)) for name in elements.replace(",", " ").split()]
        if not symbols:
            raise ConfigError("--elements names no elements, expected for instance 'Cu,O'")
        twice = [symbol for symbol in dict.fromkeys(symbols) if symbols.count(symbol) > 1]
        if twice:
            raise ConfigError(f"--elements: {', '.join(twice)} is given twice")
        return symbols
    if not data:
        return []
    from pwmlff.data.divided import divided
    from pwmlff.data.readers import read_frames

    paths = [path for part in divided(data) for path in part]
    numbers = {int(number) for frame in read_frames(paths) for number in frame.atomic_numbers}
    return [symbol_of(number) for number in sorted(numbers)]


def _translate(source: Path, output: Path) -> None:
    """Write an input of deepmd-kit as a run file, and say what has no counterpart."""
    from pwmlff.config.jsonc import read_json
    from pwmlff.errors import printable
    from pwmlff.models.dp.from_deepmd import from_deepmd

    translation = from_deepmd(read_json(source), source)
    output.write_text(translation.text(source), encoding="utf-8")
    for line in translation.left_out:
        typer.echo(printable(f"no counterpart: {line}"))
    typer.echo(f"wrote {output}; next: pwmlff train {output}")
