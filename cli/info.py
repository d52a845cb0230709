"""`pwmlff info`: versions, what was compiled, devices, MPI, and whether LAMMPS finds the pair style."""

from __future__ import annotations

import typer


def info() -> None:
    """Print what is installed and compiled, and why something is missing."""
    from pwmlff.info import collect

    section = ""
    for fact in collect():
        if fact.section != section:
            section = fact.section
            typer.echo(section)
        mark = "!" if fact.is_fault else " "
        typer.echo(f" {mark} {fact.name:<19} {fact.value}")
