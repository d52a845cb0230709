"""The prediction for one structure as text, JSON or extended XYZ."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from pwmlff import keys
from pwmlff.data.atoms import atoms_of
from pwmlff.elements import symbol_of
from pwmlff.evaluate.evaluator import FrameResult
from pwmlff.units import EV_PER_A3_IN_GPA

_UNITS = {
    keys.ENERGY: "eV",
    keys.ATOMIC_ENERGIES: "eV",
    keys.FORCES: "eV/Å",
    keys.VIRIAL: "eV",
    "stress": "eV/Å^3, tension positive",
    "stress_gpa": "GPa, tension positive",
}


def as_text(result: FrameResult) -> str:
    """Lay the prediction out for reading: totals first, then one row per atom."""
    frame = result.frame
    lines = [
        f"structure      {frame.source}: {len(frame)} atoms",
        f"total energy   {result.energy:.8f} eV ({result.energy / len(frame):.8f} eV/atom)",
        "virial (eV)",
        *_matrix(result.virial),
    ]
    tension = result.stress
    if tension is not None:
        in_gpa = tension * EV_PER_A3_IN_GPA
        lines += [f"stress (GPa, tension positive; pressure {-np.trace(in_gpa) / 3:.6f} GPa)", *_matrix(in_gpa)]
    lines.append(f"{'atom':>6} {'':>2} {'energy (eV)':>16} {'forces (eV/Å)':>15}")
    for index, number in enumerate(frame.atomic_numbers):
        x, y, z = result.forces[index]
        symbol = symbol_of(int(number))
        lines.append(f"{index + 1:6d} {symbol:>2} {result.atomic_energies[index]:16.8f} {x:15.8f} {y:15.8f} {z:15.8f}")
    return "\n".join(lines)


def as_json(result: FrameResult) -> str:
    """Lay the prediction out for programs, with its units; stresses are null when not periodic."""
    tension = result.stress
    in_gpa = None if tension is None else tension * EV_PER_A3_IN_GPA
    content = {
        "structure": result.frame.source,
        "symbols": [symbol_of(int(number)) for number in result.frame.atomic_numbers],
        keys.ENERGY: result.energy,
        keys.ATOMIC_ENERGIES: result.atomic_energies.tolist(),
        keys.FORCES: result.forces.tolist(),
        keys.VIRIAL: result.virial.tolist(),
        "stress": None if tension is None else tension.tolist(),
        "stress_gpa": None if in_gpa is None else in_gpa.tolist(),
        "units": _UNITS,
    }
    return json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False)


def write_xyz(result: FrameResult, path: Path) -> None:
    """Write the structure with its predicted energy, forces and stress as extended XYZ that ASE reads back."""
    import ase.io
    from ase.calculators.singlepoint import SinglePointCalculator

    atoms = atoms_of(result.frame)
    results = {"energy": result.energy, "forces": result.forces, "energies": result.atomic_energies}
    tension = result.stress
    if tension is not None:
        results["stress"] = tension
    atoms.calc = SinglePointCalculator(atoms, **results)
    ase.io.write(path, atoms, format="extxyz")


def _matrix(values: np.ndarray) -> list[str]:
    return ["  " + " ".join(f"{value:15.8f}" for value in row) for row in values]
