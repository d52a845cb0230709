"""What an exported model says for the native kernels: places of its numbers in the file, and how to use them."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from pwmlff.errors import ModelFileError
from pwmlff.export import export_potential, load_exported
from pwmlff.export.native import stored_tensors
from pwmlff.models import MODELS, Potential, ZBLConfig, build_potential
from pwmlff.models.base import Network


class Nothing(Network):
    """No interaction, and no Deep Potential."""

    cutoff = 3.0

    def forward(self, pair_vectors: Tensor, pair_start: Tensor, pair_types: Tensor, atom_types: Tensor) -> Tensor:
        return 0.0 * pair_vectors.sum() + torch.zeros(atom_types.shape[0], dtype=torch.float64)


def small(zbl: ZBLConfig | None = None, dtype: str = "float64") -> Potential:
    settings = {"descriptor": {"Rmax": 4.1, "network_size": [4, 8], "M2": 3}, "fitting_net": {"network_size": [6, 1]}}
    config = MODELS["DP"].Config.model_validate(settings)
    potential = build_potential("DP", config, ("Cu", "Au"), dtype=dtype, zbl=zbl)
    potential.set_energy_shift(np.array([-3.5, -2.25]))
    return potential


def test_all_tensors_are_found(tmp_path: Path) -> None:
    path = export_potential(small(ZBLConfig(inner=0.7, outer=1.4), "float32"), tmp_path / "model.pt")
    exported = load_exported(path)
    native = exported.metadata.native
    assert native is not None
    tensors = dict(exported.module.named_buffers())
    assert set(native["tensors"]) == set(tensors)
    with zipfile.ZipFile(path) as archive:
        root = archive.namelist()[0].partition("/")[0]
        for name, stored in native["tensors"].items():
            numbers = np.frombuffer(archive.read(f"{root}/{stored['record']}"), stored["dtype"])
            np.testing.assert_array_equal(numbers.reshape(stored["shape"]), tensors[name].numpy())
    assert native["tensors"]["network.fitting"]["dtype"] == "float32"
    assert not native["has_double_nets"]
    assert (native["embedding_widths"], native["fitting_widths"], native["n_axis"]) == ([4, 8], [6], 3)
    assert native["outer"] == 4.1
    assert native["repulsion"] is not None
    assert (native["repulsion"]["inner"], native["repulsion"]["outer"]) == (0.7, 1.4)


def test_numbers_are_written_once(tmp_path: Path) -> None:
    path = export_potential(small(), tmp_path / "model.pt")
    native = load_exported(path).metadata.native
    assert native is not None
    assert path.read_bytes().count(np.array([-3.5, -2.25]).tobytes()) == 1


def test_other_models_have_none(tmp_path: Path) -> None:
    assert load_exported(export_potential(Potential(Nothing(), ("Cu",)), tmp_path / "model.pt")).metadata.native is None


def test_is_under_the_digest(tmp_path: Path) -> None:
    path = export_potential(small(), tmp_path / "model.pt")
    path.write_bytes(path.read_bytes().replace(b'"n_axis": 3', b'"n_axis": 2'))
    with pytest.raises(ModelFileError, match="SHA-256 does not match"):
        load_exported(path)


def test_equal_tensors_share_a_place(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "archive", "w") as archive:
        archive.writestr("root/data/0", np.zeros(2).tobytes())
        archive.writestr("root/data/1", np.zeros(2).tobytes())
        archive.writestr("root/extra/text", json.dumps("no tensor"))
    zeros = torch.zeros(2, dtype=torch.float64)
    found = stored_tensors({"a": zeros, "b": zeros.clone()}, tmp_path / "archive")
    assert found["a"] == found["b"] == {"record": found["a"]["record"], "dtype": "float64", "shape": [2]}
    with pytest.raises(KeyError):
        stored_tensors({"c": torch.ones(2)}, tmp_path / "archive")
