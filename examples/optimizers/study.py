"""Adam against LKF on Deep Potentials of three sizes: errors on unseen frames, and the time they take.

    python study.py                                       # the lithium and lithium hydride frames of ../data
    python study.py --data DIR [--sets NAME ...]          # every folder of DIR that holds train.xyz and test.xyz
    python study.py --sizes small --minutes 40 10         # Adam 40 minutes, LKF 10, instead of 300 and 30 epochs

Repeats the comparison of Li et al. (2025, Tables 3 to 6) with `pwmlff train`, one run after another, each in a folder
of its own below --work. Called again, it goes on where it was stopped. It prints

    errors on test.xyz after the last epoch         Tables 3 and 4, and 6 for the sizes
    seconds per epoch                               Table 5
    the time LKF takes to Adam's best errors

and draws the learning curves over epochs and over time, `<set>.png`. Times are those of training and of the test after
every epoch, without start-up; they compare only if nothing else runs.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from ase.io import read
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

mpl.use("Agg")
import matplotlib.pyplot as plt

SHIPPED = Path(__file__).resolve().parent.parent / "data"
TRIAL = 20.0  # s of a run that tells how long an epoch takes
PLENTY = 1_000_000  # epochs of that run
STOPPED = 75  # exit code of a training that was stopped and saved
EPOCH, ENERGY, FORCE, TIME = 0, 2, 3, 4  # columns of epoch_valid.dat
SIZES: dict[str, tuple[list[int], list[int]]] = {
    "small": ([25, 25, 25], [50, 50, 50, 1]),
    "middle": ([25, 50, 100], [120, 120, 120, 1]),
    "large": ([25, 50, 120], [240, 240, 240, 1]),
}
OPTIMIZERS: dict[str, dict[str, Any]] = {
    "Adam": {"ema_decay": 0.999, "optimizer": {"optimizer": "ADAM", "batch_size": 1}},
    "LKF": {"optimizer": {"optimizer": "LKF", "batch_size": 4}},
}
STYLES = {"small": "-", "middle": "--", "large": ":"}
COLORS = {"Adam": "tab:orange", "LKF": "tab:blue"}


@dataclass(frozen=True)
class DataSet:
    """Frames to train on and unseen frames."""

    name: str
    train: Path
    test: Path


@dataclass(frozen=True)
class Run:
    """One training: a model size and an optimizer on a set.

    Attributes:
        folder: Where it runs.
        epochs: Number of epochs, or None where `minutes` says how long.
        minutes: Time allowed.
    """

    data: DataSet
    size: str
    optimizer: str
    folder: Path
    epochs: int | None
    minutes: float | None

    @property
    def label(self) -> str:
        """How the run is called."""
        return f"{self.data.name}, {self.size}, {self.optimizer}"


def find_sets(data: Path | None, names: list[str] | None) -> list[DataSet]:
    """Return the sets of a folder, or those of ../data."""
    if data is None:
        sets = [DataSet(n, SHIPPED / f"{n}_train.xyz", SHIPPED / f"{n}_test.xyz") for n in ("li27", "lih")]
    else:
        tests = sorted(data.resolve().glob("*/test.xyz"))
        sets = [DataSet(t.parent.name, t.parent / "train.xyz", t) for t in tests if (t.parent / "train.xyz").exists()]
    by_name = {each.name: each for each in sets}
    if not sets:
        raise SystemExit(f"{data}: no folder in it holds train.xyz and test.xyz")
    if unknown := set(names or ()) - set(by_name):
        raise SystemExit(f"no such set: {', '.join(sorted(unknown))}; there are {', '.join(by_name)}")
    return [by_name[name] for name in names] if names else sets


def run_file(run: Run, epochs: int, options: argparse.Namespace) -> dict[str, Any]:
    """Return the content of config.json."""
    embedding, fitting = SIZES[run.size]
    settings = OPTIMIZERS[run.optimizer]
    frames = read(run.data.train, index=":")
    elements = sorted({symbol for frame in frames for symbol in frame.get_chemical_symbols()})
    return {
        "model_type": "DP",
        "atom_type": elements,
        "train_data": [str(run.data.train)],
        "valid_data": [str(run.data.test)],
        "format": "extxyz",
        "precision": options.precision,
        "device": "cpu",
        "threads": options.threads,
        "seed": options.seed,
        **settings,
        "model": {
            "descriptor": {"Rmax": options.Rmax, "Rmin": options.Rmin, "M2": 16, "network_size": embedding},
            "fitting_net": {"network_size": fitting},
        },
        "optimizer": {**settings["optimizer"], "epochs": epochs},
    }


def read_curve(folder: Path) -> NDArray[np.float64]:
    """Return the rows of epoch_valid.dat; none before the first epoch."""
    path = folder / "model_record" / "epoch_valid.dat"
    lines = path.read_text(encoding="utf-8").splitlines()[1:] if path.exists() else []
    return np.array([line.split() for line in lines], dtype=float).reshape(-1, TIME + 1)


def call_train(folder: Path, config: dict[str, Any], seconds: float | None = None) -> None:
    """Run `pwmlff train` in a folder, at most so long."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config, indent=1))
    with (folder / "log").open("a") as log:
        command = [sys.executable, "-m", "pwmlff", "train", "config.json"]
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=subprocess.STDOUT)
        try:
            code = process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGTERM)
            code = process.wait()
        except BaseException:
            process.terminate()
            process.wait()
            raise
    if code not in (0, STOPPED):
        raise SystemExit(f"{folder}: training failed:\n{(folder / 'log').read_text()[-2000:]}")


def require_same_settings(run: Run, options: argparse.Namespace) -> None:
    """Stop where the folder of a run holds one with other settings; its errors would pass for those of this one."""
    path = run.folder / "config.json"
    if not path.exists():
        return
    there = json.loads(path.read_text())
    wanted = run_file(run, there["optimizer"]["epochs"] if run.epochs is None else run.epochs, options)
    if differing := [key for key in wanted if there.get(key) != wanted[key]]:
        raise SystemExit(f"{run.folder} holds a run with another {', '.join(differing)}; name a new folder with --work")


def count_epochs(run: Run, options: argparse.Namespace) -> int:
    """Return the epochs a run has: those asked for, or as many as its time allows by the measure of a short run."""
    if run.epochs is not None:
        return run.epochs
    assert run.minutes is not None
    path = run.folder / "config.json"
    if path.exists():  # a run that was interrupted keeps its schedule
        return int(json.loads(path.read_text())["optimizer"]["epochs"])
    trial = run.folder / "trial"
    seconds = TRIAL
    while len(read_curve(trial)) < 2:  # the first epoch is slower
        call_train(trial, run_file(run, PLENTY, options), seconds)
        seconds *= 2
    return max(1, round(60 * run.minutes / np.median(read_curve(trial)[1:, TIME])))


def train(run: Run, options: argparse.Namespace) -> NDArray[np.float64]:
    """Make the run, or what is left of it, and return its learning curve."""
    require_same_settings(run, options)
    epochs = count_epochs(run, options)
    if len(read_curve(run.folder)) < epochs:
        call_train(run.folder, run_file(run, epochs, options))
    return read_curve(run.folder)


def reached(curve: NDArray[np.float64], column: int, value: float) -> float | None:
    """Return the time in s after which a curve is at or below a value, or None."""
    below = np.flatnonzero(curve[:, column] <= value)
    return float(curve[: below[0] + 1, TIME].sum()) if len(below) else None


def error_table(curves: dict[Run, NDArray[np.float64]]) -> Table:
    """Errors after the last epoch, and the cost of an epoch."""
    table = Table(title="Errors on unseen frames after the last epoch (Li 2025, Tables 3 to 6)")
    for name in ("set", "model", "optimizer", "epochs", "s/epoch", "min", "energy meV/atom", "force eV/Å"):
        table.add_column(name, justify="left" if name in ("set", "model", "optimizer") else "right")
    for run, curve in curves.items():
        seconds, last = curve[:, TIME], curve[-1]
        numbers = [f"{len(curve)}", f"{np.median(seconds):.2f}", f"{seconds.sum() / 60:.1f}"]
        errors = [f"{1e3 * last[ENERGY]:.3f}", f"{last[FORCE]:.4f}"]
        table.add_row(run.data.name, run.size, run.optimizer, *numbers, *errors)
    return table


def ratio_table(curves: dict[Run, NDArray[np.float64]]) -> Table:
    """When LKF is as good as Adam ever was."""
    table = Table(title="Minutes to Adam's smallest errors on unseen frames")
    for name in ("set", "model", "error", "Adam's best", "Adam min", "LKF min", "ratio"):
        table.add_column(name, justify="left" if name in ("set", "model", "error") else "right")
    curve_of = {(run.data.name, run.size, run.optimizer): curve for run, curve in curves.items()}
    for (name, size, optimizer), lkf in curve_of.items():
        adam = curve_of.get((name, size, "Adam"))
        if optimizer != "LKF" or adam is None:
            continue
        for error, column, factor in (("energy, meV/atom", ENERGY, 1e3), ("force, eV/Å", FORCE, 1.0)):
            best = float(adam[:, column].min())
            ours, theirs = reached(lkf, column, best), reached(adam, column, best)
            assert theirs is not None
            cells = ["never", "-"] if ours is None else [f"{ours / 60:.2f}", f"{theirs / ours:.1f}"]
            table.add_row(name, size, error, f"{factor * best:.4g}", f"{theirs / 60:.2f}", *cells)
    return table


def draw(name: str, curves: dict[Run, NDArray[np.float64]], path: Path) -> None:
    """Draw energy and force errors of a set over epochs and over time."""
    figure, axes = plt.subplots(2, 2, figsize=(10, 7), sharex="col", layout="constrained")
    for run, curve in curves.items():
        style = {"color": COLORS[run.optimizer], "linestyle": STYLES[run.size], "label": f"{run.optimizer}, {run.size}"}
        for column, x in enumerate((curve[:, EPOCH], curve[:, TIME].cumsum() / 60)):
            axes[0, column].loglog(x, 1e3 * curve[:, ENERGY], **style)
            axes[1, column].loglog(x, curve[:, FORCE], **style)
    axes[0, 0].set(ylabel="energy RMSE (meV/atom)")
    axes[1, 0].set(ylabel="force RMSE (eV/Å)", xlabel="epoch")
    axes[1, 1].set(xlabel="time (min)")
    axes[0, 1].legend()
    for axis in axes.flat:
        axis.grid(which="both", alpha=0.3)
    figure.suptitle(f"{name}: errors on unseen frames")
    figure.savefig(path, dpi=120)
    plt.close(figure)


def plan(options: argparse.Namespace) -> list[Run]:
    """Return the runs that the options ask for."""
    work = options.work.resolve()
    runs = []
    for data in find_sets(options.data, options.sets):
        for size in options.sizes:
            for index, optimizer in enumerate(OPTIMIZERS):
                folder = work / f"{data.name}-{size}-{optimizer}"
                minutes = options.minutes[index] if options.minutes else None
                epochs = None if options.minutes else options.epochs[index]
                runs.append(Run(data, size, optimizer, folder, epochs, minutes))
    return runs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of folders with train.xyz and test.xyz")
    parser.add_argument("--sets", nargs="+", help="names of those folders; all of them if not given")
    parser.add_argument("--sizes", nargs="+", choices=list(SIZES), default=list(SIZES), help="sizes of the networks")
    parser.add_argument("--epochs", nargs=2, type=int, default=(300, 30), metavar=("ADAM", "LKF"))
    parser.add_argument("--minutes", nargs=2, type=float, metavar=("ADAM", "LKF"), help="instead of epochs")
    parser.add_argument("--work", type=Path, default=Path("study"), help="folder of the runs, tables and pictures")
    parser.add_argument("--Rmax", type=float, default=6.0, help="cutoff, Å")
    parser.add_argument("--Rmin", type=float, default=0.5, help="where the switch to zero begins, Å")
    parser.add_argument("--precision", choices=("float64", "float32"), default="float32")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--report", action="store_true", help="train nothing; report on the runs that are there")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    console = Console(width=None if sys.stdout.isatty() else 110)
    curves: dict[Run, NDArray[np.float64]] = {}
    for run in plan(options):
        if not options.report:
            console.print(f"{run.label}: {run.folder}")
        curve = read_curve(run.folder) if options.report else train(run, options)
        if len(curve):
            curves[run] = curve
    if not curves:
        raise SystemExit(f"{options.work}: no run has finished an epoch")
    with (options.work / "tables.txt").open("w", encoding="utf-8") as file:
        for out in (console, Console(file=file, width=110)):
            for table in (error_table(curves), ratio_table(curves)):
                out.print(table)
    for name in dict.fromkeys(run.data.name for run in curves):
        of_set = {run: curve for run, curve in curves.items() if run.data.name == name}
        draw(name, of_set, options.work / f"{name}.png")


if __name__ == "__main__":
    main()
