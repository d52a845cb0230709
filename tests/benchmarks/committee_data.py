"""Which data the members of a committee should see: all, all but a tenth, or a bootstrap.

    python tests/benchmarks/committee_data.py DATA WORK

DATA holds `mlearn_Cu` (`train.xyz`, `test.xyz`), WORK is a folder for the runs; models that are there are not trained
again. Three small NEPs for each way, on 30 frames; all begin with the same three weights. The table has the force error
of members and of their mean on the test frames, and how the deviation ranks these frames: the correlation (Spearman) of
`max_devi_f` with the largest error of a force of the mean.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from bench_tools import print_table
from scipy.stats import spearmanr

import pwmlff
from pwmlff.data.frame import Frame
from pwmlff.data.writers import write_extxyz

MODEL = {"descriptor": {"cutoff": [6.0, 4.5], "n_max": [4, 4], "basis_size": [6, 6]}}
N_MEMBERS, N_FRAMES, EPOCHS = 3, 30, 10


def member(folder: Path, data: Path, number: int, **top: Any) -> pwmlff.Model:
    """Train a member unless it is there."""
    settings = {
        "model_type": "NEP",
        "atom_type": ["Cu"],
        "train_data": [str(data)],
        "valid_ratio": 0.0,
        "seed": number,
        "split_seed": 0,
        "threads": 1,
        "model": MODEL,
        "model_store_dir": str(folder / str(number)),
        "optimizer": {"optimizer": "LKF", "epochs": EPOCHS},
        **top,
    }
    return pwmlff.load(pwmlff.train(settings, quiet=True).last)


def judged(models: Sequence[pwmlff.Model], frames: Sequence[Frame]) -> list[str]:
    """Return errors of members and mean, and the rank correlation of deviation and error."""
    predictions = [model.predict(list(frames)) for model in models]
    forces = [np.array([r.forces for r in results]) for results in zip(*predictions, strict=True)]
    labels = [np.asarray(frame.forces) for frame in frames]
    of_members = [np.square(f - label).mean(axis=(1, 2)) for f, label in zip(forces, labels, strict=True)]
    off = [f.mean(axis=0) - label for f, label in zip(forces, labels, strict=True)]
    largest = [np.linalg.norm(each, axis=1).max() for each in off]
    spread = [np.sqrt(np.square(f - f.mean(axis=0)).sum(axis=2).mean(axis=0)).max() for f in forces]
    mean = np.sqrt(np.mean([np.square(each).mean() for each in off]))
    return [
        f"{np.sqrt(np.mean(of_members)):.4f}",
        f"{mean:.4f}",
        f"{np.median(spread):.4f}",
        f"{np.median(largest):.4f}",
        f"{spearmanr(spread, largest).statistic:.2f}",
    ]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    arguments = parser.parse_args()
    work = arguments.work
    work.mkdir(parents=True, exist_ok=True)
    train, test = (list(pwmlff.read_frames(arguments.data / "mlearn_Cu" / f"{part}.xyz")) for part in ("train", "test"))
    rng = np.random.default_rng(0)
    some = [train[i] for i in rng.permutation(len(train))[:N_FRAMES]]
    write_extxyz(work / "all.xyz", some)
    numbers = range(1, N_MEMBERS + 1)
    for number in numbers:
        write_extxyz(work / f"boot_{number}.xyz", [some[i] for i in rng.integers(0, N_FRAMES, N_FRAMES)])
    ways = {
        "all frames": [member(work / "all", work / "all.xyz", k) for k in numbers],
        "all but a tenth": [member(work / "tenth", work / "all.xyz", k, leave_out=[k, 10]) for k in numbers],
        "bootstrap": [member(work / "boot", work / f"boot_{k}.xyz", k) for k in numbers],
    }
    columns = ("members see", "member eV/Å", "mean eV/Å", "max_devi_f", "largest error", "rank correlation")
    print_table(
        f"Committees of {N_MEMBERS} on {N_FRAMES} frames of copper",
        columns,
        [[name, *judged(models, test)] for name, models in ways.items()],
    )


if __name__ == "__main__":
    main()
