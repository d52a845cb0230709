"""The .npy folders of PWMLFF's pwdata.

Positions are fractional, forces are true forces (not negated as in MOVEMENT), the virial has our sign.
-1e5 (-1e6 in later files) fills a missing virial. `ei.npy` is faked by pwdata when the calculation gave no atomic
energies: one constant per element, which is recognised and dropped.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pwmlff.data.frame import Frame
from pwmlff.data.readers.common import Faults, load_array
from pwmlff.errors import DataFormatError

_FILES = {"energy": "energies", "forces": "forces", "virial": "virials", "atomic_energies": "ei"}
_MISSING = (-1e5, -1e6)


def read_pwmlff_npy(path: Path, faults: Faults) -> Iterator[Frame]:
    """Read all pwdata folders in a folder, such as its `train` and `valid`.

    Args:
        path: A folder with `image_type.npy`, or one that has such folders below it.
        faults: What to do with faulty frames.

    Raises:
        DataFormatError: A file is missing or damaged, or a frame is faulty.
    """
    folders = sorted(file.parent for file in path.rglob("image_type.npy"))
    if not folders:
        raise DataFormatError(f"{path}: no `image_type.npy` in this folder or below it; expected pwmlff/npy data")
    for folder in folders:
        yield from _read_folder(folder, faults)


def _read_folder(folder: Path, faults: Faults) -> Iterator[Frame]:
    numbers = load_array(folder / "image_type.npy").astype(np.int64).ravel()
    cells = load_array(folder / "lattice.npy")
    positions = load_array(folder / "position.npy")
    n_frames = len(positions)
    labels = {
        label: load_array(folder / f"{name}.npy") for label, name in _FILES.items() if (folder / f"{name}.npy").exists()
    }
    for name, array in {"lattice": cells, **{_FILES[label]: array for label, array in labels.items()}}.items():
        if len(array) != n_frames:
            raise DataFormatError(f"{folder / name}.npy has {len(array)} frames, position.npy has {n_frames}")
    if "atomic_energies" in labels and _is_faked(labels["atomic_energies"], numbers):
        del labels["atomic_energies"]
        faults.report.note(folder, "ei.npy holds one constant per element, not atomic energies; it is ignored")

    def build(index: int) -> Frame:
        def per_atom(array: NDArray[np.float64], width: int) -> NDArray[np.float64]:
            if array[index].size != len(numbers) * width:
                raise DataFormatError(
                    f"{folder} frame {index}: {array[index].size} numbers for {len(numbers)} atoms, "
                    f"expected {len(numbers) * width}"
                )
            return array[index].reshape(len(numbers), width)

        cell = cells[index].reshape(3, 3)
        virial = labels["virial"][index].reshape(3, 3) if "virial" in labels else None
        if virial is not None and np.isin(virial, _MISSING).any():
            virial = None
            faults.report.note(folder, "virials of -1e5 or -1e6 stand for missing ones and are dropped")
        return Frame(
            atomic_numbers=numbers,
            positions=per_atom(positions, 3) @ cell,
            cell=cell,
            energy=float(labels["energy"][index].item()) if "energy" in labels else None,
            forces=per_atom(labels["forces"], 3) if "forces" in labels else None,
            virial=virial,
            atomic_energies=per_atom(labels["atomic_energies"], 1)[:, 0] if "atomic_energies" in labels else None,
            source=str(folder),
            index=index,
        )

    for index in range(n_frames):
        frame = faults.attempt(build, index)
        if frame is not None:
            yield frame


def _is_faked(energies: NDArray[np.float64], numbers: NDArray[np.int64]) -> bool:
    """Whether all atoms of an element have the same energy in each of the frames."""
    if energies.size != len(energies) * len(numbers):
        return False
    table = energies.reshape(len(energies), len(numbers))
    spread = [np.ptp(table[:, numbers == number], axis=1).max() for number in set(numbers.tolist())]
    return max(spread) < 1e-9
