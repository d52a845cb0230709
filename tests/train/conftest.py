"""A second model and a second optimizer, neither a Deep Potential nor a gradient: the trainer must not notice."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn

from pwmlff.config import RunConfig, load_config
from pwmlff.data.batch import Batch
from pwmlff.data.frame import Frame
from pwmlff.data.writers import write_extxyz
from pwmlff.models import MODELS, Network, NetworkConfig, predict
from pwmlff.optim import OPTIMIZERS, ErrorSums, LossWeights, OptimizerConfig, UpdateStrategy
from pwmlff.optim.base import require_finite
from pwmlff.optim.loss import sum_errors

RunFactory = Callable[..., RunConfig]


class GaussianPairsConfig(NetworkConfig):
    """Settings of the toy model."""

    cutoff: float = 4.0
    n_gaussians: int = 4


class GaussianPairs(Network):
    """e_i = sum_j f(r_ij) sum_k a_k exp(-(r_ij - c_k)^2 / w_k^2), f a smooth cutoff."""

    Config: ClassVar[type[NetworkConfig]] = GaussianPairsConfig

    def __init__(self, config: GaussianPairsConfig, dtype: torch.dtype) -> None:
        super().__init__()
        self.cutoff = config.cutoff
        self.heights = nn.Parameter(0.01 * torch.randn(config.n_gaussians, dtype=dtype))
        self.centers = nn.Parameter(torch.linspace(2.0, config.cutoff, config.n_gaussians, dtype=dtype))
        self.widths = nn.Parameter(torch.ones(config.n_gaussians, dtype=dtype))

    @classmethod
    def from_config(cls, config: Any, elements: Sequence[str], dtype: torch.dtype) -> GaussianPairs:
        return cls(config, dtype)

    def forward(self, pair_vectors: Tensor, pair_start: Tensor, pair_types: Tensor, atom_types: Tensor) -> Tensor:
        distances = pair_vectors.norm(dim=1)  # [E]
        smooth = 0.5 * (1 + torch.cos(torch.pi * distances / self.cutoff))
        shapes = torch.exp(-(((distances[:, None] - self.centers) / self.widths) ** 2))  # [E, K]
        centers = torch.repeat_interleave(torch.arange(len(atom_types)), pair_start[1:] - pair_start[:-1])
        energies = torch.zeros(len(atom_types), dtype=pair_vectors.dtype)
        return energies.index_add(0, centers, (shapes @ self.heights) * smooth)


class RandomSearch(UpdateStrategy):
    """Tries a random change of all weights and keeps it when the batch likes it: no gradient, no learning rate."""

    Config: ClassVar[type[OptimizerConfig]] = OptimizerConfig

    @property
    def weights(self) -> LossWeights:
        return LossWeights(energy=1.0, forces=1.0)

    @torch.no_grad()
    def step(self, batch: Batch) -> ErrorSums:
        before = sum_errors(predict(self.potential, batch, virial=False), batch)
        require_finite(before.loss(self.weights))
        old = [parameter.clone() for parameter in self.potential.parameters()]
        for parameter in self.potential.parameters():
            parameter += 0.02 * torch.randn_like(parameter)
        after = sum_errors(predict(self.potential, batch, virial=False), batch)
        if not after.loss(self.weights) < before.loss(self.weights):
            for parameter, value in zip(self.potential.parameters(), old, strict=True):
                parameter.copy_(value)
        self.n_steps += 1
        return before


@pytest.fixture(autouse=True)
def _toys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MODELS, "TOY", GaussianPairs)
    monkeypatch.setitem(OPTIMIZERS, "RANDOM", RandomSearch)


@pytest.fixture(autouse=True)
def _no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the learning curve and TensorBoard, which take longer than the toy's training."""
    monkeypatch.setattr("pwmlff.train.stages.optional_records", lambda files, quantities: ([], []))


@pytest.fixture(scope="session")
def frames_file(cu_frames: list[Frame], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The copper frames as extended XYZ."""
    path = tmp_path_factory.mktemp("frames") / "cu.xyz"
    write_extxyz(path, cu_frames)
    return path


@pytest.fixture
def make_run(tmp_path: Path, frames_file: Path) -> Iterator[RunFactory]:
    """Return a function that makes a run of the toy model: top-level keys by name, the others under `optimizer`."""

    def make(folder: str = "run", optimizer: dict[str, Any] | None = None, **top: Any) -> RunConfig:
        run = {
            "model_type": "TOY",
            "atom_type": ["Cu"],
            "train_data": [str(frames_file)],
            "valid_ratio": 0.34,
            "threads": 1,
            "device": "cpu",
            "model_store_dir": str(tmp_path / folder),
            "optimizer": {
                "optimizer": "ADAM",
                "epochs": 3,
                "batch_size": 1,
                "learning_rate": 1e-2,
                **(optimizer or {}),
            },
            **top,
        }
        path = tmp_path / f"{folder}.json"
        path.write_text(json.dumps(run), encoding="utf-8")
        return load_config(path)

    return make
