"""A model beside the labels of frames with short distances: energies, and the force between the nearest atoms.

    python tests/benchmarks/nearest_forces.py MODEL LABELLED.xyz

For the frames that `md_holds.py --nearest` has kept and somebody has calculated. A row has the shortest distance, how
far the label lies above the energy of the model, and what drives the two nearest atoms apart: half the difference of
their forces along the line between them.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import ase.io
import numpy as np
from ase.neighborlist import neighbor_list
from bench_tools import print_table

import pwmlff

REACH = 3.5  # Å


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("frames", type=Path, help="extended XYZ with energies and forces")
    options = parser.parse_args()
    model, rows = pwmlff.load(options.model), []
    for atoms in ase.io.read(options.frames, ":"):
        predicted = model.predict(atoms.copy())
        first, second, distances, vectors = neighbor_list("ijdD", atoms, REACH)
        k = int(distances.argmin())
        i, j, along = first[k], second[k], vectors[k] / distances[k]
        apart = [float((forces[j] - forces[i]) @ along) / 2 for forces in (atoms.get_forces(), predicted.forces)]
        above = atoms.get_potential_energy() - float(predicted.energy)
        error = float(np.sqrt(np.square(atoms.get_forces() - predicted.forces).mean()))
        rows.append([f"{distances[k]:.3f}", f"{above:+.4f}", *(f"{each:.2f}" for each in apart), f"{error:.3f}"])
    heads = ["shortest Å", "label above model, eV", "apart, label eV/Å", "apart, model", "force RMSE eV/Å"]
    print_table(f"{options.model} beside {options.frames}", heads, rows, [])


if __name__ == "__main__":
    main()
