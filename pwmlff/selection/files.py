"""Chosen frames as files for the next calculation."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pwmlff.data.atoms import atoms_of
from pwmlff.data.replacing import new_folder
from pwmlff.data.writers import XYZ_SUFFIXES, write_extxyz
from pwmlff.errors import ConfigError
from pwmlff.selection.run import By, Selected

_SCORE = {By.DEVIATION: "max_devi_f(eV/Å)", By.KPU: "f_kpu_max", By.FARTHEST: "novelty"}
TABLE = "selection.txt"


def write_selected(selected: Selected, output: Path) -> None:
    """Write the frames as extended XYZ, or a folder with `0001/POSCAR` and so on and a table of where they are from.

    Args:
        selected: The frames.
        output: A name that ends in .xyz or .extxyz, or that of a new folder; it appears when all is written.

    Raises:
        ConfigError: The folder exists, or a frame that is not periodic is to be a POSCAR.
        PwmlffError: The disk is full, or a file cannot be written.
    """
    if output.suffix.lower() in XYZ_SUFFIXES:
        write_extxyz(output, (each.frame for each in selected.frames))
        return
    check_new(output)
    for each in selected.frames:
        if not each.frame.pbc.all():
            raise ConfigError(f"{each.frame.where} is not periodic, a POSCAR is: write extended XYZ, -o selected.xyz")
    with new_folder(output) as folder:
        rows = [f"{'#folder':>8} {'step':>12} {_SCORE[selected.by]:>18}  source"]
        for number, each in enumerate(selected.frames, start=1):
            name = f"{number:04d}"
            (folder / name).mkdir()
            by_element = np.argsort(each.frame.atomic_numbers, kind="stable")
            atoms_of(each.frame)[by_element].write(folder / name / "POSCAR", format="vasp", direct=True)
            rows.append(f"{name:>8} {each.step:12d} {each.score:18.6g}  {each.frame.source}")
        (folder / TABLE).write_text("\n".join([*rows, ""]), encoding="utf-8")


def check_new(output: Path) -> None:
    """Refuse a folder that is there, before anything is computed.

    Raises:
        ConfigError: It is.
    """
    if output.suffix.lower() not in XYZ_SUFFIXES and output.exists():
        raise ConfigError(f"'{output}' exists already; name another with -o, or remove it")
