"""The tables of epochs that a training leaves beside its checkpoints."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pwmlff.train.records import COLUMNS


@dataclass(frozen=True)
class Curve:
    """Columns of `epoch_train.dat` or `epoch_valid.dat`.

    Attributes:
        epochs: [n].
        columns: [n] of each quantity, by its name in `keys`.
    """

    epochs: NDArray[np.float64]
    columns: dict[str, NDArray[np.float64]]


def read_curve(path: Path) -> Curve | None:
    """Read a table of epochs; None where it is missing or holds none."""
    if not path.is_file():
        return None
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    names = lines[0].split() if lines else []
    rows = [line.split() for line in lines[1:]]
    try:
        values = np.array([[float(word) for word in row] for row in rows if len(row) == len(names)])
    except ValueError:
        return None
    if len(values) == 0:
        return None
    columns = {key: values[:, names.index(name)] for key, name in COLUMNS.items() if name in names}
    columns = {key: column for key, column in columns.items() if np.isfinite(column).any()}
    return Curve(values[:, 0], columns) if columns else None
