"""Optimizers and stages of several, each given the same time of the processor: errors on unseen frames at the end.

    python tests/benchmarks/optimizer_stages.py --results FILE [--data DIR] [--sets Li27 ...] [--models DP NEP]
        [--only NAME ...] [--seconds 60] [--seeds 1 2]

A run is `pwmlff train` on one thread. Two short ones tell how long an epoch of each optimizer takes; each stage then
has as many epochs as its share of the time allows, so that schedules end with it. The frames of the test are validation
frames, which here choose nothing. Results are kept in FILE, a line of JSON per run; runs found there are not repeated.
Names may be optimizers with their first and last learning rate, too: --only "MUON 0.01 1e-05" "ADAM 0.001 3.51e-08".
"""

from __future__ import annotations

import argparse
import json
import tempfile
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
from bench_tools import describe_machine, print_table, say, train_in
from lkf_long_runs import SETS, run_file

PACE_EPOCHS = (1, 5)  # of two runs whose difference tells how long an epoch takes
MODELS: dict[str, dict[str, Any]] = {
    "DP": {
        "model_type": "DP",
        "precision": "float32",
        "model": {
            "descriptor": {"Rmax": 6.0, "Rmin": 0.5, "M2": 16, "network_size": [25, 25, 25]},
            "fitting_net": {"network_size": [50, 50, 50, 1]},
        },
    },
    "NEP": {"model_type": "NEP", "precision": "float32"},
}
ADAM = {"optimizer": "ADAM", "batch_size": 1}
LKF = {"optimizer": "LKF", "batch_size": 4}
GENTLE = {**LKF, "p0_weight": 0.1, "p_max": 0.1, "weight_decay": 0.0}  # as `pwmlff finetune`
# name -> its stages: settings and share of the time
VARIANTS: dict[str, list[tuple[dict[str, Any], float]]] = {
    "ADAM": [(ADAM, 1.0)],
    "LKF": [(LKF, 1.0)],
    "ADAM, LKF": [(ADAM, 0.75), (LKF, 0.25)],
    "ADAM, LKF gentle": [(ADAM, 0.75), (GENTLE, 0.25)],
    "ADAM half, LKF": [(ADAM, 0.5), (LKF, 0.5)],
}
RATES = (3e-4, 1e-3, 3e-3, 1e-2, 2e-2, 5e-2)
ENDS = (3.51e-8, 1e-6, 1e-5)
for name in ("ADAM", "MUON", "SOAP", "SCHEDULE_FREE"):
    for rate, end in product(RATES, ENDS):
        settings = {**ADAM, "optimizer": name, "learning_rate": rate, "stop_lr": end}
        VARIANTS[f"{name} {rate:g} {end:g}"] = [(settings, 1.0)]


def train(config: dict[str, Any], name: str, data: Path | None, seed: int) -> tuple[list[list[float]], float]:
    """Train to the end; return the test errors by epoch, meV/atom and eV/Å, and the time of the processor, s."""
    with tempfile.TemporaryDirectory(prefix="pwmlff-stages-") as temporary:
        folder = Path(temporary)
        for frames, file in zip(SETS[name].frames(data or Path(), seed), ("train.xyz", "test.xyz"), strict=True):
            ase.io.write(folder / file, frames)
        (folder / "config.json").write_text(json.dumps(config))
        code, spent = train_in(folder)
        if code != 0:
            raise SystemExit(f"{name}:\n{(folder / 'log').read_text()[-2000:]}")
        rows = np.loadtxt(folder / "model_record" / "epoch_valid.dat", skiprows=1, ndmin=2)
    return [[1e3 * float(row[2]), float(row[3])] for row in rows], spent


def run_config(model: str, name: str, seed: int, stages: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the run file, for frames that lie beside it; weights of Adam's stages are averaged too."""
    return run_file(SETS[name], seed, **MODELS[model], ema_decay=0.99, optimizer=stages)


def measure(variant: str, model: str, name: str, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """Train a variant for the time asked for."""
    stages = []
    for settings, share in VARIANTS[variant]:
        seconds = pace(model, name, json.dumps(settings), options.data)
        stages.append({**settings, "epochs": max(1, round(share * options.seconds / seconds))})
    rows, spent = train(run_config(model, name, seed, stages), name, options.data, seed)
    epochs = [stage["epochs"] for stage in stages]
    return {"set": name, "model": model, "variant": variant, "seed": seed, "seconds": options.seconds} | {
        "epochs": epochs,
        "spent": spent,
        "before": rows[epochs[0] - 1],
        "end": rows[-1],
    }


@cache
def pace(model: str, name: str, settings: str, data: Path | None) -> float:
    """Return s of the processor that an epoch takes."""
    spent = [
        train(run_config(model, name, 1, [{**json.loads(settings), "epochs": n}]), name, data, 1)[1]
        for n in PACE_EPOCHS
    ]
    return (spent[1] - spent[0]) / (PACE_EPOCHS[1] - PACE_EPOCHS[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, required=True, help="file of results, made or added to")
    parser.add_argument("--data", type=Path, help="folder that holds extxyz/, for sets that are not shipped")
    parser.add_argument("--sets", nargs="+", choices=list(SETS), default=["Li27", "LiH"], metavar="SET")
    parser.add_argument("--models", nargs="+", choices=list(MODELS), default=list(MODELS))
    parser.add_argument("--only", nargs="+", choices=list(VARIANTS), default=list(VARIANTS)[:5], metavar="NAME")
    parser.add_argument("--seconds", type=float, default=60.0, help="of the processor, for each run")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    options = parser.parse_args()
    keys = ("set", "model", "variant", "seed", "seconds")
    lines = options.results.read_text(encoding="utf-8").splitlines() if options.results.exists() else []
    done = {tuple(run[key] for key in keys): run for run in map(json.loads, lines)}
    rows = []
    for name in options.sets:
        for model in options.models:
            for variant in options.only:
                for seed in options.seeds:
                    key = (name, model, variant, seed, options.seconds)
                    if key not in done:
                        done[key] = measure(variant, model, name, seed, options)
                        with options.results.open("a", encoding="utf-8") as file:
                            file.write(json.dumps(done[key]) + "\n")
                        say(str(done[key]))
                    run = done[key]
                    epochs = ", ".join(map(str, run["epochs"]))
                    errors = [f"{energy:.2f}, {forces:.4f}" for energy, forces in (run["before"], run["end"])]
                    rows.append([name, model, variant, str(seed), epochs, f"{run['spent']:.0f}", *errors])
    heads = ["set", "model", "", "seed", "epochs", "processor s", "after stage 1: meV/atom, eV/Å", "at the end"]
    print_table("The same time for each", heads, rows, [describe_machine()])


if __name__ == "__main__":
    main()
