"""Phonons of a relaxed crystal by finite displacements, with phonopy and any ASE calculator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from pwmlff.report.elasticity import relax

_DISPLACEMENT = 0.02  # Å
_TOLERANCE = 0.03  # Å, by which a relaxed frame may miss the symmetry of its crystal
_SHORTEST_EDGE = 9.0  # Å, of the supercell
_MESH = 40.0  # length of phonopy's mesh of q points
_POINTS = 120  # of the path


@dataclass(frozen=True)
class Spectrum:
    """Phonons of a crystal.

    Attributes:
        distances: [q] along the path.
        bands: [q, 3N] THz, imaginary ones negative.
        corners: Place and name of each special point of the path.
        lowest: Of a mesh over the whole zone, THz.
        highest: Likewise.
        n_atoms: Of the primitive cell.
        n_displacements: Computed.
    """

    distances: NDArray[np.float64]
    bands: NDArray[np.float64]
    corners: list[tuple[float, str]]
    lowest: float
    highest: float
    n_atoms: int
    n_displacements: int


def primitive_cell(atoms: Atoms) -> Atoms:
    """Return the primitive cell of a crystal that is relaxed, relaxed once more; the cell itself where it has none."""
    import spglib

    cell = (atoms.cell.array, atoms.get_scaled_positions(), atoms.numbers)
    found = spglib.standardize_cell(cell, to_primitive=True, no_idealize=False, symprec=_TOLERANCE)
    if found is None or len(found[2]) >= len(atoms):
        return atoms
    primitive = Atoms(numbers=found[2], scaled_positions=found[1], cell=found[0], pbc=True)
    primitive.calc = atoms.calc
    relax(primitive, cell=True, force=0.001, most_steps=100)
    return primitive


def phonons(primitive: Atoms, on_step: Callable[[float], None] = lambda part: None) -> Spectrum:
    """Compute the phonons of a relaxed primitive cell with a calculator.

    Args:
        primitive: The crystal.
        on_step: Told the part that is done.
    """
    from phonopy import Phonopy
    from phonopy.structure.atoms import PhonopyAtoms

    widths = 1 / np.linalg.norm(np.linalg.inv(primitive.cell.array), axis=0)
    supercell = np.diag(np.ceil(_SHORTEST_EDGE / widths).astype(int))
    unit = PhonopyAtoms(
        numbers=primitive.numbers, cell=primitive.cell.array, scaled_positions=primitive.get_scaled_positions()
    )
    phonon: Any = Phonopy(unit, supercell, primitive_matrix=np.eye(3), symprec=1e-4)
    phonon.generate_displacements(distance=_DISPLACEMENT)
    cells = phonon.supercells_with_displacements
    forces = []
    for place, cell in enumerate(cells):
        atoms = Atoms(numbers=cell.numbers, scaled_positions=cell.scaled_positions, cell=cell.cell, pbc=True)
        atoms.calc = primitive.calc
        found = atoms.get_forces()
        forces.append(found - found.mean(axis=0))
        on_step((place + 1) / len(cells))
    phonon.forces = np.array(forces)
    phonon.produce_force_constants()
    phonon.symmetrize_force_constants()
    path = primitive.cell.bandpath(npoints=_POINTS)
    phonon.run_qpoints(path.kpts)
    bands = np.asarray(phonon.qpoints.frequencies)
    distances, corners, names = path.get_linear_kpoint_axis()
    phonon.run_mesh(_MESH)
    mesh = np.asarray(phonon.mesh.frequencies)
    return Spectrum(
        distances=distances,
        bands=bands,
        corners=[(float(x), "Γ" if name == "G" else name) for x, name in zip(corners, names, strict=True)],
        lowest=float(min(mesh.min(), bands.min())),
        highest=float(max(mesh.max(), bands.max())),
        n_atoms=len(primitive),
        n_displacements=len(cells),
    )
