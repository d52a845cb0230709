"""Writers of small synthetic files in the formats the readers read."""

from __future__ import annotations

from collections.abc import Callable

import dft_files
import pytest


@pytest.fixture
def movement_text() -> Callable[..., str]:
    """The writer of a frame of a MOVEMENT file."""
    return dft_files.movement_text


@pytest.fixture
def outcar_text() -> Callable[..., str]:
    """The writer of an OUTCAR."""
    return dft_files.outcar_text
