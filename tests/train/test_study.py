"""The study of `examples/optimizers` from end to end on a few frames."""

from __future__ import annotations

import fcntl
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from ase.io import read, write

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
RECORD = ("--record", "record.jsonl")
FEW = ("--models", "NEP", "--optimizers", "Adam", "LKF", "--seeds", "1", "2", "--epochs", "3", "2", "1")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a finished study on three frames of lithium: a NEP, two optimizers, two seeds."""
    folder = _with_data(tmp_path_factory.mktemp("study"))
    _run(folder, *FEW, *RECORD)
    return folder


@pytest.fixture(scope="module")
def modules() -> Iterator[dict[str, Any]]:
    """The modules that lie beside the script; they are gone afterwards."""
    names = ("cells", "record", "runs", "tables")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(EXAMPLES / "optimizers"))
        yield {name: __import__(name) for name in names}
    for name in names:
        del sys.modules[name]


def _with_data(folder: Path) -> Path:
    for name in ("train", "test"):
        (folder / "data" / "li").mkdir(parents=True, exist_ok=True)
        write(folder / "data" / "li" / f"{name}.xyz", read(EXAMPLES / "data" / f"li27_{name}.xyz", index=":3"))
    return folder


def _run(folder: Path, *options: str, fails: bool = False) -> str:
    command = [sys.executable, EXAMPLES / "optimizers" / "study.py", "--data", "data", *options]
    environment = {**os.environ, "COLUMNS": "160"}
    finished = subprocess.run(
        [str(word) for word in command], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert (finished.returncode != 0) == fails, finished.stderr
    return finished.stderr if fails else finished.stdout


def _run_with_short_trials(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    (folder / "short.py").write_text(
        f"import sys; sys.path.insert(0, {str(EXAMPLES / 'optimizers')!r})\n"
        "import runs, study\nruns.TRIAL = 0.5\nstudy.main()\n",
        encoding="utf-8",
    )
    command = [sys.executable, "short.py", "--data", "data", *options]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def _rows(folder: Path, seed: int, optimizer: str) -> Any:
    record = folder / "study" / f"li-NEP-{optimizer}-{seed}" / "model_record"
    return np.loadtxt(record / "epoch_valid.dat", skiprows=1, ndmin=2)


def _cells(text: str, *words: str) -> list[str]:
    line = next(line for line in text.splitlines() if all(word in line for word in words))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_tables_hold_what_the_runs_wrote(study: Path) -> None:
    text = (study / "study" / "tables.md").read_text(encoding="utf-8")
    energies, forces, all_there_is = (text.split(title)[1] for title in ("Table 3", "Table 4", "Errors, work"))
    for optimizer, n_epochs in (("Adam", 3), ("LKF", 2)):
        last = np.array([_rows(study, seed, optimizer)[-1] for seed in (1, 2)])
        row = _cells(all_there_is, "li", "NEP", optimizer)
        assert row[3:5] == ["2", str(n_epochs)]
        for part, column, factor, digits in ((energies, 2, 1e3, 3), (forces, 3, 1.0, 4)):
            mean, deviation = factor * last[:, column].mean(), factor * last[:, column].std(ddof=1)
            expected = f"{mean:.{digits}f} ± {deviation:.{digits}f}"
            assert _cells(part, "li", optimizer) == ["li", optimizer, expected]
            assert row[5 + column] == expected
    for name in ("li-epochs.png", "li-time.png"):
        assert (study / "study" / name).stat().st_size > 10_000


@pytest.mark.slow
def test_what_is_done_is_not_done_again(study: Path) -> None:
    checkpoints = list((study / "study").glob("*/model_record/nep_model.ckpt"))
    before = {path: path.stat().st_mtime_ns for path in checkpoints}
    assert len(before) == 4
    text = _run(study, *FEW)
    assert "li, NEP, LKF, seed 2: " in text
    assert {path: path.stat().st_mtime_ns for path in checkpoints} == before


def test_a_record_is_as_good_as_the_runs(study: Path) -> None:
    assert len((study / "record.jsonl").read_text(encoding="utf-8").splitlines()) == 4
    text = _run(study, *FEW, *RECORD, "--work", "elsewhere")
    assert "li, NEP, LKF, seed 2: " in text
    assert not list((study / "elsewhere").glob("li-NEP-*-?"))
    there, here = ((study / folder / "tables.md").read_text(encoding="utf-8") for folder in ("study", "elsewhere"))
    assert here.split("Errors, work")[0] == there.split("Errors, work")[0]
    said = _run(study, *FEW, *RECORD, "--precision", "float64", "--work", "elsewhere", fails=True)
    assert "li, NEP, Adam, seed 1 was run with another precision" in said
    assert "--record" in said


@pytest.mark.slow
def test_a_run_that_another_call_makes_is_left_to_it(study: Path) -> None:
    with (study / "study" / "li-NEP-LKF-1" / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert "li, NEP, LKF, seed 1: another call is at it" in _run(study, *FEW)


def test_a_set_that_is_not_there(study: Path) -> None:
    assert "no such set: copper; there are li" in _run(study, "--sets", "copper", fails=True)


def test_runs_with_other_settings_are_not_mixed(study: Path) -> None:
    said = _run(study, *FEW, "--precision", "float64", fails=True)
    assert "holds a run with another precision" in said
    assert "--work" in said


@pytest.mark.slow
def test_optimizers_that_cannot_be_used_are_left_out(study: Path) -> None:
    text = _run(study, *FEW[:2], "--optimizers", "Adam", "GKF", *FEW[5:])
    assert "left out: li, NEP, GKF: " in text
    assert "weights are one block of LKF, which is GKF then" in text
    assert not (study / "study" / "li-NEP-GKF-1").exists()


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["Adam", "SNES"])
def test_time_decides_the_number_of_epochs(tmp_path: Path, modules: dict[str, Any], optimizer: str) -> None:
    folder = _with_data(tmp_path)
    for _ in range(2):  # the second one finds all done, with the epochs it had
        finished = _run_with_short_trials(folder, "--models", "NEP", "--optimizers", optimizer, "--minutes", "0.04")
        assert finished.returncode == 0, finished.stderr
    run = folder / "study" / f"li-NEP-{optimizer}-1"
    work = modules["runs"].read_curve(run / "trial")[1:, modules["runs"].TIME]
    wanted = round(60 * 0.04 / float(np.median(work)))
    assert json.loads((run / "config.json").read_text())["optimizer"]["epochs"] == wanted
    assert len(modules["runs"].read_curve(run)) == wanted


@pytest.mark.slow
def test_a_run_whose_epoch_takes_more_than_its_time_is_left_out(tmp_path: Path, modules: dict[str, Any]) -> None:
    folder = _with_data(tmp_path)
    for _ in range(2):  # the second one does not measure anew
        finished = _run_with_short_trials(folder, "--models", "DP-small", "--optimizers", "SNES", "--minutes", "0.005")
        said = r"left out: li, DP-small, SNES, seed 1: an epoch takes 0\.0\d+ min or more, the run has 0\.005"
        assert re.search(said, finished.stdout), finished.stderr
        assert "no run has finished an epoch" in finished.stderr
    run = folder / "study" / "li-DP-small-SNES-1"
    assert list(modules["runs"].read_clock(run / "trial", cut_short=True)) == [1]  # in the middle of its first epoch
    assert not (run / "config.json").exists()


def test_how_much_earlier(modules: dict[str, Any]) -> None:
    tables = modules["tables"]
    # columns: epoch, energy, force, s of the epoch
    adam = np.array([[1, 9.0, 5.0, 10.0], [2, 4.0, 3.0, 10.0], [3, 6.0, 2.0, 10.0]])
    lkf = np.array([[1, 8.0, 4.0, 2.0], [2, 3.0, 3.0, 2.0]])
    assert tables._earlier({1: lkf}, {1: adam}, 1) == "5.0"  # 20 s against 4 s
    assert tables._earlier({1: lkf}, {1: adam}, 2) == "never"
    assert tables._earlier({1: adam}, {1: adam}, 2) == "1.0"
    assert tables._earlier({1: lkf, 2: adam}, {1: adam, 2: adam}, 1) == "3.0 ± 2.8"
    assert tables._earlier({1: lkf, 2: adam}, {1: adam, 2: adam}, 2) == "1.0 (1 of 2)"
    assert tables._earlier({1: lkf}, {2: adam}, 1) == "-"


def test_what_to_take(modules: dict[str, Any]) -> None:
    cells, tables = modules["cells"], modules["tables"]
    data = cells.DataSet("li", Path("train.xyz"), Path("test.xyz"))
    # columns: epoch, energy, force, s of the epoch
    curves = {
        ("Adam", 1): [[1, 0.9, 0.8, 6.0], [2, 0.4, 0.3, 6.0]],
        ("LKF", 1): [[1, 0.2, 0.12, 6.0], [2, 0.22, 0.12, 12.0]],  # near the best after its first epoch
        ("Muon", 1): [[1, 0.3, 0.2, 30.0], [2, 0.20, 0.1, 30.0]],
        ("Muon", 2): [[1, 0.3, 0.2, 30.0], [2, 0.18, 0.1, 30.0]],
    }
    there = {cells.Run(data, "NEP", name, seed, Path()): np.array(rows) for (name, seed), rows in curves.items()}

    def row(of: Any) -> list[str]:
        return [next(iter(column.cells)) for column in tables._choice(of).columns]

    assert row(there) == ["li", "NEP", "Muon", "1.0", "190.000", "0.1000", "LKF", "0.10"]
    without = {run: curve for run, curve in there.items() if run.optimizer != "LKF"}
    assert row(without)[-2:] == ["Muon", "1.00"]
    # one seed of the best far above its mean: no optimizer is near it with every seed
    apart = {run: curve * (1 if run.seed == 1 else [1, 3, 1, 1]) for run, curve in without.items()}
    assert row(apart)[2] == "Muon"
    assert row(apart)[-2:] == ["-", "-"]
    # one that diverged is not taken, though it comes first
    diverged = {run: curve * (np.nan if run.optimizer == "Adam" else 1) for run, curve in there.items()}
    assert row(diverged) == row(there)


@pytest.mark.parametrize(("names", "minutes"), [(("li27", "lih"), None), (("mlearn_Cu",), 3.0)])
def test_tables_of_the_readme_are_those_of_the_record(
    names: tuple[str, ...], minutes: float | None, modules: dict[str, Any]
) -> None:
    cells, folder = modules["cells"], EXAMPLES / "optimizers"
    runs = [
        cells.Run(cells.DataSet(name, Path(), Path()), model, optimizer, seed, Path())
        for name in names
        for model in cells.MODELS
        for optimizer in cells.OPTIMIZERS
        for seed in (1, 2, 3)
    ]
    curves = modules["record"].Record(folder / "measured.jsonl", minutes).curves(runs)
    lines = map(json.loads, (folder / "measured.jsonl").read_text(encoding="utf-8").splitlines())
    assert len(curves) == sum(line["set"] in names and line["minutes"] == minutes for line in lines)
    readme = (folder / "README.md").read_text(encoding="utf-8")
    for table in modules["tables"].all_tables({run: curves[run] for run in runs if run in curves}, "Adam")[-2:]:
        assert modules["tables"].markdown(table).partition("\n\n")[2] in readme


def test_work_of_epochs_that_were_done_twice_counts_once(tmp_path: Path, modules: dict[str, Any]) -> None:
    record = tmp_path / "model_record"
    record.mkdir()
    header = "epoch loss RMSE_Etot(eV/atom) RMSE_F(eV/Å) time(s)"
    (record / "epoch_valid.dat").write_text(f"{header}\n1 9 0.1 0.2 5\n2 8 0.01 0.02 5\n", encoding="utf-8")
    (tmp_path / "clock.txt").write_text("1 2.5\n2 3\n2 4\n3 1 cut-short\n", encoding="utf-8")
    assert modules["runs"].read_curve(tmp_path).tolist() == [[1, 0.1, 0.2, 2.5], [2, 0.01, 0.02, 4]]


def test_work_of_an_epoch_that_was_cut_short_is_kept_for_its_rest(
    tmp_path: Path, modules: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    now = 100.0
    monkeypatch.setattr("time.process_time", lambda: now)

    def history(n_epochs: int) -> list[Any]:
        return [SimpleNamespace(epoch=epoch) for epoch in range(1, n_epochs + 1)]

    for begin, stop in ((100, 107), (200, 205)):  # both in epoch 2
        now = float(begin)
        clock = modules["runs"].Clock()
        clock.begin(history(1))
        now = float(stop)
        clock.stop()
    now = 300.0
    clock = modules["runs"].Clock()
    clock.begin(history(1))
    now = 303.0
    clock.on_epoch(history(2)[-1])
    now = 307.0
    clock.on_epoch(history(3)[-1])
    assert modules["runs"].read_clock(tmp_path) == {2: 7 + 5 + 3, 3: 4}


@pytest.mark.slow
def test_every_cell_can_be_trained(tmp_path: Path, modules: dict[str, Any]) -> None:
    cells = modules["cells"]
    text = _run(_with_data(tmp_path), "--epochs", "1", "1", "1")
    left_out = [line for line in text.splitlines() if line.startswith("left out")]
    done = sum("after 1 epochs" in line for line in text.splitlines())
    assert done + len(left_out) == len(cells.MODELS) * len(cells.OPTIMIZERS)
    assert done >= 3 * len(cells.MODELS)  # Adam, LKF and Muon need nothing
    assert "Table 6" in text
