"""Time of a training step on water beside deepmd-kit's, in one run, and beside what the arithmetic alone would take.

    python tests/benchmarks/training_step.py --data DIR [--peer WORK] [--threads 2] [--precision float64] [--rounds 3]

Both train the same model on the same frames (192 atoms, 6 Å, [25,50,100], M2 16, [240,240,240], batch 1, Adam, energy
and forces), each as its users run it: `pwmlff train` and `dp --pt train`, in processes of their own on the same cores,
in turns. A step is timed from the end of one Adam update to the end of the next.

DIR holds raw/deepmd_water; WORK is what `deepmd_peer.py` makes. Without --peer only our side is measured.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench_tools import Spread, describe_machine, pin_to_cores, print_table, run_child, say, thread_environment
from deepmd_peer import TUNED_MALLOC, peer_python, training_input, water_folders
from dp_cost import training_step_cost

HERE = Path(__file__).resolve().parent
EMBEDDING, N_AXIS, FITTING = [25, 50, 100], 16, [240, 240, 240, 1]
FRAMES = 240  # about; only the number of epochs follows from it
OURS, PEER = "pwmlff", "deepmd-kit 3.2.0 (PyTorch)"


def run_config(folders: list[Path], n_steps: int, precision: str, threads: int) -> dict[str, Any]:
    """Return our run file of the model that `deepmd_peer.training_input` describes."""
    return {
        "model_type": "DP",
        "atom_type": ["O", "H"],
        "train_data": [str(folder) for folder in folders],
        "format": "deepmd/npy",
        "valid_ratio": 0.0,
        "precision": precision,
        "device": "cpu",
        "threads": threads,
        "seed": 1,
        "model": {
            "descriptor": {"Rmax": 6.0, "Rmin": 0.5, "M2": N_AXIS, "network_size": EMBEDDING},
            "fitting_net": {"network_size": FITTING},
        },
        "optimizer": {
            "optimizer": "ADAM",
            "batch_size": 1,
            "epochs": n_steps // FRAMES + 2,
            "learning_rate": 1e-3,
            "stop_lr": 1e-5,
            "stop_step": n_steps,
            "start_pre_fac_force": 1000,
            "end_pre_fac_force": 1,
            "start_pre_fac_etot": 0.02,
            "end_pre_fac_etot": 1,
        },
    }


def measure(options: argparse.Namespace, folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Run both sides in turns; returns the figures of each round."""
    folders = water_folders(options.data)
    (folder / "ours.json").write_text(
        json.dumps(run_config(folders, options.steps, options.precision, options.threads))
    )
    counts = [options.steps, options.warm]
    environment = thread_environment(options.threads)
    contenders = {OURS: ([sys.executable, HERE / "pwmlff_steps.py", "ours.json", *counts], environment)}
    if options.peer:
        (folder / "peer.json").write_text(
            json.dumps(training_input("water", folders, options.steps, options.precision))
        )
        command = [peer_python(options.peer), HERE / "deepmd_steps.py", "peer.json", *counts]
        malloc = TUNED_MALLOC if options.tune_peer_malloc else {}
        contenders[PEER] = (command, {**environment, **malloc})
    rounds_of: dict[str, list[dict[str, Any]]] = {name: [] for name in contenders}
    for number in range(options.rounds):
        for name, (command, variables) in contenders.items():
            lines = run_child(command, variables, folder).splitlines()
            figures = json.loads(next(line for line in reversed(lines) if line.startswith("{")))
            rounds_of[name].append(figures)
            median = Spread.of(figures["seconds"]).median
            say(f"round {number + 1}, {name}: {1e3 * median:.1f} ms, {figures['threads']} threads")
    return rounds_of


def report(rounds_of: dict[str, list[dict[str, Any]]], options: argparse.Namespace) -> None:
    """Print the table and the roofline."""
    spreads = {
        name: Spread.of([1e3 * s for figures in rounds for s in figures["seconds"]])
        for name, rounds in rounds_of.items()
    }
    reference = spreads.get(PEER)
    rows = []
    for name, spread in spreads.items():
        peak = max(figures["peak_bytes"] for figures in rounds_of[name]) / 2**20
        ratio = f"{spread.median / reference.median:.2f}" if reference else "-"
        rows.append([name, f"{spread.median:.1f}", f"{spread.p10:.1f}", f"{spread.p90:.1f}", ratio, f"{peak:.0f}"])
    title = f"training step, water, {options.precision}, {options.threads} threads, {options.rounds} rounds in turns"
    columns = ["", "median ms", "p10", "p90", "time / peer's", "peak MiB"]
    notes = [roofline(rounds_of[OURS], spreads[OURS]), describe_machine()]
    if reference is None:
        notes.append("deepmd-kit was not measured: give --peer WORK, a folder made by deepmd_peer.py")
    print_table(title, columns, rows, notes)


def roofline(rounds: list[dict[str, Any]], spread: Spread) -> str:
    """Say what the arithmetic of the step takes at the rates measured in the same processes."""
    sizes = rounds[0]
    cost = training_step_cost(sizes["n_atoms"], sizes["n_pairs"], EMBEDDING, N_AXIS, FITTING)
    gemm, tanh = (max(figures[key] for figures in rounds) for key in ("gemm_rate", "tanh_rate"))
    least = 1e3 * cost.seconds(gemm, tanh)
    return (
        f"roofline: {sizes['n_atoms']:.0f} atoms, {sizes['n_pairs']:.0f} pairs, {cost.flops / 1e9:.2f} GFLOP at "
        f"{gemm / 1e9:.1f} GFLOP/s = {1e3 * cost.flops / gemm:.1f} ms, {cost.activations / 1e6:.2f} million tanh at "
        f"{tanh / 1e6:.0f} million/s = {1e3 * cost.activations / tanh:.1f} ms; the step takes "
        f"{spread.median / least:.2f} times their sum"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds raw/deepmd_water")
    parser.add_argument("--peer", type=Path, help="folder made by deepmd_peer.py")
    parser.add_argument("--tune-peer-malloc", action="store_true", help="glibc settings that speed deepmd-kit up")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--precision", choices=["float64", "float32"], default="float64")
    parser.add_argument("--steps", type=int, default=200, help="of each process")
    parser.add_argument("--warm", type=int, default=50, help="first steps that are not counted")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    if options.steps < options.warm + 2:
        parser.error("--steps must exceed --warm by two or more")
    options.peer = options.peer and options.peer.absolute()
    pin_to_cores(options.threads)
    say(describe_machine())
    with tempfile.TemporaryDirectory(prefix="pwmlff-steps-") as folder:
        rounds_of = measure(options, Path(folder))
    report(rounds_of, options)


if __name__ == "__main__":
    main()
