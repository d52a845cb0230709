"""Accuracy of a Deep Potential on published data, trained through the commands a user types.

    python tests/benchmarks/accuracy.py mlearn_Cu --data DIR [--minutes 20] [--threads 2] [--config FILE]
    python tests/benchmarks/accuracy.py deepmd_water --data DIR --minutes 10 --peer WORK

mlearn_Cu: trains on extxyz/mlearn_Cu/train.xyz, tests on test.xyz of the same folder (fcc Cu: molecular dynamics,
vacancies, surfaces, elastic deformations). pwmlff_Cu: the MOVEMENT files in raw/pwmlff_Cu (72 atoms, 300 and 500 K), of
each of which the first 80 % of the trajectory train and the last 20 % test.

deepmd_water: liquid water of deepmd-kit, data_0 to data_2 train, the 80 frames of data_3 test. With --peer, a folder
that `deepmd_peer.py` made, deepmd-kit is then trained on the same frames for the same time on the same cores: Adam,
float32, as many steps as fit, its schedule ending with the last.

The configurations are the .json files beside this file; no frame of the test set is seen by the
training, and the model tested is the last one, not the best on anything. A run that exceeds --minutes is stopped by
SIGTERM, which saves it, and its model tested as it is, which is said: a learning-rate schedule is then incomplete.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench_tools import STOPPED, describe_machine, pin_to_cores, print_table, run_child, say, thread_environment
from deepmd_peer import peer_python, training_input

HERE = Path(__file__).resolve().parent
TRAIN_FRACTION = 0.8  # of pwmlff_Cu
PEER_TRIALS = (50, 250)  # steps of two runs that tell how long a step takes
COMMAND = [sys.executable, "-m", "pwmlff"]


@dataclass(frozen=True)
class Benchmark:
    """A data set with its configuration, and figures to stand beside ours: (name, force eV/Å, energy meV/atom)."""

    config: str
    movement_files: tuple[str, ...]  # converted to HDF5 first
    references: tuple[tuple[str, float, float | None], ...]


BENCHMARKS = {
    "mlearn_Cu": Benchmark(
        config="mlearn_cu.json",
        movement_files=(),
        references=(
            ("target for 20 minutes on two cores", 0.030, 1.0),
            ("deepmd-kit, Adam, float32, [25,50,100], [240,240,240], 9000 steps, 15 min", 0.0760, 10.1),
            ("Behler-Parrinello, published model", 0.0631, 1.68),
            ("moment tensor potential, published model", 0.0135, 0.52),
        ),
    ),
    "deepmd_water": Benchmark(
        config="deepmd_water.json",
        movement_files=(),
        references=(
            ("target for ten minutes on two cores", 0.08, 0.5),
            ("deepmd-kit, Adam, float32, [25,50,100], [240,240,240], 4500 steps, 10.4 min", 0.193, 2.29),
        ),
    ),
    "pwmlff_Cu": Benchmark(
        config="pwmlff_cu.json",
        movement_files=("raw/pwmlff_Cu/0_300_MOVEMENT", "raw/pwmlff_Cu/1_500_MOVEMENT"),
        references=(("target", 0.03, None),),
    ),
}


def prepare(benchmark: Benchmark, options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Convert the data where needed and write the run file with full paths; returns its content."""
    source = options.config or HERE / benchmark.config
    config: dict[str, Any] = json.loads(source.read_text())
    base = options.data.resolve()
    if benchmark.movement_files:
        files = [base / name for name in benchmark.movement_files]
        store = folder / "pwmlff_cu.h5"
        split = ["--split", TRAIN_FRACTION, "--by", "time"]
        convert = [*COMMAND, "data", "convert", *files, "-o", store, "-f", "pwmat/movement", *split]
        say(run_child(convert, thread_environment(options.threads), folder).strip())
        base = folder
    for key in ("train_data", "test_data"):
        config[key] = [str(base / name) for name in config[key]]
    config |= {"threads": options.threads, "device": "cpu", "model_store_dir": "model_record"}
    (folder / "config.json").write_text(json.dumps(config, indent=1))
    return config


def train(folder: Path, options: argparse.Namespace) -> tuple[float, bool]:
    """Train within the time allowed; returns the wall time in s and whether the run came to its end."""
    start = time.monotonic()
    command = [*COMMAND, "train", "config.json", *(["--epochs", str(options.epochs)] if options.epochs else [])]
    log = folder / "train.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=thread_environment(options.threads), stdout=output, stderr=subprocess.STDOUT
        )
        try:
            code = process.wait(timeout=60 * options.minutes)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGTERM)
            code = process.wait()
        except BaseException:
            process.terminate()
            raise
    if code not in (0, STOPPED):
        raise SystemExit(f"training failed with exit code {code}:\n{log.read_text()[-3000:]}")
    return time.monotonic() - start, code == 0


def test(folder: Path, config: dict[str, Any], name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Test the last model on `train_data` or `test_data`; returns summary.json."""
    checkpoint = folder / "model_record" / "dp_model.ckpt"
    command = [*COMMAND, "test", checkpoint, *config[name], "-o", name, "--no-plots", "--device", "cpu"]
    run_child(command, thread_environment(options.threads), folder)
    summary: dict[str, Any] = json.loads((folder / name / "summary.json").read_text())
    return summary


def train_peer(config: dict[str, Any], options: argparse.Namespace, folder: Path) -> list[str]:
    """Train and test deepmd-kit in the time allowed; returns a row of the table."""
    dp = [peer_python(options.peer.absolute()), "-m", "deepmd", "--pt"]
    environment = thread_environment(options.threads)
    systems = [Path(name) for name in config["train_data"]]

    def train_steps(n_steps: int) -> float:
        given = training_input("water", systems, n_steps, precision="float32")
        (folder / "input.json").write_text(json.dumps(given))
        start = time.monotonic()
        run_child([*dp, "train", "input.json", "--skip-neighbor-stat"], environment, folder)
        return time.monotonic() - start

    short, long = (train_steps(n) for n in PEER_TRIALS)
    per_step = (long - short) / (PEER_TRIALS[1] - PEER_TRIALS[0])
    n_steps = round((60 * options.minutes - short) / per_step) + PEER_TRIALS[0]
    say(f"deepmd-kit: {n_steps} steps")
    seconds = train_steps(n_steps)
    run_child([*dp, "freeze", "-o", "peer.pth"], environment, folder)
    command = [*dp, "test", "-m", "peer.pth", "-s", config["test_data"][0], "-n", "1000000"]
    said = run_child(command, environment, folder, with_errors=True)
    force, energy = (
        float(re.findall(rf"{name} *: *([-+.\deE]+)", said)[-1]) for name in (r"Force +RMSE", r"Energy RMSE/Natoms")
    )
    label = f"deepmd-kit, Adam, float32, [25,50,100], [240,240,240], {n_steps} steps, in this run"
    return [label, f"{force:.4f}", f"{1e3 * energy:.2f}", f"{seconds / 60:.1f}"]


def report(benchmark: Benchmark, config: dict[str, Any], results: dict[str, Any], options: argparse.Namespace) -> None:
    """Print our errors beside the references."""
    seconds, is_complete = results["seconds"], results["is_complete"]
    rows = []
    for name in ("test_data", "train_data"):
        summary = results[name]
        force, energy = summary["force_rmse"], 1e3 * summary["energy_rmse_per_atom"]
        label = f"pwmlff, {name.replace('_data', '')} ({summary['n_frames']} frames)"
        rows.append([label, f"{force:.4f}", f"{energy:.2f}", f"{seconds / 60:.1f}"])
    if options.peer is not None:
        rows.append(results["peer"])
    for label, force, reference in benchmark.references:
        rows.append([label, f"{force:.4f}", "-" if reference is None else f"{reference:.2f}", "-"])
    model, optimizer = config["model"], config["optimizer"]
    sizes = f"{model['descriptor']['network_size']}, M2 {model['descriptor']['M2']}, {model['descriptor']['Rmax']} Å, "
    sizes += f"{model['fitting_net']['network_size']}, {config.get('precision', 'float64')}"
    epochs = options.epochs or optimizer["epochs"]
    notes = [
        f"{sizes}; {optimizer['optimizer']}, batch {optimizer['batch_size']}, {epochs} epochs, seed {config['seed']}, "
        f"{options.threads} threads; the time holds start-up, reading and all of training",
        describe_machine(),
    ]
    if not is_complete:
        notes.insert(0, f"stopped after {options.minutes:g} minutes, before the last epoch; schedules are incomplete")
    columns = ["", "force RMSE eV/Å", "energy RMSE meV/atom", "training min"]
    print_table(
        f"{options.set}: errors on the test frames, and on the training frames for comparison", columns, rows, notes
    )


def run(options: argparse.Namespace, folder: Path) -> None:
    """Prepare, train, test and report in this folder."""
    benchmark = BENCHMARKS[options.set]
    config = prepare(benchmark, options, folder)
    say(f"training in {folder}; progress in {folder / 'train.log'}")
    seconds, is_complete = train(folder, options)
    results: dict[str, Any] = {name: test(folder, config, name, options) for name in ("test_data", "train_data")}
    if options.peer is not None:
        results["peer"] = train_peer(config, options, folder)
    report(benchmark, config, {**results, "seconds": seconds, "is_complete": is_complete}, options)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("set", choices=list(BENCHMARKS))
    parser.add_argument("--data", type=Path, required=True, help="folder that holds extxyz/ and raw/")
    parser.add_argument("--config", type=Path, help="instead of the file beside this script")
    parser.add_argument("--minutes", type=float, default=20.0, help="wall time allowed for training")
    parser.add_argument("--epochs", type=int, help="instead of the configuration's")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--peer", type=Path, help="folder of deepmd_peer.py: train deepmd-kit as well; deepmd_water only"
    )
    parser.add_argument("--keep", type=Path, help="new folder for model and logs; otherwise they are deleted")
    options = parser.parse_args()
    if options.peer is not None and options.set != "deepmd_water":
        parser.error("--peer is for deepmd_water: deepmd-kit does not read the files of the other sets")
    pin_to_cores(options.threads)
    say(describe_machine())
    folder = Path(tempfile.mkdtemp(prefix="pwmlff-accuracy-")) if options.keep is None else options.keep.absolute()
    if options.keep is not None:
        folder.mkdir(parents=True)
    try:
        run(options, folder)
    finally:
        if options.keep is None:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
