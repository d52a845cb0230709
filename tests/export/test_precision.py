"""Exported models in float64, mixed and float32, compressed and not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from pwmlff.compress import tabulate
from pwmlff.data.batch import Batch
from pwmlff.data.dataset import FrameDataset, iterate_batches
from pwmlff.data.frame import Frame
from pwmlff.errors import ModelFileError
from pwmlff.export import export_model, export_potential
from pwmlff.models import MODELS, NetworkConfig, Potential, ZBLConfig, build_potential
from pwmlff.models.base import Network
from pwmlff.models.files.checkpoint import save_checkpoint
from pwmlff.models.files.exported import load_exported

ELEMENTS = ("Cu", "Au")
MODEL = {
    "descriptor": {"Rmax": 4.5, "Rmin": 1.0, "M2": 4, "network_size": [8, 16]},
    "fitting_net": {"network_size": [12, 12, 1]},
}
TOLERANCE = {"float64": 1e-12, "mixed": 2e-5, "float32": 2e-5}  # eV and eV/Å


@pytest.fixture
def batch(two_element_frames: list[Frame]) -> Batch:
    dataset = FrameDataset(two_element_frames, ELEMENTS, 4.5)
    return dataset.batch(range(len(dataset)))


@pytest.fixture
def make(two_element_frames: list[Frame]) -> Callable[..., Potential]:
    """Return a function that builds a model with the statistics of the frames."""

    def build(name: str, dtype: str = "float64", zbl: ZBLConfig | None = None) -> Potential:
        key, _, tables = name.partition("+")
        potential = build_potential(key, MODELS[key].Config.model_validate(MODEL), ELEMENTS, dtype, zbl)
        potential.collect_statistics(iterate_batches(FrameDataset(two_element_frames, ELEMENTS, 4.5), 4))
        potential.set_energy_shift(np.array([-3000.1234567, -5000.7654321]))  # float32 would lose 1e-4 of it
        return tabulate(potential, 0.05, 5) if tables else potential

    return build


@pytest.mark.parametrize("dtype", ["float64", "mixed", "float32"])
@pytest.mark.parametrize("name", ["DP", "DP_TYPE_EMBEDDING", "DP+tables", "DP_TYPE_EMBEDDING+tables"])
def test_all_precisions(make: Callable, batch: Batch, tmp_path: Path, name: str, dtype: str) -> None:
    potential = make(name, zbl=ZBLConfig(inner=1.5, outer=3.0))
    expected = potential.energies_and_gradients(*batch.pairs)
    exported = load_exported(export_potential(potential, tmp_path / "model.pt", dtype))
    assert exported.metadata.dtype == dtype
    arrays = exported.potential.network.stored().arrays
    assert arrays["energy_shift"].dtype == torch.float64
    assert arrays["fitting"].dtype == (torch.float64 if dtype == "float64" else torch.float32)
    for values, reference in zip(exported.potential.energies_and_gradients(*batch.pairs), expected, strict=True):
        assert values.dtype == torch.float64
        assert (values - reference).abs().max() < TOLERANCE[dtype]
        assert dtype == "float64" or (values != reference).any()
    assert next(potential.network.parameters()).dtype == torch.float64


@pytest.mark.parametrize(("training", "default"), [("float64", "float64"), ("float32", "mixed")])
@pytest.mark.parametrize("name", ["DP", "DP+tables"])
def test_default_is_that_of_the_training(
    make: Callable, tmp_path: Path, name: str, training: str, default: str
) -> None:
    potential = make(name, training)
    assert load_exported(export_potential(potential, tmp_path / "model.pt")).metadata.dtype == default
    config = MODEL if name == "DP" else potential.network.config.model_dump(mode="json")
    save_checkpoint(tmp_path / "model.ckpt", potential, config={"model": config})
    assert load_exported(export_model(tmp_path / "model.ckpt")).metadata.dtype == default


def test_float32_weights_in_float64(make: Callable, batch: Batch, tmp_path: Path) -> None:
    """Allowed: the same weights, rounded no further."""
    potential = make("DP+tables", "float32")
    results = {}
    for dtype in ("float64", "mixed"):
        exported = load_exported(export_potential(potential, tmp_path / f"{dtype}.pt", dtype)).potential
        results[dtype] = exported.energies_and_gradients(*batch.pairs)[1]
    assert 0 < (results["float64"] - results["mixed"]).abs().max() < TOLERANCE["mixed"]


def test_metadata_of_tables(make: Callable, tmp_path: Path) -> None:
    plain, compressed = make("DP"), make("DP+tables")
    assert load_exported(export_potential(plain, tmp_path / "plain.pt")).metadata.table is None
    table = load_exported(export_potential(compressed, tmp_path / "small.pt")).metadata.table
    shortest = dict(zip(ELEMENTS, plain.network.environment.shortest.tolist(), strict=True))
    assert table == {"order": 5, "dx": 0.05, "shortest": shortest}


def test_networks_that_do_not_know_their_configuration(tmp_path: Path) -> None:
    class Constant(Network):
        Config = NetworkConfig

        def __init__(self) -> None:
            super().__init__()
            self.cutoff = 4.0
            self.level = torch.nn.Parameter(torch.ones(1, dtype=torch.float64))

    with pytest.raises(ModelFileError, match="so it cannot be exported as mixed; export its checkpoint"):
        export_potential(Potential(Constant(), ELEMENTS), tmp_path / "model.pt", "mixed")
