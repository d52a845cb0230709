"""ZBL repulsion against the formula written out for one pair."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
import torch
from pydantic import ValidationError

from pwmlff.elements import COVALENT_RADII, covalent_radius
from pwmlff.errors import ConfigError
from pwmlff.models import ZBLConfig
from pwmlff.models.zbl import ZBL
from pwmlff.ops.reference import UNIVERSAL_SCREENING, stored_repulsion_energies

FLEXIBLE = (  # H-H, H-Cu, Cu-Cu
    (0.5, 1.0, 0.5, 2.0, 0.25, 1.0, 0.2, 0.5, 0.05, 0.1),
    (0.0, 1.8, 0.4, 3.0, 0.3, 0.9, 0.2, 0.4, 0.1, 0.2),
    (0.0, 0.0, 0.4, 3.0, 0.3, 0.9, 0.2, 0.4, 0.1, 0.2),
)


def pair_energy(distance: float, z_i: int, z_j: int, screening: Sequence[float] = UNIVERSAL_SCREENING) -> float:
    x = distance * (z_i**0.23 + z_j**0.23) * 2.134563
    phi = sum(a * math.exp(-b * x) for a, b in zip(screening[::2], screening[1::2], strict=True))
    return 14.399645 * z_i * z_j * phi / distance


def fade(distance: float, inner: float, outer: float) -> float:
    if not inner < distance < outer:
        return float(distance <= inner)
    return 0.5 + 0.5 * math.cos(math.pi * (distance - inner) / (outer - inner))


def repulsion(distance: float, config: ZBLConfig, types: tuple[int, int] = (1, 0)) -> torch.Tensor:
    """Atomic energies of two atoms of H (0) or Cu (1)."""
    vectors = torch.tensor([[0, 0, distance], [0, 0, -distance]], dtype=torch.float64)
    atom_types = torch.tensor(types)
    return ZBL(config, ["H", "Cu"])(vectors, torch.tensor([0, 1, 2]), atom_types.flip(0), atom_types)


UNIVERSAL = ZBLConfig(inner=1.0, outer=2.0)


@pytest.mark.parametrize("distance", [0.05, 0.4, 0.99])
def test_full_below_inner(distance: float) -> None:
    energies = repulsion(distance, UNIVERSAL)
    assert energies.sum().item() == pytest.approx(pair_energy(distance, 29, 1), rel=1e-12)
    assert energies[0].item() == pytest.approx(energies[1].item())


def test_fades_between() -> None:
    assert repulsion(1.5, UNIVERSAL).sum().item() == pytest.approx(0.5 * pair_energy(1.5, 29, 1), rel=1e-12)
    assert repulsion(2.0, UNIVERSAL).abs().max() == 0
    assert repulsion(3.0, UNIVERSAL).abs().max() == 0


@pytest.mark.parametrize("distance", [0.2, 0.6, 1.2, 1.7])
@pytest.mark.parametrize("types", [(0, 0), (1, 0), (1, 1)])
def test_typewise(distance: float, types: tuple[int, int]) -> None:
    """Up to 0.8 (R_i + R_j), but not beyond the outer distance, and fading from 0 on."""
    radii, numbers = (0.426667, 1.34667), (1, 29)
    outer = min(1.6, 0.8 * (radii[types[0]] + radii[types[1]]))
    expected = pair_energy(distance, numbers[types[0]], numbers[types[1]]) * fade(distance, 0.0, outer)
    energies = repulsion(distance, ZBLConfig(inner=0.8, outer=1.6, typewise_factor=0.8), types)
    assert energies.sum().item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("distance", [0.3, 0.8, 1.2, 1.9])
@pytest.mark.parametrize(("types", "row"), [((0, 0), 0), ((1, 0), 1), ((0, 1), 1), ((1, 1), 2)])
def test_flexible(distance: float, types: tuple[int, int], row: int) -> None:
    """A range of 0 and 0 is no repulsion."""
    inner, outer, *screening = FLEXIBLE[row]
    z_i, z_j = (29 if kind else 1 for kind in types)
    expected = pair_energy(distance, z_i, z_j, screening) * (fade(distance, inner, outer) if outer else 0.0)
    energies = repulsion(distance, ZBLConfig(flexible=FLEXIBLE), types)
    assert energies.sum().item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("config", [UNIVERSAL, ZBLConfig(typewise_factor=0.9), ZBLConfig(flexible=FLEXIBLE)])
def test_derivatives(config: ZBLConfig) -> None:
    """Once and twice, against differences; pairs beyond their range have none."""
    zbl = ZBL(config, ["H", "Cu"])
    vectors = torch.tensor([[0.3, 0.4, 0.2], [0, 0.9, 0], [0.8, 0.4, 1.0], [1.5, 1.5, 0]], dtype=torch.float64)
    pairs = torch.tensor([0, 3, 4]), torch.tensor([0, 1, 0, 1]), torch.tensor([0, 1])
    vectors.requires_grad_(True)
    assert torch.autograd.gradcheck(lambda v: zbl(v, *pairs), vectors)
    assert torch.autograd.gradgradcheck(lambda v: zbl(v, *pairs), vectors)


def test_stored_form_of_older_versions() -> None:
    """One range for all pairs, and no screening of its own."""
    new = ZBL(UNIVERSAL, ["H", "Cu"]).arrays()
    old = {**new, "repulsion.range": torch.tensor([1.0, 2.0], dtype=torch.float64)}
    del old["repulsion.screening"]
    pairs = torch.tensor([[0, 0, 1.4]], dtype=torch.float64), torch.tensor([0, 1]), torch.tensor([1]), torch.tensor([0])
    energies = stored_repulsion_energies(old, *pairs)
    assert energies.item() != 0
    assert torch.equal(energies, stored_repulsion_energies(new, *pairs))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"inner": 1.5, "outer": 1.0}, "must be larger"),
        ({"flexible": FLEXIBLE, "typewise_factor": 0.7}, "leave `typewise_factor` out"),
        ({"flexible": [FLEXIBLE[0], FLEXIBLE[1][:-1]]}, "row 2 has 9 numbers, expected 10"),
        ({"flexible": [(1.0, 1.0, *FLEXIBLE[0][2:])]}, "row 1 has the range 1 to 1 Å"),
        ({"flexible": [(*FLEXIBLE[0][:-1], math.inf)]}, "10 that are finite"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ZBLConfig.model_validate(settings)


def test_settings_for_other_elements() -> None:
    with pytest.raises(ConfigError, match=r"zbl.flexible: 3 rows, expected 6, one for each pair of H Cu O"):
        ZBL(ZBLConfig(flexible=FLEXIBLE), ["H", "Cu", "O"])
    with pytest.raises(ConfigError, match=r"zbl.typewise_factor: no covalent radius of Am is known; they are up to Pu"):
        ZBL(ZBLConfig(typewise_factor=0.7), ["H", "Am"])


def test_covalent_radii() -> None:
    assert len(COVALENT_RADII) == 94
    assert (covalent_radius("H"), covalent_radius(29), covalent_radius("Pu")) == (0.426667, 1.34667, 2.06667)


def test_some_types_of_many() -> None:
    rows = [[0.1 * row, 1.0 + row, *[0.01] * 8] for row in range(6)]
    zbl = ZBLConfig.model_validate({"flexible": rows})
    chosen = zbl.of_types([2, 0], 3).pair_rows(["Cu", "H"])
    whole = zbl.pair_rows(["H", "O", "Cu"])
    assert torch.equal(chosen, whole[[2, 0]][:, [2, 0]])
    assert ZBLConfig(inner=0.5, outer=1.0).of_types([1], 3) == ZBLConfig(inner=0.5, outer=1.0)
