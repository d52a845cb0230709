"""Runs a page of documentation as a reader would: its commands, in order, in one folder.

What a fenced block is:

    sh        commands: `pwmlff` runs in this process, anything else as a program
    python    code; all blocks of a page share their names
    text      what the last of these printed. Every line has to be printed in this shape, whatever the numbers; `...`
              stands for what is left out
    any other with a name in backticks and a colon before it, as in "`in.md`:": a file of that name

Other languages, such as `bash` and `slurm`, are only shown.
"""

from __future__ import annotations

import contextlib
import glob
import io
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from pwmlff.cli.main import app

TIME_LIMIT = 120  # s, of a program
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NAMED = re.compile(r"`([\w.]+)`:\s*\Z")
_SHELL = re.compile(r"[|;&<>$`]")
_NUMBER = re.compile(r"[-+]?\d[\d.]*(?:e[-+]?\d+)?")
_FRAME = re.compile(r"[│┌┐└┘├┤┬┴┼─━┏┓┗┛┃┡┩╇┳╈|*+-]+")


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        language: What follows the fence.
        text: What is between the fences.
        line: Of the fence in the page, from 1.
        file: Name of the file that it is; empty for none.
    """

    language: str
    text: str
    line: int
    file: str


def blocks_of(page: str) -> Iterator[Block]:
    """Yield the blocks of a page in order."""
    end = 0
    for match in _FENCE.finditer(page):
        between = page[end : match.start()]
        name = _NAMED.search(between)
        line = page.count("\n", 0, match.start()) + 1
        yield Block(match[1], match[2], line, name[1] if name else "")
        end = match.end()


def shape(line: str) -> str:
    """Return a line without its numbers, the frames of tables and the width of columns."""
    return " ".join(_FRAME.sub(" ", _NUMBER.sub("#", line)).split())


@dataclass
class Reader:
    """Types the commands of a page; runs are cut short, which no page says.

    Attributes:
        folder: Where the commands are run; the working folder of this process.
        epochs: What trainings are cut to.
        steps: What runs of LAMMPS are cut to, by its variable `steps`.
    """

    folder: Path
    epochs: int = 4
    steps: int = 20
    _names: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Put a short-winded `lmp` before that of this environment."""
        programs = self.folder / ".programs"
        programs.mkdir(exist_ok=True)
        environment = Path(sys.executable).parent
        (programs / "lmp").write_text(f'#!/bin/sh\nexec {environment / "lmp"} "$@" -var steps {self.steps} -nocite\n')
        (programs / "lmp").chmod(0o755)
        path = os.pathsep.join([str(programs), str(environment), os.environ["PATH"]])
        self._environment = {**os.environ, "PATH": path, "OMP_NUM_THREADS": "1"}

    def follow(self, page: str) -> None:
        """Do what a page says.

        Raises:
            AssertionError: A command failed, or did not print what the page shows.
        """
        printed = ""
        for block in blocks_of(page):
            if block.file:
                (self.folder / block.file).write_text(block.text)
            elif block.language == "sh":
                printed = "".join(self._run(line) for line in _lines(block.text))
            elif block.language == "python":
                printed = self._execute(block.text)
            elif block.language == "text":
                _compare(block, printed)

    def _run(self, line: str) -> str:
        assert not _SHELL.search(line), f"write it simpler, this is no shell: {line}"
        words = [word for pattern in shlex.split(line) for word in _expanded(pattern)]
        if words[0] == "pwmlff":
            if words[1] in ("train", "finetune"):
                words += ["--epochs", str(self.epochs)]
            result = CliRunner().invoke(app, words[1:])
            assert result.exit_code == 0, f"{line}\n{result.output}{result.exception!r}"
            return result.output
        run = subprocess.run(
            words,
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=TIME_LIMIT,
            check=False,
        )
        assert run.returncode == 0, f"{line}\n{run.stdout}{run.stderr}"
        return run.stdout

    def _execute(self, code: str) -> str:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(code, self._names)
        return printed.getvalue()


def _lines(text: str) -> list[str]:
    """Return commands without their comments, those over several lines as one."""
    whole = text.replace("\\\n", " ")
    lines = (re.sub(r"(^|\s)#.*", "", line).strip() for line in whole.splitlines())
    return [line for line in lines if line]


def _expanded(pattern: str) -> list[str]:
    return sorted(glob.glob(pattern)) or [pattern] if set("*?") & set(pattern) else [pattern]


def _compare(block: Block, printed: str) -> None:
    shapes = {shape(line) for line in printed.splitlines()}
    for number, line in enumerate(block.text.splitlines(), start=block.line + 1):
        is_shown = line.strip() in ("", "...") or shape(line) in shapes
        assert is_shown, f"line {number}: not printed: {line}\nprinted was:\n{printed}"
