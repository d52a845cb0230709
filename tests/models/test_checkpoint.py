"""Checkpoint files: round trip, damage of every kind, failures while writing."""

from __future__ import annotations

import json
import pickle
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

import pwmlff
from pwmlff.data.batch import collate, make_sample
from pwmlff.data.frame import Frame
from pwmlff.errors import ModelFileError
from pwmlff.models import MODELS, Potential, ZBLConfig, build_potential, predict
from pwmlff.models.files import checkpoint
from pwmlff.models.files.checkpoint import load_checkpoint, load_potential, save_checkpoint

MODEL = {
    "descriptor": {"Rmax": 4.0, "network_size": [4, 8], "M2": 2},
    "fitting_net": {"network_size": [6, 1]},
}
CONFIG: dict[str, Any] = {"model_type": "DP", "atom_type": ["Cu", "Au"], "model": MODEL, "zbl": None}


def _potential(dtype: str = "float64", zbl: ZBLConfig | None = None) -> Potential:
    potential = build_potential("DP", MODELS["DP"].Config.model_validate(MODEL), ["Cu", "Au"], dtype=dtype, zbl=zbl)
    potential.energy_shift.copy_(torch.tensor([-1.5, 2.5]))
    return potential


def _metadata(path: Path) -> dict[str, str]:
    with safe_open(path, framework="pt") as file:
        return dict(file.metadata())


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "dp_model.ckpt"
    save_checkpoint(path, _potential(), config=CONFIG, tensors={"a/b": torch.arange(3)}, state={"epoch": 4})
    return path


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("zbl", [None, ZBLConfig(inner=0.5, outer=1.0)])
def test_round_trip(tmp_path: Path, dtype: str, zbl: ZBLConfig | None) -> None:
    potential = _potential(dtype, zbl)
    config = {**CONFIG, "zbl": None if zbl is None else zbl.model_dump()}
    save_checkpoint(tmp_path / "m.ckpt", potential, config=config, tensors={"x": torch.ones(2, 0)}, state={"n": [1]})
    read = load_checkpoint(tmp_path / "m.ckpt")
    assert read.config == config
    assert read.state == {"n": [1]}
    assert read.pwmlff_version == pwmlff.__version__
    assert read.tensors["x"].shape == (2, 0)
    assert read.potential.elements == ["Cu", "Au"]
    for name, value in potential.state_dict().items():
        assert torch.equal(read.potential.state_dict()[name], value)
        assert read.potential.state_dict()[name].dtype == value.dtype


def test_loading_leaves_the_random_numbers_alone(saved: Path) -> None:
    before = torch.get_rng_state()
    load_potential(saved)
    assert torch.equal(before, torch.get_rng_state())


def test_file_is_readable_as_the_umask_says(saved: Path, tmp_path: Path) -> None:
    (tmp_path / "other").touch()
    assert stat.S_IMODE(saved.stat().st_mode) == stat.S_IMODE((tmp_path / "other").stat().st_mode)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="no checkpoint at"):
        load_checkpoint(tmp_path / "none.ckpt")


@pytest.mark.parametrize("kept", [0, 4, 100, 0.5, -1])
def test_truncated_file(saved: Path, kept: float) -> None:
    content = saved.read_bytes()
    length = int(kept * len(content)) if isinstance(kept, float) else kept
    saved.write_bytes(content[:length])
    with pytest.raises(ModelFileError, match="truncated"):
        load_checkpoint(saved)


def test_altered_tensor(saved: Path) -> None:
    content = bytearray(saved.read_bytes())
    content[-3] ^= 1
    saved.write_bytes(bytes(content))
    with pytest.raises(ModelFileError, match="damaged or was altered"):
        load_checkpoint(saved)


def test_altered_configuration(saved: Path) -> None:
    tensors, metadata = load_file(saved), _metadata(saved)
    content = json.loads(metadata["content"])
    content["elements"] = ["Au", "Cu"]
    save_file(tensors, saved, metadata={**metadata, "content": json.dumps(content)})
    with pytest.raises(ModelFileError, match="SHA-256"):
        load_checkpoint(saved)


@pytest.mark.parametrize("version", ["3", "0", "x", ""])
def test_other_version(saved: Path, version: str) -> None:
    save_file(load_file(saved), saved, metadata={**_metadata(saved), "format_version": version})
    with pytest.raises(ModelFileError, match=rf"format version .* \(written by pwmlff {pwmlff.__version__}, this is"):
        load_checkpoint(saved)


@pytest.mark.parametrize("content", ["", "{}", "[]", "{"])
def test_other_version_with_another_header(saved: Path, content: str) -> None:
    save_file(load_file(saved), saved, metadata={**_metadata(saved), "format_version": "3", "content": content})
    with pytest.raises(ModelFileError, match="reads 1 to 2; use the version of pwmlff that wrote it"):
        load_checkpoint(saved)


def test_file_that_does_not_say_who_wrote_it(saved: Path) -> None:
    tensors, metadata = load_file(saved), _metadata(saved)
    content = json.loads(metadata["content"])
    del content["pwmlff_version"]
    metadata["content"] = json.dumps(content)
    metadata["sha256"] = checkpoint._fingerprint(metadata["content"], tensors)
    save_file(tensors, saved, metadata=metadata)
    read = load_checkpoint(saved)
    assert (read.pwmlff_version, read.state) == ("", {"epoch": 4})


def test_older_version_is_upgraded(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def upgrade(content: dict[str, Any], tensors: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        content["state"]["epoch"] += 1
        return content, tensors

    monkeypatch.setattr(checkpoint, "FORMAT_VERSION", 4)
    monkeypatch.setattr(checkpoint, "_UPGRADES", {2: upgrade, 3: upgrade})
    assert load_checkpoint(saved).state["epoch"] == 6


def test_other_safetensors_file(tmp_path: Path) -> None:
    save_file({"a": torch.ones(2)}, tmp_path / "a.ckpt")
    with pytest.raises(ModelFileError, match="no pwmlff checkpoint"):
        load_checkpoint(tmp_path / "a.ckpt")


def test_pickles_are_not_loaded(tmp_path: Path) -> None:
    torch.save({"a": 1}, tmp_path / "zip.ckpt")
    (tmp_path / "old.ckpt").write_bytes(pickle.dumps({"a": 1}, protocol=2))
    for name in ("zip.ckpt", "old.ckpt"):
        with pytest.raises(ModelFileError, match="pickled"):
            load_checkpoint(tmp_path / name)


def test_unknown_model(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    others = {name: row for name, row in MODELS.items() if name != "DP"}
    monkeypatch.setattr(pwmlff.models, "MODELS", others)
    with pytest.raises(ModelFileError, match=r"holds a DP model \(written by pwmlff .*; this pwmlff has"):
        load_checkpoint(saved)


def test_configuration_that_does_not_build_the_weights(tmp_path: Path) -> None:
    other = {**CONFIG, "model": {**MODEL, "fitting_net": {"network_size": [7, 1]}}}
    save_checkpoint(tmp_path / "m.ckpt", _potential(), config=other)
    with pytest.raises(ModelFileError, match=r"cannot be built again \(written by pwmlff .*\): "):
        load_checkpoint(tmp_path / "m.ckpt")


@pytest.mark.parametrize("step", ["_flush", "save_file"])
def test_full_disk_keeps_the_old_file(saved: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise OSError(28, "No space left on device")

    before = saved.read_bytes()
    monkeypatch.setattr(checkpoint, step, fail)
    with pytest.raises(ModelFileError, match=r"No space left on device; the one written before is still there, whole"):
        save_checkpoint(saved, _potential(), config=CONFIG)
    assert saved.read_bytes() == before
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]


def test_killed_between_write_and_rename_keeps_the_old_file(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(BaseException):
        pass

    def die(*args: Any) -> None:
        raise Killed

    monkeypatch.setattr(checkpoint.os, "replace", die)
    with pytest.raises(Killed):
        save_checkpoint(saved, _potential(), config=CONFIG, state={"epoch": 5})
    monkeypatch.undo()
    assert load_checkpoint(saved).state["epoch"] == 4
    # what was left behind is in nobody's way, and does not stay
    save_checkpoint(saved, _potential(), config=CONFIG, state={"epoch": 5})
    assert load_checkpoint(saved).state["epoch"] == 5
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]


def test_the_first_version_is_read() -> None:
    """A compressed model written in format 1, with the numbers that version computed."""
    folder = Path(__file__).parent / "data"
    potential = load_checkpoint(folder / "compressed_v1.ckpt").potential.frozen()
    expected = json.loads((folder / "compressed_v1.json").read_text())
    structure = {"atomic_numbers": expected["numbers"], "positions": expected["positions"], "cell": expected["cell"]}
    frame = Frame(**{name: np.array(values) for name, values in structure.items()})
    batch = collate([make_sample(frame, potential.type_of, potential.cutoff)])
    prediction = predict(potential, batch)
    np.testing.assert_allclose(prediction.atomic_energies, expected["atomic_energies"], rtol=0, atol=1e-12)
    np.testing.assert_allclose(prediction.forces, expected["forces"], rtol=0, atol=1e-12)
