"""What a user can get wrong ends in one line that says what was expected and found."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import ase.io
import pytest
import torch
from ase import Atoms

from pwmlff.models.files.archive import DIGEST_SIZE, with_digest

INPUT = """
units {units}
atom_modify map array
read_data data
pair_style pwmlff {style}
pair_coeff {coeff}
run 0
"""
CHECKPOINT = (64).to_bytes(8, "little") + b'{"__metadata__":{}}'  # how one begins

ErrorOf = Callable[..., str]


@pytest.fixture
def error_of(tmp_path: Path, crystal: Atoms, start_lammps: Callable) -> ErrorOf:
    """Return a function that runs LAMMPS on the crystal and gives its one error line."""

    def find(style: str, coeff: str = "* * Cu O", units: str = "metal") -> str:
        ase.io.write(tmp_path / "data", crystal, format="lammps-data", specorder=["Cu", "O"], masses=True)
        run = start_lammps(INPUT.format(style=style, coeff=coeff, units=units))
        assert run.returncode != 0
        lines = [line for line in (run.stdout + run.stderr).splitlines() if line.startswith("ERROR")]
        assert len(lines) == 1, run.stdout + run.stderr
        return lines[0]

    return find


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda content: content[: len(content) // 2], "truncated or altered"),
        (lambda content: b"", "it is empty"),
        (lambda content: b"0.1 0.2 0.3", "not a model that `pwmlff export` wrote, and no nep.txt"),
        (lambda content: CHECKPOINT, "it is a checkpoint"),
        (lambda content: _flipped(content, b"\x00\x00\x00\x00\x00\x00\xf0?\x33\x33\x33\x33\x33\x33\xe3?"), "SHA-256"),
        (
            lambda content: _sealed(content.replace(b'"format_version": 2', b'"format_version": 1')),
            "format version 1, this plugin reads version 2; export the model again with this version's `pwmlff export`",
        ),
        (lambda content: content.replace(b'"cutoff": 4.0', b'"cutoff": 5.0'), "SHA-256 does not match"),
        (lambda content: _flipped(content, b"constants.pkl"), "SHA-256 does not match"),
        (lambda content: _sealed(content.replace(b'"cutoff"', b'"catoff"')), "lacks 'cutoff'"),
    ],
)
def test_bad_model_file(tmp_path: Path, error_of: ErrorOf, model: Path, damage: object, message: str) -> None:
    content = model.read_bytes()
    changed = damage(content)
    assert changed != content
    bad = tmp_path / "bad.pt"
    bad.write_bytes(changed)
    error = error_of(str(bad))
    assert message in error
    assert "bad.pt" in error


def _sealed(content: bytes) -> bytes:
    """Let the digest be that of the content."""
    return with_digest(content[:-DIGEST_SIZE])


def _flipped(content: bytes, pattern: bytes) -> bytes:
    """Change one bit of the weights, which hold this pattern."""
    position = content.index(pattern)
    return content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :]


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_torchscript_of_others(tmp_path: Path, error_of: ErrorOf) -> None:
    torch.jit.script(torch.nn.Linear(2, 2)).save(str(tmp_path / "linear.pt"))
    assert "it does not end in the SHA-256 of `pwmlff export`" in error_of("linear.pt")


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.parametrize(
    ("elements", "message"),
    [
        (["Cu", "O", "H"], "it names 3 elements, but has weights for 2"),
        ([], "its element list is empty"),
        (["Cu", 8], "holds something that is not a name"),
    ],
)
def test_wrong_elements_in_an_intact_file(
    tmp_path: Path, error_of: ErrorOf, model: Path, elements: list[object], message: str
) -> None:
    module = torch.jit.load(str(model), _extra_files=(files := {"metadata.json": ""}))
    text = json.dumps(json.loads(files["metadata.json"]) | {"elements": elements})
    torch.jit.save(module, buffer := io.BytesIO(), _extra_files={"metadata.json": text})
    (tmp_path / "other.pt").write_bytes(with_digest(buffer.getvalue()))
    assert message in error_of("other.pt")


@pytest.mark.parametrize("trust", ["", " trust no"])
def test_code_needs_trust(model: Path, start_lammps: Callable, trust: str) -> None:
    box = "units metal\nregion box block 0 9 0 9 0 9\ncreate_box 2 box\n"
    run = start_lammps(f"{box}pair_style pwmlff {model}{trust}\n", trust=False)
    (line,) = [line for line in (run.stdout + run.stderr).splitlines() if line.startswith("ERROR")]
    assert "it is TorchScript of a ManyBody, which pwmlff has no kernels for: a program that can do anything" in line
    assert "if you trust who wrote it, add 'trust yes' to pair_style" in line
    run = start_lammps(f"{box}pair_style pwmlff {model} trust yes\npair_coeff * * Cu O\n", trust=False)
    assert run.returncode == 0, run.stdout


def test_missing_file_and_folder(error_of: ErrorOf) -> None:
    assert "cannot read model file 'none.pt': No such file" in error_of("none.pt")
    assert "Is a directory" in error_of(".")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            "{0} color red",
            "keyword 'color'; choose from: append, backend, block_pairs, devi_format, device, out_file, out_freq, "
            "trust",
        ),
        ("{0} trust maybe", "keyword 'trust' does not know 'maybe'; choose from: no, yes"),
        ("{0} block_pairs", "keyword 'block_pairs' expects a value"),
        ("{0} block_pairs 0", "'block_pairs' expects a whole number of at least 1, got '0'"),
        ("{0} block_pairs 10x", "'block_pairs' expects a whole number of at least 1, got '10x'"),
        ("{0} block_pairs 5 block_pairs 6", "keyword 'block_pairs' is given twice"),
        ("{0} device gpu", "keyword 'device' does not know 'gpu'; choose from: cpu, cuda"),
        ("{0} {0} devi_format deepmd", "keyword 'devi_format' does not know 'deepmd'; choose from: dpgen, pwact"),
        ("{0} {0} out_freq -1", "'out_freq' expects a whole number of at least 0, got '-1'"),
        ("{0} block_pairs 5 {0}", "model files come before keywords"),
        ("{0} out_freq 10", "keyword 'out_freq' is about the deviation of several models, but one model is given"),
        ("out_freq 10", "expects a model file"),
        ("", "expects a model file"),
    ],
)
def test_arguments_of_pair_style(error_of: ErrorOf, model: Path, arguments: str, message: str) -> None:
    assert message in error_of(arguments.format(model))


@pytest.mark.parametrize(
    ("coeff", "message"),
    [
        ("* * Cu", "for each of the 2 atom types, got 3 arguments"),
        ("1 2 Cu O", "must start with * *"),  # said by LAMMPS itself *' and one element name"),
        ("* * Cu Fe", "does not know element 'Fe' of atom type 2; it knows: Cu O"),
    ],
)
def test_arguments_of_pair_coeff(error_of: ErrorOf, model: Path, coeff: str, message: str) -> None:
    assert message in error_of(str(model), coeff)


def test_units(error_of: ErrorOf, model: Path) -> None:
    assert "expects units metal or real, got units si" in error_of(str(model), units="si")


def test_atoms_at_one_place(error_of: ErrorOf, crystal: Atoms, model: Path) -> None:
    crystal.positions[1] = crystal.positions[0]
    assert "is not finite on step 0" in error_of(str(model))


@pytest.mark.parametrize("ranks", [1, 2])
def test_atom_that_is_nowhere(tmp_path: Path, crystal: Atoms, model: Path, start_lammps: Callable, ranks: int) -> None:
    """A velocity that is not finite shows in the forces of all neighbours one step later."""
    ase.io.write(tmp_path / "data", crystal, format="lammps-data", specorder=["Cu", "O"], masses=True)
    lost = """
group lost id 17
variable nothing equal 1e308*10-1e308*10
velocity lost set v_nothing NULL NULL units box
fix nve all nve
run 3
"""
    run = start_lammps(INPUT.format(style=model, coeff="* * Cu O", units="metal") + lost, ranks)
    assert "the position of atom 17 is not finite on step 1; look at its velocity" in run.stdout + run.stderr


@pytest.mark.parametrize("name", ["Modèle", "模型", "a−b", "Δ/é"])
def test_path_that_is_not_ascii(tmp_path: Path, crystal: Atoms, model: Path, start_lammps: Callable, name: str) -> None:
    ase.io.write(tmp_path / "data", crystal, format="lammps-data", specorder=["Cu", "O"], masses=True)
    (tmp_path / name).mkdir(parents=True)
    path = tmp_path / name / "mö.pt"
    path.write_bytes(model.read_bytes())
    for written in (path, path.relative_to(tmp_path)):
        run = start_lammps(INPUT.format(style=written, coeff="* * Cu O", units="metal"), 2)
        assert run.returncode == 0, run.stdout + run.stderr
        assert f"model '{written}' of Cu O" in run.stdout


def test_path_that_lammps_makes_ambiguous(tmp_path: Path, crystal: Atoms, model: Path, start_lammps: Callable) -> None:
    ase.io.write(tmp_path / "data", crystal, format="lammps-data", specorder=["Cu", "O"], masses=True)
    for name in ("è.pt", "Ĩ.pt"):  # the same second byte
        (tmp_path / name).write_bytes(model.read_bytes())
    run = start_lammps(INPUT.format(style="è.pt", coeff="* * Cu O", units="metal"))
    assert run.returncode != 0
    assert "LAMMPS changes characters of an input that are not ASCII; give this path" in run.stdout + run.stderr
    text = INPUT.format(style="${file} trust yes", coeff="* * Cu O", units="metal")
    run = start_lammps(text, options=("-var", "file", "è.pt"))
    assert run.returncode == 0, run.stdout + run.stderr
    assert "model 'è.pt' of Cu O" in run.stdout


def test_output_whose_name_is_not_ascii(error_of: ErrorOf, model: Path) -> None:
    assert "keyword 'out_file' got" in error_of(f"{model} {model} out_file é.out")


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_device_that_is_not_there(error_of: ErrorOf, model: Path) -> None:
    error = error_of(f"{model} device cuda")
    assert "finds no CUDA device; use 'device cpu'" in error


def test_pair_coeff_forgotten(model: Path, start_lammps: Callable) -> None:
    box = "units metal\nregion box block 0 9 0 9 0 9\ncreate_box 1 box\ncreate_atoms 1 single 1 1 1\nmass 1 63.5\n"
    run = start_lammps(f"{box}pair_style pwmlff {model}\nrun 0\n")
    assert "All pair coeffs are not set" in run.stdout + run.stderr


def test_bonded_neighbors_left_out(model: Path, start_lammps: Callable) -> None:
    text = f"""
units metal
atom_style bond
region box block 0 9 0 9 0 9
create_box 1 box bond/types 1 extra/bond/per/atom 1 extra/special/per/atom 2
create_atoms 1 single 1 1 1
create_atoms 1 single 3 1 1
mass 1 63.5
bond_style zero
bond_coeff 1
pair_style pwmlff {model}
pair_coeff * * Cu
create_bonds single/bond 1 1 2
run 0
"""
    run = start_lammps(text)
    assert run.returncode != 0
    assert "use 'special_bonds lj/coul 1 1 1'" in run.stdout + run.stderr


def test_second_model_is_bad(tmp_path: Path, error_of: ErrorOf, model: Path) -> None:
    (tmp_path / "half.pt").write_bytes(model.read_bytes()[:2000])
    error = error_of(f"{model} half.pt")
    assert "cannot use model file 'half.pt'" in error
    (tmp_path / "second.ckpt").write_bytes(CHECKPOINT)
    error = error_of(f"{model} second.ckpt")
    assert "cannot use model file 'second.ckpt': it is a checkpoint; LAMMPS runs what `pwmlff export` makes" in error


def test_one_line_on_two_ranks(tmp_path: Path, crystal: Atoms, model: Path, start_lammps: Callable) -> None:
    ase.io.write(tmp_path / "data", crystal, format="lammps-data", specorder=["Cu", "O"], masses=True)
    run = start_lammps(INPUT.format(style="broken.pt", coeff="* * Cu O", units="metal"), 2)
    assert run.returncode != 0
    assert (run.stdout + run.stderr).count("ERROR: pair_style pwmlff: cannot read model file 'broken.pt'") == 1
