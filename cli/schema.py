"""`pwmlff schema`: what a run file may hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer


def schema(
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the reference page instead of the schema.")
    ] = False,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write to this file instead.")] = None,
) -> None:
    """Print the JSON schema of the run file, all models and optimizers included.

    Editors use it to complete and check a run file.
    """
    if markdown:
        from pwmlff.config.documentation import configuration_page

        text = configuration_page()
    else:
        from pwmlff.config.schema import run_schema

        text = json.dumps(run_schema(), indent=2, ensure_ascii=False) + "\n"
    if output is None:
        typer.echo(text, nl=False)
    else:
        output.write_text(text, encoding="utf-8")
