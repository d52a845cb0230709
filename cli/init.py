"""`pwmlff init`: a commented run file to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_EXAMPLE_ELEMENTS = ["Cu"]
_EXAMPLE_DATA = ["MOVEMENT"]


def init(
    model: Annotated[str | None, typer.Argument(help="Model to train, such as dp, nep or nn.")] = None,
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
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
) -> None:
    """Write a commented run file with sensible defaults, ready for `pwmlff train`."""
    from pwmlff.config.template import starting_file
    from pwmlff.errors import ConfigError, printable
    from pwmlff.train.start import settings_from_data

    if (model is None) == (source is None):
        raise ConfigError(
            "name a model, such as `pwmlff init dp`, or an input of deepmd-kit: pwmlff init --from input.json"
        )
    output = output or Path("dp.json" if model is None else f"{model.lower()}.json")
    if output.exists() and not force:
        raise ConfigError(f"'{output}' exists already; name another file with --output, or overwrite it with --force")
    if source is not None:
        from pwmlff.config.from_deepmd import from_deepmd

        translation = from_deepmd(source)
        output.write_text(translation.text(source), encoding="utf-8")
        for line in translation.left_out:
            typer.echo(printable(f"no counterpart: {line}"))
        typer.echo(f"wrote {output}; next: pwmlff train {output}")
        return
    assert model is not None
    symbols = _symbols(elements, data)
    settings, remarks, picture = settings_from_data(model, symbols, data or [], output.with_suffix(".png"))
    paths = [str(path) for path in data or _EXAMPLE_DATA]
    text = starting_file(model, symbols or _EXAMPLE_ELEMENTS, paths, settings, remarks)
    output.write_text(text, encoding="utf-8")
    for line in remarks:
        typer.echo(printable(line))
    if picture is not None:
        typer.echo(printable(f"drawn over the distances in the data: {picture}"))
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
    from pwmlff.data.readers import read_frames

    numbers = {int(number) for frame in read_frames(data) for number in frame.atomic_numbers}
    return [symbol_of(number) for number in sorted(numbers)]
