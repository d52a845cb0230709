"""Damaged data and structure files: reading succeeds or raises our error, in bounded memory and without a signal.

Small valid files of each format are changed with their structure in mind (words, rows, numbers, headers, members)
and read in a process of their own, so that a signal or too much memory is a failure and not the end of the tests.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FORMATS = ("extxyz", "movement", "outcar", "deepmd", "pwdata", "store", "n2p2", "dump", "dump_gz")
FORMATS += ("config", "poscar", "cif", "xyz", "lammps_data")
_MEMORY = 6 << 30  # bytes of address space; a fifth of what a claimed size of 1e11 rows would take
_TIME = 240  # s, of a batch


def fuzz(folder: Path, name: str, seed: int, n_files: int) -> None:
    ended = subprocess.run(
        [
            sys.executable,
            Path(__file__).with_name("damaged_files.py"),
            folder,
            name,
            str(seed),
            str(n_files),
            str(_MEMORY),
        ],
        capture_output=True,
        text=True,
        timeout=_TIME,
    )
    assert ended.returncode == 0, f"exit code {ended.returncode}\n{ended.stdout[-3000:]}\n{ended.stderr[-3000:]}"


def test_a_few_damaged_files(tmp_path: Path) -> None:
    fuzz(tmp_path, ",".join(FORMATS), seed=1, n_files=5)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [2, 3])
@pytest.mark.parametrize("name", FORMATS)
def test_many_damaged_files(tmp_path: Path, name: str, seed: int) -> None:
    fuzz(tmp_path, name, seed, n_files=250)
