"""Every optimizer on every model: errors on unseen frames, and the time they take.

    python study.py                                      # lithium and lithium hydride of ../data, all that fits: days
    python study.py --models DP-small NEP --optimizers Adam LKF --seeds 1 2 3
    python study.py --data DIR [--sets NAME ...]         # every folder of DIR that holds train.xyz and test.xyz
    python study.py --minutes 10                         # the same time of the processor for every run

Repeats the comparison of Li et al. (2025, Tables 3, 4 and 6), with more models and optimizers and with several seeds.
Without --minutes a run has the epochs of the paper. Each run has one thread and a folder of its own below --work;
called again, the study goes on where it was stopped, and several calls at a time share the runs, one for each core:

    for core in 0 1 2 3; do taskset -c $core python study.py & done

After every run the tables are written anew to tables.md, the learning curves to <set>-epochs.png and <set>-time.png.
With --record FILE runs that are in the file are not made again, and those that come to their end are added to it.
Times are work of the processor: training and the test after every epoch, without start-up.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import numpy as np
from cells import LENGTHS, MODELS, OPTIMIZERS, Run, find_sets, why_not
from numpy.typing import NDArray
from record import Record
from rich.console import Console
from runs import ENERGY, FORCE, TIME, TooLongError, locked, make, read_curve
from tables import Curves, all_tables, draw, markdown


def plan(options: argparse.Namespace, console: Console) -> list[Run]:
    """Return the runs that the options ask for, one seed of all cells after the other; say which are left out."""
    work, runs = options.work.resolve(), []
    for seed in options.seeds:
        for data in find_sets(options.data, options.sets):
            for model in options.models:
                for optimizer in options.optimizers:
                    run = Run(data, model, optimizer, seed, work / f"{data.name}-{model}-{optimizer}-{seed}")
                    reason = None if options.report else why_not(run, options)
                    if reason is None:
                        runs.append(run)
                    elif seed == options.seeds[0]:
                        console.print(f"left out: {data.name}, {model}, {optimizer}: {reason}", soft_wrap=True)
    return runs


def describe(run: Run, curve: NDArray[np.float64]) -> str:
    """Return a line on a run that is done."""
    errors = f"{1e3 * curve[-1, ENERGY]:.3f} meV/atom, {curve[-1, FORCE]:.4f} eV/Å"
    return f"{run.label}: {errors} after {len(curve)} epochs, {curve[:, TIME].sum() / 60:.1f} min"


def report(runs: list[Run], folder: Path, record: Record, reference: str) -> Curves:
    """Write tables and pictures of the runs that there are, and return their curves."""
    curves = record.curves(runs)
    curves |= {run: curve for run in runs if run not in curves and len(curve := read_curve(run.folder))}
    curves = {run: curves[run] for run in runs if run in curves}
    if not curves:
        raise SystemExit(f"{folder}: no run has finished an epoch")
    partial = folder / f"tables.{os.getpid()}.partial"  # another call may write too
    partial.write_text("\n".join(markdown(table) for table in all_tables(curves, reference)), encoding="utf-8")
    partial.replace(folder / "tables.md")
    for name in dict.fromkeys(run.data.name for run in curves):
        draw(name, curves, folder)
    return curves


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of folders with train.xyz and test.xyz")
    parser.add_argument("--sets", nargs="+", help="names of those folders; all of them if not given")
    parser.add_argument("--models", nargs="+", choices=list(MODELS), default=list(MODELS), metavar="MODEL")
    parser.add_argument("--optimizers", nargs="+", choices=list(OPTIMIZERS), default=list(OPTIMIZERS), metavar="NAME")
    parser.add_argument("--seeds", nargs="+", type=int, default=[1])
    parser.add_argument(
        "--epochs",
        nargs=len(LENGTHS),
        type=int,
        default=list(LENGTHS.values()),
        metavar=tuple(kind.upper() for kind in LENGTHS),
        help="of optimizers that follow a gradient, of Kalman filters, of SNES (default: 300 30 10)",
    )
    parser.add_argument("--minutes", type=float, help="of the processor for each run, instead of epochs")
    parser.add_argument("--work", type=Path, default=Path("study"), help="folder of the runs, tables and pictures")
    parser.add_argument(
        "--record", type=Path, metavar="FILE", help="learning curves of finished runs, made or added to"
    )
    parser.add_argument("--Rmax", type=float, default=6.0, help="cutoff of Deep Potentials, Å")
    parser.add_argument("--Rmin", type=float, default=0.5, help="where their switch to zero begins, Å")
    parser.add_argument("--precision", choices=("float64", "float32"), default="float32")
    parser.add_argument(
        "--reference", choices=list(OPTIMIZERS), default="Adam", help="whose best errors the others are to reach"
    )
    parser.add_argument("--report", action="store_true", help="train nothing; report on the runs that are there")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    runs = plan(options, console)
    record = Record(options.record, options.minutes)
    if not options.report:
        record.require_same_settings(runs, options)
    for run in [] if options.report else runs:
        if (curve := record.curves([run]).get(run)) is not None:
            console.print(describe(run, curve), soft_wrap=True)
            continue
        with locked(run.folder) as is_ours:
            if not is_ours:
                console.print(f"{run.label}: another call is at it", soft_wrap=True)
                continue
            try:
                curve = make(run, options)
            except TooLongError as reason:
                console.print(f"left out: {run.label}: {reason}", soft_wrap=True)
                continue
            record.add(run, curve, options)
            console.print(describe(run, curve), soft_wrap=True)
            report(runs, options.work, record, options.reference)
    for table in all_tables(report(runs, options.work, record, options.reference), options.reference):
        console.print(table)


if __name__ == "__main__":
    main()
