"""Small synthetic files as PWmat and VASP write them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pwmlff.data.frame import Frame

HEADER = (
    "{n:5d} atoms,Iteration (fs) = {t:.4E}, Etot,Ep,Ek (eV) = {total:.10E} {potential:.10E} {kinetic:.10E}, SCF = 5"
)


def _rows(table: NDArray[np.float64], numbers: Sequence[int], tail: str = "") -> list[str]:
    return [f"{z:4d} {' '.join(f'{x:.15f}' for x in row)}{tail}" for z, row in zip(numbers, table, strict=True)]


def movement_text(
    frame: Frame,
    *,
    header: str = HEADER,
    kinetic: float = 0.5,
    stress: NDArray[np.float64] | None = None,
    pressure: NDArray[np.float64] | None = None,
    native: bool = True,
    force_title: str = "Force (-force, eV/Angstrom)",
    atomic_energies: Sequence[float] | None = None,
) -> str:
    """Return one frame of a MOVEMENT file, as PWmat writes it unless told otherwise."""
    assert frame.energy is not None
    assert frame.forces is not None
    numbers = frame.atomic_numbers.tolist()
    fractional = frame.positions @ np.linalg.inv(frame.cell)
    total = frame.energy + kinetic
    lines = [header.format(n=len(frame), t=1.0, total=total, potential=frame.energy, kinetic=kinetic)]
    lines += [
        " MD_INFO: METHOD(1-VV,2-NH) TIME(fs) TEMP(K)",
        "   2  0.1E+01 0.68E+03",
        " Lattice vector (Angstrom)",
    ]
    for k, row in enumerate(frame.cell):
        tail = "" if stress is None else f" stress (eV): {' '.join(f'{x:.10E}' for x in stress[k])}"
        lines.append(" ".join(f"{x:.15E}" for x in row) + tail)
    if pressure is not None:
        lines += [" Pressure Internal(Hartree/bohr^3)", *(" ".join(f"{x:.10E}" for x in row) for row in pressure)]
    if native:
        wrong = _rows(fractional + 7.25, numbers, " 1 1 1")
        lines += [" nonperiodic_Position (normalized), move_x, move_y, move_z", *wrong]
    lines += [" Position (normalized), move_x, move_y, move_z", *_rows(fractional, numbers, " 1 1 1")]
    lines += [f" {force_title}", *_rows(-frame.forces, numbers)]
    if native:
        lines += [" Velocity (bohr/fs)", *_rows(frame.forces * 3, numbers)]
    if atomic_energies is not None:
        lines.append("Atomic-Energy, Etot(eV),E_nonloc(eV),Q_atom:dE(eV)=  -0.3696459009E+06")
        lines += [f"{z:4d} {e:.10E} 1.0 2.0" for z, e in zip(numbers, atomic_energies, strict=True)]
    return "\n".join([*lines, " " + "-" * 40, ""])


def outcar_text(
    elements: Sequence[str], counts: Sequence[int], steps: Sequence[dict[str, Any]], *, end: bool = True
) -> str:
    """Return an OUTCAR of the given steps.

    A step is a dict: `frame`, and optionally `n_scf`, `aborting` (the line's end, or None for no such line),
    `predicted` (a machine-learned step instead), `total` and `kbar` (replace the stress lines).
    """
    lines = [" vasp.6.4.2", " POTCAR:    PAW_PBE X"]
    for element in elements:
        lines += [f"   VRHFIN ={element}: s1", f"   TITEL  = PAW_PBE {element}_pv 01Jan2000"]
    lines.append(f"   number of dos      NEDOS =    301   number of ions     NIONS = {sum(counts):6d}")
    for k in range(0, len(counts), 10):
        start = "   ions per type =       " if k == 0 else " " * 25
        lines.append(start + "".join(f"{count:4d}" for count in counts[k : k + 10]))
    lines += ["   NELM   =     60;   NELMIN=  4; NELMDL= -5     # of ELM steps", ""]
    for number, step in enumerate(steps, start=1):
        lines += _step(number, step)
    if end:
        lines.append(" General timing and accounting informations for this job:")
    return "\n".join([*lines, ""])


def _step(number: int, step: dict[str, Any]) -> list[str]:
    frame: Frame = step["frame"]
    assert frame.energy is not None
    assert frame.forces is not None
    ml = "ML " if step.get("predicted") else ""
    lines = []
    if not ml:
        n_scf = step.get("n_scf", 7)
        for k in range(1, n_scf + 1):
            lines.append(f"---------------- Iteration {number:6d}({k:4d})  ----------------")
            lines.append(f"  free energy    TOTEN  =  {999.0 + k:18.8f} eV")
        aborting = step.get("aborting", "because EDIFF is reached")
        lines += [f"------------ aborting loop {aborting} ------------"] if aborting else []
    lines.append(f"  {ml}FORCE on cell =-STRESS in cart. coord.  units (eV):")
    if frame.virial is not None:
        order = [(0, 0), (1, 1), (2, 2), (0, 1), (1, 2), (2, 0)]
        values = [frame.virial[a, b] for a, b in order]
        total = step.get("total", "  Total  " + "".join(f"{v:12.5f}" for v in values))
        kbar = [v / frame.volume * 1602.1766208 for v in values]
        lines += [total, step.get("kbar", "  in kB  " + "".join(f"{v:12.5f}" for v in kbar))]
    lines += [
        f"  {ml}VOLUME and BASIS-vectors are now :",
        "      direct lattice vectors     reciprocal lattice vectors",
    ]
    reciprocal = np.linalg.inv(frame.cell).T
    lines += ["".join(f"{x:13.9f}" for x in (*row, *other)) for row, other in zip(frame.cell, reciprocal, strict=True)]
    lines.append(f" POSITION                                       TOTAL-FORCE (eV/Angst){' (ML)' if ml else ''}")
    lines.append(" " + "-" * 80)
    for position, force in zip(frame.positions, frame.forces, strict=True):
        lines.append("".join(f"{x:13.5f}" for x in position) + "".join(f"{x:14.6f}" for x in force))
    lines += [" " + "-" * 80, "    total drift:   0.0 0.0 0.0"]
    energy = f"{frame.energy:18.8f}" if np.isfinite(frame.energy) else "*" * 18
    lines += [f"  free  energy {ml}  TOTEN  = {energy} eV".replace("ML   TOTEN", "ML TOTEN"), ""]
    return lines
