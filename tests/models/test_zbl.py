"""ZBL repulsion against the formula written out for one pair."""

from __future__ import annotations

import math

import pytest
import torch
from pydantic import ValidationError

from pwmlff.models import ZBLConfig
from pwmlff.models.zbl import ZBL


def pair_energy(distance: float, z_i: int, z_j: int) -> float:
    x = distance * (z_i**0.23 + z_j**0.23) * 2.134563
    screening = (
        0.18175 * math.exp(-3.1998 * x)
        + 0.50986 * math.exp(-0.94229 * x)
        + 0.28022 * math.exp(-0.4029 * x)
        + 0.02817 * math.exp(-0.20162 * x)
    )
    return 14.399645 * z_i * z_j * screening / distance


def repulsion(distance: float) -> torch.Tensor:
    """Atomic energies of a Cu-H pair."""
    zbl = ZBL(ZBLConfig(inner=1.0, outer=2.0), ["H", "Cu"])
    vectors = torch.tensor([[0, 0, distance], [0, 0, -distance]], dtype=torch.float64)
    return zbl(vectors, torch.tensor([0, 1, 2]), torch.tensor([0, 1]), torch.tensor([1, 0]))


@pytest.mark.parametrize("distance", [0.05, 0.4, 0.99])
def test_full_below_inner(distance: float) -> None:
    energies = repulsion(distance)
    assert energies.sum().item() == pytest.approx(pair_energy(distance, 29, 1), rel=1e-12)
    assert energies[0].item() == pytest.approx(energies[1].item())


def test_fades_between() -> None:
    assert repulsion(1.5).sum().item() == pytest.approx(0.5 * pair_energy(1.5, 29, 1), rel=1e-12)
    assert repulsion(2.0).abs().max() == 0
    assert repulsion(3.0).abs().max() == 0


def test_radii_must_be_ordered() -> None:
    with pytest.raises(ValidationError, match="must be larger"):
        ZBLConfig(inner=1.5, outer=1.0)
