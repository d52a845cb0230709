"""An exported model computes what its source computes, and a bad file is recognised."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from typer.testing import CliRunner

from pwmlff.cli.main import app
from pwmlff.data.batch import Batch, collate, make_sample
from pwmlff.data.frame import Frame
from pwmlff.errors import ModelFileError
from pwmlff.export import export_model, export_potential
from pwmlff.models import MODELS, Potential, build_potential, predict
from pwmlff.models.base import Network
from pwmlff.models.derivatives import forces_from_gradients
from pwmlff.models.files.archive import DIGEST_SIZE, with_digest
from pwmlff.models.files.checkpoint import save_checkpoint
from pwmlff.models.files.exported import load_exported
from pwmlff.models.files.metadata import METADATA_FILE, ModelMetadata

ELEMENTS = ("Cu", "Au")


class Pairwise(Network):
    """A smooth pair potential; with `lies` its compiled form computes something else."""

    def __init__(self, lies: bool = False) -> None:
        super().__init__()
        self.cutoff = 4.0
        self.lies = lies
        self.depth = nn.Parameter(torch.tensor(0.3, dtype=torch.float64))

    def forward(self, pair_vectors: Tensor, pair_start: Tensor, pair_types: Tensor, atom_types: Tensor) -> Tensor:
        n_atoms = atom_types.shape[0]
        centers = torch.repeat_interleave(torch.arange(n_atoms), pair_start[1:] - pair_start[:-1])
        pairs = self.depth * (self.cutoff - pair_vectors.square().sum(1).sqrt()).pow(3)
        energies = torch.zeros(n_atoms, dtype=torch.float64).index_add(0, centers, pairs)
        if self.lies and torch.jit.is_scripting():
            energies = 1.01 * energies
        return energies


def small(model_type: str, dtype: str = "float64") -> Potential:
    """Return an untrained small model with a shift."""
    settings = {"descriptor": {"Rmax": 4.0, "network_size": [4, 8], "M2": 3}, "fitting_net": {"network_size": [6, 1]}}
    config = MODELS[model_type].Config.model_validate(settings)
    potential = build_potential(model_type, config, ELEMENTS, dtype=dtype)
    potential.set_energy_shift(np.array([-3.5, -2.25]))
    return potential


@pytest.fixture
def batch(two_element_frames: list[Frame]) -> Batch:
    """Three frames of copper and gold."""
    return collate([make_sample(frame, {29: 0, 79: 1}, 4.0) for frame in two_element_frames[:3]])


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """A checkpoint of a small Deep Potential."""
    potential = small("DP")
    section = {"descriptor": {"Rmax": 4.0, "network_size": [4, 8], "M2": 3}, "fitting_net": {"network_size": [6, 1]}}
    config = {"model_type": "DP", "model": section, "train_data": ["a.xyz", "b.xyz"]}
    save_checkpoint(tmp_path / "dp_model.ckpt", potential, config=config)
    return tmp_path / "dp_model.ckpt"


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("model_type", ["DP", "DP_TYPE_EMBEDDING"])
def test_computes_the_same(tmp_path: Path, batch: Batch, model_type: str, dtype: str) -> None:
    potential = small(model_type, dtype)
    exported = load_exported(export_potential(potential, tmp_path / "model.pt")).potential
    energies, gradients = exported.energies_and_gradients(*batch.pairs)
    expected = predict(potential, batch)
    tolerance = {"float64": 1e-12, "float32": 1e-5}[dtype]
    assert energies.dtype == gradients.dtype == torch.float64
    torch.testing.assert_close(energies, expected.atomic_energies, rtol=0, atol=tolerance)
    torch.testing.assert_close(forces_from_gradients(gradients, batch), expected.forces, rtol=0, atol=tolerance)


def test_another_kind_of_model(tmp_path: Path, batch: Batch) -> None:
    potential = Potential(Pairwise(), ELEMENTS)
    exported = load_exported(export_potential(potential, tmp_path / "pair.pt"), trust=True)
    assert exported.metadata.model_type == "Pairwise"
    assert exported.metadata.family is None
    energies, gradients = exported.potential.energies_and_gradients(*batch.pairs)
    expected = predict(potential, batch)
    torch.testing.assert_close(energies, expected.atomic_energies)
    torch.testing.assert_close(forces_from_gradients(gradients, batch), expected.forces)


def test_atoms_without_neighbours_and_no_atoms(tmp_path: Path) -> None:
    exported = load_exported(export_potential(small("DP"), tmp_path / "model.pt")).potential
    for n_atoms in (2, 0):
        types = torch.arange(n_atoms)
        no_pairs = torch.zeros(0, dtype=torch.int64)
        start = torch.zeros(n_atoms + 1, dtype=torch.int64)
        energies, gradients = exported.energies_and_gradients(
            torch.zeros(0, 3, dtype=torch.float64), start, no_pairs, types
        )
        assert energies.shape == (n_atoms,)
        assert gradients.shape == (0, 3)


def test_metadata_and_source(checkpoint: Path) -> None:
    path = export_model(checkpoint)
    assert path == checkpoint.with_suffix(".pt")
    metadata = load_exported(path).metadata
    assert metadata.elements == ELEMENTS
    assert (metadata.model_type, metadata.dtype, metadata.cutoff) == ("DP", "float64", 4.0)
    assert metadata.train_data == ("a.xyz", "b.xyz")
    assert len(metadata.checkpoint_sha256) == 64


def test_other_precision(checkpoint: Path, batch: Batch) -> None:
    double = load_exported(export_model(checkpoint, checkpoint.with_name("double.pt")))
    single = load_exported(export_model(checkpoint, checkpoint.with_name("single.pt"), dtype="float32"))
    assert single.metadata.dtype == "float32"
    energies, expected = (model.potential.energies_and_gradients(*batch.pairs)[0] for model in (single, double))
    torch.testing.assert_close(energies, expected, rtol=0, atol=1e-5)
    assert (energies != expected).any()


def test_unknown_precision(checkpoint: Path) -> None:
    with pytest.raises(ModelFileError, match="dtype 'float16' is unknown"):
        export_model(checkpoint, dtype="float16")


def test_self_check_refuses_and_keeps_the_old_file(tmp_path: Path) -> None:
    output = tmp_path / "model.pt"
    output.write_bytes(b"old")
    with pytest.raises(ModelFileError, match="differs from its source"):
        export_potential(Potential(Pairwise(lies=True), ELEMENTS), output)
    assert output.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [output]


def test_what_killed_exports_left_is_swept(tmp_path: Path) -> None:
    old, young, other = (tmp_path / name for name in (".m.pt.17.tmp", ".m.pt.18.tmp", ".other.pt.19.tmp"))
    for path in (old, young, other):
        path.touch()
    os.utime(old, (0, 0))
    os.utime(other, (0, 0))
    export_potential(small("DP"), tmp_path / "m.pt")
    assert sorted(tmp_path.glob(".*")) == [young, other]  # another process may be writing the young one


def test_source_is_unchanged(tmp_path: Path) -> None:
    potential = small("DP").train()
    export_potential(potential, tmp_path / "model.pt")
    assert potential.training
    assert all(parameter.requires_grad for parameter in potential.parameters())


def sealed(content: bytes) -> bytes:
    """Let the digest be that of the content."""
    return with_digest(content[:-DIGEST_SIZE])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda content: content[:-200], "truncated"),
        (lambda content: b"", "cannot be read"),
        (lambda content: sealed(content.replace(b'"format_version": 2', b'"format_version": 9')), "format version 9"),
        (
            lambda content: sealed(content.replace(b'"format_version": 2', b'"format_version": 1')),
            "export the checkpoint again",
        ),
        (lambda content: content.replace(b'"cutoff": 4.0', b'"cutoff": 4.5'), "SHA-256 does not match"),
        (lambda content: sealed(content.replace(b'"cutoff"', b'"cutofF"')), "incomplete"),
    ],
)
def test_bad_file(tmp_path: Path, damage: Callable[[bytes], bytes], message: str) -> None:
    path = export_potential(small("DP"), tmp_path / "model.pt")
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ModelFileError, match=message):
        load_exported(path)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="no exported model at"):
        load_exported(tmp_path / "none.pt")


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_torchscript_of_others(tmp_path: Path) -> None:
    torch.jit.script(nn.Linear(2, 2)).save(str(tmp_path / "linear.pt"))
    with pytest.raises(ModelFileError, match="does not end in the SHA-256 of `pwmlff export`"):
        load_exported(tmp_path / "linear.pt")


def test_metadata_is_readable_json(tmp_path: Path) -> None:
    path = export_potential(small("DP"), tmp_path / "model.pt")
    with zipfile.ZipFile(path) as archive:
        name = next(name for name in archive.namelist() if name.endswith(METADATA_FILE))
        content = json.loads(archive.read(name))
    assert content["units"] == {"length": "angstrom", "energy": "eV"}
    assert ModelMetadata.from_json(json.dumps(content), path).elements == ELEMENTS


def test_command(checkpoint: Path) -> None:
    output = checkpoint.with_name("out.pt")
    result = CliRunner().invoke(app, ["export", str(checkpoint), "-o", str(output)])
    assert result.exit_code == 0, result.output
    assert output.is_file()
    assert "pair_coeff * * Cu Au" in result.output


def test_commands_that_want_a_checkpoint(checkpoint: Path) -> None:
    """Of an exported model with or without code, and of a file that is none."""
    exported = export_model(checkpoint)
    code = export_potential(Potential(Pairwise(), ELEMENTS), checkpoint.with_name("code.pt"))
    nothing = checkpoint.with_name("nothing.pt")
    nothing.write_bytes(b"PK\x03\x04 but no archive")
    for command in ("export", "compress"):
        for path, message in (
            (exported, "is an exported model, "),
            (code, "is an exported model, "),
            (nothing, "it may be truncated or no exported model"),
        ):
            result = CliRunner().invoke(app, [command, str(path)])
            assert result.exit_code == 1
            assert message in " ".join(result.output.split())


def test_commands_that_evaluate_ask_for_trust(tmp_path: Path) -> None:
    code = export_potential(Potential(Pairwise(), ELEMENTS), tmp_path / "code.pt")
    (tmp_path / "pair.xyz").write_text('2\nLattice="9 0 0 0 9 0 0 0 9" pbc="T T T"\nCu 0 0 0\nAu 2 1 0\n')
    command = ["infer", str(code), str(tmp_path / "pair.xyz")]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 1
    assert "if you trust who wrote it, say --trust" in " ".join(result.output.split())
    result = CliRunner().invoke(app, [*command, "--trust"])
    assert result.exit_code == 0, result.output
    assert "energy" in result.output


def test_full_disk(checkpoint: Path) -> None:
    """In a process whose files may not grow beyond a size: one line, the old file, and nothing else."""
    output = checkpoint.with_name("model.pt")
    output.write_bytes(b"old")
    before = sorted(checkpoint.parent.iterdir())
    limit = "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
    limit += "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)); from pwmlff.cli.main import main; main()"
    command = [sys.executable, "-c", limit, "export", str(checkpoint), "-o", str(output)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 1, run.stderr
    assert f"cannot write '{output}': [Errno 27] File too large" in " ".join(run.stderr.split())
    assert output.read_bytes() == b"old"
    assert sorted(checkpoint.parent.iterdir()) == before
