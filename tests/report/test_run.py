"""The command from its arguments to its two files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ase.io
import jsonschema
import pytest
from ase import Atoms
from families import small_potential, small_section
from morse import crystal, labelled, write_xyz
from typer.testing import CliRunner, Result

from pwmlff.cli.main import app
from pwmlff.data.frame import Frame
from pwmlff.models.files.checkpoint import save_checkpoint
from pwmlff.models.potential import Potential
from pwmlff.report import run as run_module
from pwmlff.report.stability import Effort
from pwmlff.report.structures import frame_of

GRADE = {"enum": ["green", "amber", "red", "grey"]}
SCHEMA = {
    "type": "object",
    "required": [
        "format_version",
        "pwmlff_version",
        "model",
        "model_sha256",
        "elements",
        "quick",
        "verdict",
        "sections",
    ],
    "properties": {
        "format_version": {"const": 1},
        "elements": {"type": "array", "items": {"type": "string"}},
        "verdict": {"type": "object", "required": ["grade", "words"], "properties": {"grade": GRADE}},
        "sections": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["key", "title", "grade", "words", "findings", "limits", "numbers"],
                "properties": {
                    "grade": GRADE,
                    "findings": {"type": "array", "items": {"required": ["grade", "words"]}},
                    "limits": {"type": "array", "items": {"required": ["name", "amber", "red", "unit"]}},
                    "numbers": {"type": "object"},
                },
            },
        },
    },
}
KEYS = ["errors", "learning", "dimers", "coverage", "crystals", "phonons", "stability"]


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkpoint in a folder of its own, which becomes the working directory; and next to no dynamics."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(run_module, "QUICK", Effort(1, 0.1, 0.1, 60.0))
    path = tmp_path / "model.ckpt"
    save_checkpoint(path, potential(), config={"model": small_section("NEP", 4.0), "train_data": ["train.xyz"]})
    return path


def potential() -> Potential:
    return small_potential("NEP", 4.0, ["Cu"])


def frames(n: int, first_seed: int = 0) -> list[Frame]:
    return labelled(potential(), [frame_of(crystal(1, 0.05, seed)) for seed in range(first_seed, first_seed + n)])


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(app, ["report", *(str(word) for word in words)])


def test_command(model: Path) -> None:
    write_xyz(Path("train.xyz"), frames(6), temperature=300.0)
    write_xyz(Path("test.xyz"), frames(6, 20), temperature=300.0)
    result = run(model, "test.xyz", "--quick", "-o", "out.html")
    assert result.exit_code == 0, result.output
    assert "wrote out.html" in result.output
    content = json.loads(Path("out.json").read_text())
    jsonschema.validate(content, SCHEMA)
    assert [section["key"] for section in content["sections"]] == KEYS
    errors = content["sections"][0]
    assert errors["grade"] == "green"
    assert errors["numbers"]["test"]["forces"]["rmse"] == pytest.approx(0.0, abs=1e-6)
    assert content["n_training_frames"] == 6  # found by the checkpoint's record
    assert content["sections"][-1]["numbers"]["runs"][0]["temperature"] == 300.0
    assert sorted(path.name for path in Path().iterdir()) == [
        "model.ckpt",
        "out.html",
        "out.json",
        "test.xyz",
        "train.xyz",
    ]


def test_molecules_without_labels(model: Path) -> None:
    write_xyz(Path("train.xyz"), frames(2))
    images = [Atoms("Cu2", positions=[[0, 0, 0], [0, 0, 2.4]]), crystal(1)[:1]]
    for atoms in images:
        atoms.pbc = False
        atoms.cell = None
    ase.io.write("test.xyz", images, format="extxyz")
    result = run(model, "test.xyz", "--quick")
    assert result.exit_code == 0, result.output
    content = json.loads(Path("report.json").read_text())
    jsonschema.validate(content, SCHEMA)
    assert content["sections"][0]["grade"] == "amber"
    assert "no labels" in content["sections"][0]["words"]


def test_training_frames_among_the_test_frames(model: Path) -> None:
    write_xyz(Path("train.xyz"), frames(6))
    write_xyz(Path("test.xyz"), frames(4))
    result = run(model, "test.xyz", "--quick", "--temperature", "100")
    assert result.exit_code == 0, result.output
    errors = json.loads(Path("report.json").read_text())["sections"][0]
    assert errors["grade"] == "red"
    assert "4 of 4 test frames are training frames" in errors["words"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_nothing_is_left_half_written(model: Path, error: type[BaseException], monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*args: Any, **kwargs: Any) -> None:
        raise error

    write_xyz(Path("train.xyz"), frames(2))
    Path("report.html").write_text("an earlier report")
    before = sorted(path.name for path in Path().iterdir())
    monkeypatch.setattr(run_module, "dimers_section", stopped)
    assert run(model, "--quick").exit_code != 0
    assert sorted(path.name for path in Path().iterdir()) == before
    assert Path("report.html").read_text() == "an earlier report"


def test_a_page_that_cannot_be_written_leaves_no_numbers(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, *args: Any, **kwargs: Any) -> int:
        if "json" in path.name:
            raise OSError("no space left on device")
        return written(path, *args, **kwargs)

    written: Callable[..., int] = Path.write_text
    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="no space"):
        run_module._write({Path("a.html"): "page", Path("a.json"): "numbers"})
    assert [path.name for path in Path().iterdir()] == [model.name]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "no frames to report on"),
        (("missing.xyz",), "missing.xyz"),
        (("data.xyz", "-o", "page.pdf"), "expected a name such as report.html"),
        (("data.xyz", "-o", "nowhere/page.html"), "no folder"),
    ],
)
def test_complaints(model: Path, words: tuple[str, ...], message: str) -> None:
    write_xyz(Path("data.xyz"), frames(1))
    result = run(model, *words)
    assert result.exit_code == 1
    assert message in result.output


def test_unknown_element(model: Path) -> None:
    atoms = crystal(1)
    atoms.numbers[:] = 79
    write_xyz(Path("gold.xyz"), [frame_of(atoms)])
    result = run(model, "gold.xyz")
    assert result.exit_code == 1
    assert "holds Au, but the model knows only Cu" in result.output
