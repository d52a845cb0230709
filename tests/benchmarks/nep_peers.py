r"""A NEP in LAMMPS beside NEP_CPU and nep-adapters: time, memory, and share of the peak.

    python tests/benchmarks/nep_peers.py --data DIR [--peer WORK] [--models pbte universal] [--ranks 1 2] [--rounds 3]

`pbte` is `nep_PbTe25/nep.txt` of DIR, a model that GPUMD trained (8 and 4 Å, two elements, 30 neurons), on 8000 atoms
made of the first frame beside it. `universal` has random weights, 16 elements, 6 and 5 Å, 80 neurons and ZBL, and runs
on 4000 atoms of fcc copper, displaced by 0.05 Å. Skin 2 Å, lists rebuilt every 10 steps.

`pair_style pwmlff` in all precisions (float64 is the nep.txt itself) and NEP_CPU's `pair_style nep` in the same `lmp`,
in turns on the same cores, and in the turns of one rank calculators of ASE on one thread and the same box, which find
the neighbours anew at each call: ours in float64 and nep-adapters. --peer is a folder that `nep_peers_setup.py` made.

Times are those of the processor, so that what other programs take of it does not count; "wall" is the median on the
clock. Memory as in `lammps_md.py`. "of peak": the multiply-adds that energies and forces take, nothing twice
(`nep_cost.py`; neither lists nor ZBL), of those the cores can do in registers.

A million atoms on two ranks, ours alone:

    python tests/benchmarks/nep_peers.py --data DIR --million
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import ase.io
import torch
from ase import Atoms
from ase.build import bulk
from ase.neighborlist import neighbor_list
from bench_tools import Spread, describe_machine, pin_to_cores, print_table, run_child, say, thread_environment
from fma_peak import core_fma_peak
from md_runs import Contender, Lammps, lammps_environment
from nep_cost import DTYPES, UNIVERSAL, Sizes
from nep_peers_setup import peer_files

from pwmlff.data.dataset import FrameDataset, iterate_batches
from pwmlff.data.frame import Frame
from pwmlff.export import export_potential
from pwmlff.models import ZBLConfig, build_potential
from pwmlff.models.files import read_model
from pwmlff.models.files.nep_txt import write_nep_txt
from pwmlff.models.nep import NEPConfig

Box = tuple[int, int, int]
PYTHON = Path(sys.executable)
PEER = "NEP_CPU"
ELEMENTS = ["H", "C", "N", "O", "Al", "Si", "Ti", "V", "Cr", "Fe", "Ni", "Cu", "Zr", "Mo", "Ag", "Au"]  # of `universal`
CALLS = 4  # of a calculator in one start; the first one is not timed
COLUMNS = ["", "ranks", "µs/atom/step", "p10 - p90", "wall", "speed", "of peak", "kB/atom", "model kB", "growth kB"]
# µs per atom of each call, of the processor and on the clock
CALCULATOR = f"""
import json, sys, time, ase.io
kind, model, structure = sys.argv[1:]
if kind == "nep-adapters":
    from nep_adapters.ase import NepAseCalculator as Calculator
else:
    from pwmlff import PwmlffCalculator as Calculator
atoms, times = ase.io.read(structure), []
atoms.calc = Calculator(model)
for call in range({CALLS}):
    atoms.rattle(1e-6, seed=call)
    clocks = time.process_time, time.perf_counter
    start = [clock() for clock in clocks]
    atoms.get_forces()
    times.append([1e6 * (clock() - begin) / len(atoms) for clock, begin in zip(clocks, start)])
print(json.dumps(times[1:]))
"""


@dataclass(frozen=True)
class Case:
    """A model and what it runs on.

    Attributes:
        cell: What is replicated.
        box: Replicas along the three vectors.
        half: Of the box that memory per atom is compared with.
        million: Of about a million atoms.
        nep_txt: The model.
    """

    cell: Atoms
    box: Box
    half: Box
    million: Box
    nep_txt: Path

    @property
    def elements(self) -> list[str]:
        """Of the cell."""
        return sorted(set(self.cell.get_chemical_symbols()))

    def sizes(self) -> Sizes:
        """Return those of the model."""
        config = read_model(self.nep_txt).potential.network.config
        descriptor = config.descriptor
        functions, basis = ((first + 1, second + 1) for first, second in (descriptor.n_max, descriptor.basis_size))
        extras, neurons = tuple(descriptor.extras), config.fitting_net.neurons
        n_types = len(read_model(self.nep_txt).potential.elements)
        return Sizes(descriptor.cutoff, functions, basis, n_types, neurons, descriptor.l_max[0], extras)

    def flops(self) -> float:
        """Return the operations for energy and forces of an atom."""
        sizes = self.sizes()
        distances = neighbor_list("d", self.cell, sizes.cutoffs[0])
        return sizes.flops(*(float((distances < cutoff).sum()) / len(self.cell) for cutoff in sizes.cutoffs))


@dataclass
class Calls:
    """A calculator of ASE and what it took on one thread."""

    kind: str
    python: Path
    processor_times: list[float] = field(default_factory=list)  # µs/atom
    times: list[float] = field(default_factory=list)  # likewise, on the clock

    def run(self, model: Path, structure: Path) -> None:
        """Start it once."""
        command = [self.python, "-c", CALCULATOR, self.kind, model, structure]
        lines = run_child(command, thread_environment(1), structure.parent).splitlines()
        for processor_time, clock_time in json.loads(lines[-1]):
            self.processor_times.append(processor_time)
            self.times.append(clock_time)


def make_case(name: str, data: Path, folder: Path) -> Case:
    """Return a case; a model that is not given is written to the folder."""
    if name == "pbte":
        given = data.absolute() / "nep_PbTe25"
        if not (given / "nep.txt").is_file():
            raise SystemExit(f"no '{given / 'nep.txt'}'; --data takes the folder that holds nep_PbTe25")
        return Case(ase.io.read(given / "train.xyz", 0), (4, 4, 2), (4, 2, 2), (16, 16, 16), given / "nep.txt")
    cell = bulk("Cu", "fcc", a=3.615, cubic=True).repeat(5)
    cell.rattle(0.05, seed=1)
    write_universal(folder / "universal.txt", cell)
    return Case(cell, (2, 2, 2), (2, 2, 1), (12, 13, 13), folder / "universal.txt")


def write_universal(path: Path, cell: Atoms) -> None:
    """Write a model with random weights, its descriptor scaled by that of a cell."""
    sizes = UNIVERSAL
    descriptor = {
        "cutoff": sizes.cutoffs,
        "n_max": [n - 1 for n in sizes.functions],
        "basis_size": [k - 1 for k in sizes.basis],
        "l_max": [sizes.l_max, *sizes.extras],
    }
    section = {"version": 4, "descriptor": descriptor, "fitting_net": {"network_size": sizes.neurons}}
    config = NEPConfig.model_validate(section)
    torch.manual_seed(1)
    zbl = ZBLConfig(inner=1.0, outer=2.0, typewise_factor=0.7)
    potential = build_potential("NEP", config, ELEMENTS[: sizes.n_types], zbl=zbl)
    frame = Frame(atomic_numbers=cell.numbers, positions=cell.positions, cell=cell.cell.array)
    potential.collect_statistics(iterate_batches(FrameDataset([frame], potential.elements, sizes.cutoffs[0]), 1))
    write_nep_txt(path, potential)


def ours(case: Case, dtypes: list[str], folder: Path) -> list[Contender]:
    """Return our pair style in several precisions."""
    environment, contenders = lammps_environment(PYTHON, 1), []
    for dtype in dtypes:
        path = case.nep_txt
        if dtype != "float64":
            path = export_potential(read_model(path).potential, folder / f"{path.stem}-{dtype}.pt", dtype=dtype)
        style = f"pair_style pwmlff {path}\npair_coeff * * {' '.join(case.elements)}"
        contenders.append(Contender(f"pwmlff {dtype}", PYTHON, style, environment, dtype))
    return contenders


def measure(case: Case, options: argparse.Namespace, lammps: Lammps, ranks: int) -> list[list[str]]:
    """Run all contenders in turns on this many ranks, and return their rows."""
    contenders, calls = ours(case, options.dtypes, lammps.folder), [Calls("pwmlff", PYTHON)]
    if options.peer:
        plugin, python = peer_files(options.peer)
        style = f"plugin load {plugin}\npair_style nep\npair_coeff * * {case.nep_txt} {' '.join(case.elements)}"
        contenders.append(Contender(PEER, PYTHON, style, contenders[0].environment))
        calls.append(Calls("nep-adapters", python))
    if ranks > 1:
        calls = []
    structure = lammps.folder / "structure.xyz"
    ase.io.write(structure, case.cell.repeat(case.box))
    zero = f"pair_style zero {case.sizes().cutoffs[0]} full\npair_coeff * *"
    base = lammps.run(Contender("zero", PYTHON, zero, contenders[0].environment), case.box, ranks)
    for number in range(options.rounds):
        for contender in contenders:
            run = lammps.run(contender, case.box, ranks)
            contender.times += run.times
            contender.processor_times += run.processor_times
            contender.peaks.append(run.peak)
        for call in calls:
            call.run(case.nep_txt, structure)
        say(f"{ranks} ranks, round {number + 1} of {options.rounds}")
    baseline = next((Spread.of(row.processor_times).median for row in contenders if row.name == PEER), None)
    rows, peaks = [], core_fma_peak()
    for contender in contenders:
        small = lammps.run(contender, case.half, ranks)
        peak = max(contender.peaks)
        memory = [peak / base.n_atoms, (peak - base.peak) / base.n_atoms]
        memory.append((peak - small.peak) / (base.n_atoms - small.n_atoms))
        least = least_time(case.flops() / ranks, peaks, contender.dtype)
        cells = [str(ranks), *timing(contender, baseline, least), *(f"{size / 1e3:.1f}" for size in memory)]
        rows.append([contender.name, *cells])
    for call in calls:
        least = least_time(case.flops(), peaks, "float64")
        rows.append([f"{call.kind} in ASE", "-", *timing(call, baseline, least), "-", "-", "-"])
    return rows


def least_time(flops: float, peaks: dict[str, float] | None, dtype: str) -> float | None:
    """Return the µs that so many operations take at the peak of a core."""
    return 1e6 * flops / peaks["float64" if dtype == "float64" else "float32"] if peaks else None


def timing(measured: Contender | Calls, baseline: float | None, least: float | None) -> list[str]:
    """Return the cells that tell a time, its ratio to that of NEP_CPU, and the share of the peak."""
    spread, wall = Spread.of(measured.processor_times), Spread.of(measured.times).median
    speed = f"{baseline / spread.median:.2f}" if baseline else "-"
    share = f"{100 * least / spread.median:.0f} %" if least else "-"
    return [f"{spread.median:.2f}", f"{spread.p10:.2f} - {spread.p90:.2f}", f"{wall:.2f}", speed, share]


def million(case: Case, options: argparse.Namespace, lammps: Lammps) -> list[list[str]]:
    """Run ours on about a million atoms and two ranks, and return the rows."""
    rows = []
    for contender in ours(case, options.dtypes, lammps.folder):
        run = lammps.run(contender, case.million, 2)
        shown = [Spread.of(run.processor_times).median, Spread.of(run.times).median]
        cells = [*(f"{time:.2f}" for time in shown), f"{run.n_atoms * shown[1] / 1e6:.1f}", f"{run.peak / 2**30:.2f}"]
        rows.append([contender.name, str(run.n_atoms), *cells])
        say(" | ".join(rows[-1]))
    return rows


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--data", type=Path, default=Path(), help="folder that holds nep_PbTe25 (for pbte)")
    add("--peer", type=Path, help="folder made by nep_peers_setup.py")
    add("--models", nargs="+", choices=["pbte", "universal"], default=["pbte", "universal"])
    add("--dtypes", nargs="+", choices=list(DTYPES), default=list(DTYPES), help="of ours")
    add("--ranks", type=int, nargs="+", default=[1, 2])
    add("--rounds", type=int, default=3)
    add("--steps", type=int, help="of each of the three timed runs of a start; default 10, and 2 of a million atoms")
    add("--million", action="store_true", help="a million atoms instead, ours alone")
    options = parser.parse_args()
    options.peer = options.peer and options.peer.absolute()
    options.steps = options.steps or (2 if options.million else 10)
    return options


def main() -> None:
    options = parse_options()
    pin_to_cores(2 if options.million else max(options.ranks))
    say(describe_machine())
    for name in options.models:
        with tempfile.TemporaryDirectory(prefix="pwmlff-nep-") as temporary:
            folder = Path(temporary)
            case = make_case(name, options.data, folder)
            lammps = Lammps(folder / "data", folder, 1 if options.million else 5, options.steps)
            ase.io.write(lammps.data, case.cell, format="lammps-data", specorder=case.elements, masses=True)
            notes = [f"{case.flops() / 1e3:.1f} kFLOP per atom and step", describe_machine()]
            if options.million:
                columns = ["", "atoms", "µs/atom/step", "wall", "s/step", "GiB, both ranks"]
                print_table(f"{name}, 2 ranks", columns, million(case, options, lammps), notes)
                continue
            rows = [row for ranks in options.ranks for row in measure(case, options, lammps, ranks)]
            if not options.peer:
                notes.append("the peers were not measured: give --peer WORK, a folder made by nep_peers_setup.py")
            n_atoms = len(case.cell) * case.box[0] * case.box[1] * case.box[2]
            title = f"{name}, {n_atoms} atoms, {options.rounds} rounds in turns; speed: NEP_CPU is 1"
            print_table(title, COLUMNS, rows, notes)


if __name__ == "__main__":
    main()
