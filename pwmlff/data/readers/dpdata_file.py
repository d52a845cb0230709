"""Every other format, through dpdata when it is installed.

dpdata's own PWmat reader is refused: it swaps species silently when elements are not grouped by weight.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from pwmlff.data.frame import Frame
from pwmlff.data.readers.common import Faults, Reader
from pwmlff.elements import atomic_number_of
from pwmlff.errors import DataFormatError, did_you_mean


def dpdata_reader(name: str, own: Iterable[str]) -> Reader:
    """Make a reader of a format dpdata knows.

    Args:
        name: dpdata's name of the format, such as `"vasp/xml"`.
        own: Formats read without dpdata, for messages.

    Raises:
        DataFormatError: dpdata is not installed, does not know the format, or misreads it.
    """
    try:
        import dpdata
        from dpdata.format import Format
    except ImportError:
        raise DataFormatError(
            f"unknown data format '{name}'; {did_you_mean(name, own)} Other formats need `pip install dpdata`"
        ) from None
    known = set(Format.get_formats())
    if name not in known or "pwmat" in name or "movement" in name.lower():
        raise DataFormatError(f"unknown data format '{name}'; {did_you_mean(name, {*own, *known})}")

    def read(path: Path, faults: Faults) -> Iterator[Frame]:
        try:
            data = dpdata.LabeledSystem(str(path), fmt=name).data
        except Exception as error:  # dpdata raises whatever its parsers met
            raise DataFormatError(
                f"{path}: dpdata cannot read it as {name} ({error or type(error).__name__})"
            ) from error
        faults.report.note(path, f"read through dpdata as {name}")
        for index in range(len(data["coords"])):
            frame = faults.attempt(_frame, path, index, data, where=f"{path} frame {index}")
            if frame is not None:
                yield frame

    return read


def _frame(path: Path, index: int, data: dict[str, Any]) -> Frame:
    numbers = np.array([atomic_number_of(name) for name in data["atom_names"]])
    return Frame(
        atomic_numbers=numbers[data["atom_types"]],
        positions=data["coords"][index],
        cell=data["cells"][index],
        pbc=np.full(3, not data.get("nopbc", False)),
        energy=data["energies"][index] if "energies" in data else None,
        forces=data["forces"][index] if "forces" in data else None,
        virial=data["virials"][index] if "virials" in data else None,
        source=str(path),
        index=index,
    )
