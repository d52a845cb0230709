"""Files nep.txt with random damage: readers take them, or refuse them in one line that names the line.

Seeds are fixed; the file of a mutant has the name of its seed, and is kept where a test fails.
"""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from damage import damage_text

from pwmlff.models.files import read_model
from pwmlff.models.files.nep_parser import NepTextError, parse_nep
from pwmlff.ops import library

FOLDER = Path(__file__).parents[1] / "models" / "data" / "nep"
FILES = {path.name: path.read_bytes() for path in sorted(FOLDER.glob("*.txt"))}
HEADERS = ["zbl 1 2", "zbl 0 0", "cutoff 5 4", "l_max 4 2 1", "cutoff 5 4 60 30 2.5 2 0.65", "ANN 16384 0", "\r", "x"]
HEADERS += ["nep4_zbl 2 O Cu", "nep5 1 Cu", "cutoff 5 4 60 30 -1 0 0.7", "l_max 8 2 1 1 1 1 1", "n_max 19 19"]
WORDS = ["0", "1", "2", "3", "4", "5", "60", "0.7", "2.5", "3.5", "-1", "1e1", "5.0", "1e30", "-2E-30", "+1.5", "7 "]
TIME_LIMIT = 600  # s, of one process


def mutants(folder: Path, number: int, seed: int) -> Iterator[Path]:
    """Yield damaged files, half of them in their header."""
    for k in range(seed, seed + number):
        chance = random.Random(k)
        path = folder / f"mutant{k}.txt"
        path.write_bytes(FILES[chance.choice(sorted(FILES))])
        if chance.random() < 0.3:
            damage_text(path, chance)
        for _ in range(chance.choice((1, 1, 2, 3))):
            lines = path.read_bytes().split(b"\n")
            place = chance.randrange(min(len(lines), chance.choice((9, 200))))
            words = lines[place].split() or [b""]
            words[chance.randrange(len(words))] = chance.choice(WORDS).encode()
            lines[place] = b" ".join(words) if chance.random() < 0.8 else chance.choice(HEADERS).encode()
            path.write_bytes(b"\n".join(lines))
        if path.read_bytes().startswith(b"nep"):  # others are no such files
            yield path
        else:
            path.unlink()


def refusal(path: Path) -> str:
    """Return why a file is refused, empty where it is taken, written, read again and evaluated."""
    try:
        file = parse_nep(path.read_bytes())
    except NepTextError as error:
        message = str(error)
        assert message.startswith("line ")
        assert message.isprintable(), repr(message)
        assert len(message) < 400
        return message
    again = parse_nep(file.text().encode())
    assert again.text() == file.text()
    potential = read_model(path).potential
    types = torch.tensor([0, len(potential.elements) - 1])
    vectors = torch.tensor([[1.0, 0.5, 2.0], [-1.0, -0.5, -2.0]], dtype=torch.float64)
    pairs = vectors, torch.tensor([0, 1, 2]), types.flip(0), types
    potential.frozen().energies_and_gradients(*pairs)
    return ""


def check(folder: Path, number: int, seed: int) -> None:
    n_taken = 0
    for path in mutants(folder, number, seed):
        n_taken += not refusal(path)
        path.unlink()  # kept where that failed
    assert 0 < n_taken < 0.8 * number  # otherwise mutants are too tame or too wild


def test_some_mutants(tmp_path: Path) -> None:
    check(tmp_path, 400, seed=0)


@pytest.mark.slow
def test_many_mutants(tmp_path: Path) -> None:
    check(tmp_path, 10000, seed=10000)


@pytest.mark.slow
@pytest.mark.skipif(not library.load(), reason=f"no native library: {library.status().error}")
def test_the_plugin_says_what_python_says(tmp_path: Path) -> None:
    program = Path(sys.executable).parent / "lmp"
    if not program.is_file():
        pytest.skip("lmp is not installed")
    n_taken = 0
    for path in mutants(tmp_path, 80, seed=50000):
        text = f"units metal\nregion box block 0 9 0 9 0 9\ncreate_box 2 box\npair_style pwmlff {path}\n"
        (tmp_path / "in.lammps").write_text(text)
        command = [str(program), "-in", "in.lammps", "-log", "none", "-nocite"]
        run = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False, timeout=TIME_LIMIT)
        errors = [line for line in run.stdout.decode(errors="replace").splitlines() if line.startswith("ERROR")]
        expected = refusal(path).replace("Å", "Angstrom")
        assert len(errors) == bool(expected), f"{path.name}: LAMMPS says {errors}, Python '{expected}'"
        if expected:
            assert expected in errors[0], path.name
        n_taken += not expected
        path.unlink()
    assert n_taken > 0
