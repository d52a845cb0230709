"""Frames of a crystal labelled by a potential whose answers are known in closed form."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from morse import crystal, labelled, morse

from pwmlff.data.frame import Frame
from pwmlff.report.structures import frame_of


@pytest.fixture
def shaken() -> Callable[..., list[Frame]]:
    """Frames of the crystal with displacements, labelled by the sound potential."""

    def make(n: int, shake: float = 0.08, first_seed: int = 0) -> list[Frame]:
        frames = [frame_of(crystal(2, shake, seed), "made.xyz") for seed in range(first_seed, first_seed + n)]
        return labelled(morse(), frames)

    return make
