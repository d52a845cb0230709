"""ASE's structures as frames, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from pwmlff.data.frame import Frame

if TYPE_CHECKING:
    from ase import Atoms


class AtomsLike(Protocol):
    """What is asked of an `ase.Atoms`, which has no types of its own."""

    numbers: Any
    positions: Any
    cell: Any
    pbc: Any


def frame_of(atoms: AtomsLike, source: str = "", index: int = 0) -> Frame:
    """Return the structure of an `ase.Atoms`; labels that a calculator holds are left out.

    Args:
        atoms: The structure.
        source: Where it came from, for messages.
        index: Its place there.

    Raises:
        DataFormatError: A number is not finite, or the cell spans no volume in its periodic directions.
    """
    return Frame(
        atomic_numbers=atoms.numbers,
        positions=atoms.positions,
        cell=atoms.cell.array,
        pbc=atoms.pbc,
        source=source,
        index=index,
    )


def atoms_of(frame: Frame) -> Atoms:
    """Return a frame as an `ase.Atoms`, without labels."""
    from ase import Atoms

    return Atoms(frame.atomic_numbers, positions=frame.positions, cell=frame.cell, pbc=frame.pbc)
