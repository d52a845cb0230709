"""What SNES reaches on GPUMD's `nep_PbTe25` in a time, beside a published `loss.out`.

    python tests/benchmarks/snes_curve.py --data DIR [--minutes 60] [--published loss.out] [--seed 1]
        [--set optimizer.population=50 ...] [--keep DIR]

`pwmlff train` on all 25 frames, one thread, a NEP of GPUMD's sizes (8 and 4 Å, `n_max` 6 6, `basis_size` 6 6, `l_max` 4
2 0, 30 neurons), energies and forces, population 50, full batch, the network in float64, until its time of the
processor is over. Errors are those of the training frames, of the mean of the distribution, as `loss.out` has them; a
published `loss.out` is that of GPUMD's best candidates.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from pathlib import Path

import ase.io
import numpy as np
from bench_tools import describe_machine, print_table, say, train_in, with_keys
from numpy.typing import NDArray
from snes_generation import MODEL

ROWS = (100, 200, 500, 1000, 2000, 3000, 4000, 5000, 6000, 8000, 10_000, 15_000, 20_000)  # generations


def run_config(options: argparse.Namespace) -> dict[str, object]:
    """Return the run file."""
    config = {
        "model_type": "NEP",
        "atom_type": ["Te", "Pb"],
        "train_data": ["train.xyz"],
        "valid_ratio": 0,
        "seed": options.seed,
        "threads": 1,
        "device": "cpu",
        "model": MODEL,
        "optimizer": {"optimizer": "SNES", "epochs": 10_000, "train_virial": False},
    }
    return with_keys(config, options.set)


def errors_of(path: Path) -> dict[int, tuple[float, float]]:
    """Return meV/atom and eV/Å of the training frames by generation."""
    table: NDArray[np.float64] = np.loadtxt(path, ndmin=2)
    return {int(row[0]): (1e3 * float(row[4]), float(row[5])) for row in table}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds nep_PbTe25/")
    parser.add_argument("--minutes", type=float, default=60.0, help="of the processor")
    parser.add_argument("--published", type=Path, help="a loss.out of GPUMD")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", help="of the run file")
    parser.add_argument("--keep", type=Path, help="folder for the run's model_record")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pwmlff-snes-") as temporary:
        folder = Path(temporary)
        ase.io.write(folder / "train.xyz", ase.io.read(options.data / "nep_PbTe25" / "train.xyz", ":"))
        (folder / "config.json").write_text(json.dumps(run_config(options)))
        train_in(folder, 60 * options.minutes)
        record = folder / "model_record"
        if not any(record.glob("*_best.ckpt")):  # no epoch was finished
            raise SystemExit((folder / "log").read_text()[-2000:])
        ours = errors_of(record / "loss.out")
        if options.keep:
            shutil.copytree(record, options.keep, dirs_exist_ok=True)
    theirs = errors_of(options.published) if options.published else {}
    last = max(ours)
    say(f"{last} generations in {options.minutes:g} min")

    def cell(errors: dict[int, tuple[float, float]], generation: int) -> str:
        return "{:.2f}, {:.4f}".format(*errors[generation]) if generation in errors else "-"

    shown = [generation for generation in (*ROWS, last) if generation in ours or generation in theirs]
    print_table(
        "SNES on nep_PbTe25, training frames: meV/atom, eV/Å",
        ["generation", "here", "published"],
        [[str(generation), cell(ours, generation), cell(theirs, generation)] for generation in sorted(set(shown))],
        [describe_machine()],
    )


if __name__ == "__main__":
    main()
