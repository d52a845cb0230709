"""Frames that a checkpoint records are found again, and dealt as the training dealt them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from families import small_potential, small_section
from morse import crystal, labelled, write_xyz

from pwmlff.config import load_config
from pwmlff.data.readers import ReadReport
from pwmlff.models.files.checkpoint import save_checkpoint
from pwmlff.report.inputs import Subject, read_subject
from pwmlff.report.structures import frame_of
from pwmlff.train.data import count_frames, read_run_frames


@pytest.fixture
def run_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run file and its data, 12 frames, in the working directory."""
    monkeypatch.chdir(tmp_path)
    potential = small_potential("NEP", 4.0, ["Cu"])
    write_xyz(Path("data.xyz"), labelled(potential, [frame_of(crystal(1, 0.05, seed)) for seed in range(12)]))
    path = Path("train.json")
    path.write_text(
        '{"model_type": "NEP", "atom_type": ["Cu"], "train_data": ["data.xyz"], "valid_ratio": 0.25, "seed": 5}'
    )
    return path


def checkpoint_of(run_file: Path, folder: Path, fingerprint: str = "") -> Path:
    config = {**load_config(run_file).model_dump(mode="json"), "model": small_section("NEP", 4.0)}
    path = folder / "model.ckpt"
    folder.mkdir(exist_ok=True)
    potential = small_potential("NEP", 4.0, ["Cu"])
    save_checkpoint(path, potential, config=config, state={"data": {"fingerprint": fingerprint}} if fingerprint else {})
    return path


def read(model: Path, data: list[Path] | None = None, train: list[Path] | None = None) -> Subject:
    options = {"device": torch.device("cpu"), "trust": False, "format": None}
    return read_subject(model, data or [], train or [], most_atoms=10_000, **options)  # type: ignore[arg-type]


def test_the_split_is_that_of_the_training(run_file: Path) -> None:
    data = read_run_frames(load_config(run_file), ReadReport())
    train, valid = data.train, data.valid
    model = checkpoint_of(run_file, Path("model_record"), count_frames(train).fingerprint)
    subject = read(model)
    assert [frame.index for frame in subject.train.frames] == [frame.index for frame in train]
    assert [frame.index for frame in subject.test.frames] == [frame.index for frame in valid]
    assert subject.notes == []
    assert subject.n_seen == 0


def test_from_another_folder(run_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = checkpoint_of(run_file, Path("model_record")).absolute()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert len(read(model).train) == 9


def test_files_that_are_gone_or_changed(run_file: Path) -> None:
    model = checkpoint_of(run_file, Path("model_record"), "another")
    assert "have changed since the training" in " ".join(read(model).notes)
    Path("data.xyz").rename("moved.xyz")
    subject = read(model, [Path("moved.xyz")])
    assert len(subject.train) == 0
    assert "'data.xyz' is not found" in " ".join(subject.notes)
    again = read(model, [Path("moved.xyz")], [Path("moved.xyz")])
    assert len(again.train) == 12
    assert again.n_seen == 12


def test_thinning(run_file: Path) -> None:
    model = checkpoint_of(run_file, Path("model_record"))
    options = {"device": torch.device("cpu"), "trust": False, "format": None}
    subject = read_subject(model, [Path("data.xyz")] * 3, [], most_atoms=4 * 15, **options)  # type: ignore[arg-type]
    assert (len(subject.test), subject.test.n_all) == (15, 36)
    assert subject.test.size == "15 of 36 frames"
