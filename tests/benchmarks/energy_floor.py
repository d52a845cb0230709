"""What energies of a trajectory have that its forces do not explain: the error of a model with exactly these forces.

    python tests/benchmarks/energy_floor.py TRAJECTORY ... [--share 0.8]

Along a trajectory with a fixed cell energies change by minus the work of the forces, which is summed here by the
trapezoidal rule. What is left is shifted so that its mean over the first share of the frames, those trained on, is
zero: the rest of it is the energy error that a model with exactly these forces has on the frames after them. The table
has it with the work summed over every frame and over every second one; where both agree the steps are short enough.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from bench_tools import print_table
from numpy.typing import NDArray

from pwmlff.data.energy_drift import move
from pwmlff.data.frame import Frame
from pwmlff.data.readers import read_frames


def unexplained(frames: list[Frame]) -> NDArray[np.float64]:
    """Return energy per atom plus the work per atom up to each frame, meV."""
    if unlabelled := [frame.where for frame in frames if frame.energy is None or frame.forces is None]:
        raise SystemExit(f"{unlabelled[0]}: energies and forces are wanted of every frame")
    work = [0.0]
    for first, second in zip(frames, frames[1:], strict=False):
        if not np.array_equal(first.atomic_numbers, second.atomic_numbers) or not np.array_equal(
            first.cell, second.cell
        ):
            raise SystemExit(f"{second.where}: other atoms or another cell than in the frame before")
        work.append(work[-1] + move(first, second)[1])
    energies = np.array([frame.energy for frame in frames], dtype=float) / len(frames[0])
    return 1e3 * (energies + work)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trajectories", type=Path, nargs="+", help="frames in the order of time")
    parser.add_argument("--share", type=float, default=0.8, help="of the frames that is trained on")
    options = parser.parse_args()
    rows, after = [], []
    for path in options.trajectories:
        frames = read_frames(path)
        errors = []
        for step in (1, 2):
            rest = unexplained(frames[::step])
            n_train = round(options.share * len(rest))
            rest -= rest[:n_train].mean()
            errors += [rest[:n_train], rest[n_train:]]
        after.append(errors[1])
        sizes = [f"{np.sqrt(np.square(each).mean()):.3f}" for each in errors]
        rows.append([str(path), *sizes, f"{errors[1].mean():+.3f}"])
    total = np.sqrt(np.square(np.concatenate(after)).mean())
    heads = ["trajectory", "trained on", "after", "every 2nd: trained on", "after", "mean after"]
    notes = [f"all frames after: {total:.3f} meV/atom"]
    print_table("Energy errors of a model with exactly these forces, meV/atom, root mean square", heads, rows, notes)


if __name__ == "__main__":
    main()
