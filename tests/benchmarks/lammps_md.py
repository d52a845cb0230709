"""Molecular dynamics with an uncompressed Deep Potential in LAMMPS: time and memory beside deepmd-kit's.

    python tests/benchmarks/lammps_md.py --data DIR [--peer WORK] [--system water] [--replicate 2] [--ranks 1 2]

Runs the wheel's `lmp` with `pair_style pwmlff` in float64 and float32, and deepmd-kit's uncompressed models (PyTorch,
TensorFlow), in turns on the same cores: 192 R^3 water atoms or 4 R^3 copper atoms, [25,50,100], M2 16, [240,240,240],
6 Å, skin 2 Å, lists rebuilt every 10 steps. Our model has statistics of the data but is not trained, because the time
does not depend on the weights; the time step of 0.01 fs keeps all contenders at the same neighbour lists.

Memory is the peak resident memory of all ranks above that of `lmp` with `pair_style zero` on the same box ("model"),
and how much that of the whole run grows per atom from a box of half the size ("growth"), free of what libraries take.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import tempfile
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import ase.io
import torch
from ase import Atoms
from ase.build import bulk
from bench_tools import Spread, describe_machine, pin_to_cores, print_table, run_child, say, thread_environment
from deepmd_peer import ELEMENTS, MODEL_FILES, TUNED_MALLOC, peer_python, preload_torch, water_folders

from pwmlff.data.dataset import FrameDataset, iterate_batches
from pwmlff.data.frame import Frame
from pwmlff.data.readers import read_frames
from pwmlff.elements import symbol_of
from pwmlff.export import export_potential
from pwmlff.models import MODELS, build_potential

DEFAULT_REPLICATE = {"water": 2, "copper": 10}
MODEL = {
    "descriptor": {"Rmax": 6.0, "Rmin": 0.5, "M2": 16, "network_size": [25, 50, 100]},
    "fitting_net": {"network_size": [240, 240, 240, 1]},
}
TIMED_RUNS = 3  # in one start of LAMMPS
INPUT = """
units metal
boundary p p p
atom_style atomic
read_data {data}
replicate {box[0]} {box[1]} {box[2]}
neighbor 2.0 bin
neigh_modify every 10 delay 0 check no
{style}
velocity all create 300.0 4928459
fix nve all nve
timestep 0.00001
thermo 1000000
run {warm}
"""
# starts its arguments and tells the peak memory of what it started; MPI's open files are passed on
WATCH = (
    "import os, resource, subprocess, sys; code = subprocess.call(sys.argv[1:], close_fds=False); "
    # one write, so that lines of two ranks do not mix
    "os.write(1, b'PEAK_KB %d\\n' % resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss); sys.exit(code)"
)


@dataclass
class Contender:
    """A model in its `lmp`: how it is started, and what was measured."""

    name: str
    python: Path
    style: str  # pair_style and pair_coeff
    environment: dict[str, str]
    times: list[float] = field(default_factory=list)  # µs/atom/step
    peaks: list[int] = field(default_factory=list)  # bytes, all ranks
    small_peak: int = 0  # likewise, of a box of half the size


@dataclass(frozen=True)
class Run:
    """What one start of LAMMPS gave."""

    n_atoms: int
    times: list[float]  # µs/atom/step
    peak: int  # bytes, all ranks


def frames_of(system: str, data: Path) -> tuple[list[Frame], Atoms]:
    """Return frames for the statistics, and the cell that is replicated."""
    if system == "water":
        frame = read_frames([water_folders(data)[0]], format="deepmd/npy")[0]
        symbols = [symbol_of(int(number)) for number in frame.atomic_numbers]
        atoms = Atoms(symbols, positions=frame.positions, cell=frame.cell, pbc=True)
        atoms.wrap()
        return [frame], atoms
    atoms = bulk("Cu", "fcc", a=3.615, cubic=True)
    shaken = atoms * (3, 3, 3)
    shaken.rattle(0.1, seed=1)
    frame = Frame(atomic_numbers=shaken.numbers, positions=shaken.positions, cell=shaken.cell.array)
    return [frame], atoms


def export_models(elements: list[str], frames: list[Frame], folder: Path) -> dict[str, Path]:
    """Export the untrained model in both precisions."""
    paths = {}
    for dtype in ("float64", "float32"):
        torch.manual_seed(1)
        potential = build_potential("DP", MODELS["DP"].Config.model_validate(MODEL), elements, dtype=dtype)
        potential.fit_statistics(iterate_batches(FrameDataset(frames, elements, potential.cutoff), 1))
        paths[dtype] = export_potential(potential, folder / f"{dtype}.pt")
    return paths


def lammps_environment(python: Path, threads: int) -> dict[str, str]:
    """Return what that environment's `lmp` launcher sets before it starts the program, and the program as LMP."""
    code = "import json, os, lammps.executable as e; print(json.dumps({**os.environ, 'LMP': e.ROOT_DIR + '/lmp'}))"
    lines = run_child([python, "-c", code], dict(os.environ), Path.cwd()).splitlines()
    # the launcher's module may set thread counts of its own, ours come last
    changed = {"OMP_NUM_THREADS", "DP_INTRA_OP_PARALLELISM_THREADS", "DP_INTER_OP_PARALLELISM_THREADS"}
    ours = {name: value for name, value in thread_environment(threads).items() if name in changed}
    return {**json.loads(next(line for line in lines if line.startswith("{"))), **ours}


def contenders_of(options: argparse.Namespace, models: dict[str, Path]) -> list[Contender]:
    """Return all models that are compared."""
    elements = " ".join(ELEMENTS[options.system])
    python = Path(sys.executable)
    environment = lammps_environment(python, options.threads)
    found = [
        Contender(f"pwmlff {dtype}", python, f"pair_style pwmlff {path}\npair_coeff * * {elements}", environment)
        for dtype, path in models.items()
    ]
    if options.peer is None:
        return found
    python = peer_python(options.peer)
    environment = preload_torch(lammps_environment(python, options.threads), options.peer)
    if options.tune_peer_malloc:
        environment |= TUNED_MALLOC
    for name in options.peer_models:
        path = options.peer / options.system / MODEL_FILES[name]
        if path.is_file():
            style = f"pair_style deepmd {path}\npair_coeff * * {elements}"
            found.append(Contender(f"deepmd-kit {name} float64", python, style, environment))
        else:
            say(f"deepmd-kit {name} is left out: no '{path}'; make it with deepmd_peer.py")
    return found


def run_lammps(contender: Contender, box: tuple[int, int, int], ranks: int, options: argparse.Namespace) -> Run:
    """Start LAMMPS once on a replicated cell."""
    folder = options.folder
    text = INPUT.format(data=folder / "data", box=box, style=contender.style, warm=options.warm)
    text += f"run {options.steps} pre no\n" * TIMED_RUNS
    (folder / "in.lammps").write_text(text)
    watched = [sys.executable, "-c", WATCH, contender.environment["LMP"], "-in", "in.lammps", "-log", "log", "-nocite"]
    launcher = [contender.python.parent / "mpirun", "-np", ranks] if ranks > 1 else []
    output = run_child([*launcher, *watched], contender.environment, folder)
    loops = re.findall(r"Loop time of (\S+) on \d+ procs for (\d+) steps with (\d+) atoms", output)
    peaks = re.findall(r"PEAK_KB (\d+)", output)
    if len(loops) != 1 + TIMED_RUNS or len(peaks) != ranks:
        raise SystemExit(f"{contender.name}: LAMMPS on {ranks} ranks did not run as expected:\n{output[-2000:]}")
    times = [1e6 * float(seconds) / (int(steps) * int(atoms)) for seconds, steps, atoms in loops[1:]]
    return Run(int(loops[0][2]), times, 1024 * sum(map(int, peaks)))


def measure(options: argparse.Namespace, models: dict[str, Path], ranks: int) -> list[list[str]]:
    """Run all contenders in turns on this many ranks; returns their table rows."""
    contenders = contenders_of(options, models)
    r = options.replicate
    box, small_box = (r, r, r), (r, r, max(1, r // 2))
    zero = Contender("zero", Path(sys.executable), "pair_style zero 6.0\npair_coeff * *", contenders[0].environment)
    start = partial(run_lammps, ranks=ranks, options=options)
    base = start(zero, box)
    n_small = start(zero, small_box).n_atoms
    for number in range(options.rounds):
        for contender in contenders:
            run = start(contender, box)
            contender.times += run.times
            contender.peaks.append(run.peak)
            say(f"{ranks} ranks, round {number + 1}, {contender.name}: {Spread.of(run.times).median:.1f} µs/atom/step")
    for contender in contenders:
        contender.small_peak = start(contender, small_box).peak
    return [_row(contender, ranks, base, n_small, options.threads) for contender in contenders]


def _row(contender: Contender, ranks: int, base: Run, n_small: int, threads: int) -> list[str]:
    spread, peak, n_atoms = Spread.of(contender.times), max(contender.peaks), base.n_atoms
    growth = "-"  # a single cell has no half
    if n_atoms > n_small:
        growth = f"{(peak - contender.small_peak) / 1e3 / (n_atoms - n_small):.1f}"
    return [
        contender.name,
        f"{ranks} x {threads}",
        f"{spread.median:.1f}",
        f"{spread.p10:.1f} - {spread.p90:.1f}",
        f"{peak / 2**20:.0f}",
        f"{(peak - base.peak) / 1e3 / n_atoms:.1f}",
        growth,
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(), help="folder that holds raw/deepmd_water (for water)")
    parser.add_argument("--peer", type=Path, help="folder made by deepmd_peer.py")
    parser.add_argument("--peer-models", nargs="+", choices=list(MODEL_FILES), default=list(MODEL_FILES))
    parser.add_argument("--tune-peer-malloc", action="store_true", help="glibc settings that speed deepmd-kit up")
    parser.add_argument("--system", choices=list(ELEMENTS), default="water")
    parser.add_argument("--replicate", type=int, help="R: 192 R^3 water atoms (2) or 4 R^3 copper atoms (10)")
    parser.add_argument("--ranks", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--threads", type=int, default=1, help="of each rank")
    parser.add_argument("--steps", type=int, default=10, help="of each of the three timed runs of a start")
    parser.add_argument("--warm", type=int, default=5, help="steps before them")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    options.peer = options.peer and options.peer.absolute()
    options.replicate = options.replicate or DEFAULT_REPLICATE[options.system]
    pin_to_cores(max(options.ranks) * options.threads)
    say(describe_machine())
    frames, atoms = frames_of(options.system, options.data)
    with tempfile.TemporaryDirectory(prefix="pwmlff-md-") as folder:
        options.folder = Path(folder)
        elements = ELEMENTS[options.system]
        ase.io.write(options.folder / "data", atoms, format="lammps-data", specorder=elements, masses=True)
        models = export_models(elements, frames, options.folder)
        rows = [row for ranks in options.ranks for row in measure(options, models, ranks)]
    n_atoms = len(atoms) * options.replicate**3
    columns = ["", "ranks x threads", "µs/atom/step", "p10 - p90", "peak MiB", "model kB/atom", "growth kB/atom"]
    notes = [describe_machine()]
    if options.peer is None:
        notes.append("deepmd-kit was not measured: give --peer WORK, a folder made by deepmd_peer.py")
    print_table(f"{options.system}, {n_atoms} atoms, {options.rounds} rounds in turns", columns, rows, notes)


if __name__ == "__main__":
    main()
