"""Exported models are their family and arrays: the pair style checks these and nothing else, and runs no code of a
file that has them."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ase import Atoms

from pwmlff.data.dataset import FrameDataset, iterate_batches
from pwmlff.export import export_potential
from pwmlff.models import MODELS, build_potential

CUTOFF = 4.6  # Å
METADATA, DIGEST = "extra/metadata.json", "extra/sha256"
BOX = "units metal\nregion box block 0 9 0 9 0 9\ncreate_box 2 box\n"

Entries = dict[str, bytes]  # of an archive, by path below its one folder
Edit = Callable[[dict[str, Any], Entries], object]


@pytest.fixture
def exported(crystal: Atoms, as_frame: Callable, tmp_path: Path) -> Path:
    """A Deep Potential of Cu and O, for native kernels."""
    torch.manual_seed(1)
    section = {"descriptor": {"Rmax": CUTOFF, "Rmin": 1.0, "network_size": [4, 8], "M2": 2}}
    potential = build_potential("DP", MODELS["DP"].Config.model_validate(section), ("Cu", "O"))
    potential.collect_statistics(iterate_batches(FrameDataset([as_frame(crystal)], ["Cu", "O"], CUTOFF), 1))
    potential.set_energy_shift(np.array([-5.0, -3.0]))
    return export_potential(potential, tmp_path / "model.pt")


@pytest.fixture
def error_of(start_lammps: Callable, tmp_path: Path) -> Callable[[str], str]:
    """Return a function that gives the one error line about the model in the file `bad.pt`."""

    def find(backend: str = "auto") -> str:
        run = start_lammps(f"{BOX}pair_style pwmlff bad.pt backend {backend}\n")
        (line,) = [line for line in (run.stdout + run.stderr).splitlines() if line.startswith("ERROR")]
        assert "cannot use model file 'bad.pt': " in line
        return line

    return find


def edited(source: Path, target: Path, edit: Edit, *, offset: int = 0) -> Path:
    """Write an intact file with other content.

    Args:
        source: An exported model with a family.
        target: File to write.
        edit: Changes metadata and entries in place; the digest follows.
        offset: Of the entries from multiples of 64 bytes, where torch puts them.
    """
    with zipfile.ZipFile(source) as archive:
        names = {name: name.partition("/")[2] for name in archive.namelist()}
        entries = {path: archive.read(name) for name, path in names.items()}
    metadata = json.loads(entries[METADATA])
    edit(metadata, entries)
    entries[METADATA] = json.dumps(metadata).encode()
    sha = hashlib.sha256(entries[METADATA])
    for name in sorted(metadata.get("arrays", {}), key=str.encode):
        sha.update(name.encode() + entries.get(metadata["arrays"][name].get("record"), b""))
    entries[DIGEST] = sha.hexdigest().encode()
    with target.open("wb") as file, zipfile.ZipFile(file, "w") as archive:
        for path, content in entries.items():
            entry = zipfile.ZipInfo(f"model/{path}")
            padding = (offset - file.tell() - 34 - len(entry.filename)) % 64
            entry.extra = b"FB" + padding.to_bytes(2, "little") + bytes(padding)
            archive.writestr(entry, content)
    return target


def shift(metadata: dict[str, Any], **changes: object) -> None:
    """Change what the metadata says of one of the arrays that every family has."""
    metadata["arrays"]["energy_shift"].update(changes)


def garble_code(metadata: dict[str, Any], entries: Entries) -> None:
    """Leave nothing of the TorchScript but the arrays."""
    kept = {METADATA, DIGEST, *(array["record"] for array in metadata["arrays"].values())}
    garbled = [path for path in entries if path not in kept]
    assert any(path.startswith("code/") for path in garbled)
    for path in garbled:
        entries[path] = b"garbage"


@pytest.mark.parametrize("backend", ["native", "torch"])
def test_code_of_the_file_is_never_run(
    crystal: Atoms, exported: Path, run_lammps: Callable, tmp_path: Path, backend: str
) -> None:
    garbled = edited(exported, tmp_path / "garbled.pt", garble_code)
    with pytest.raises(RuntimeError), garbled.open("rb") as file:
        torch.jit.load(file)
    expected, result = (run_lammps(crystal, f"pwmlff {path} backend {backend}") for path in (exported, garbled))
    np.testing.assert_array_equal(result.forces, expected.forces)
    np.testing.assert_array_equal(result.atomic_energies, expected.atomic_energies)


@pytest.mark.parametrize("backend", ["native", "torch"])
@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda m, e: m["arrays"].pop("mean"), "lacks the array 'mean'"),
        (lambda m, e: shift(m, dtype="int64"), "is int64 [2], expected float64"),
        (lambda m, e: shift(m, shape=[1, 2]), "is float64 [1, 2], expected float64"),
        (lambda m, e: m["elements"].append("H"), "it names 3 elements, but has weights for 2"),
        (
            lambda m, e: m.update(family="quux"),
            "it is of the family 'quux', which this plugin does not know (it knows: dp); "
            "update pwmlff, or export the model again with this version's `pwmlff export`",
        ),
    ],
)
def test_arrays_that_make_no_model(
    exported: Path, error_of: Callable, tmp_path: Path, backend: str, edit: Edit, message: str
) -> None:
    """Whatever computes, the message is the same."""
    edited(exported, tmp_path / "bad.pt", edit)
    assert message in error_of(backend)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda m, e: shift(m, shape=[3]), "its arrays cannot be used ('energy_shift' has 16 bytes, expected 24)"),
        (lambda m, e: shift(m, shape=[2**62, 8]), "its arrays cannot be used (the shape of 'energy_shift')"),
        (lambda m, e: shift(m, shape=[-2, -1]), "its arrays cannot be used (the shape of 'energy_shift')"),
        (lambda m, e: shift(m, dtype="float16"), "its arrays cannot be used ('energy_shift' has dtype float16)"),
        (lambda m, e: shift(m, record="data/none"), "should be in 'data/none', which is missing)"),
        (lambda m, e: m["arrays"]["energy_shift"].pop("record"), "its array 'energy_shift' cannot be found ("),
        (lambda m, e: shift(m, shape="two"), "its array 'energy_shift' cannot be found ("),
        (lambda m, e: m.update(family=3), "its family is not a text"),
        (lambda m, e: m.pop("family"), "its metadata lacks 'family'"),
        (lambda m, e: m.pop("arrays"), "its metadata lacks 'arrays'"),
        (lambda m, e: m.pop("model_type"), "its metadata lacks 'model_type'"),
        (
            lambda m, e: m.update(format_version=1),
            "it has format version 1, this plugin reads version 2; "
            "export the model again with this version's `pwmlff export`",
        ),
    ],
)
def test_metadata_that_does_not_fit(
    exported: Path, error_of: Callable, tmp_path: Path, edit: Edit, message: str
) -> None:
    edited(exported, tmp_path / "bad.pt", edit)
    assert message in error_of()


def test_unaligned_numbers(exported: Path, error_of: Callable, tmp_path: Path) -> None:
    edited(exported, tmp_path / "bad.pt", lambda m, e: None, offset=4)
    assert "are not aligned in the file" in error_of()


def offset_of(path: Path, record: str) -> int:
    """Return where the bytes of an entry begin."""
    with zipfile.ZipFile(path) as archive:
        info = next(info for info in archive.infolist() if info.filename.endswith("/" + record))
    content = path.read_bytes()
    sizes = content[info.header_offset + 26 : info.header_offset + 30]
    return info.header_offset + 30 + int.from_bytes(sizes[:2], "little") + int.from_bytes(sizes[2:], "little")


def flipped(content: bytes, position: int) -> bytes:
    return content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :]


def directory(content: bytes) -> int:
    return content.index(b"PK\x01\x02")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda c, start: flipped(c, start), "its SHA-256 does not match"),
        (lambda c, start: c[: start + 1], "truncated or altered (its table of contents is missing)"),
        (lambda c, start: c[:-8], "truncated or altered (its table of contents ends beyond the end of the file)"),
        (lambda c, start: c[:start] + c[start + 64 :], "truncated or altered"),
        (lambda c, start: flipped(c, directory(c) + 1), "truncated or altered (its table of contents is garbled)"),
        (lambda c, start: c.replace(b'"cutoff": 4.6', b'"cutoff": 4.7'), "its SHA-256 does not match"),
        (lambda c, start: c.replace(b'"energy_shift"', b'"energy_shiff"'), "its SHA-256 does not match"),
        (lambda c, start: c.replace(b'"energy_shift"', b'"energy_shift '), "valid JSON"),
        (lambda c, start: c.replace(b'"data/', b'"dada/'), "its arrays cannot be used ('"),
        (lambda c, start: c.replace(b'"int64"', b'"int61"'), "has dtype int61)"),
    ],
)
@pytest.mark.parametrize("backend", ["native", "torch"])
def test_damaged_file(
    exported: Path, error_of: Callable, tmp_path: Path, backend: str, damage: Callable, message: str
) -> None:
    with zipfile.ZipFile(exported) as archive:
        name = next(name for name in archive.namelist() if name.endswith(METADATA))
        record = json.loads(archive.read(name))["arrays"]["energy_shift"]["record"]
    content = exported.read_bytes()
    (tmp_path / "bad.pt").write_bytes(changed := damage(content, offset_of(exported, record)))
    assert changed != content
    assert message in error_of(backend)
