"""What a new user gets: `pwmlff init`, `pwmlff train`, `pwmlff test` as they are, on data sets with test frames.

    python tests/benchmarks/first_hour.py --data DIR [--sets NAME ...] [--models nep dp nn] [--minutes 15]
        [--optimizer NAME] [--results FILE] [--frames N] [--set KEY=VALUE ...] [--keep FOLDER]

DIR holds a folder for each set with train.xyz and test.xyz. No option but --data and --minutes (and --optimizer, if it
is given here) is given to `pwmlff init`; --set changes keys of what it has written, as in --set seed=2
optimizer.pre_fac_virial=60. --frames takes so many of train.xyz, drawn at random: models of few frames; `md_holds.py`
tells whether dynamics with what --keep has kept hold. The table has the errors of the best model on the test frames and
the time of the training on the clock. Results are kept in FILE, a line of JSON per run; runs found there are not
repeated.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from bench_tools import describe_machine, print_table, run_child, say, with_keys

from pwmlff.config.jsonc import read_json
from pwmlff.data.readers import read_frames
from pwmlff.data.writers import write_extxyz

SETS = ("mlearn_Cu", "mlearn_Si", "deepmd_water", "vasp_HfO2", "pwmat_Cu")
ERRORS = ("energy_rmse_per_atom", "force_rmse", "virial_rmse_per_atom")
PWMLFF = [sys.executable, "-m", "pwmlff"]


_DRAW = 5  # seed of which frames --frames takes


def run(data: Path, model: str, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Do as a new user would, and return what came of it."""
    environment = dict(os.environ)
    train = data / "train.xyz"
    if options.frames is not None:
        frames = read_frames(train)
        chosen = np.random.default_rng(_DRAW).choice(len(frames), options.frames, replace=False)
        train = folder / "train.xyz"
        write_extxyz(train, [frames[k] for k in sorted(chosen)])

    def call(*arguments: str | Path) -> str:
        return run_child([*PWMLFF, *arguments], environment, folder)

    choice = () if options.optimizer is None else ("--optimizer", options.optimizer)
    call("init", model, *choice, "--data", train, "--minutes", f"{options.minutes:g}", "-o", "run.json")
    config = with_keys(read_json(folder / "run.json"), options.set)
    (folder / "run.json").write_text(json.dumps(config), encoding="utf-8")
    started = time.perf_counter()
    call("train", "run.json")
    seconds = time.perf_counter() - started
    (best,) = (folder / "model_record").glob("*_best.ckpt")
    call("test", best, data / "test.xyz", "--no-plots")
    summary = json.loads((folder / "test_result" / "summary.json").read_text(encoding="utf-8"))
    n_epochs = len((folder / "model_record" / "epoch_train.dat").read_text(encoding="utf-8").splitlines()) - 1
    result = _described(options, data.name, model) | {"seconds": seconds, "epochs": n_epochs}
    return result | {name: summary.get(name) for name in ERRORS}


def main() -> None:
    """Run all that is missing, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument("--models", nargs="+", default=["nep"])
    parser.add_argument("--optimizer", help="instead of what `pwmlff init` takes")
    parser.add_argument("--minutes", type=float, default=15.0)
    parser.add_argument("--frames", type=int, help="of train.xyz, drawn at random; all when not given")
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", help="further keys of the run file")
    parser.add_argument("--keep", type=Path, help="new folder for models and logs; otherwise they are deleted")
    parser.add_argument("--results", type=Path, default=Path("first_hour.jsonl"))
    options = parser.parse_args()
    rows = []
    for name in options.sets:
        for model in options.models:
            result = _known(options, name, model)
            if result is None:
                with tempfile.TemporaryDirectory() as temporary:
                    folder = Path(temporary) if options.keep is None else options.keep.absolute() / f"{name}_{model}"
                    folder.mkdir(parents=True, exist_ok=options.keep is None)
                    data = (options.data / name).absolute()
                    result = run(data, model, folder, options)
                with options.results.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(result) + "\n")
            energy, force, virial = (result[error] for error in ERRORS)
            cells = [f"{1e3 * energy:.2f}", f"{force:.4f}", "-" if virial is None else f"{1e3 * virial:.1f}"]
            rows.append([name, model, str(result["epochs"]), f"{result['seconds'] / 60:.1f}", *cells])
            say("  ".join(rows[-1]))
    columns = ["set", "model", "epochs", "minutes", "meV/atom", "eV/Å", "virials meV/atom"]
    print_table(
        "The first hour",
        columns,
        rows,
        [" ".join([*filter(None, [options.optimizer]), *options.set]), describe_machine()],
    )


def _known(options: argparse.Namespace, name: str, model: str) -> dict[str, Any] | None:
    if options.results.exists():
        for line in options.results.read_text(encoding="utf-8").splitlines():
            result = json.loads(line)
            wanted = _described(options, name, model)
            if {key: result.get(key) for key in wanted} == wanted:
                return dict(result)
    return None


def _described(options: argparse.Namespace, name: str, model: str) -> dict[str, Any]:
    """Return what tells a run from others."""
    return {
        "set": name,
        "family": model,
        "optimizer": options.optimizer,
        "minutes": options.minutes,
        "frames": options.frames,
        "keys": options.set,
    }


if __name__ == "__main__":
    main()
