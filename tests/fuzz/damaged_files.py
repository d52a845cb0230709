"""Reads damaged files: `damaged_files.py FOLDER FORMATS SEED FILES MEMORY`; run by `test_data_files.py`.

Ends with code 1 and the traceback at the first error that is not ours; the damaged file stays in FOLDER.
"""

from __future__ import annotations

import random
import resource
import shutil
import sys
import traceback
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import small_files
from damage import damage_bytes, damage_npy, damage_store, damage_text

from pwmlff.data.neighbors import neighbor_list
from pwmlff.data.readers import read_frames
from pwmlff.data.report import summarize
from pwmlff.data.structures import read_structure
from pwmlff.data.trajectory import iterate_trajectory
from pwmlff.errors import PwmlffError

_CUTOFF = 3.0  # Å

Damage = Callable[[Path, random.Random], None]


class Format(NamedTuple):
    """How files of a format are made, damaged, and read in several ways."""

    make: Callable[[Path], Path]
    damage: Damage
    readings: tuple[Callable[[Path], None], ...]


def labelled(path: Path, **options: Any) -> None:
    """Read as `pwmlff data info` does."""
    summarize(read_frames([path], **options), _CUTOFF)


def structure(path: Path, **options: Any) -> None:
    """Read as `pwmlff infer` does."""
    neighbor_list(read_structure(path, **options), _CUTOFF)


def trajectory(path: Path, **options: Any) -> None:
    """Read as `pwmlff devi` does."""
    for _, frame in iterate_trajectory(path, **options):
        neighbor_list(frame, _CUTOFF)


def _labelled(make: Callable[[Path], Path], damage: Damage, name: str) -> Format:
    return Format(make, damage, (labelled, partial(labelled, skip_bad=True), partial(labelled, format=name)))


def _structure(make: Callable[[Path], Path], name: str) -> Format:
    return Format(make, damage_text, (structure, partial(structure, format=name), trajectory))


_dump = (partial(structure, elements=["Cu", "O"]), partial(trajectory, elements=["Cu", "O"]), trajectory)
FORMATS = {
    "extxyz": _labelled(small_files.write_extxyz, damage_text, "extxyz"),
    "movement": _labelled(small_files.write_movement, damage_text, "pwmat/movement"),
    "outcar": _labelled(small_files.write_outcar, damage_text, "vasp/outcar"),
    "deepmd": _labelled(small_files.write_deepmd, damage_npy, "deepmd/npy"),
    "pwdata": _labelled(small_files.write_pwdata, damage_npy, "pwmlff/npy"),
    "store": _labelled(small_files.write_store, damage_store, "pwmlff/h5"),
    "n2p2": Format(
        small_files.write_n2p2,
        damage_text,
        (
            partial(labelled, format="n2p2/input.data"),
            partial(labelled, format="runner/input.data", skip_bad=True),
            partial(structure, format="n2p2/input.data"),
        ),
    ),
    "dump": Format(small_files.write_dump, damage_text, _dump),
    "dump_gz": Format(small_files.write_dump_gz, damage_bytes, _dump),
    "config": Format(small_files.write_config, damage_text, (structure, partial(structure, format="pwmat/config"))),
    "poscar": _structure(small_files.write_poscar, "vasp/poscar"),
    "cif": _structure(small_files.write_cif, "cif"),
    "xyz": _structure(small_files.write_extxyz, "xyz"),
    "lammps_data": Format(
        small_files.write_lammps_data,
        damage_text,
        (structure, partial(structure, elements=["Cu", "O"]), partial(structure, format="lammps/lmp")),
    ),
}


def main() -> int:
    """Go through the formats; 0 when nothing but our errors came."""
    seed, n_files, memory = map(int, sys.argv[3:6])
    warnings.simplefilter("ignore")  # of ASE about what it meets
    warnings.filterwarnings("error", module=r"pwmlff\.")
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    return max(run(Path(sys.argv[1]), name, seed, n_files) for name in sys.argv[2].split(","))


def run(folder: Path, name: str, seed: int, n_files: int) -> int:
    """Damage and read files of one format."""
    format = FORMATS[name]
    good = format.make(folder)
    for reading in format.readings:
        reading(good)
    n_read = 0
    for k in range(n_files):
        rng = random.Random(f"{seed} {k}")
        bad = folder / f"bad_{good.name}"
        if bad.is_dir():
            shutil.rmtree(bad)
        (shutil.copytree if good.is_dir() else shutil.copyfile)(good, bad)
        format.damage(bad, rng)
        for reading in format.readings:
            try:
                reading(bad)
                n_read += 1
            except PwmlffError as error:
                if "\n" in str(error):
                    print(f"file {k} of seed {seed}, {reading}: more than one line: {error}")
                    return 1
            except BaseException:
                print(f"file {k} of seed {seed}, {reading}: {bad}")
                traceback.print_exc()
                return 1
    print(f"{name}: {n_read} of {len(format.readings) * n_files} readings succeeded")
    return 0


if __name__ == "__main__":
    sys.exit(main())
