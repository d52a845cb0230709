"""The section on phonons: frequencies of the relaxed structures from finite displacements, with phonopy."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

from pwmlff.report import figures, limits
from pwmlff.report.crystals import Crystal
from pwmlff.report.section import Note, Picture, Section, Table
from pwmlff.report.spectrum import Spectrum, phonons, primitive_cell
from pwmlff.report.verdict import Grade

_MOST_ATOMS = 60  # of the primitive cell


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
