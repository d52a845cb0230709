"""Models that cannot fit into memory are refused before a weight is made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from rich.console import Console

from pwmlff import memory
from pwmlff.config import RunConfig
from pwmlff.errors import ConfigError
from pwmlff.models import build_potential
from pwmlff.models.dp import DPConfig
from pwmlff.optim import OPTIMIZERS
from pwmlff.train import train_from_config
from pwmlff.train.size import check_size

RunFactory = Callable[..., RunConfig]
HUGE = {"descriptor": {"network_size": [100_000, 200_000]}, "fitting_net": {"network_size": [50, 1]}}


def test_net_that_cannot_fit(make_run: RunFactory) -> None:
    config = make_run(model_type="DP", model=HUGE)
    with pytest.raises(ConfigError, match=r"the model has 20\d{9} weights, which take 6\d\d GB with .* of ADAM, and"):
        train_from_config(config, console=Console(quiet=True))


@pytest.mark.parametrize("optimizer", ["LKF", "GKF"])
def test_covariance_that_cannot_fit(make_run: RunFactory, monkeypatch: pytest.MonkeyPatch, optimizer: str) -> None:
    monkeypatch.setattr(memory, "available", lambda: 10_000_000)
    check_size(make_run(model_type="DP"))
    config = make_run(model_type="DP", optimizer={"optimizer": optimizer, "learning_rate": None})
    with pytest.raises(ConfigError, match=f"the state of {optimizer}, and 0.01 GB of memory are free"):
        check_size(config)


@pytest.mark.parametrize("optimizer", ["ADAM", "LKF", "GKF"])
def test_size_of_the_state_is_that_of_the_tensors(optimizer: str) -> None:
    sizes = {"descriptor": {"network_size": [16, 16], "M2": 4}, "fitting_net": {"network_size": [40, 1]}}
    potential = build_potential("DP", DPConfig.model_validate(sizes), ["Cu"])
    strategy = OPTIMIZERS[optimizer]
    config = strategy.Config(optimizer=optimizer, **({} if optimizer == "ADAM" else {"block_size": 512}))
    update: Any = strategy(potential, config, steps_per_epoch=1)
    n_weights = sum(parameter.numel() for parameter in potential.parameters())
    if optimizer == "ADAM":
        for parameter in potential.parameters():
            parameter.grad = torch.zeros_like(parameter)
        update._optimizers[0].step()
    tensors, _ = update.state()
    held = sum(value.numel() * value.element_size() for value in tensors.values())
    assert held == pytest.approx(strategy.state_size(config, n_weights), rel=0.3)  # P is stored in tiles


def test_memory_of_a_container(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    assert 0 < memory.available() < 10**15
    (tmp_path / "memory.max").write_text("1000\n")
    (tmp_path / "memory.current").write_text("400\n")
    monkeypatch.setattr(memory, "_CGROUP", tmp_path)
    assert memory.available() == 600
    (tmp_path / "memory.max").write_text("max\n")
    assert memory.available() > 600
