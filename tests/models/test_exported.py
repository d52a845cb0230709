"""Exported files: named arrays for the kernels, which are all that anyone reads of a model with a family."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from pwmlff import PwmlffCalculator
from pwmlff.data.batch import Batch, collate, make_sample
from pwmlff.data.frame import Frame
from pwmlff.errors import ModelFileError
from pwmlff.export import export_model, export_potential
from pwmlff.models import MODELS, Potential, ZBLConfig, build_potential
from pwmlff.models.base import Network
from pwmlff.models.files import format_of, read_model
from pwmlff.models.files.archive import DIGEST_SIZE, Archive, with_digest
from pwmlff.models.files.checkpoint import save_checkpoint
from pwmlff.models.files.exported import load_exported, read_metadata
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
    path = export_potential(Potential(Nothing(), ("Cu",)), tmp_path / "model.pt")
    metadata = load_exported(path, trust=True).metadata
    assert metadata is not None
    assert metadata == read_metadata(path)
    assert (metadata.family, metadata.arrays) == (None, {})


@pytest.mark.parametrize("has_family", [True, False])
def test_every_byte_is_under_the_digest(tmp_path: Path, has_family: bool) -> None:
    path = export_potential(small() if has_family else Potential(Nothing(), ("Cu",)), tmp_path / "model.pt")
    content = path.read_bytes()
    Archive(content, path)
    for position in range(len(content)):
        damaged = content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :]
        with pytest.raises(ModelFileError):
            Archive(damaged, path)
    # the digits are those of all bytes before them, whoever reads
    assert hashlib.sha256(content[:-64]).hexdigest().encode() == content[-64:]


@pytest.mark.parametrize("damage", [lambda c: c[:-1], lambda c: c[1:], lambda c: c + b"0", lambda c: c[:100] + c[99:]])
def test_nothing_can_be_added_or_left_out(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    path = export_potential(small(), tmp_path / "model.pt")
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ModelFileError):
        read_model(path)


def test_the_digest_comes_before_the_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = export_potential(Potential(Nothing(), ("Cu",)), tmp_path / "model.pt")
    content = bytearray(path.read_bytes())
    content[content.index(b"data.pkl") + 100] ^= 1
    path.write_bytes(bytes(content))
    monkeypatch.setattr(torch.jit, "load", lambda *_, **__: pytest.fail("the code was loaded"))
    with pytest.raises(ModelFileError, match="SHA-256 does not match"):
        load_exported(path, trust=True)


def test_entries_that_are_there_twice_or_compressed(tmp_path: Path) -> None:
    path = export_potential(small(), tmp_path / "model.pt")
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    for compression, more, message in (
        (zipfile.ZIP_STORED, "other/extra/metadata.json", "'extra/metadata.json' is there twice"),
        (zipfile.ZIP_DEFLATED, "other/more", "'extra/metadata.json' is compressed"),
    ):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", compression) as archive:
            for name, content in {**entries, more: b"{}"}.items():
                archive.writestr(name, content)
        path.write_bytes(with_digest(buffer.getvalue()))
        with pytest.raises(ModelFileError, match=message):
            read_model(path)


@pytest.mark.parametrize(
    ("said", "instead", "message"),
    [
        (b'"energy": "eV"', b'"energy": "Ha"', "the unit of energy is 'Ha', expected 'eV'"),
        (b'"length": "angstrom"', b'"length": "bohrbohr"', "the unit of length is 'bohrbohr', expected 'angstrom'"),
        (b'"length": "angstrom"', b'"height": "angstrom"', "the unit of length is None, expected 'angstrom'"),
        (b'"units": {', b'"uniTs": {', "'units'"),
    ],
)
def test_units_are_not_converted(tmp_path: Path, said: bytes, instead: bytes, message: str) -> None:
    path = export_potential(small(), tmp_path / "model.pt")
    content = path.read_bytes()
    assert content.count(said) == 1
    path.write_bytes(with_digest(content.replace(said, instead)[:-DIGEST_SIZE]))
    with pytest.raises(ModelFileError, match=message) as caught:
        read_model(path)
    assert "\n" not in str(caught.value)


def test_code_needs_trust(tmp_path: Path) -> None:
    path = export_potential(Potential(Nothing(), ("Cu",)), tmp_path / "model.pt")
    for read in (load_exported, read_model):
        with pytest.raises(ModelFileError, match=r"TorchScript of a Nothing, which pwmlff has no kernels.*say --trust"):
            read(path)
        assert read(path, trust=True).potential.elements == ["Cu"]
    with pytest.raises(ModelFileError, match="say --trust"):
        PwmlffCalculator(path)
    assert PwmlffCalculator(path, trust=True).cutoff == 3.0


def test_the_code_of_a_model_with_a_family_is_not_touched(tmp_path: Path, batch: Batch) -> None:
    path = export_potential(small(), tmp_path / "model.pt")
    expected = load_exported(path).potential.energies_and_gradients(*batch.pairs)
    content = bytearray(path.read_bytes())
    start, end = entry_of(path, "/data.pkl")
    content[start:end] = b"\xff" * (end - start)
    path.write_bytes(with_digest(bytes(content[:-DIGEST_SIZE])))
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
    with pytest.raises(ModelFileError, match="is an exported model, so it is exported already; for another precision"):
        export_model(path, tmp_path / "again.pt", "mixed")
