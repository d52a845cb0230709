"""The `pwmlff` command: assembles the commands, one file each, and prints errors."""

from __future__ import annotations

import os
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from pwmlff.cli.compress import compress
from pwmlff.cli.data import app as data_app
from pwmlff.cli.devi import devi
from pwmlff.cli.export import export
from pwmlff.cli.finetune import finetune
from pwmlff.cli.infer import infer
from pwmlff.cli.info import info
from pwmlff.cli.init import init
from pwmlff.cli.kpu import kpu
from pwmlff.cli.report import report
from pwmlff.cli.schema import schema
from pwmlff.cli.script import script
from pwmlff.cli.select import select
from pwmlff.cli.test import test
from pwmlff.cli.train import train
from pwmlff.errors import PwmlffError, printable

# commands of PWMLFF and MatPL, and what does the same here
_ELSEWHERE = {
    "totxt": "pwmlff export MODEL --format nep",
    "togpumd": "pwmlff export MODEL --format nep",
    "toneplmps": "pwmlff export MODEL --format nep",
    "extract_ff": "pwmlff export MODEL; LAMMPS runs that file",
    "model_devi": "pwmlff devi MODELS... TRAJECTORY",
    "gen_feat": "pwmlff train, which needs no files of features",
}


class _Group(TyperGroup):
    """Turns errors that are the input's fault into one clean line."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name in _ELSEWHERE:
            ctx.fail(f"there is no command '{cmd_name}' here; what it does is done by: {_ELSEWHERE[cmd_name]}")
        return super().get_command(ctx, cmd_name)

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # the reader of our output has gone, as in `pwmlff ... | head`
            raise
        except (PwmlffError, OSError) as error:
            if ctx.params.get("debug"):
                raise
            typer.echo(printable(f"pwmlff: error: {error}"), err=True)
            raise typer.Exit(1) from error


app = typer.Typer(
    cls=_Group,
    help="Machine-learned force fields: from DFT frames to molecular dynamics in LAMMPS.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(train)
app.command()(finetune)
app.command()(test)
app.command()(report)
app.command()(infer)
app.command()(devi)
app.command()(select)
app.command()(compress)
app.command()(kpu)
app.command()(export)
app.command()(script)
app.command()(info)
app.add_typer(data_app, name="data")
app.command()(schema)
app.command()(init)


def _print_version(wanted: bool) -> None:
    if wanted:
        try:
            typer.echo(f"pwmlff {version('pwmlff')}")
        except PackageNotFoundError:
            typer.echo("pwmlff (run from its source tree, not installed)")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[  # acted on by its callback
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    debug: Annotated[  # read where errors are printed
        bool, typer.Option("--debug", help="Show the full traceback of an error.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line; the `pwmlff` script calls this."""
    # read by the OpenMP runtime when torch loads it: threads that spin while they wait make a shared machine crawl
    if "GOMP_SPINCOUNT" not in os.environ:
        os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    app(prog_name="pwmlff")
