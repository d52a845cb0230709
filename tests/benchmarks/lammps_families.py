r"""Time of an atom and step in LAMMPS of each family of models, with its defaults, on the same water.

    python tests/benchmarks/lammps_families.py --frames train.xyz [--ranks 1 2] [--dtypes float64 mixed] [--rounds 3]

A Deep Potential, uncompressed and with tables, a NEP, and networks of Behler and Parrinello: "NN" has the functions
that a run file without any gets from the frames, "NN grid" those of `bp_cost.py`, `resolved`. Nothing is trained,
because the time does not depend on the weights; statistics are those of the first frame. `pair_style pwmlff` runs on
that frame, R times as long each way, in turns on the same cores; skin 2 Å, lists rebuilt every 10 steps.

Times are those of the processor for a rank, so that what other programs take of it does not count; "wall" is the median
on the clock.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from itertools import combinations_with_replacement, product
from pathlib import Path
from typing import Any

import ase.io
import torch
from ase import Atoms
from bench_tools import Spread, describe_machine, pin_to_cores, print_table, say
from bp_cost import BASES, CUTOFF, NEURONS
from md_runs import Contender, Lammps, lammps_environment

from pwmlff.compress import tabulate
from pwmlff.data.dataset import FrameDataset, iterate_batches
from pwmlff.data.frame import Frame
from pwmlff.data.readers import read_frames
from pwmlff.elements import symbol_of
from pwmlff.export import export_potential
from pwmlff.models import MODELS, Potential, build_potential

ELEMENTS = ["O", "H"]
PYTHON = Path(sys.executable)
TABLE = (0.01, 3)  # spacing and order, the defaults of `pwmlff compress`
DTYPES = ["float64", "mixed", "float32"]
COLUMNS = ["", "ranks", "µs/atom/step", "p10 - p90", "wall"]


def grid_section() -> dict[str, Any]:
    """Return the `model` section of a net with the functions of `bp_cost.py`."""
    basis = BASES["resolved"]
    radial = [
        {"type": "G2", "neighbors": [symbol], "cutoff": CUTOFF, "eta": eta}
        for eta, symbol in product(basis.radial, ELEMENTS)
    ]
    angular = [
        {"type": "G5", "neighbors": list(pair), "cutoff": CUTOFF, "eta": eta, "lambda": sign, "zeta": zeta}
        for (eta, sign, zeta), pair in product(basis.angular, combinations_with_replacement(ELEMENTS, 2))
    ]
    return {"descriptor": {"functions": radial + angular}, "fitting_net": {"network_size": [*NEURONS, 1]}}


def untrained(model_type: str, section: dict[str, Any], frames: Sequence[Frame]) -> Potential:
    """Return a potential with random weights and the statistics of the first frame."""
    family = MODELS[model_type]
    config, _ = family.RunFile.for_frames(family.Config.model_validate(section), ELEMENTS, frames)
    torch.manual_seed(1)
    potential = build_potential(model_type, config, ELEMENTS)
    first = FrameDataset(frames[:1], potential.elements, potential.cutoff)
    potential.collect_statistics(iterate_batches(first, 1))
    return potential


def potentials(frames: Sequence[Frame]) -> Iterator[tuple[str, Potential]]:
    """Yield a name and a potential for each row of the table."""
    deep = untrained("DP", {}, frames)
    yield "DP", deep
    yield "DP with tables", tabulate(deep, *TABLE)
    yield "NEP", untrained("NEP", {}, frames)
    yield "NN", untrained("NN", {}, frames)
    yield "NN grid", untrained("NN", grid_section(), frames)


def contenders(frames: Sequence[Frame], dtypes: Sequence[str], folder: Path) -> list[Contender]:
    """Return all models in all precisions."""
    environment, result = lammps_environment(PYTHON, 1), []
    for name, potential in potentials(frames):
        for dtype in dtypes:
            path = export_potential(potential, folder / f"{name.replace(' ', '-')}-{dtype}.pt", dtype=dtype)
            style = f"pair_style pwmlff {path}\npair_coeff * * {' '.join(ELEMENTS)}"
            result.append(Contender(f"{name} {dtype}", PYTHON, style, environment, dtype))
    return result


def measure(models: Sequence[Contender], lammps: Lammps, replicate: int, ranks: int, rounds: int) -> list[list[str]]:
    """Run all models in turns on this many ranks, and return their rows."""
    for model in models:
        model.times, model.processor_times = [], []
    for number in range(rounds):
        for model in models:
            run = lammps.run(model, (replicate, replicate, replicate), ranks)
            model.times += run.times
            model.processor_times += run.processor_times
        say(f"{ranks} ranks, round {number + 1} of {rounds}")
    rows = []
    for model in models:
        spread, wall = Spread.of(model.processor_times), Spread.of(model.times).median
        cells = [f"{spread.median:.2f}", f"{spread.p10:.2f} - {spread.p90:.2f}", f"{wall:.2f}"]
        rows.append([model.name, str(ranks), *cells])
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--frames", type=Path, required=True, help="frames of water with forces, in any format of `pwmlff train`")
    add("--replicate", type=int, default=2, help="R, of the cell each way")
    add("--dtypes", nargs="+", choices=DTYPES, default=DTYPES)
    add("--ranks", type=int, nargs="+", default=[1, 2])
    add("--steps", type=int, default=10, help="of each of the three timed runs of a start")
    add("--rounds", type=int, default=3)
    options = parser.parse_args()
    pin_to_cores(max(options.ranks))
    say(describe_machine())
    frames = read_frames([options.frames])
    symbols = [symbol_of(int(number)) for number in frames[0].atomic_numbers]
    cell = Atoms(symbols, positions=frames[0].positions, cell=frames[0].cell, pbc=True)
    cell.wrap()
    with tempfile.TemporaryDirectory(prefix="pwmlff-families-") as temporary:
        folder = Path(temporary)
        lammps = Lammps(folder / "data", folder, 5, options.steps)
        ase.io.write(lammps.data, cell, format="lammps-data", specorder=ELEMENTS, masses=True)
        models = contenders(frames, options.dtypes, folder)
        rows = [
            row for ranks in options.ranks for row in measure(models, lammps, options.replicate, ranks, options.rounds)
        ]
    title = f"water, {len(cell) * options.replicate**3} atoms, {options.rounds} rounds in turns"
    print_table(title, COLUMNS, rows, [describe_machine()])


if __name__ == "__main__":
    main()
