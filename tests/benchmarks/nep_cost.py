"""Arithmetic of a NEP, and what its kernels take for energies and forces: µs per atom and share of the peak.

    python tests/benchmarks/nep_cost.py [--models pbte universal] [--dtypes float64 mixed float32] [--rounds 30]

Models have random weights, on which the time does not depend. `pbte`: GPUMD's sizes of `nep_PbTe25` (8 and 4 Å, two
elements, 30 neurons) on rocksalt PbTe. `universal`: 16 elements (6 and 5 Å, 80 neurons) on copper, `alloy` on an fcc
alloy of five of them. One thread; pairs come in blocks, as the pair style of LAMMPS gives them, without its skin.
A block's time is the least of all rounds, in time of the processor: what another process takes of the core is not of
interest. "measured" is what a Kalman filter needs of a block, energies and forces and then the gradients by all weights
of two sums, one over energies and one over forces, in units of the time for energies and forces.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from ase import Atoms
from ase.build import bulk
from ase.neighborlist import neighbor_list
from bench_tools import describe_machine, pin_to_cores, print_table, say
from fma_peak import core_fma_peak
from torch import Tensor

from pwmlff.ops import StoredEvaluator, StoredModel, library, make_evaluator

PAIRS_PER_BLOCK = 16384  # as in lammps_plugin/pair_compute.cpp
DTYPES = {"float64": (torch.float64, 1), "mixed": (torch.float32, 1), "float32": (torch.float32, 0)}

Pairs = tuple[Tensor, Tensor, Tensor, Tensor]


@dataclass(frozen=True)
class Sizes:
    """Of a NEP.

    Attributes:
        cutoffs: Å, radial and angular.
        functions: Radial and angular functions g_n.
        basis: Chebyshev functions that each is made of.
        n_types: Elements.
        neurons: H.
    """

    cutoffs: tuple[float, float]
    functions: tuple[int, int]
    basis: tuple[int, int]
    n_types: int
    neurons: int
    l_max: int = 4
    extras: tuple[int, ...] = (1, 0, 0, 0, 0, 0)

    @property
    def width(self) -> int:
        """Length D of the descriptor."""
        return self.functions[0] + self.functions[1] * (self.l_max + sum(self.extras))

    def flops(self, n_radial: float, n_angular: float) -> float:
        """Return the operations for energy and forces of an atom with so many neighbours within the two cutoffs.

        Counted in multiply-adds, nothing twice: of a pair 20 for distance and cutoff function with their derivatives,
        and for each basis function 1 for T_k and 1 for its sum, on the way back 4 for g and g' by Clenshaw's recursion
        where neighbours of a type share it, otherwise 4 for f_k and f_k' and 2 for each g_n and g_n' it is part of;
        of an angular pair for each harmonic 3 for it and its derivatives, and for each function 1 for the sum and 2 on
        the way back; of an atom 4 for each sum s_nlm and 2 for each weight of the net.
        """
        harmonics = self.l_max * (self.l_max + 2)
        radial = 20 + 6 * self.basis[0]
        angular = 20 + self.basis[1] * (4 + 2 * self.functions[1]) + harmonics * (3 + 3 * self.functions[1])
        atom = 4 * harmonics * self.functions[1] + 2 * self.width * self.neurons
        return 2.0 * (n_radial * radial + n_angular * angular + atom)

    def stored(self, dtype: torch.dtype, double_geometry: int) -> StoredModel:
        """Return one with random weights."""
        generator = torch.Generator().manual_seed(1)

        def random(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)

        n, width = self.n_types, self.width
        arrays = {
            "cutoff": torch.tensor([self.cutoffs] * n, dtype=torch.float64),
            "l_max": torch.tensor(self.l_max),
            "extras": torch.tensor(self.extras),
            "radial": random(n, n, self.functions[0], self.basis[0]),
            "angular": random(n, n, self.functions[1], self.basis[1]),
            "net": random(n, self.neurons * (width + 2) + 1),
            "scaler": torch.full((width,), 0.01, dtype=dtype),
            "double_geometry": torch.tensor(double_geometry),
        }
        return StoredModel("nep", arrays)


PBTE = Sizes((8.0, 4.0), (7, 7), (7, 7), 2, 30)
UNIVERSAL = Sizes((6.0, 5.0), (5, 5), (9, 9), 16, 80, extras=(1, 1, 0, 0, 0, 0))
MODELS = {"pbte": PBTE, "universal": UNIVERSAL, "alloy": UNIVERSAL}


def structure(name: str) -> tuple[Atoms, list[int]]:
    """Return about 2000 atoms and their types in the model."""
    if name == "pbte":
        atoms = bulk("PbTe", "rocksalt", a=6.46, cubic=True).repeat(6)
        types = [int(number == 52) for number in atoms.numbers]
    else:
        atoms = bulk("Cu", "fcc", a=3.615, cubic=True).repeat(8)
        n_elements = 5 if name == "alloy" else 1
        types = np.random.default_rng(0).integers(0, n_elements, size=len(atoms)).tolist()
    atoms.rattle(0.05, seed=1)
    return atoms, types


def blocks_of(atoms: Atoms, types: list[int], cutoff: float) -> list[Pairs]:
    """Return the pairs of all atoms in blocks."""
    centers, neighbors, vectors = neighbor_list("ijD", atoms, cutoff)
    start = np.searchsorted(centers, np.arange(len(atoms) + 1))
    blocks, first = [], 0
    while first < len(atoms):
        last = max(first + 1, int(np.searchsorted(start, start[first] + PAIRS_PER_BLOCK)))
        last = min(last, len(atoms))
        pairs = slice(start[first], start[last])
        blocks.append(
            (
                torch.from_numpy(vectors[pairs].copy()),
                torch.from_numpy(start[first : last + 1] - start[first]),
                torch.tensor(types)[neighbors[pairs]],
                torch.tensor(types[first:last]),
            )
        )
        first = last
    return blocks


def microseconds(work: Callable[[Pairs], object], blocks: list[Pairs], rounds: int) -> float:
    """Return the time per atom."""
    total = 0.0
    for block in blocks:
        times = []
        for _ in range(rounds):
            start = time.thread_time()
            work(block)
            times.append(time.thread_time() - start)
        total += min(times)
    return 1e6 * total / sum(len(block[3]) for block in blocks)


def measure(model: StoredEvaluator, pairs: Pairs) -> None:
    """Do what two measurements of a Kalman filter take."""
    n_atoms, n_pairs = len(pairs[3]), len(pairs[0])
    kept = model.evaluate_keeping(pairs)[2]
    by_energies = torch.ones(2, n_atoms, dtype=torch.float64)
    by_gradients = torch.ones(1, n_pairs, 3, dtype=torch.float64)
    model.weight_gradients(pairs, kept, torch.tensor([0, n_atoms]), by_energies, by_gradients)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=list(MODELS), default=list(MODELS))
    parser.add_argument("--dtypes", nargs="+", choices=list(DTYPES), default=list(DTYPES))
    parser.add_argument("--rounds", type=int, default=30)
    options = parser.parse_args()
    if not library.load():
        raise SystemExit(f"no native library: {library.status().error}")
    pin_to_cores(1)
    torch.set_num_threads(1)
    peaks, rows = core_fma_peak(), []
    for name in options.models:
        sizes, (atoms, types) = MODELS[name], structure(name)
        blocks = blocks_of(atoms, types, sizes.cutoffs[0])
        distances = torch.cat([block[0].norm(dim=1) for block in blocks])
        neighbors = [float((distances < cutoff).sum()) / len(atoms) for cutoff in sizes.cutoffs]
        flops = sizes.flops(*neighbors)
        for dtype in options.dtypes:
            model = make_evaluator(sizes.stored(*DTYPES[dtype]))
            taken = microseconds(lambda pairs, model=model: model(*pairs), blocks, options.rounds)
            multiple = "-"  # geometry in float32 is not trained
            if dtype != "float32":
                measured = microseconds(lambda pairs, model=model: measure(model, pairs), blocks, options.rounds)
                multiple = f"{measured / taken:.1f}"
            rate = flops / (1e-6 * taken)
            peak = peaks["float64" if dtype == "float64" else "float32"] if peaks else float("nan")
            around, cells = " and ".join(f"{n:.1f}" for n in neighbors), [f"{taken:.2f}", f"{flops / 1e3:.1f}"]
            cells += [f"{rate / 1e9:.1f}", f"{100 * rate / peak:.0f} %", multiple]
            rows.append([f"{name} {dtype}", around, *cells])
            say(f"{name} {dtype}: {taken:.2f} µs/atom")
    columns = ["", "neighbours", "µs/atom", "kFLOP/atom", "GFLOP/s", "of peak", "measured"]
    notes = [describe_machine(), '"of peak": of the multiply-adds of one core in registers, those in float32 for mixed']
    print_table("NEP, energies and forces, one thread", columns, rows, notes)


if __name__ == "__main__":
    main()
