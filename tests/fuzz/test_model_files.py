"""Model files that are not what they should be: readers take them, or refuse them in one line.

Mutants know the structure of what they change, and have a right digest: what is tried is what stands behind it.
Seeds are fixed; the file of a mutant has the name of its seed, and is kept where a test fails.
"""

from __future__ import annotations

import copy
import io
import json
import random
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from pwmlff.errors import ModelFileError
from pwmlff.export import export_potential
from pwmlff.models import MODELS, ZBLConfig, build_potential
from pwmlff.models.files import checkpoint, read_model
from pwmlff.models.files.archive import DIGEST_SIZE, with_digest
from pwmlff.models.files.checkpoint import save_checkpoint
from pwmlff.ops import library

pytestmark = pytest.mark.skipif(not library.load(), reason=f"no native library: {library.status().error}")

SECTION = {"descriptor": {"Rmax": 4.1, "network_size": [4, 8], "M2": 3}, "fitting_net": {"network_size": [6, 1]}}
ODD: list[Any] = [None, True, 0, -1, 1, 2, 3.5, 1e30, -1e-30, 2**31, 2**32 + 2, 2**63, 2**64, 10**400]
ODD += ["", "x", "\n\x1b[31m", "é" * 300, float("nan"), float("inf")]
ODD += [[], {}, [[]], [None], {"": None}, [1000000, -17, 14, 32], [2**62, 8]]
TIME_LIMIT = 600  # s, of one process


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """An exported model and a checkpoint."""
    folder = tmp_path_factory.mktemp("models")
    torch.manual_seed(0)
    config = MODELS["DP"].Config.model_validate(SECTION)
    potential = build_potential("DP", config, ("Cu", "Au"), zbl=ZBLConfig(inner=0.7, outer=1.4))
    section = {"model_type": "DP", "model": SECTION, "zbl": {"inner": 0.7, "outer": 1.4}}
    save_checkpoint(folder / "model.ckpt", potential, config=section, state={"epoch": 3})
    export_potential(potential, folder / "model.pt")
    return {path.suffix: path.read_bytes() for path in folder.iterdir()}


def places(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every value of a JSON tree."""
    if path:
        yield path
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in items:
        yield from places(value, (*path, key))


def changed_tree(tree: Any, chance: random.Random) -> Any:
    """Change one value of a JSON tree: another kind, a neighbour's, none, or one more."""
    tree = copy.deepcopy(tree)
    *path, key = chance.choice(list(places(tree)))
    parent = tree
    for step in path:
        parent = parent[step]
    action = chance.randrange(5)
    if action == 0:
        del parent[key]
    elif action == 1 and isinstance(parent, list):
        parent.append(parent[key])
    elif action == 2 and isinstance(parent[key], int):
        parent[key] += chance.choice([-1, 1, 2**20, -(2**31)])
    elif action == 3:
        other = list(parent.values()) if isinstance(parent, dict) else parent
        parent[key] = copy.deepcopy(chance.choice(other))
    else:
        parent[key] = chance.choice(ODD)
    return tree


def changed_bytes(content: bytes, chance: random.Random) -> bytes:
    """Change, leave out, double or add a few bytes."""
    for _ in range(chance.randint(1, 3)):
        start = chance.randrange(max(1, len(content)))
        length = chance.choice([1, 1, 4, 30, 300])
        part = content[start : start + length]
        new = chance.choice(
            [
                bytes([chance.randrange(256)]) * min(length, 4),
                bytes(byte ^ (1 << chance.randrange(8)) for byte in part),
                b"",
                part + part,
                b"\xff" * len(part),
            ]
        )
        content = content[:start] + new + content[start + length :]
    return content


def exported_mutant(content: bytes, chance: random.Random) -> bytes:
    kind = chance.randrange(4)
    if kind == 0:  # bytes of the whole file; one of two with a digest that fits
        body = changed_bytes(content[:-DIGEST_SIZE], chance)
        return with_digest(body) if chance.random() < 0.5 else changed_bytes(content, chance)
    if kind == 1:  # the table of contents
        start = content.index(b"PK\x01\x02")
        return with_digest(content[:start] + changed_bytes(content[start:-DIGEST_SIZE], chance))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    (name,) = [name for name in entries if name.endswith("metadata.json")]
    metadata = json.loads(entries[name])
    if kind == 2:
        entries[name] = json.dumps(changed_tree(metadata, chance)).encode()
    else:  # numbers of an array
        array = metadata["arrays"][chance.choice(sorted(metadata["arrays"]))]
        record = name.partition("/")[0] + "/" + array["record"]
        numbers = torch.frombuffer(bytearray(entries[record]), dtype=getattr(torch, array["dtype"])).clone()
        odd = [0, -1, 1, 2, 5, 100, 2**14, 2**40, 2**62] + [
            1e300,
            -0.5,
            1e-300,
            float("nan"),
        ] * numbers.is_floating_point()
        numbers[chance.randrange(len(numbers))] = chance.choice(odd)
        entries[record] = numbers.numpy().tobytes()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, value in entries.items():
            archive.writestr(aligned(path, buffer.tell()), value)
    return with_digest(buffer.getvalue())


def aligned(path: str, start: int) -> zipfile.ZipInfo:
    """Return an entry whose content begins at a multiple of 64 bytes, as torch has it."""
    entry = zipfile.ZipInfo(path)
    padding = (-start - 34 - len(path)) % 64
    entry.extra = b"FB" + padding.to_bytes(2, "little") + bytes(padding)
    return entry


def checkpoint_mutant(content: bytes, chance: random.Random, folder: Path) -> bytes:
    if chance.random() < 0.4:
        return changed_bytes(content, chance)
    path = folder / "mutant.safetensors"
    path.write_bytes(content)
    length = int.from_bytes(content[:8], "little")
    metadata = json.loads(content[8 : 8 + length])["__metadata__"]
    tensors = load_file(path)
    if chance.random() < 0.2:
        name = chance.choice(sorted(tensors))
        tensors[name] = chance.choice(
            [tensors[name].float(), tensors[name][None], torch.zeros(2, 0), torch.ones(3) > 0]
        )
    elif chance.random() < 0.1:
        metadata[chance.choice(["format", "format_version"])] = chance.choice(["²", "9" * 5000, "-1", "\n"])
    else:
        metadata["content"] = json.dumps(changed_tree(json.loads(metadata["content"]), chance))
    metadata["sha256"] = checkpoint._fingerprint(metadata["content"], tensors)
    save_file(tensors, path, metadata=metadata)
    return path.read_bytes()


def mutants(files: dict[str, bytes], folder: Path, number: int, seed: int) -> Iterator[tuple[Path, bytes]]:
    """Yield names and contents of mutants."""
    for k in range(seed, seed + number):
        chance = random.Random(k)
        if k % 3:
            yield folder / f"mutant{k}.pt", exported_mutant(files[".pt"], chance)
        else:
            yield folder / f"mutant{k}.ckpt", checkpoint_mutant(files[".ckpt"], chance, folder)


def read_and_use(path: Path) -> str:
    """Return the refusal of a file, empty where it is taken and evaluated; anything else is a fault."""
    try:
        potential = read_model(path).potential
    except ModelFileError as error:
        message = str(error)
        assert "\n" not in message
        assert len(message) < 1500, message
        assert message.isprintable(), repr(message)
        assert path.name in message, message
        return message
    types = torch.tensor([0, len(potential.elements) - 1])
    vectors = torch.tensor([[1.0, 0.5, 2.0], [-1.0, -0.5, -2.0]], dtype=torch.float64)
    potential.frozen().energies_and_gradients(vectors, torch.tensor([0, 1, 2]), types.flip(0), types)
    return ""


def check(files: dict[str, bytes], folder: Path, number: int, seed: int) -> None:
    n_taken = 0
    for path, content in mutants(files, folder, number, seed):
        path.write_bytes(content)
        n_taken += not read_and_use(path)
        path.unlink()  # kept where that failed
    assert 0 < n_taken < 0.8 * number  # otherwise mutants are too tame or too wild


def test_a_few_mutants(files: dict[str, bytes], tmp_path: Path) -> None:
    check(files, tmp_path, 120, seed=0)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [10000, 20000, 30000])
def test_many_mutants(files: dict[str, bytes], tmp_path: Path, seed: int) -> None:
    """In a process of their own: a crash has a seed, and memory is bounded."""
    for suffix, content in files.items():
        (tmp_path / f"model{suffix}").write_bytes(content)
    (tmp_path / "mutants").mkdir()
    code = f"""
import importlib.util, resource
from pathlib import Path
resource.setrlimit(resource.RLIMIT_AS, (12 << 30, 12 << 30))
spec = importlib.util.spec_from_file_location("fuzz", {str(Path(__file__))!r})
fuzz = importlib.util.module_from_spec(spec)
spec.loader.exec_module(fuzz)
folder = Path({str(tmp_path)!r})
fuzz.check({{path.suffix: path.read_bytes() for path in folder.glob("model.*")}}, folder / "mutants", 1000, {seed})
"""
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=False, timeout=TIME_LIMIT
    )
    kept = [path.name for path in (tmp_path / "mutants").iterdir()]
    assert run.returncode == 0, f"{run.stderr[-3000:]}\nthe last mutant: {kept}"


def run_lammps(path: Path) -> str:
    """Return the error of the pair style, empty where it takes a model; fails for anything but one line."""
    program = Path(sys.executable).parent / "lmp"
    if not program.is_file():
        pytest.skip("lmp is not installed")
    text = f"units metal\nregion box block 0 9 0 9 0 9\ncreate_box 2 box\npair_style pwmlff {path}\n"
    (path.parent / "in.lammps").write_text(text)
    command = [str(program), "-in", "in.lammps", "-log", "none", "-nocite"]
    run = subprocess.run(command, cwd=path.parent, capture_output=True, check=False, timeout=TIME_LIMIT)
    output = (run.stdout + run.stderr).decode(errors="replace")
    if run.returncode == 0:
        return ""
    lines = [line for line in output.splitlines() if line.startswith("ERROR")]
    assert run.returncode == 1, f"{path.name}: exit code {run.returncode}\n{output}"
    assert len(lines) == 1, output
    assert path.name in lines[0]
    return lines[0]


@pytest.mark.slow
def test_the_plugin_says_what_python_says(files: dict[str, bytes], tmp_path: Path) -> None:
    n_taken = 0
    for path, content in mutants(files, tmp_path, 60, seed=50000):
        if path.suffix != ".pt":
            continue
        path.write_bytes(content)
        refused, reason = run_lammps(path), read_and_use(path)
        # the plugin does not read all that metadata say, such as training data
        assert reason or not refused, f"{path.name}: LAMMPS says '{refused}', Python '{reason}'"
        n_taken += not refused
        path.unlink()
    assert n_taken > 0
