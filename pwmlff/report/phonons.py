"""The section on phonons: frequencies of the relaxed structures from finite displacements, with phonopy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from pwmlff.report import figures, limits
from pwmlff.report.crystals import Crystal
from pwmlff.report.elasticity import relax
from pwmlff.report.section import Note, Picture, Section, Table
from pwmlff.report.verdict import Grade

_DISPLACEMENT = 0.02  # Å
_TOLERANCE = 0.03  # Å, by which a relaxed frame may miss the symmetry of its crystal
_SHORTEST_EDGE = 9.0  # Å, of the supercell
_MOST_ATOMS = 60  # of the primitive cell
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


def phonons_section(crystals: list[Crystal], on_step: Callable[[float], None]) -> Section:
    """Compute and judge the phonons of relaxed crystals."""
    section = Section("phonons", "Phonons", "Vibrations of the relaxed structures, by finite displacements (phonopy).")
    section.limits = [limits.IMAGINARY]
    relaxed = [crystal for crystal in crystals if crystal.atoms is not None and crystal.eos is not None]
    if not relaxed:
        section.find(Grade.GREY, "There is no relaxed crystal to compute phonons of.")
        return section
    if not find_spec("phonopy"):
        section.find(Grade.GREY, "phonopy is not installed: pip install 'pwmlff[phonons]'.")
        return section
    spectra = []
    for place, crystal in enumerate(relaxed):
        assert crystal.atoms is not None
        primitive = primitive_cell(crystal.atoms)
        if len(primitive) > _MOST_ATOMS:
            section.find(
                Grade.GREY,
                f"{crystal.name}: its primitive cell has {len(primitive)} atoms, more than {_MOST_ATOMS}.",
            )
            continue
        spectrum = phonons(primitive, lambda part, place=place: on_step((place + part) / len(relaxed)))  # type: ignore[misc]
        spectra.append((crystal.name, spectrum))
        _judge(section, crystal.name, spectrum)
        section.numbers[crystal.name] = _numbers(spectrum)
    if spectra:
        rows = [
            [name, str(s.n_atoms), str(s.n_displacements), f"{s.lowest:+.2f}", f"{s.highest:.2f}"]
            for name, s in spectra
        ]
        headings = ["", "atoms of the primitive cell", "displacements", "lowest, THz", "highest, THz"]
        section.blocks.append(Table(headings, rows))
        section.blocks.append(Picture(figures.phonons(spectra), "Frequencies; imaginary ones are drawn below zero."))
        section.blocks.append(Note("No long-range polar correction is made, so LO and TO modes meet at Γ."))
    return section


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
    bands = np.asarray(phonon.get_qpoints_dict()["frequencies"])
    distances, corners, names = path.get_linear_kpoint_axis()
    phonon.run_mesh(_MESH)
    mesh = np.asarray(phonon.get_mesh_dict()["frequencies"])
    return Spectrum(
        distances=distances,
        bands=bands,
        corners=[(float(x), "Γ" if name == "G" else name) for x, name in zip(corners, names, strict=True)],
        lowest=float(min(mesh.min(), bands.min())),
        highest=float(max(mesh.max(), bands.max())),
        n_atoms=len(primitive),
        n_displacements=len(cells),
    )


def _judge(section: Section, name: str, spectrum: Spectrum) -> None:
    share = max(-spectrum.lowest, 0.0) / max(spectrum.highest, 1e-9)
    grade = limits.IMAGINARY.grade(share)
    words = (
        f"{name}: real frequencies up to {spectrum.highest:.3g} THz."
        if grade is Grade.GREEN
        else f"{name}: imaginary frequencies down to {-spectrum.lowest:.3g}i THz beside real ones up to "
        f"{spectrum.highest:.3g} THz."
    )
    section.find(grade, words)


def _numbers(spectrum: Spectrum) -> dict[str, Any]:
    return {
        "lowest_thz": spectrum.lowest,
        "highest_thz": spectrum.highest,
        "n_atoms": spectrum.n_atoms,
        "n_displacements": spectrum.n_displacements,
    }
