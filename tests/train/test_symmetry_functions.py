"""The study of `examples/symmetry_functions` from end to end on a few frames, and how it judges."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pwmlff.models.bp import BPConfig

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "symmetry_functions"
NAMES = ("12G2-6G4-6G5-27-6A-standard-160", "12G2-6G4-6G5-27-6A-range-160", "12G2-6G4-6G5-27-6A-none-160")


@pytest.fixture(scope="module")
def modules() -> Iterator[tuple[Any, Any]]:
    """The modules `settings` and `conclusions`, which lie beside the script and are gone afterwards."""
    names = ("settings", "conclusions")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FOLDER))
        settings, conclusions = (__import__(name) for name in names)
        yield settings, conclusions
    for name in names:
        del sys.modules[name]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a finished comparison, with and without normalisation."""
    folder = tmp_path_factory.mktemp("symmetry_functions")
    _run(folder)
    return folder / "study"


def _run(folder: Path, *options: str, fails: bool = False) -> str:
    command = [sys.executable, FOLDER / "study.py", "--quick", "--tables", "normalization", *options]
    finished = subprocess.run(
        [str(word) for word in command],
        cwd=folder,
        env={**os.environ, "COLUMNS": "140"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (finished.returncode != 0) == fails, finished.stderr
    return finished.stderr if fails else finished.stdout


def test_tables_hold_what_the_runs_reached(study: Path) -> None:
    text = (study / "tables.txt").read_text(encoding="utf-8")
    for name in NAMES:
        results = [json.loads((study / name / f"seed{n}" / "result.json").read_text())["result"] for n in (1, 2)]
        row = [cell.strip() for cell in _row(text, f"│ {name.split('-')[-2]} ").strip("│").split("│")]
        assert row[1] == "2"
        for cell, key in ((row[2], "energy"), (row[3], "force")):
            mean, deviation = (float(word) for word in cell.split(" ± "))
            values = [result[key] for result in results]
            assert mean == pytest.approx(np.mean(values), rel=0.01)
            assert deviation == pytest.approx(np.std(values, ddof=1), rel=0.1, abs=0.5)
    assert "functions must be normalised" in text
    assert (study / "predicted.png").stat().st_size > 10_000


def test_errors_are_those_of_the_predictions(study: Path) -> None:
    result = json.loads((study / NAMES[0] / "seed1" / "result.json").read_text())["result"]
    differences = np.subtract(result["predicted"], result["reference"])
    assert result["energy"] == pytest.approx(1e3 * np.sqrt(np.mean(differences**2)))
    assert len(differences) == 4


@pytest.mark.slow
def test_what_is_done_is_not_done_again(study: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in study.glob("*/*/result.json")}
    assert len(before) == 6
    (study / NAMES[1] / "seed2" / "result.json").unlink()
    said = _run(study.parent)
    assert "1 of 1" in said
    after = {path: path.stat().st_mtime_ns for path in study.glob("*/*/result.json")}
    assert {path for path in before if before[path] != after[path]} == {study / NAMES[1] / "seed2" / "result.json"}


@pytest.mark.slow
def test_runs_with_other_settings_are_not_mixed(study: Path) -> None:
    path = study / NAMES[0] / "seed1" / "result.json"
    before = path.read_text()
    content = json.loads(before)
    content["of"]["optimizer"]["epochs"] = 3
    path.write_text(json.dumps(content))
    assert "holds a run with other settings; name a new folder with --work" in _run(study.parent, fails=True)
    path.write_text(before)


def test_functions_are_as_many_as_they_say(modules: tuple[Any, Any]) -> None:
    settings, _ = modules
    for setting in {setting for table in settings.TABLES.values() for setting in table}:
        descriptor = BPConfig.model_validate({"descriptor": setting.descriptor}).descriptor
        if descriptor.functions is None:
            assert (descriptor.n_radial, descriptor.n_angular) == (12, 12)
            continue
        assert len(set(descriptor.functions)) == len(descriptor.functions)
        for kind, number in setting.counts:
            assert sum(function.type == kind for function in descriptor.functions) == number
        assert max(function.reach for function in descriptor.functions) == setting.cutoff


def test_errors_are_compared_with_their_spread(modules: tuple[Any, Any]) -> None:
    _, conclusions = modules
    assert conclusions.compare([1.0, 1.01, 0.99], [2.0, 2.02, 1.98], 0.05) == -1
    assert conclusions.compare([2.0, 2.02, 1.98], [1.0, 1.01, 0.99], 0.05) == 1
    assert conclusions.compare([1.0, 3.0, 2.0], [2.0, 4.0, 1.5], 0.05) == 0
    assert conclusions.compare([1.0], [2.0], 0.05) == 0


def test_a_conclusion_holds_only_if_all_comparisons_say_so(modules: tuple[Any, Any]) -> None:
    settings, conclusions = modules
    best = next(each for each in conclusions.conclusions() if each.about == settings.BASE)
    around = np.array([0.99, 1.0, 1.01])
    errors = {settings.BASE: around, **{other: 2 * around for other in best.worse}}
    assert best.judge("forces", errors).outcome == "holds"
    other = best.worse[2]
    unclear = best.judge("forces", {**errors, other: 1.002 * around})
    assert (unclear.outcome, unclear.reasons) == ("is open", f"within the spread: {other.functions} (1.00)")
    against = best.judge("forces", {**errors, other: 0.5 * around})
    assert (against.outcome, against.reasons) == ("does not hold", f"against it: {other.functions} (0.50)")
    del errors[other]
    assert best.judge("forces", errors).outcome == "was not run"


def test_sizes_of_functions_are_judged_with_their_order(modules: tuple[Any, Any]) -> None:
    _, conclusions = modules
    kinds = ("G1", "G3", "G2", "G5", "G4")
    sizes = {kind: np.full(20, size) for kind, size in zip(kinds, (50.0, 40.0, 30.0, 2.0, 1.0), strict=True)}
    assert conclusions.judge_sizes(sizes, kinds).outcome == "holds"
    assert conclusions.judge_sizes({**sizes, "G5": np.full(20, 4.0)}, kinds).outcome == "does not hold"
    assert conclusions.judge_sizes({**sizes, "G3": np.linspace(40.0, 60.0, 20)}, kinds).outcome == "is open"


def _row(text: str, start: str) -> str:
    return next(line for line in text.splitlines() if line.startswith(start))
