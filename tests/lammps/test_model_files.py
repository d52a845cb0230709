"""Exported models are their family and arrays: the pair style checks these and nothing else, and runs no code of a
file that has them."""

from __future__ import annotations

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
from pwmlff.models.files.archive import DIGEST_SIZE, with_digest

CUTOFF = 4.6  # Å
METADATA = "extra/metadata.json"
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
        run = start_lammps(f"{BOX}pair_style pwmlff bad.pt backend {backend}\n", trust=False)
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
    with target.open("wb") as file, zipfile.ZipFile(file, "w") as archive:
        for path, content in entries.items():
            entry = zipfile.ZipInfo(f"model/{path}")
            padding = (offset - file.tell() - 34 - len(entry.filename)) % 64
            entry.extra = b"FB" + padding.to_bytes(2, "little") + bytes(padding)
            archive.writestr(entry, content)
    target.write_bytes(with_digest(target.read_bytes()))
    return target


def shift(metadata: dict[str, Any], **changes: object) -> None:
    """Change what the metadata says of one of the arrays that every family has."""
    metadata["arrays"]["energy_shift"].update(changes)


def put(metadata: dict[str, Any], entries: Entries, name: str, numbers: np.ndarray) -> None:
    """Replace an array, and what the metadata say of it."""
    array = metadata["arrays"][name]
    array.update(shape=list(numbers.shape), dtype=str(numbers.dtype))
    entries[array["record"]] = numbers.tobytes()


def garble_code(metadata: dict[str, Any], entries: Entries) -> None:
    """Leave nothing of the TorchScript but the arrays."""
    kept = {METADATA, *(array["record"] for array in metadata["arrays"].values())}
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
            "it is of the family 'quux', which this plugin does not know (it knows: bp, dp, nep); "
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
        (lambda m, e: shift(m, shape=[-2, -1]), "its array 'energy_shift' cannot be found (its shape holds some"),
        (lambda m, e: shift(m, dtype="float16"), "its arrays cannot be used ('energy_shift' has dtype float16)"),
        (lambda m, e: shift(m, record="data/none"), "should be in 'data/none', which is missing)"),
        (lambda m, e: m["arrays"]["energy_shift"].pop("record"), "its array 'energy_shift' cannot be found ("),
        (lambda m, e: shift(m, shape="two"), "its array 'energy_shift' cannot be found ("),
        (lambda m, e: shift(m, shape=[2.0]), "its array 'energy_shift' cannot be found ("),
        (lambda m, e: shift(m, shape=[2**64 - 1]), "its array 'energy_shift' cannot be found ("),
        (lambda m, e: shift(m, shape=[1e30]), "its array 'energy_shift' cannot be found ("),
        (lambda m, e: shift(m, shape=[1] * 9 + [2]), "its arrays cannot be used (the shape of 'energy_shift')"),
        (lambda m, e: m.update(cutoff=1000.0), "its cutoff is 1000.0 Angstrom, expected at most 20"),
        (lambda m, e: m.update(cutoff=4.5), "its cutoff is 4.500000 Angstrom, but its arrays reach to 4.600000"),
        (lambda m, e: m.update(elements=["Cu", "Xx"]), "its element list holds 'Xx', which is no element"),
        (lambda m, e: m.update(elements=["Cu", "Cu"]), "its element list holds 'Cu' twice"),
        (lambda m, e: m.update(model_type="DP\nand more"), "its model_type is not a name of up to 100 printable"),
        (lambda m, e: m.update(format_version=2**32), "it has format version 4294967296, this plugin reads version 2"),
        (lambda m, e: m.update(format_version=2**32 + 2), "it has format version 4294967298, this plugin reads"),
        (lambda m, e: put(m, e, "fitting.widths", np.array([1000000, -17, 14])), "layers of 1 to 16384 neurons, got 1"),
        (lambda m, e: put(m, e, "fitting.widths", np.array([16384] * 3)), "'fitting' of the dp model is"),
        (lambda m, e: put(m, e, "fitting.widths", np.array([1] * 101)), "1 to 100 layers in the fitting nets, got 101"),
        (lambda m, e: put(m, e, "n_axis", np.array(-1)), "axis features, got -1"),
        (lambda m, e: put(m, e, "n_axis", np.array(2**63 - 1)), "axis features, got 9223372036854775807"),
        (lambda m, e: put(m, e, "n_neighbors", np.array(0.0)), "a number of neighbours above 0, got 0.0"),
        (lambda m, e: put(m, e, "scale", np.zeros((2, 4))), "a scale above 0"),
        (
            lambda m, e: put(m, e, "energy_shift", np.array([0, np.nan])),
            "'energy_shift' of the dp model holds a num",
        ),
        (
            lambda m, e: put(m, e, "switch", np.array([0, np.inf])),
            "'switch' of the dp model holds a number",
        ),
        (lambda m, e: put(m, e, "switch", np.array([0.5, 4.8])), "its cutoff is 4.600000 Angstrom, but its arrays rea"),
        (lambda m, e: m.update(family=3), "its family is not a text"),
        (lambda m, e: m.pop("family"), "its metadata lacks 'family'"),
        (lambda m, e: m.pop("arrays"), "its metadata lacks 'arrays'"),
        (lambda m, e: m.pop("units"), "its metadata lacks 'units'"),
        (lambda m, e: m.update(units=["angstrom", "eV"]), "its units lack that of length"),
        (lambda m, e: m["units"].pop("energy"), "its units lack that of energy"),
        (lambda m, e: m["units"].update(energy="kcal/mol"), "its unit of energy is kcal/mol, expected eV"),
        (lambda m, e: m["units"].update(length="bohr"), "its unit of length is bohr, expected angstrom"),
        (lambda m, e: m["units"].update(length="bo\nhr"), "its length is not a name of up to 100 printable"),
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


def sealed(content: bytes) -> bytes:
    """Let the digest be that of the content."""
    return with_digest(content[:-DIGEST_SIZE])


def directory(content: bytes) -> int:
    return content.index(b"PK\x01\x02")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda c, start: flipped(c, start), "its SHA-256 does not match"),
        (lambda c, start: c[: start + 1], "truncated or altered (it does not end in the SHA-256 of `pwmlff export`"),
        (lambda c, start: c[:-8], "truncated or altered (it does not end in the SHA-256 of `pwmlff export`"),
        (lambda c, start: c[:start] + c[start + 64 :], "truncated or altered"),
        (lambda c, start: flipped(c, directory(c) + 1), "truncated or altered (its table of contents is garbled)"),
        (lambda c, start: c.replace(b'"cutoff": 4.6', b'"cutoff": 4.7'), "its SHA-256 does not match"),
        (lambda c, start: c.replace(b'"energy_shift"', b'"energy_shiff"'), "its SHA-256 does not match"),
        (lambda c, start: flipped(c, c.index(b"data.pkl") + 64), "its SHA-256 does not match"),
        (lambda c, start: sealed(c.replace(b'"energy_shift"', b'"energy_shift ')), "valid JSON"),
        (lambda c, start: sealed(c.replace(b'"data/', b'"dada/')), "its arrays cannot be used ('"),
        (lambda c, start: sealed(c.replace(b'"int64"', b'"int61"')), "has dtype int61)"),
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
