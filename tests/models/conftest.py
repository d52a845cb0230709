"""Models under test: every row of MODELS with a small configuration, and a toy added the way a user would."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from toy_model import ToyModel

from pwmlff.compress import tabulate
from pwmlff.data.dataset import FrameDataset, iterate_batches
from pwmlff.data.frame import Frame
from pwmlff.models import MODELS, Potential, ZBLConfig, build_potential

CUTOFF = 4.5
_DP = {
    "descriptor": {"Rmax": CUTOFF, "Rmin": 1.0, "M2": 4, "network_size": [6, 12, 12]},
    "fitting_net": {"network_size": [10, 10, 1]},
}
CASES: dict[str, tuple[str, dict[str, Any], ZBLConfig | None]] = {
    "DP": ("DP", _DP, None),
    "DP_TYPE_EMBEDDING": ("DP_TYPE_EMBEDDING", _DP, None),
    "DP+ZBL": ("DP", _DP, ZBLConfig(inner=1.5, outer=3.0)),
    "DP+tables": ("DP", _DP, ZBLConfig(inner=1.5, outer=3.0)),
    "DP_TYPE_EMBEDDING+tables": ("DP_TYPE_EMBEDDING", _DP, None),
    "TOY": ("TOY", {"cutoff": CUTOFF}, None),
}
_TABLES = {"DP+tables": (0.02, 3), "DP_TYPE_EMBEDDING+tables": (0.05, 5)}  # dx, order


@pytest.fixture(autouse=True)
def _toy_in_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MODELS, "TOY", ToyModel)


@dataclass
class Case:
    """A potential and the way it is run."""

    potential: Potential  # eager, for parameters and attributes
    run: Callable[..., torch.Tensor]  # eager or scripted
    dtype: str


@pytest.fixture
def make_case(two_element_frames: list[Frame]) -> Callable[..., Case]:
    """Build a case with statistics of the two-element frames."""

    def make(name: str, dtype: str = "float64", mode: str = "eager") -> Case:
        torch.manual_seed(3)
        key, config, zbl = CASES[name]
        potential = build_potential(key, MODELS[key].Config.model_validate(config), ["Cu", "Au"], dtype, zbl)
        potential.collect_statistics(iterate_batches(FrameDataset(two_element_frames, ["Cu", "Au"], CUTOFF), 4))
        if name in _TABLES:
            potential = tabulate(potential, *_TABLES[name])
        run = torch.jit.script(potential) if mode == "scripted" else potential
        return Case(potential, run, dtype)

    return make
