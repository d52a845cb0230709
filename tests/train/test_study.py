"""The study of `examples/optimizers` from end to end on a few frames."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ase.io import read, write

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a finished study on three frames of lithium."""
    folder = tmp_path_factory.mktemp("study")
    for name in ("train", "test"):
        (folder / "data" / "li").mkdir(parents=True, exist_ok=True)
        write(folder / "data" / "li" / f"{name}.xyz", read(EXAMPLES / "data" / f"li27_{name}.xyz", index=":3"))
    _run(folder, "--epochs", "3", "2")
    return folder


def _run(folder: Path, *options: str, fails: bool = False) -> str:
    command = [sys.executable, EXAMPLES / "optimizers" / "study.py", "--data", "data", "--sizes", "small", *options]
    environment = {**os.environ, "COLUMNS": "120"}
    finished = subprocess.run(
        [str(word) for word in command], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert (finished.returncode != 0) == fails, finished.stderr
    return finished.stderr if fails else finished.stdout


def test_tables_hold_what_the_runs_wrote(study: Path) -> None:
    text = (study / "study" / "tables.txt").read_text(encoding="utf-8")
    for optimizer, n_epochs in (("Adam", 3), ("LKF", 2)):
        record = study / "study" / f"li-small-{optimizer}" / "model_record"
        rows = np.loadtxt(record / "epoch_valid.dat", skiprows=1)
        line = next(line for line in text.splitlines() if optimizer in line and "small" in line)
        cells = [cell.strip() for cell in line.strip("│").split("│")]
        assert cells[:4] == ["li", "small", optimizer, str(n_epochs)]
        assert cells[-2:] == [f"{1e3 * rows[-1, 2]:.3f}", f"{rows[-1, 3]:.4f}"]
    assert (study / "study" / "li.png").stat().st_size > 10_000


def test_time_to_the_best_of_adam(study: Path) -> None:
    text = (study / "study" / "tables.txt").read_text(encoding="utf-8")
    curves = {
        name: np.loadtxt(study / "study" / f"li-small-{name}" / "model_record" / "epoch_valid.dat", skiprows=1)
        for name in ("Adam", "LKF")
    }
    best = curves["Adam"][:, 3].min()
    line = next(line for line in text.splitlines() if "force, eV/Å" in line)
    cells = [cell.strip() for cell in line.strip("│").split("│")]
    assert float(cells[3]) == pytest.approx(best, rel=1e-3)
    reached = curves["LKF"][:, 3] <= best
    if reached.any():
        first = int(np.argmax(reached))
        ratio = curves["Adam"][: int(curves["Adam"][:, 3].argmin()) + 1, 4].sum() / curves["LKF"][: first + 1, 4].sum()
        assert float(cells[-1]) == pytest.approx(ratio, abs=0.051)
    else:
        assert cells[-2:] == ["never", "-"]


def test_what_is_done_is_not_done_again(study: Path) -> None:
    checkpoints = list((study / "study").glob("*/model_record/dp_model.ckpt"))
    before = {path: path.stat().st_mtime_ns for path in checkpoints}
    assert len(before) == 2
    _run(study, "--epochs", "3", "2")
    assert {path: path.stat().st_mtime_ns for path in checkpoints} == before


def test_a_set_that_is_not_there(study: Path) -> None:
    assert "no such set: copper; there are li" in _run(study, "--sets", "copper", fails=True)


def test_runs_with_other_settings_are_not_mixed(study: Path) -> None:
    for options in (["--epochs", "3", "2", "--Rmin", "2"], ["--epochs", "4", "2"]):
        said = _run(study, *options, fails=True)
        assert "holds a run with another" in said
        assert "--work" in said
