"""What a frame refuses: numbers no calculation gives."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from pwmlff.data.frame import Frame
from pwmlff.errors import DataFormatError


def made(**changed: Any) -> Frame:
    """A frame of two atoms with all labels."""
    values: dict[str, Any] = {
        "atomic_numbers": [29, 8],
        "positions": [[0.0, 0, 0], [1.5, 0, 0]],
        "cell": np.eye(3) * 9.0,
        "energy": -1.0,
        "forces": np.zeros((2, 3)),
        "virial": np.eye(3),
        "atomic_energies": [-0.4, -0.6],
        "source": "a.xyz",
        "index": 3,
    }
    return Frame(**(values | changed))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"positions": [[0, 0, 0], [1e300, 0, 0]]}, "`positions` row 1 reaches 1e+300 Å, expected at most 1e+06"),
        ({"cell": np.diag([9.0, 1e200, 9.0])}, "`cell` row 1 reaches 1e+200 Å"),
        ({"energy": -9e9}, "`energy` reaches 4.5e+09 eV/atom, expected at most 2e+06"),
        ({"forces": [[0, 0, 0], [0, -1e8, 0]]}, "`forces` row 1 reaches 1e+08 eV/Å"),
        ({"virial": np.eye(3) * 1e12}, "`virial` row 0 reaches 5e+11 eV/atom"),
        ({"atomic_energies": [0, -1e20]}, "`atomic_energies` row 1 reaches 1e+20 eV"),
        ({"cell": [[9, 0, 0], [1e5, 1, 0], [0, 0, 9]]}, "Å thin, expected at least 0.1 Å"),
        ({"cell": np.eye(3) * 0.2}, "the cell has 0.004 Å³ per atom, expected at least 0.01"),
        ({"cell": np.diag([9.0, 0.01, 9.0]), "pbc": [False, True, True]}, "the cell is 0.01 Å thin"),
    ],
)
def test_beyond_all_bounds(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(DataFormatError, match=re.escape(message)) as caught:
        made(**changed)
    assert str(caught.value).startswith("a.xyz frame 3: ")


def test_what_all_electron_calculations_and_shocks_give_is_taken() -> None:
    assert made(energy=-2 * 1.5e6).energy == -3e6
    made(forces=np.full((2, 3), 1e4), virial=np.eye(3) * 2e4, cell=np.eye(3) * 1.0)
