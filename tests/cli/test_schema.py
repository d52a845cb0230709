"""`pwmlff schema`."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from pwmlff.cli.main import app

runner = CliRunner()


def test_prints_json() -> None:
    result = runner.invoke(app, ["schema"])
    assert result.exit_code == 0
    schema = json.loads(result.stdout)
    assert {"model", "optimizer", "atom_type", "train_data"} <= set(schema["properties"])


def test_prints_the_reference_page() -> None:
    result = runner.invoke(app, ["schema", "--markdown"])
    assert result.exit_code == 0
    assert result.stdout.startswith("# The run file\n")


def test_writes_a_file(tmp_path: Path) -> None:
    path = tmp_path / "schema.json"
    result = runner.invoke(app, ["schema", "-o", str(path)])
    assert (result.exit_code, result.stdout) == (0, "")
    assert json.loads(path.read_text())["type"] == "object"


def test_a_folder_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    result = runner.invoke(app, ["schema", "-o", str(tmp_path / "none" / "schema.json")])
    assert result.exit_code == 1
    assert "No such file or directory" in result.stderr
