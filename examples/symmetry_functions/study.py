"""Which symmetry functions, how many, how many neurons: the study of Potapov (2025) on lithium, repeated.

    python study.py                                      # 23 networks, 3 seeds each: 11 minutes on a core of its own
    python study.py --jobs 8 --seeds 5                   # eight trainings at a time, one core each
    python study.py --tables functions neurons           # only some of the comparisons
    python study.py --report                             # tables and picture of the runs done so far
    python study.py --quick --work trial                 # a few frames and steps, to see that it works

Trains networks of Behler and Parrinello (`settings.py`) on the frames of ../data with LKF, tests them on the unseen
ones, prints a table for each comparison, says which of the paper's conclusions hold here (`conclusions.py`), and draws
predicted against reference energies. Each run has a folder below --work. A study that was interrupted goes on
when it is called again, with more seeds too; tables.txt there is written after each run.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
import torch
from conclusions import Verdict, conclusions, judge_sizes
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from runs import TRAIN, Result, Run, part_of, spread, train_all
from settings import BASE, SMALL, TABLES, WORST, Setting, functions_of

from pwmlff.data.dataset import FrameDataset, iterate_batches
from pwmlff.data.frame import Frame
from pwmlff.data.readers import read_frames
from pwmlff.models import build_potential
from pwmlff.models.bp import BPConfig
from pwmlff.ops.reference import bp
from pwmlff.train import EXIT_STOPPED

mpl.use("Agg")
import matplotlib.pyplot as plt

WIDTH = 140  # of tables in files
ORDER = ("G1", "G3", "G2", "G5", "G4")  # of the paper, by size
TITLES = {
    "functions": "Which functions (24 of them)",
    "number": "How many functions",
    "neurons": "How many neurons",
    "cutoff": "Which cutoff",
    "normalization": "With and without normalisation",
    "extremes": "The smallest net of the paper and its largest",
}


def sizes_of_functions(frames: Sequence[Frame]) -> dict[str, NDArray[np.float64]]:
    """Return the mean size of 12 functions of each kind around the atoms of each frame, [F]."""
    functions = [function for kind in ORDER for function in functions_of(kind, 12, BASE.cutoff)]
    config = BPConfig.model_validate({"descriptor": {"functions": functions, "normalization": "none"}})
    network = build_potential("NN", config, ["Li"]).network
    kinds = np.array([function["type"] for function in functions])  # radial before angular, as the network has them
    means = []
    with torch.no_grad():
        for batch in iterate_batches(FrameDataset(frames, ["Li"], BASE.cutoff), 1):
            ((_, values),) = bp.symmetry_functions(network.arrays(), *batch.pairs)
            means.append(values.abs().mean(0).numpy())
    return {kind: np.array(means)[:, kinds == kind].mean(1) for kind in ORDER}


def described(values: Sequence[float]) -> str:
    """Return mean and standard deviation over the seeds, with as many digits."""
    mean = float(np.mean(values))
    digits = max(0, 2 - int(np.floor(np.log10(mean))))
    deviation = f" ± {np.std(values, ddof=1):.{digits}f}" if len(values) > 1 else ""
    return f"{mean:.{digits}f}{deviation}"


def result_table(name: str, results: dict[Setting, list[Result]], n_frames: int) -> Table:
    """Errors of the networks of one comparison; what they share is told in the title."""
    done = [setting for setting in TABLES[name] if setting in results]
    what = {
        "functions": [setting.functions for setting in done],
        "hidden neurons": [setting.width for setting in done],
        "cutoff": [f"{setting.cutoff:g} Å" for setting in done],
        "normalisation": [setting.normalization for setting in done],
        "frames": [str(part_of(setting, n_frames)) for setting in done],
    }
    differing = [key for key, cells in what.items() if len(set(cells)) > 1]
    shared = [f"{key} {cells[0]}" for key, cells in what.items() if cells and key not in differing]
    table = Table(title=f"{TITLES[name]}\n{', '.join(shared)}")
    for key in differing:
        table.add_column(key)
    for column in ("seeds", "energy meV/atom", "force meV/Å", "CPU s"):
        table.add_column(column, justify="right")
    for place, setting in enumerate(done):
        own = results[setting]
        errors = [described([each.energy for each in own]), described([each.force for each in own])]
        seconds = f"{np.median([each.seconds for each in own]):.0f}"
        table.add_row(*(what[key][place] for key in differing), str(len(own)), *errors, seconds)
    return table


def size_table(sizes: dict[str, NDArray[np.float64]]) -> Table:
    """Sizes of the functions of each kind."""
    table = Table(title="Mean size of a function, 12 of each kind, 6 Å")
    for column in ("kind", "mean", "smallest frame", "largest frame"):
        table.add_column(column, justify="left" if column == "kind" else "right")
    for kind, values in sizes.items():
        table.add_row(kind, *(f"{number:.3g}" for number in (values.mean(), values.min(), values.max())))
    return table


def verdict_table(judged: Sequence[Verdict]) -> Table:
    """What became of the conclusions."""
    table = Table(
        title="Conclusions of the paper, and how they fare here\n(other networks: ratio of errors to the one named)"
    )
    for column in ("conclusion", "by", "here it", "because of"):
        table.add_column(column, overflow="fold")
    for verdict in judged:
        table.add_row(verdict.claim, verdict.error, verdict.outcome, verdict.reasons)
    return table


def report(
    results: dict[Setting, list[Result]],
    sizes: dict[str, NDArray[np.float64]],
    names: Sequence[str],
    n_frames: int,
) -> list[Table]:
    """Return all tables."""
    by_error = {
        "energies": {setting: [each.energy for each in own] for setting, own in results.items()},
        "forces": {setting: [each.force for each in own] for setting, own in results.items()},
    }
    judged = [judge_sizes(sizes, ORDER)]
    judged += [each.judge(error, errors) for each in conclusions() for error, errors in by_error.items()]
    return [size_table(sizes), *(result_table(name, results, n_frames) for name in names), verdict_table(judged)]


def draw(results: dict[Setting, list[Result]], path: Path) -> None:
    """Draw predicted energies, and how far they are off, of the first seed of some networks."""
    (worst,) = (setting for setting in TABLES["functions"] if setting.counts == WORST)
    drawn = {"the paper's best functions": BASE, "its worst functions": worst, "its smallest net": SMALL}
    figure, (above, below) = plt.subplots(2, 1, figsize=(6, 7), sharex=True, height_ratios=(2, 1), layout="constrained")
    for (label, setting), marker in zip(drawn.items(), "os^", strict=True):
        if own := results.get(setting):
            reference, predicted = np.array(own[0].reference), np.array(own[0].predicted)
            style = {"marker": marker, "linestyle": "none", "markersize": 4, "alpha": 0.7}
            above.plot(reference, predicted, label=f"{label}: {own[0].energy:.2f} meV/atom", **style)
            below.plot(reference, 1e3 * (predicted - reference), **style)
    above.axline((-1.9, -1.9), slope=1, color="black", linewidth=0.8)
    below.axhline(0, color="black", linewidth=0.8)
    above.set(ylabel="predicted energy, eV/atom", title="Li, unseen frames")
    below.set(xlabel="reference energy, eV/atom", ylabel="difference, meV/atom")
    above.legend()
    for axis in (above, below):
        axis.grid(alpha=0.3)
    figure.savefig(path, dpi=100)
    plt.close(figure)


def plan(options: argparse.Namespace) -> list[Run]:
    """Return the runs that the options ask for, all networks with the first seed first."""
    settings = dict.fromkeys(setting for name in options.tables for setting in TABLES[name])
    work = options.work.resolve()
    numbers = (options.epochs, options.frames, options.tests)
    return [
        Run(setting, seed, *numbers, work / setting.name / f"seed{seed}")
        for seed in range(1, options.seeds + 1)
        for setting in settings
    ]


def collect(runs: Sequence[Run]) -> dict[Setting, list[Result]]:
    """Return what was reached so far, by seed."""
    results: dict[Setting, list[Result]] = {}
    for run in runs:
        if (result := run.result()) is not None:
            results.setdefault(run.setting, []).append(result)
    return results


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", nargs="+", choices=list(TABLES), default=list(TABLES), help="what to compare")
    parser.add_argument("--seeds", type=int, default=3, help="trainings of each network")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--jobs", type=int, default=1, help="trainings at a time, one core each")
    parser.add_argument("--work", type=Path, default=Path("study"), help="folder of the runs, tables and the picture")
    parser.add_argument("--quick", action="store_true", help="12 frames, 2 epochs, 2 seeds; the numbers mean nothing")
    parser.add_argument("--report", action="store_true", help="train nothing; report on the runs that are there")
    parser.set_defaults(frames=BASE.n_frames, tests=40)
    options = parser.parse_args()
    if options.quick:
        options.frames, options.tests, options.epochs, options.seeds = 12, 4, 2, 2
    return options


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(EXIT_STOPPED))
    options = read_options()
    options.work.mkdir(parents=True, exist_ok=True)
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    runs = plan(options)
    waiting = [run for run in runs if run.result() is None]
    frames = read_frames([TRAIN])
    sizes = sizes_of_functions([frames[place] for place in spread(len(frames), options.tests)])

    def write() -> list[Table]:
        tables = report(collect(runs), sizes, options.tables, options.frames)
        with (options.work / "tables.txt").open("w", encoding="utf-8") as file:
            out = Console(file=file, width=WIDTH)
            for table in tables:
                out.print(table)
        return tables

    for count, run in enumerate([] if options.report else train_all(waiting, options.jobs), start=1):
        if (result := run.result()) is not None:
            errors = f"{result.energy:.3f} meV/atom, {result.force:.2f} meV/Å"
            console.print(f"{count} of {len(waiting)}: {run.setting.name}, seed {run.seed}: {errors}", highlight=False)
        write()
    results = collect(runs)
    if not results:
        raise SystemExit(f"{options.work}: no run is done")
    for table in write():
        console.print(table)
    draw(results, options.work / "predicted.png")


if __name__ == "__main__":
    main()
