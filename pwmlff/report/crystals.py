"""The section on crystals: equation of state, elastic constants and phonons of the data's structures, relaxed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from pwmlff.data.frame import Frame
from pwmlff.interfaces.calculator import PwmlffCalculator
from pwmlff.report import figures, limits
from pwmlff.report.elasticity import (
    ElasticConstants,
    EquationOfStateFit,
    RelaxationError,
    elastic_constants,
    equation_of_state,
    relax,
)
from pwmlff.report.inputs import Subject
from pwmlff.report.section import Note, Picture, Section, Table
from pwmlff.report.structures import atoms_of, formula_of, is_bulk
from pwmlff.report.verdict import Grade
from pwmlff.units import EV_PER_A3_IN_GPA

_FORCE = 0.005  # eV/Å, left after relaxation
_N_EVALUATIONS = 22  # of a structure: relaxation, volumes, strains


@dataclass
class Crystal:
    """A structure of the data and what the model makes of it.

    Attributes:
        name: Its composition and kind.
        frame: As it is in the data.
        atoms: Relaxed, with the calculator; None where it could not be.
        volumes: [n] Å³ per atom of the data of this composition.
        eos: Its equation of state.
        elastic: Its elastic constants.
        problems: What went wrong, in words.
    """

    name: str
    frame: Frame
    volumes: NDArray[np.float64]
    atoms: Atoms | None = None
    eos: EquationOfStateFit | None = None
    elastic: ElasticConstants | None = None
    problems: list[str] = field(default_factory=list)


def choose_crystals(subject: Subject, most: int, most_atoms: int) -> list[Crystal]:
    """Choose bulk structures of the data: of each composition the frame with the smallest forces, common ones first.

    Args:
        subject: The model and its frames.
        most: Structures.
        most_atoms: Of a structure.
    """
    by_formula: dict[str, list[tuple[Frame, str]]] = {}
    for frame, tag in zip(*subject.all, strict=True):
        if frame.pbc.all() and len(frame) <= most_atoms:
            by_formula.setdefault(formula_of(frame), []).append((frame, tag.config_type))
    crystals = []
    for formula, members in sorted(by_formula.items(), key=lambda item: -len(item[1])):
        ranked = sorted(members, key=lambda member: _unrest(member[0]))
        volumes = np.array([frame.volume / len(frame) for frame, _ in members])
        chosen = next((m for m in ranked if is_bulk(m[0], subject.potential.cutoff)), None)
        if chosen is not None:
            frame, config_type = chosen
            name = f"{formula}, {len(frame)} atoms" + (f", {config_type}" if config_type else "")
            crystals.append(Crystal(name, frame, volumes))
        if len(crystals) == most:
            break
    return crystals


def crystals_section(
    subject: Subject, most: int, most_atoms: int, on_step: Callable[[float], None]
) -> tuple[Section, list[Crystal]]:
    """Relax structures of the data, and judge their equations of state and elastic constants.

    Args:
        subject: The model and its frames.
        most: Structures.
        most_atoms: Of a structure.
        on_step: Told the part that is done.
    """
    section = Section(
        "crystals",
        "Equation of state and elastic constants",
        "Structures of the data, relaxed with the model: of each composition the frame with the smallest forces.",
    )
    section.limits = [limits.MODULUS, limits.VOLUME]
    crystals = choose_crystals(subject, most, most_atoms)
    if not crystals:
        section.find(
            Grade.GREY,
            f"No frame of at most {most_atoms} atoms is a bulk material, so there is no cell to compress.",
        )
        return section, []
    calculator = PwmlffCalculator(subject.potential, device=str(subject.potential.device))
    done = 0

    def advance() -> None:
        nonlocal done
        done += 1
        on_step(min(1.0, done / (_N_EVALUATIONS * len(crystals))))

    for crystal in crystals:
        _compute(crystal, calculator, advance)
        _judge(section, crystal)
        section.numbers[crystal.name] = _numbers(crystal)
    curves = [(crystal.name, crystal.eos) for crystal in crystals if crystal.eos is not None]
    if curves:
        section.blocks.append(_table(crystals))
        section.blocks.append(
            Picture(
                figures.equations_of_state(curves, [crystal.volumes for crystal in crystals if crystal.eos]),
                "Energy over volume, atoms relaxed in each cell; ticks below are the volumes of the data.",
            )
        )
    section.blocks += [_matrix(crystal) for crystal in crystals if crystal.elastic is not None]
    section.blocks.append(
        Note(
            "Compare with values of first-principles calculations or experiments of your material: the data hold none, "
            "so the verdict is about consistency only. Of a liquid or glass these are numbers of one frozen frame."
        )
    )
    return section, crystals


def _unrest(frame: Frame) -> float:
    """Mean square force; structures without labelled forces come last."""
    return np.inf if frame.forces is None else float(np.square(frame.forces).mean())


def _compute(crystal: Crystal, calculator: PwmlffCalculator, advance: Callable[[], None]) -> None:
    atoms = atoms_of(crystal.frame)
    atoms.calc = calculator
    try:
        if not relax(atoms, cell=True, force=_FORCE):
            crystal.problems.append("its forces did not vanish in 300 steps")
        advance()
        crystal.atoms = atoms
        crystal.eos = equation_of_state(atoms, advance)
        crystal.elastic = elastic_constants(atoms, on_step=advance)
    except RelaxationError as error:
        crystal.problems.append(str(error))


def _judge(section: Section, crystal: Crystal) -> None:
    if crystal.eos is None or crystal.elastic is None:
        section.find(Grade.RED, f"{crystal.name}: no minimum of the energy was found; {crystal.problems[-1]}.")
        return
    eos, elastic = crystal.eos, crystal.elastic
    if crystal.problems:
        section.find(Grade.GREY, f"{crystal.name}: {crystal.problems[-1]}, so the numbers are rough.")
    if not eos.has_minimum:
        section.find(Grade.RED, f"{crystal.name}: the energy has no minimum within 8 % of the relaxed volume.")
        return
    if elastic.lowest <= 0:
        section.find(
            Grade.RED,
            f"{crystal.name}: mechanically unstable, an elastic eigenvalue is {elastic.lowest:.3g} GPa.",
        )
    else:
        mismatch = abs(eos.bulk_modulus / elastic.bulk - 1)
        section.find(
            limits.MODULUS.grade(mismatch),
            f"{crystal.name}: stable; bulk modulus {elastic.bulk:.3g} GPa by stresses, {eos.bulk_modulus:.3g} GPa by "
            f"energies; shear modulus {elastic.shear:.3g} GPa.",
        )
    if len(eos.fitted) < len(eos.volumes):
        low, high = eos.fitted.min(), eos.fitted.max()
        section.find(
            Grade.GREY,
            f"{crystal.name}: becomes another structure when it is squeezed or stretched beyond {low:.4g} to "
            f"{high:.4g} Å³ per atom; only these volumes count.",
        )
    nearest = float(np.abs(eos.volume / crystal.volumes - 1).min())
    section.find(
        limits.VOLUME.grade(nearest),
        f"{crystal.name}: {eos.volume:.4g} Å³ per atom at no pressure, in the data "
        f"{crystal.volumes.min():.4g} to {crystal.volumes.max():.4g}.",
    )


def _table(crystals: list[Crystal]) -> Table:
    rows = []
    for crystal in crystals:
        eos, elastic = crystal.eos, crystal.elastic
        if eos is None or elastic is None or crystal.atoms is None:
            rows.append([crystal.name, *["–"] * 6])
            continue
        pressure = -crystal.atoms.get_stress()[:3].mean() * EV_PER_A3_IN_GPA
        cells = [f"{eos.volume:.4g}", f"{eos.energy:.5g}", f"{eos.bulk_modulus:.3g}", f"{eos.residual:.2g}"]
        rows.append([crystal.name, *cells, f"{elastic.shear:.3g}", f"{round(pressure, 2) + 0.0:.2f}"])
    headings = ["", "volume, Å³/atom", "energy, eV/atom", "B, GPa", "misfit, meV/atom", "G, GPa", "pressure left, GPa"]
    return Table(headings, rows, "Birch–Murnaghan fit, and Hill's average of the shear modulus.")


def _matrix(crystal: Crystal) -> Table:
    assert crystal.elastic is not None
    names = ["xx", "yy", "zz", "yz", "xz", "xy"]
    rounded = crystal.elastic.matrix.round(1) + 0.0  # no -0.0
    rows = [[name, *(f"{value:.1f}" for value in row)] for name, row in zip(names, rounded, strict=True)]
    caption = (
        f"Elastic constants of {crystal.name} in GPa, in the axes of the frame; they deviate from symmetry by "
        f"{100 * crystal.elastic.asymmetry:.2g} %."
    )
    return Table(["", *names], rows, caption)


def _numbers(crystal: Crystal) -> dict[str, Any]:
    eos, elastic = crystal.eos, crystal.elastic
    return {
        "problems": crystal.problems,
        "volume_per_atom": None if eos is None else eos.volume,
        "energy_per_atom": None if eos is None else eos.energy,
        "bulk_modulus_gpa": None if eos is None else eos.bulk_modulus,
        "elastic_constants_gpa": None if elastic is None else elastic.matrix.tolist(),
        "shear_modulus_gpa": None if elastic is None else elastic.shear,
    }
