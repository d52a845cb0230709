"""Relaxation, equation of state and elastic constants of a crystal with any ASE calculator.

Elastic constants are derivatives of the stress by the strain, by central differences with the atoms relaxed at each
strain:  C_ij = (sigma_i(+e_j) - sigma_i(-e_j)) / 2e, in Voigt order xx yy zz yz xz xy with engineering shears
(e_4 = 2 e_yz). The crystal is mechanically stable when all eigenvalues of C are positive (Born's criterion; Mouhat and
Coudert, PRB 90, 224104, 2014). Averages over directions are those of Voigt, Reuss and Hill.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from pwmlff.units import EV_PER_A3_IN_GPA

STRAIN = 0.005
_VOLUMES = np.linspace(0.92, 1.08, 9)  # of the relaxed one
_LEAST_POINTS = 5  # of a fit
_VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))
_WIDEST_CHANGE = 2.0  # of the volume in a relaxation; beyond it the structure is gone
_MOST_BFGS = 64  # atoms; beyond it a Hessian costs more than it saves


class RelaxationError(Exception):
    """A structure falls apart, or collapses, when it is relaxed."""


@dataclass(frozen=True)
class EquationOfStateFit:
    """A fit of Birch and Murnaghan.

    Attributes:
        volumes: [n] Å³ per atom.
        energies: [n] eV per atom.
        volume: Of the minimum, Å³ per atom.
        energy: There, eV per atom.
        bulk_modulus: GPa.
        residual: Largest deviation of the fitted energies from the fit, meV per atom.
        has_minimum: Whether there is a minimum, not at an end of the range.
        fitted: The volumes of the branch around the minimum, [m]; beyond it the structure becomes another one.
    """

    volumes: NDArray[np.float64]
    energies: NDArray[np.float64]
    volume: float
    energy: float
    bulk_modulus: float
    residual: float
    has_minimum: bool
    fitted: NDArray[np.float64]


@dataclass(frozen=True)
class ElasticConstants:
    """Elastic constants and their averages over directions.

    Attributes:
        matrix: [6, 6] GPa, symmetrised.
        asymmetry: Largest deviation from symmetry relative to the largest constant, a measure of their error.
    """

    matrix: NDArray[np.float64]
    asymmetry: float

    @property
    def lowest(self) -> float:
        """Lowest eigenvalue, GPa; positive in a stable crystal."""
        return float(np.linalg.eigvalsh(self.matrix)[0])

    @property
    def bulk(self) -> float:
        """Hill's average of the bulk modulus, GPa."""
        c = self.matrix
        voigt = c[:3, :3].sum() / 9
        if self.lowest <= 0:
            return float(voigt)
        return float((voigt + 1 / np.linalg.inv(c)[:3, :3].sum()) / 2)

    @property
    def shear(self) -> float:
        """Hill's average of the shear modulus, GPa."""
        c = self.matrix
        off = c[0, 1] + c[0, 2] + c[1, 2]
        voigt = (np.trace(c[:3, :3]) - off + 3 * np.trace(c[3:, 3:])) / 15
        if self.lowest <= 0:
            return float(voigt)
        s = np.linalg.inv(c)
        off = s[0, 1] + s[0, 2] + s[1, 2]
        reuss = 15 / (4 * (np.trace(s[:3, :3]) - off) + 3 * np.trace(s[3:, 3:]))
        return float((voigt + reuss) / 2)


def relax(atoms: Atoms, *, cell: bool, force: float = 0.005, most_steps: int = 300) -> bool:
    """Relax a structure in place.

    Args:
        atoms: With a calculator.
        cell: Whether the cell is relaxed too.
        force: Largest that is left, eV/Å.
        most_steps: Of the optimizer.

    Returns:
        Whether the forces came down to that.

    Raises:
        RelaxationError: The volume changed to twice or half of what it was.
    """
    from ase.filters import UnitCellFilter
    from ase.optimize import BFGS, LBFGS

    start = atoms.get_volume() if cell else 1.0
    target: Any = UnitCellFilter(atoms) if cell else atoms
    silent: Any = None
    optimizer = (BFGS if len(atoms) <= _MOST_BFGS else LBFGS)(target, logfile=silent, maxstep=0.1)
    for has_converged in optimizer.irun(fmax=force, steps=most_steps):
        change = atoms.get_volume() / start if cell else 1.0
        if not 1 / _WIDEST_CHANGE < change < _WIDEST_CHANGE:
            raise RelaxationError(f"its volume went to {change:.2f} of the volume in the data")
        if has_converged:
            return True
    return False


def equation_of_state(atoms: Atoms, on_step: Callable[[], None] = lambda: None) -> EquationOfStateFit:
    """Fit energies over volumes around that of a relaxed structure, with the atoms relaxed in each cell.

    Args:
        atoms: With a calculator; not changed.
        on_step: Called after each volume.
    """
    from ase.eos import EquationOfState, birchmurnaghan

    n_atoms, volumes, energies = len(atoms), [], []
    for part in _VOLUMES:
        scaled = _copy(atoms)
        scaled.set_cell(atoms.cell * part ** (1 / 3), scale_atoms=True)
        relax(scaled, cell=False, most_steps=50)
        volumes.append(scaled.get_volume() / n_atoms)
        energies.append(scaled.get_potential_energy() / n_atoms)
        on_step()
    v, e = np.array(volumes), np.array(energies)
    branch = convex_branch(e)
    inside = 0 < int(e[branch].argmin()) < len(e[branch]) - 1
    curve = EquationOfState(v[branch], e[branch], eos="birchmurnaghan")
    try:
        volume, energy, modulus = curve.fit(warn=False)
    except (RuntimeError, ValueError):
        return EquationOfStateFit(v, e, np.nan, np.nan, np.nan, np.inf, False, v[branch])
    fitted = birchmurnaghan(v[branch], *curve.eos_parameters)
    residual = 1000 * float(np.abs(fitted - e[branch]).max())
    modulus *= EV_PER_A3_IN_GPA
    return EquationOfStateFit(v, e, float(volume), float(energy), float(modulus), residual, bool(inside), v[branch])


def convex_branch(energies: NDArray[np.float64]) -> slice:
    """Return the part of a curve around the minimum nearest to its middle in which it is convex.

    Within some percent of its minimum the energy of a crystal is convex in the volume; where it is not, atoms have
    moved into another structure. All of the curve where that leaves less than five points, too few for a fit.

    Args:
        energies: [n] at volumes of equal distance.
    """
    slopes, low = np.diff(energies), len(energies) // 2
    while low > 0 and slopes[low - 1] > 0:
        low -= 1
    while low < len(slopes) and slopes[low] < 0:
        low += 1
    first = last = low
    while first > 0 and slopes[first - 1] < min(0.0, slopes[first] if first < low else 0.0):
        first -= 1
    while last < len(slopes) and slopes[last] > max(0.0, slopes[last - 1] if last > low else 0.0):
        last += 1
    return slice(first, last + 1) if last - first + 1 >= _LEAST_POINTS else slice(None)


def elastic_constants(
    atoms: Atoms, strain: float = STRAIN, on_step: Callable[[], None] = lambda: None
) -> ElasticConstants:
    """Return the elastic constants of a relaxed crystal.

    Args:
        atoms: With a calculator that has stresses; not changed.
        strain: Of the differences.
        on_step: Called after each of the twelve strains.
    """
    matrix = np.zeros((6, 6))
    for column, (a, b) in enumerate(_VOIGT):
        stresses = []
        for sign in (1.0, -1.0):
            tensor = np.zeros((3, 3))
            tensor[a, b] += 0.5 * sign * strain
            tensor[b, a] += 0.5 * sign * strain  # a stretch in full, a shear by half the engineering one
            strained = _copy(atoms)
            strained.set_cell(atoms.cell.array @ (np.eye(3) + tensor), scale_atoms=True)
            relax(strained, cell=False, force=0.001, most_steps=100)
            stresses.append(strained.get_stress() * EV_PER_A3_IN_GPA)
            on_step()
        matrix[:, column] = (stresses[0] - stresses[1]) / (2 * strain)
    size = float(np.abs(matrix).max()) or 1.0
    return ElasticConstants((matrix + matrix.T) / 2, float(np.abs(matrix - matrix.T).max()) / size)


def _copy(atoms: Atoms) -> Atoms:
    copy = atoms.copy()
    copy.calc = atoms.calc
    return copy
