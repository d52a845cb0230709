"""Run files with random faults: each is read, or refused with one line per problem, and never with a traceback.

Valid files are mutated as trees (types, numbers, nesting, texts, keys twice) and as bytes. A seed names a file: what
fails can be seen again with `mutated(seed)`.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pwmlff.config import RunConfig, load_config
from pwmlff.config.fields import walk
from pwmlff.config.run import run_class
from pwmlff.errors import ConfigError, printable
from pwmlff.models import MODELS
from pwmlff.optim import OPTIMIZERS

N_SMOKE, N_ALL = 250, 20_000
_PER_TEST = 3_950
_LONGEST_LINE = 2_000

VALID: list[dict[str, Any]] = [
    {"model_type": "DP", "atom_type": ["Cu"]},
    {
        "model_type": "DP",
        "atom_type": [29, "O"],
        "type_embedding": True,
        "zbl": {"inner": 0.5, "outer": 1.0},
        "train_data": ["a.xyz", "b"],
        "valid_ratio": 0.2,
        "seed": 7,
        "model": {
            "descriptor": {
                "Rmax": 5.0,
                "Rmin": 0.5,
                "M2": 4,
                "network_size": [8, 8],
                "type_embedding": {"physical_property": ["atom_mass"]},
            },
            "fitting_net": {"network_size": [8, 1]},
        },
        "optimizer": {"optimizer": "ADAM", "epochs": 3, "batch_size": 2, "learning_rate": 1e-3, "t_0": 2},
    },
    {
        "model_type": "DP",
        "atom_type": ["H", "O"],
        "train_movement_file": ["MOVEMENT"],
        "train_valid_ratio": 0.8,
        "max_neigh_num": 100,
        "model_load_file": "old.ckpt",
        "model_store_dir": "run",
        "model_name": "dp.ckpt",
        "save_step": 5,
        "optimizer": {"optimizer": "LKF", "epochs": 3, "block_size": 512, "p0_weight": 0.5, "nselect": 12},
    },
    {"model_type": "DP", "model_load_file": "dp_model.ckpt", "test_data": "x", "optimizer": {"epochs": 1}},
    {
        "model_type": "NEP",
        "atom_type": ["H", "O"],
        "model": {
            "version": 4,
            "descriptor": {"cutoff": [6, 5, 4, 4], "n_max": [4, 3], "basis_size": [8, 7], "l_max": [4, 2, 1], "zbl": 2},
            "fitting_net": {"network_size": [40, 1], "fix_cij": True},
        },
        "nep_txt_file": "nep.txt",
    },
]
NEP_IN = """type       2 Te Pb # elements
version    4
cutoff     8 4 7 3.5
n_max      6 6
basis_size 6 8
l_max      4 2 1 0 1
neuron     50
lambda_1   0.05
lambda_e   1.0
lambda_v   0.1
zbl        2
population 50
seed       3
"""


class Raw(str):
    """Text that stands in the file as it is."""


class Members(list[tuple[str, Any]]):
    """An object, in which a key may stand twice."""


def _known_keys() -> list[str]:
    sections = [run_class(*MODELS.values()), *(row.Config for row in MODELS.values())]
    sections += [row.Config for row in OPTIMIZERS.values()]
    names = {dotted.rpartition(".")[2] for section in sections for dotted, _ in walk(section)}
    return sorted(names)


KEYS = [*_known_keys(), "hvd", "gpu", "workers", "E_tolerance", "raw_files", "save_step", "1"]
TEXTS = [
    "", " ", "\0", "a\0b", "\x1b[2J", "\x9b31m", "\r", "a\nb", "\u202e", "\ud800", "\udcff", "\U0001f9ea", "원자",
    "é" * 300, "x" * 10_000, "../..", "/", "/dev/full", "std_input.json", "RUN.LOCK", "NaN", "inf", "true", "1",
    "1e400", "DP", "dp ", "nep", "ADAM", "lkf", "Cu", "118", "119", "²", "٣", "%s{}{0}", "'\"\\", "[bold]", "//",
    "float32", "pwmat/movement",
]  # fmt: skip
NUMBERS = [
    "0", "-0", "1", "-1", "2", "0.5", "1e400", "-1e400", "1e308", "5e-324", "1e-400", "-1e-5", "0.9999999999999999999",
    "4294967296", "9223372036854775807", "9223372036854775808", "18446744073709551616", "1" + 30 * "0", "9" * 5000,
    "-" + "1" * 41, "NaN", "Infinity", "-Infinity", "1.0", "3.0000000000000001", "1E5", "01", "+1", ".5", "0x10",
]  # fmt: skip


def _value(rng: random.Random, depth: int = 0) -> Any:
    kind = rng.randrange(9)
    if kind < 3:
        return Raw(rng.choice(NUMBERS))
    if kind < 5:
        return rng.choice(TEXTS)
    if kind == 5:
        return rng.choice([True, False, None])
    if kind == 6 and depth < 4:
        return [_value(rng, depth + 1) for _ in range(rng.choice([0, 1, 2, 5]))]
    if kind == 7 and depth < 4:
        return Members((_key(rng), _value(rng, depth + 1)) for _ in range(rng.choice([0, 1, 3])))
    n, (left, right) = rng.choice([5, 40, 1_000, 100_000]), rng.choice(["[]", ('{"a":', "}")])
    return Raw(left * n + ("1" if left != "[" else "") + right * n)


def _key(rng: random.Random) -> str:
    return rng.choice(KEYS) if rng.random() < 0.7 else rng.choice(TEXTS)


def _tree(value: Any) -> Any:
    if isinstance(value, dict):
        return Members((key, _tree(member)) for key, member in value.items())
    return [_tree(entry) for entry in value] if isinstance(value, list) else value


def _containers(value: Any) -> list[Any]:
    if not isinstance(value, list):
        return []
    inner = [member for _, member in value] if isinstance(value, Members) else value
    return [value, *(found for member in inner for found in _containers(member))]


def _change(rng: random.Random, tree: Members) -> None:
    place = rng.choice(_containers(tree))
    index = rng.randrange(len(place)) if place else None
    if isinstance(place, Members):
        action = rng.randrange(6)
        if index is None or action == 0:
            place.insert(rng.randrange(len(place) + 1), (_key(rng), _value(rng)))
        elif action == 1:
            del place[index]
        elif action == 2:
            place.append((place[index][0], _value(rng)))  # a second time
        elif action == 3:
            place[index] = (_key(rng), place[index][1])
        elif action == 4:
            tree.append(place[index])  # to another section
        else:
            place[index] = (place[index][0], _value(rng))
    elif index is None or rng.random() < 0.3:
        place.append(_value(rng))
    else:
        place[index] = _value(rng)


def _text(value: Any) -> str:
    if isinstance(value, Raw):
        return value
    if isinstance(value, Members):
        return "{" + ", ".join(f"{json.dumps(key)}: {_text(member)}" for key, member in value) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_text, value)) + "]"
    return json.dumps(value)


def _damage(rng: random.Random, data: bytes) -> bytes:
    at = rng.randrange(len(data))
    piece = rng.choice([b"//", b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b'"', b"\\", b"}", b"\x1b[31m", b"\r", b",", b""])
    return rng.choice([data[:at], data[:at] + piece + data[at:], data[:at] + piece + data[at + 1 :], piece + data])


def mutated(seed: int) -> bytes:
    """Return the run file of a seed."""
    rng = random.Random(seed)
    tree = _tree(rng.choice(VALID))
    for _ in range(rng.choice([1, 1, 1, 2, 3, 8])):
        _change(rng, tree)
    data = _text(tree).encode("utf-8")
    return _damage(rng, data) if rng.random() < 0.15 else data


def _check(path: Path, seed: int) -> bool:
    """Read the file of a seed; return whether it was accepted."""
    path.write_bytes(mutated(seed))
    try:
        config = load_config(path)
    except ConfigError as error:
        message = str(error)
    else:
        dumped = config.model_dump(mode="json")
        again = RunConfig.model_validate(json.loads(json.dumps(dumped, allow_nan=False)))
        assert again.model_dump(mode="json") == dumped, seed
        assert all(notice == printable(notice) and "\n" not in notice for notice in config.notices), seed
        return True
    head, *lines = message.split("\n")
    count = f"has {len(lines)} problem{'s' if len(lines) > 1 else ''}:" if lines else ""
    assert message == printable(message), seed
    assert head.endswith(count), seed
    assert all(line.startswith("  ") for line in lines), seed
    assert max(map(len, [head, *lines])) < _LONGEST_LINE, seed
    return False


def _check_seeds(seeds: range, path: Path) -> float:
    return sum(_check(path, seed) for seed in seeds) / len(seeds)


@pytest.fixture
def check(tmp_path: Path) -> Callable[[range], float]:
    """Read the files of many seeds; returns the fraction that was accepted."""
    return lambda seeds: _check_seeds(seeds, tmp_path / "run.json")


def test_valid_files_are_read(tmp_path: Path) -> None:
    for values in VALID:
        (tmp_path / "run.json").write_text(_text(_tree(values)), encoding="utf-8")
        load_config(tmp_path / "run.json")


def test_some_random_files(check: Callable[[range], float]) -> None:
    assert 0.02 < check(range(N_SMOKE)) < 0.9  # both kinds are met


def _damaged_lines(rng: random.Random) -> bytes:
    """Return a nep.in with other words, or lines missing or twice."""
    lines = [line.split() for line in NEP_IN.splitlines()]
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        line, action = rng.choice(lines), rng.randrange(6)
        if action < 3:
            line[rng.randrange(len(line))] = rng.choice([*NUMBERS, *TEXTS[1:]])
        elif action == 3:
            line.append(rng.choice(NUMBERS))
        elif action == 4:
            lines.remove(line)
        else:
            lines.append(list(line))
    data = "\n".join(map(" ".join, lines)).encode("utf-8", "surrogatepass")
    return _damage(rng, data) if rng.random() < 0.15 else data


def test_faults_of_a_nep_in(tmp_path: Path) -> None:
    path, messages = tmp_path / "nep.in", []
    for seed in range(N_SMOKE):
        path.write_bytes(_damaged_lines(random.Random(seed)))
        try:
            load_config(path)
        except ConfigError as error:
            messages.append(str(error))
    assert all(message == printable(message) and "\n" not in message for message in messages)
    assert max(map(len, messages)) < _LONGEST_LINE
    assert 0.1 < len(messages) / N_SMOKE < 0.98


@pytest.mark.slow
@pytest.mark.parametrize("first", range(N_SMOKE, N_ALL, _PER_TEST))
def test_many_random_files(check: Callable[[range], float], first: int) -> None:
    check(range(first, first + _PER_TEST))
