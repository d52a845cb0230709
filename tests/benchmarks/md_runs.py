"""Starts LAMMPS on a replicated cell and tells time per atom and step, and peak memory."""

from __future__ import annotations

import json
import os
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

from bench_tools import run_child, thread_environment

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
# Starts its arguments and tells the largest proportional set size of what it started: pages that ranks share, such as
# the code of libraries, count once over all of them. MPI's open files are passed on.
WATCH = """
import os, re, subprocess, sys
child, peak = subprocess.Popen(sys.argv[1:], close_fds=False), 0
while child.poll() is None:
    try:
        with open(f"/proc/{child.pid}/smaps_rollup") as file:
            peak = max([peak, *map(int, re.findall(r"^Pss: +(\\d+) kB", file.read(), re.MULTILINE))])
        child.wait(0.1)
    except (OSError, subprocess.TimeoutExpired):
        pass
os.write(1, b"PEAK_KB %d\\n" % peak)  # one write, so that lines of two ranks do not mix
sys.exit(child.returncode)
"""


@dataclass
class Contender:
    """A model in its `lmp`: how it is started, and what was measured."""

    name: str
    python: Path
    style: str  # pair_style and pair_coeff
    environment: dict[str, str]
    dtype: str = "float64"
    table_order: int | None = None  # of a compressed model
    times: list[float] = field(default_factory=list)  # µs/atom/step
    processor_times: list[float] = field(default_factory=list)  # likewise
    peaks: list[int] = field(default_factory=list)  # bytes, all ranks
    small_peak: int = 0  # likewise, of a box of half the size


@dataclass(frozen=True)
class Run:
    """What one start of LAMMPS gave.

    Attributes:
        n_atoms: That it ran.
        times: µs/atom/step, of each timed run.
        processor_times: Likewise, that of the processor for a rank, in which other programs do not count.
        peak: Bytes, all ranks.
    """

    n_atoms: int
    times: list[float]
    processor_times: list[float]
    peak: int


@dataclass(frozen=True)
class Lammps:
    """How all contenders are run.

    Attributes:
        data: The cell, as LAMMPS reads it.
        folder: Where LAMMPS runs.
        warm: Steps before the timed runs.
        steps: Of each of the `TIMED_RUNS` runs of a start.
    """

    data: Path
    folder: Path
    warm: int
    steps: int

    def run(self, contender: Contender, box: tuple[int, int, int], ranks: int) -> Run:
        """Start LAMMPS once on the cell replicated to this box."""
        text = INPUT.format(data=self.data, box=box, style=contender.style, warm=self.warm)
        text += f"run {self.steps} pre no\n" * TIMED_RUNS
        (self.folder / "in.lammps").write_text(text)
        lammps = [contender.environment["LMP"], "-in", "in.lammps", "-log", "log", "-nocite"]
        launcher = [contender.python.parent / "mpirun", "-np", ranks] if ranks > 1 else []
        output = run_child([*launcher, sys.executable, "-c", WATCH, *lammps], contender.environment, self.folder)
        loops = re.findall(r"Loop time of (\S+) on \d+ procs for (\d+) steps with (\d+) atoms", output)
        used = [float(percent) / 100 for percent in re.findall(r"(\S+)% CPU use with", output)]
        peaks = re.findall(r"PEAK_KB (\d+)", output)
        if len(loops) != 1 + TIMED_RUNS or len(peaks) != ranks:
            raise SystemExit(f"{contender.name}: LAMMPS on {ranks} ranks did not run as expected:\n{output[-2000:]}")
        times = [1e6 * float(seconds) / (int(steps) * int(atoms)) for seconds, steps, atoms in loops[1:]]
        processor_times = [share * time for share, time in zip(used[1:], times, strict=True)]
        return Run(int(loops[0][2]), times, processor_times, 1024 * sum(map(int, peaks)))


def lammps_environment(python: Path, threads: int) -> dict[str, str]:
    """Return what that environment's `lmp` launcher sets before it starts the program, and the program as LMP."""
    code = "import json, os, lammps.executable as e; print(json.dumps({**os.environ, 'LMP': e.ROOT_DIR + '/lmp'}))"
    lines = run_child([python, "-c", code], dict(os.environ), Path.cwd()).splitlines()
    # the launcher's module may set thread counts of its own, ours come last
    changed = {"OMP_NUM_THREADS", "DP_INTRA_OP_PARALLELISM_THREADS", "DP_INTER_OP_PARALLELISM_THREADS"}
    ours = {name: value for name, value in thread_environment(threads).items() if name in changed}
    return {**json.loads(next(line for line in lines if line.startswith("{"))), **ours}
