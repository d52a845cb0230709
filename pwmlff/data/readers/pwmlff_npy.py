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
from pwmlff.data.readers.common import Faults, frame_row, label_like, load_array, load_integers
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
    numbers = load_integers(folder / "image_type.npy").ravel()
    cells = load_array(folder / "lattice.npy")
    positions = load_array(folder / "position.npy")
    n_frames = len(positions)
    labels = {
        label: load_array(folder / f"{name}.npy") for label, name in _FILES.items() if (folder / f"{name}.npy").exists()
    }
    others = (file.name for file in folder.glob("*.npy") if file.stem not in _FILES.values())
    faults.report.not_taken(folder, label_like(others))
    for name, array in {"lattice": cells, **{_FILES[label]: array for label, array in labels.items()}}.items():
        if len(array) != n_frames:
            raise DataFormatError(f"{folder / name}.npy has {len(array)} frames, position.npy has {n_frames}")
    if "atomic_energies" in labels and _is_faked(labels["atomic_energies"], numbers):
        del labels["atomic_energies"]
        faults.report.note(folder, "ei.npy holds one constant per element, not atomic energies; it is ignored")

    arrays = {"lattice": cells, "position": positions, **labels}

    def build(index: int) -> Frame:
        def get(name: str, *shape: int) -> NDArray[np.float64]:
            return frame_row(arrays[name], index, shape, name, f"{folder} frame {index}")

        cell = get("lattice", 3, 3)
        virial = get("virial", 3, 3) if "virial" in labels else None
        if virial is not None and np.isin(virial, _MISSING).any():
            virial = None
            faults.report.note(folder, "virials of -1e5 or -1e6 stand for missing ones and are dropped")
        return Frame(
            atomic_numbers=numbers,
            positions=get("position", len(numbers), 3) @ cell,
            cell=cell,
            energy=get("energy", 1).item() if "energy" in labels else None,
            forces=get("forces", len(numbers), 3) if "forces" in labels else None,
            virial=virial,
            atomic_energies=get("atomic_energies", len(numbers)) if "atomic_energies" in labels else None,
            source=str(folder),
            index=index,
        )

    for index in range(n_frames):
        frame = faults.attempt(build, index, where=f"{folder} frame {index}")
        if frame is not None:
            yield frame


def _is_faked(energies: NDArray[np.float64], numbers: NDArray[np.int64]) -> bool:
    """Whether all atoms of an element have the same energy in each of the frames."""
    if energies.size == 0 or energies.size != len(energies) * len(numbers):
        return False
    table = energies.reshape(len(energies), len(numbers))
    spread = [np.ptp(table[:, numbers == number], axis=1).max() for number in set(numbers.tolist())]
    return max(spread) < 1e-9
