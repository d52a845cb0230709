"""Error of tables about and below the shortest distance of the training data.

    python tests/benchmarks/near_distances.py MODEL.ckpt DATA... [--dx 0.01]

Compares a trained Deep Potential of one element with its cubic and quintic tables: largest force error over dimers, and
over the frames with the nearest pairs, scaled as a whole until their nearest pair has the distance.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from bench_tools import print_table

from pwmlff.compress import tabulate
from pwmlff.compress.deviations import compare
from pwmlff.data.frame import Frame
from pwmlff.data.neighbors import neighbor_list
from pwmlff.data.readers import read_frames
from pwmlff.export.precision import in_precision
from pwmlff.models.files.checkpoint import load_potential
from pwmlff.models.tables import Order

ORDERS: tuple[Order, ...] = (3, 5)
BANDS = ((1.0, 1.1), (0.95, 1.0), (0.9, 0.95), (0.85, 0.9), (0.8, 0.85))  # of the shortest distance
N_DIMERS, N_FRAMES, N_SCALES = 200, 8, 5


def inside(low: float, high: float, number: int) -> np.ndarray:
    """Return evenly spaced values, none of them at an end."""
    return low + (high - low) * (np.arange(number) + 0.5) / number


def dimers(number: int, distances: np.ndarray) -> list[Frame]:
    """Return pairs of atoms of an atomic number without a cell."""
    cell, pbc = np.zeros((3, 3)), np.zeros(3, dtype=bool)
    return [
        Frame(atomic_numbers=[number] * 2, positions=[[0.0, 0, 0], [r, 0, 0]], cell=cell, pbc=pbc) for r in distances
    ]


def scaled(frames: Sequence[Frame], nearest: np.ndarray, distances: np.ndarray) -> list[Frame]:
    """Return frames whose nearest pairs have the distances."""
    return [
        replace(frame, positions=frame.positions * r / now, cell=frame.cell * r / now, virial=None, forces=None)
        for frame, now in zip(frames, nearest, strict=True)
        for r in distances
    ]


def main() -> None:
    """Print the errors by band of distances."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("data", type=Path, nargs="+")
    parser.add_argument("--dx", type=float, default=0.01)
    options = parser.parse_args()
    potential = in_precision(load_potential(options.model), "float64").frozen()
    if len(potential.elements) != 1:
        raise SystemExit(f"{options.model} has elements {' '.join(potential.elements)}, expected one")
    shortest = float(potential.shortest)
    frames = list(read_frames(options.data))
    nearest = np.array(
        [np.linalg.norm(neighbor_list(frame, potential.cutoff).pair_vectors, axis=1).min() for frame in frames]
    )
    chosen = np.argsort(nearest)[:N_FRAMES]
    tables = [tabulate(potential, options.dx, order).frozen() for order in ORDERS]
    rows = []
    for low, high in BANDS:
        kinds = (
            dimers(int(frames[0].atomic_numbers[0]), shortest * inside(low, high, N_DIMERS)),
            scaled([frames[k] for k in chosen], nearest[chosen], shortest * inside(low, high, N_SCALES)),
        )
        errors = [compare(potential, table, kind).force_error for kind in kinds for table in tables]
        rows.append([f"{low:g} to {high:g}", *(f"{error:.1e}" for error in errors)])
    print_table(
        f"shortest distance {shortest:.4f} Å, dx {options.dx:g}; largest error of a force component, eV/Å",
        ["of the shortest", *(f"{kind}, order {order}" for kind in ("dimers", "frames") for order in ORDERS)],
        rows,
    )


if __name__ == "__main__":
    main()
