"""What the settings of LKF are worth: errors on unseen frames after the same time on one core.

    python tests/benchmarks/lkf_settings.py --data DIR [--system Cu] [--seconds 60] [--only NAME ...] [--list]
        [--default-model]

Each variant changes a few keys of one run file and trains with `pwmlff train`, one thread, the network in
float32, until the time is over; the test frames are its validation frames. The table gives the errors after a half and
the whole of the time, counted by the run itself (`epoch_valid.dat`): training and validation, not start-up.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from bench_tools import describe_machine, merged, print_table, say, thread_environment
from numpy.typing import NDArray

COMMAND = [sys.executable, "-m", "pwmlff", "train", "config.json"]
PLENTY = 100_000  # epochs: the time ends the run
START_UP = 6.0  # s given to a run besides its time
EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "data"
# name -> element, training frames, test frames; those of mlearn below the folder of the data
SYSTEMS = {
    "Cu": ("Cu", "extxyz/mlearn_Cu/train.xyz", "extxyz/mlearn_Cu/test.xyz"),
    "Si": ("Si", "extxyz/mlearn_Si/train.xyz", "extxyz/mlearn_Si/test.xyz"),
    "Li27": ("Li", str(EXAMPLES / "li27_train.xyz"), str(EXAMPLES / "li27_test.xyz")),
}
DESCRIPTOR = {"Rmax": 4.5, "Rmin": 1.5, "M2": 12, "network_size": [25, 25, 25]}
PWMLFF = {
    "batch_size": 1,
    "joint": False,
    "parts": 1,
    "nselect": 24,
    "groupsize": 6,
    "replacement": True,
    "force_per_atom": True,
    "pre_fac_etot": 1,
    "pre_fac_force": 2,
    "p0_weight": 1.1e-5,  # its 0.01 belongs to a force prefactor of 2 instead of 60
    "p_max": 1e12,
    "max_step": 1e9,
    "weight_decay": 0,
    "block_size": 5120,
    "guard": False,
}
SIX = {"Rmax": 6.0, "Rmin": 3.0, "M2": 16}


def _optimizer(**keys: Any) -> dict[str, Any]:
    return {"optimizer": keys}


# name -> changes of the run file
VARIANTS: dict[str, dict[str, Any]] = {
    "the defaults": {},
    "no average of the weights": {"ema_decay": 0.0},
    "PWMLFF's update": {"ema_decay": 0.0, "optimizer": PWMLFF},
    "measurements one after another": _optimizer(joint=False),
    "the batch as one part": _optimizer(parts=1),
    "24 atoms per frame in 4 groups": _optimizer(nselect=24),
    "24 atoms per frame in one group": _optimizer(nselect=24, force_groups=1),
    "48 atoms per frame in one group": _optimizer(nselect=48, force_groups=1),
    "p_max 1": _optimizer(p_max=1.0),
    "p_max 10": _optimizer(p_max=10.0),
    "p_max 1000": _optimizer(p_max=1e3),
    "no weight decay": _optimizer(weight_decay=0),
    "weight decay 0.03": _optimizer(weight_decay=0.03),
    "blocks of 5120": _optimizer(block_size=5120),
    "one block": {"optimizer": {"optimizer": "GKF"}},
    "batch 2": _optimizer(batch_size=2),
    "batch 4": _optimizer(batch_size=4),
    "batch 16": _optimizer(batch_size=16),
    "prefactors 1 : 1": _optimizer(pre_fac_etot=1, pre_fac_force=1),
    "prefactors 1 : 2": _optimizer(pre_fac_etot=1, pre_fac_force=2),
    "prefactors 1 : 0.15": _optimizer(pre_fac_etot=1, pre_fac_force=0.15),
    "the network in float64": {"precision": "float64"},
    "float32 P": _optimizer(p_precision="float32"),
    "cutoff 6 Å, switch from 3 Å, M2 16": {"model": {"descriptor": SIX}},
    "cutoff 7 Å": {"model": {"descriptor": {"Rmax": 7.0}}},
    "virials": _optimizer(train_virial=True),
}


def run_config(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Return the run file of a variant."""
    element, train_frames, test_frames = SYSTEMS[options.system]
    small = {"descriptor": DESCRIPTOR, "fitting_net": {"network_size": [50, 50, 50, 1]}}
    base = {
        "model_type": "DP",
        "atom_type": [element],
        "train_data": [str(options.data.resolve() / train_frames)],
        "valid_data": [str(options.data.resolve() / test_frames)],
        "format": "extxyz",
        "precision": "float32",
        "seed": 1,
        "threads": 1,
        "device": "cpu",
        "model": {"descriptor": {}} if options.default_model else small,
        "optimizer": {"optimizer": "LKF", "epochs": PLENTY},
    }
    return merged(base, VARIANTS[name])


def train(name: str, options: argparse.Namespace) -> NDArray[np.float64]:
    """Train one variant for the time and return its rows of epoch_valid.dat."""
    with tempfile.TemporaryDirectory(prefix="pwmlff-lkf-") as folder:
        (Path(folder) / "config.json").write_text(json.dumps(run_config(name, options)))
        with (Path(folder) / "log").open("w") as log:
            process = subprocess.Popen(COMMAND, cwd=folder, env=thread_environment(1), stdout=log, stderr=log)
            try:
                process.wait(timeout=options.seconds + START_UP)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGTERM)
                process.wait()
            except BaseException:
                process.kill()
                raise
        lines = (Path(folder) / "model_record" / "epoch_valid.dat").read_text(encoding="utf-8").splitlines()[1:]
        return np.array([line.split() for line in lines], dtype=float).reshape(-1, 5)


def measure(name: str, options: argparse.Namespace) -> list[str]:
    """Return the table row of a variant."""
    table = train(name, options)
    times = table[:, 4].cumsum()
    cells = []
    for moment in (options.seconds / 2, options.seconds):
        done = int(np.searchsorted(times, moment, side="right")) - 1
        cells.append("-" if done < 0 else f"{1e3 * table[done, 2]:.2f}, {table[done, 3]:.4f}")
    return [name, f"{np.median(table[:, 4]):.2f}" if len(table) else "-", *cells]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder that holds extxyz/mlearn_Cu and extxyz/mlearn_Si")
    parser.add_argument("--system", choices=list(SYSTEMS), default="Cu")
    parser.add_argument("--default-model", action="store_true", help="leave the model's keys out of the run file")
    parser.add_argument("--seconds", type=float, default=60.0, help="of each variant")
    parser.add_argument("--only", nargs="+", choices=list(VARIANTS), default=list(VARIANTS), metavar="NAME")
    parser.add_argument("--list", action="store_true", help="print the names of the variants and stop")
    options = parser.parse_args()
    if options.list:
        print("\n".join(VARIANTS))
        return
    if options.data is None:
        parser.error("--data is needed")
    rows = []
    for name in options.only:
        rows.append(measure(name, options))
        say(" | ".join(rows[-1]))
    moments = [f"after {seconds:g} s: meV/atom, eV/Å" for seconds in (options.seconds / 2, options.seconds)]
    print_table(
        f"{options.system}, one core, {options.seconds:g} s", ["", "s/epoch", *moments], rows, [describe_machine()]
    )


if __name__ == "__main__":
    main()
