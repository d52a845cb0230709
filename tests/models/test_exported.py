"""Exported files: named arrays for the kernels, which are all that anyone reads of a model with a family."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from pwmlff.data.batch import Batch, collate, make_sample
from pwmlff.data.frame import Frame
from pwmlff.errors import ModelFileError
from pwmlff.export import export_model, export_potential
from pwmlff.models import MODELS, Potential, ZBLConfig, build_potential
from pwmlff.models.base import Network
from pwmlff.models.files import format_of, read_model
from pwmlff.models.files.checkpoint import save_checkpoint
from pwmlff.models.files.exported import load_exported
from pwmlff.ops import library

pytestmark = pytest.mark.skipif(not library.load(), reason=f"no native library: {library.status().error}")


class Nothing(Network):
    """No interaction, and no family."""

    cutoff = 3.0

    def forward(self, pair_vectors: Tensor, pair_start: Tensor, pair_types: Tensor, atom_types: Tensor) -> Tensor:
        return 0.0 * pair_vectors.sum() + torch.zeros(atom_types.shape[0], dtype=torch.float64)


def small(zbl: ZBLConfig | None = None, dtype: str = "float64") -> Potential:
    settings = {"descriptor": {"Rmax": 4.1, "network_size": [4, 8], "M2": 3}, "fitting_net": {"network_size": [6, 1]}}
    config = MODELS["DP"].Config.model_validate(settings)
    potential = build_potential("DP", config, ("Cu", "Au"), dtype=dtype, zbl=zbl)
    potential.set_energy_shift(np.array([-3.5, -2.25]))
    return potential


@pytest.fixture
def batch(two_element_frames: list[Frame]) -> Batch:
    return collate([make_sample(two_element_frames[2], {29: 0, 79: 1}, 4.1)])


def entry_of(path: Path, tail: str) -> tuple[int, int]:
    """Return where the bytes of an entry begin and end."""
    with zipfile.ZipFile(path) as archive:
        info = next(info for info in archive.infolist() if info.filename.endswith(tail))
    sizes = path.read_bytes()[info.header_offset + 26 : info.header_offset + 30]
    lengths = (int.from_bytes(sizes[:2], "little"), int.from_bytes(sizes[2:], "little"))
    start = info.header_offset + 30 + sum(lengths)
    return start, start + info.file_size


def test_names_its_family_and_arrays(tmp_path: Path) -> None:
    potential = small(ZBLConfig(inner=0.7, outer=1.4), "float32")
    path = export_potential(potential, tmp_path / "model.pt")
    metadata = load_exported(path).metadata
    assert metadata is not None
    assert metadata.family == "dp"
    expected = potential.stored()
    assert expected is not None
    assert set(metadata.arrays) == set(expected.arrays)
    for name, array in metadata.arrays.items():
        start, end = entry_of(path, "/" + array["record"])
        numbers = np.frombuffer(path.read_bytes()[start:end], array["dtype"]).reshape(array["shape"])
        np.testing.assert_array_equal(numbers, expected.arrays[name].detach().numpy(), err_msg=name)
    assert metadata.arrays["fitting"]["dtype"] == "float32"
    assert metadata.arrays["energy_shift"] == {**metadata.arrays["energy_shift"], "dtype": "float64", "shape": [2]}


def test_numbers_are_written_once(tmp_path: Path) -> None:
    path = export_potential(small(), tmp_path / "model.pt")
    assert path.read_bytes().count(np.array([-3.5, -2.25]).tobytes()) == 1


def test_other_models_have_none(tmp_path: Path) -> None:
    metadata = load_exported(export_potential(Potential(Nothing(), ("Cu",)), tmp_path / "model.pt")).metadata
    assert metadata is not None
    assert (metadata.family, metadata.arrays) == (None, {})


def test_arrays_and_metadata_are_under_the_digest(tmp_path: Path) -> None:
    path = export_potential(small(), tmp_path / "model.pt")
    metadata = load_exported(path).metadata
    assert metadata is not None
    content = path.read_bytes()
    for name in ("fitting", "energy_shift"):
        start, _ = entry_of(path, "/" + metadata.arrays[name]["record"])
        path.write_bytes(content[:start] + bytes([content[start] ^ 1]) + content[start + 1 :])
        with pytest.raises(ModelFileError, match="SHA-256 does not match"):
            load_exported(path)
    path.write_bytes(content.replace(b'"cutoff": 4.1', b'"cutoff": 4.2'))
    with pytest.raises(ModelFileError, match="SHA-256 does not match"):
        load_exported(path)


def test_the_code_of_a_model_with_a_family_is_not_touched(tmp_path: Path, batch: Batch) -> None:
    path = export_potential(small(), tmp_path / "model.pt")
    expected = load_exported(path).potential.energies_and_gradients(*batch.pairs)
    content = bytearray(path.read_bytes())
    start, end = entry_of(path, "/data.pkl")
    content[start:end] = b"\xff" * (end - start)
    path.write_bytes(bytes(content))
    for values, others in zip(
        load_exported(path).potential.energies_and_gradients(*batch.pairs), expected, strict=True
    ):
        assert torch.equal(values, others)


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_other_programs_may_load_it_as_torchscript(tmp_path: Path, batch: Batch) -> None:
    potential = small(ZBLConfig(inner=1.5, outer=3.0))
    path = export_potential(potential, tmp_path / "model.pt")
    expected = load_exported(path).potential.energies_and_gradients(*batch.pairs)
    for values, others in zip(torch.jit.load(str(path))(*batch.pairs), expected, strict=True):
        assert torch.equal(values, others)


def test_every_kind_of_file_is_recognised(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "model.ckpt", small(), config={"model": {}})
    export_potential(small(), tmp_path / "model.pt")
    (tmp_path / "notes.txt").write_text("no model")
    names = {path.name: row.name for path in tmp_path.iterdir() if (row := format_of(path)) is not None}
    assert names == {"model.ckpt": "checkpoint", "model.pt": "model of pwmlff export"}
    with pytest.raises(ModelFileError, match="is no model"):
        read_model(tmp_path / "notes.txt")
    with pytest.raises(ModelFileError, match="no model file"):
        read_model(tmp_path / "absent.ckpt")


def test_exported_twice(tmp_path: Path) -> None:
    path = export_potential(small(), tmp_path / "model.pt")
    with pytest.raises(ModelFileError, match="is exported already, in float64; for another precision export the check"):
        export_model(path, tmp_path / "again.pt", "mixed")
