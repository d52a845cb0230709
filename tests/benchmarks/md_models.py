"""The cells and the models of `lammps_md.py`: untrained Deep Potentials with the statistics of real frames.

The time of a step does not depend on the weights, so a benchmark needs no training; it does depend on the number of
neighbours and on the range of a table, which come from the frames.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from ase import Atoms
from ase.build import bulk
from deepmd_peer import ELEMENTS, NETS, water_folders

from pwmlff.compress import tabulate
from pwmlff.data.dataset import FrameDataset, iterate_batches
from pwmlff.data.frame import Frame
from pwmlff.data.neighbors import neighbor_list
from pwmlff.data.readers import read_frames
from pwmlff.elements import symbol_of
from pwmlff.export import export_potential
from pwmlff.models import MODELS, Potential, build_potential
from pwmlff.models.tables import Order

CUTOFF = 6.0  # Å, where the weights of neighbours reach zero; they begin to fall at 0.5 Å


def cell_of(system: str, data: Path) -> Atoms:
    """Return the cell that is replicated: 192 atoms of liquid water, or 4 of fcc copper."""
    if system == "copper":
        return bulk("Cu", "fcc", a=3.615, cubic=True)
    frame = read_frames([water_folders(data)[0]], format="deepmd/npy")[0]
    symbols = [symbol_of(int(number)) for number in frame.atomic_numbers]
    atoms = Atoms(symbols, positions=frame.positions, cell=frame.cell, pbc=True)
    atoms.wrap()
    return atoms


def pairs_per_atom(cell: Atoms) -> float:
    """Return the mean number of neighbours within the cutoff."""
    return len(neighbor_list(_frame_of(cell), CUTOFF).pair_neighbors) / len(cell)


def export_models(
    system: str,
    cell: Atoms,
    net: str,
    forms: Sequence[str],
    dtypes: Sequence[str],
    table: tuple[float, Order],
    to: Path,
) -> Iterator[tuple[str, str, Path]]:
    """Export one model in several forms.

    Args:
        system: A key of `ELEMENTS`.
        cell: Of that system.
        net: A key of `NETS`.
        forms: "uncompressed", "compressed".
        dtypes: As `pwmlff export --dtype` takes.
        table: Spacing and order of the compressed form.
        to: Folder of the files.

    Yields:
        Form, dtype and exported file.
    """
    potential = _untrained(system, cell, net)
    for form in forms:
        model = tabulate(potential, *table) if form == "compressed" else potential
        for dtype in dtypes:
            yield form, dtype, export_potential(model, to / f"{form}-{dtype}.pt", dtype=dtype)


def _untrained(system: str, cell: Atoms, net: str) -> Potential:
    sizes, elements = NETS[net], ELEMENTS[system]
    section = {
        "descriptor": {"Rmax": CUTOFF, "Rmin": 0.5, "M2": sizes.n_axis, "network_size": sizes.embedding},
        "fitting_net": {"network_size": [*sizes.fitting, 1]},
    }
    torch.manual_seed(1)
    potential = build_potential("DP", MODELS["DP"].Config.model_validate(section), elements)
    if system == "copper":  # a perfect crystal has no spread
        cell = cell * (3, 3, 3)
        cell.rattle(0.1, seed=1)
    potential.collect_statistics(iterate_batches(FrameDataset([_frame_of(cell)], elements, CUTOFF), 1))
    return potential


def _frame_of(atoms: Atoms) -> Frame:
    return Frame(atomic_numbers=atoms.numbers, positions=atoms.positions, cell=atoms.cell.array)
