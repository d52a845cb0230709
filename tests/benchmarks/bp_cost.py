"""Arithmetic of a Behler-Parrinello net, and what its kernels take for energies and forces: µs per atom, share of peak.

    python tests/benchmarks/bp_cost.py --frames water.xyz [--bases resolved all] [--kinds G5 G4]

Water with 6 Å and a net of [30, 30]. An atom has 8 radial and 24 angular functions, cosine cutoff: `resolved` has 4
radial ones (eta) for each element and 8 angular ones (2 eta, lambda 1 and -1, zeta 1 and 4) for each pair of elements,
`all` lets all 24 (3 eta, 2 lambda, zeta 1, 2, 4 and 16) see all neighbours. Weights of the net are random: the time
does not depend on them. One thread; pairs come in blocks, as the pair style of LAMMPS gives them, without its skin. A
block's time is the least of all rounds. "measured" is what a Kalman filter needs of a block, see `nep_cost.py`.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from itertools import combinations_with_replacement, product
from pathlib import Path

import ase.io
import torch
from bench_tools import describe_machine, pin_to_cores, print_table, say
from fma_peak import core_fma_peak
from nep_cost import DTYPES, Pairs, blocks_of, measure, microseconds

from pwmlff.ops import StoredModel, library, make_evaluator

ELEMENTS = ("O", "H")
CUTOFF = 6.0  # Å
NEURONS = (30, 30)
KINDS = {"G4": 4, "G5": 5}
LARGEST_DEGREE = 8  # zeta of G5 that are sums over neighbours, see csrc/core/bp/moment_plan.cpp


@dataclass(frozen=True)
class Basis:
    """Symmetry functions of an atom of any type.

    Attributes:
        radial: eta of the G2, 1/Å².
        angular: eta, lambda and zeta.
        is_resolved: Whether each is there for each element or pair of elements, which it sees alone.
    """

    radial: tuple[float, ...]
    angular: tuple[tuple[float, float, float], ...]
    is_resolved: bool

    @property
    def n_inputs(self) -> int:
        """Functions of an atom."""
        return len(self.radial) * len(self._seen(1)) + len(self.angular) * len(self._seen(2))

    def _seen(self, n_neighbors: int) -> list[tuple[int, ...]]:
        """Return the types that a function sees, () for all, of each function that is made of one row."""
        return list(combinations_with_replacement(range(len(ELEMENTS)), n_neighbors)) if self.is_resolved else [()]

    def stored(self, kind: str, dtype: torch.dtype, double_geometry: int) -> StoredModel:
        """Return a model with a random net."""
        generator, n_types = torch.Generator().manual_seed(1), len(ELEMENTS)
        radial, radial_weights, angular, angular_weights = [], [], [], []
        for eta, seen in product(self.radial, self._seen(1)):
            radial.append([CUTOFF, eta, 0.0])
            radial_weights.append([float(not seen or seen == (t,)) for t in range(n_types)])
        for (eta, sign, zeta), seen in product(self.angular, self._seen(2)):
            angular.append([CUTOFF, eta, 0.0, sign, zeta, 0.0, 0.0])
            rows = [[float(not seen or seen == tuple(sorted((a, b)))) for b in range(n_types)] for a in range(n_types)]
            angular_weights.append(rows)
        arrays = {
            "cutoff_function": torch.tensor(1),
            "inner_fraction": torch.tensor(0.0, dtype=torch.float64),
            "radial_start": torch.arange(n_types + 1) * len(radial),
            "radial_kind": torch.full((n_types * len(radial),), 2),
            "radial": torch.tensor(radial * n_types, dtype=torch.float64),
            "radial_weights": torch.tensor(radial_weights * n_types, dtype=dtype),
            "angular_start": torch.arange(n_types + 1) * len(angular),
            "angular_kind": torch.full((n_types * len(angular),), KINDS[kind]),
            "angular": torch.tensor(angular * n_types, dtype=torch.float64),
            "angular_weights": torch.tensor(angular_weights * n_types, dtype=dtype),
            "scaling": torch.tensor([[0.0, 0.1]], dtype=dtype).repeat(n_types * self.n_inputs, 1),
            "activations": torch.tensor([0] * len(NEURONS) + [2]),
            "double_geometry": torch.tensor(double_geometry),
        }
        for t in range(n_types):
            widths = (self.n_inputs, *NEURONS, 1)
            for layer, (n_in, n_out) in enumerate(zip(widths[:-1], widths[1:], strict=True)):
                weight = torch.randn(n_out, n_in, generator=generator, dtype=torch.float64) / n_in**0.5
                arrays[f"net.{t}.{layer}.weight"] = weight.to(dtype)
                arrays[f"net.{t}.{layer}.bias"] = torch.zeros(n_out, dtype=dtype)
        return StoredModel("bp", arrays)

    def flops(self, kind: str, n_pairs: float, n_triplets: float) -> float:
        """Return the operations for energy and forces of an atom with so many neighbours and pairs of neighbours.

        Counted in multiply-adds, nothing twice: of a neighbour 20 for distance and cutoff function with their
        derivatives, 15 for each Gaussian and 3 for each radial function; 2 for each weight of the net. G5 up to the
        largest degree of moments: of a neighbour 3 for each harmonic with its derivatives, 1 for each moment and 2 on
        the way back; of each pair of elements and moment 3. Other angular functions: of a pair of neighbours 3 for the
        angle and 6 for the way back from it, for each power of 1 + lambda cos 2, itself and its derivative, for each
        Gaussian factor 4, itself and the derivatives, for each function 3, its sum and the way back; of the distance
        between neighbours 12 and for each Gaussian of it 20 in G4.
        """
        by_moments = [row for row in self.angular if kind == "G5" and row[2] <= LARGEST_DEGREE]
        by_triplets = [row for row in self.angular if row not in by_moments]
        n_moments = sum(
            (max(int(zeta) for other, _, zeta in by_moments if other == eta) + 1) ** 2
            for eta in {eta for eta, _, _ in by_moments}
        )
        n_harmonics = max(((int(zeta) + 1) ** 2 for _, _, zeta in by_moments), default=0)
        pair = 20 + 18 * len(self.radial) + 15 * len({eta for eta, _, _ in self.angular})
        pair += 3 * n_harmonics + 3 * n_moments
        widths = (self.n_inputs, *NEURONS, 1)
        atom = 2 * sum(a * b for a, b in zip(widths[:-1], widths[1:], strict=True))
        atom += 3 * n_moments * len(list(combinations_with_replacement(ELEMENTS, 2)))
        total = n_pairs * pair + atom
        if by_triplets:
            total += n_triplets * self._flops_of_triplet(kind, by_triplets)
        return 2.0 * total

    def _flops_of_triplet(self, kind: str, rows: list[tuple[float, float, float]]) -> int:
        etas, powers = {eta for eta, _, _ in rows}, {row[1:] for row in rows}
        chain = sum(int(max((zeta for s, zeta in powers if s == sign), default=0)).bit_length() for sign in (1, -1))
        triplet = 9 + 2 * max(len(powers), chain) + 4 * len(etas) + 3 * len(rows)
        return triplet + (12 + 20 * len(etas) if kind == "G4" else 0)


BASES = {
    "resolved": Basis((0.0, 0.1, 0.4, 1.6), tuple(product((0.01, 0.1), (1.0, -1.0), (1.0, 4.0))), True),
    "all": Basis(
        (0.0, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2),
        tuple(product((0.005, 0.03, 0.1), (1.0, -1.0), (1.0, 2.0, 4.0, 16.0))),
        False,
    ),
}


def water_blocks(path: Path, replicate: int) -> list[Pairs]:
    """Return the pairs of the first frame of a file, replicated, in blocks."""
    atoms = ase.io.read(path, index=0).repeat(replicate)
    return blocks_of(atoms, [ELEMENTS.index(symbol) for symbol in atoms.symbols], CUTOFF)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=Path, required=True, help="a file of water that ASE reads")
    parser.add_argument("--bases", nargs="+", choices=list(BASES), default=list(BASES))
    parser.add_argument("--kinds", nargs="+", choices=list(KINDS), default=["G5", "G4"])
    parser.add_argument("--dtypes", nargs="+", choices=list(DTYPES), default=list(DTYPES))
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--replicate", type=int, default=1, help="of the cell, each way")
    options = parser.parse_args()
    if not library.load():
        raise SystemExit(f"no native library: {library.status().error}")
    pin_to_cores(1)
    torch.set_num_threads(1)
    peaks, rows = core_fma_peak(), []
    blocks = water_blocks(options.frames, options.replicate)
    counts = torch.cat([block[1].diff() for block in blocks]).to(torch.float64)
    n_pairs, n_triplets = float(counts.mean()), float((counts * (counts - 1) / 2).mean())
    for name, kind, dtype in product(options.bases, options.kinds, options.dtypes):
        basis = BASES[name]
        model = make_evaluator(basis.stored(kind, *DTYPES[dtype]))
        taken = microseconds(lambda pairs, model=model: model(*pairs), blocks, options.rounds)
        multiple = "-"  # geometry in float32 is not trained
        if dtype != "float32":
            measured = microseconds(lambda pairs, model=model: measure(model, pairs), blocks, options.rounds)
            multiple = f"{measured / taken:.1f}"
        flops = basis.flops(kind, n_pairs, n_triplets)
        rate = flops / (1e-6 * taken)
        peak = peaks["float64" if dtype == "float64" else "float32"] if peaks else float("nan")
        cells = [f"{taken:.2f}", f"{flops / 1e3:.0f}", f"{rate / 1e9:.1f}", f"{100 * rate / peak:.0f} %", multiple]
        rows.append([f"{name} {kind} {dtype}", *cells])
        say(f"{name} {kind} {dtype}: {taken:.2f} µs/atom")
    columns = ["", "µs/atom", "kFLOP/atom", "GFLOP/s", "of peak", "measured"]
    notes = [
        f"{n_pairs:.1f} neighbours and {n_triplets:.0f} pairs of neighbours per atom; [8 radial, 24 angular] functions",
        describe_machine(),
        '"of peak": of the multiply-adds of one core in registers, those in float32 for mixed',
    ]
    print_table("Behler-Parrinello nets, energies and forces, one thread", columns, rows, notes)


if __name__ == "__main__":
    main()
