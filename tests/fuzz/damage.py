"""Damage that knows the structure of what it changes."""

from __future__ import annotations

import random
from pathlib import Path

import h5py
import numpy as np

_WORDS = [
    *("nan", "inf", "-inf", "1e300", "-1", "0", "1e-300", "99999999999", "***", "²", "x", "", "T", "é", "\x00", "2.5"),
    *("0x10", "1_0", "--", "1e5", "123456789012345678901234567890", "pos:R:99999999999", "Xx", '"', "=", "atoms"),
]
_NUMBERS = [np.nan, np.inf, 1e300, -1.0, 0.0, 0.5, 1e12, -9e9, 1e-310]


def damage_text(path: Path, rng: random.Random) -> None:
    """Change words, rows or bytes of a text."""
    lines = path.read_text().splitlines(keepends=True)
    for _ in range(rng.choice((1, 1, 2, 4))):
        k = rng.randrange(len(lines))
        kind = rng.randrange(7)
        if kind < 3:
            words = lines[k].split(" ")
            words[rng.randrange(len(words))] = rng.choice(_WORDS)
            lines[k] = " ".join(words) if words[-1].endswith("\n") else " ".join(words) + "\n"
        elif kind == 3:
            del lines[k]
        elif kind == 4:
            lines.insert(k, rng.choice(lines) if lines else "x\n")
        elif kind == 5:
            at = rng.randrange(len(lines[k]) + 1)
            lines[k] = lines[k][:at] + rng.choice(_WORDS) + lines[k][at + 1 :]
        else:
            lines = "".join(lines)[: rng.randrange(sum(map(len, lines)) + 1)].splitlines(keepends=True)
        if not lines:
            break
    content = "".join(lines).encode()
    if rng.random() < 0.1 and content:
        at = rng.randrange(len(content))
        content = content[:at] + bytes([rng.randrange(256)]) + content[at + 1 :]
    path.write_bytes(content)


def damage_bytes(path: Path, rng: random.Random) -> None:
    """Flip bytes, most of them in the header, or cut the file."""
    content = bytearray(path.read_bytes())
    if not content or rng.random() < 0.15:
        content = content[: rng.randrange(len(content) + 1)]
    for _ in range(rng.choice((1, 2, 8)) if content else 0):
        content[rng.randrange(min(len(content), rng.choice((128, len(content)))))] = rng.randrange(256)
    path.write_bytes(bytes(content))


def damage_array(path: Path, rng: random.Random) -> None:
    """Change numbers, shape, type or header of an array."""
    kind = rng.randrange(6)
    if kind == 0:
        damage_bytes(path, rng)
        return
    array = np.load(path)
    if kind == 1:
        array = array.astype(float)
        array.flat[rng.randrange(array.size)] = rng.choice(_NUMBERS)
    elif kind == 2:
        array = rng.choice((array[:1], array[:0], array.ravel(), array[..., None], array.sum(), array.T))
    elif kind == 3:
        array = rng.choice((array.astype("U8"), array.astype(complex), array.astype([("a", "f4")]), array.astype("S3")))
    elif kind == 4:
        header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({rng.choice((-1, 10**12, 2**62, 0))}, 12), }}"
        path.write_bytes(b"\x93NUMPY\x01\x00v\x00" + header.ljust(117).encode() + b"\n" + array.tobytes())
        return
    else:
        path.unlink()
        return
    np.save(path, array)


def damage_npy(path: Path, rng: random.Random) -> None:
    """Change one file of a deepmd system."""
    file = rng.choice(sorted(path.rglob("*.npy")) * 2 + sorted(path.rglob("*.raw")))
    (damage_array if file.suffix == ".npy" else damage_text)(file, rng)


def damage_store(path: Path, rng: random.Random) -> None:
    """Change numbers, shapes, types or attributes of a store; sometimes bytes."""
    if rng.random() < 0.4:
        damage_bytes(path, rng)
        return
    with h5py.File(path, "r+") as file:
        name = rng.choice(sorted(file))
        kind = rng.randrange(6)
        if kind == 0:
            del file[name]
        elif kind == 1:
            file[name].resize(rng.choice((0, 1, 2, 5, 1000)), axis=0)
        elif kind == 2:
            key = rng.choice(("n_frames", "version", "format"))
            file.attrs[key] = rng.choice((-1, 0, 2, 10**12, "x", 1.5, np.zeros(3)))
        elif kind == 3 and file[name].dtype.kind in "fiub":
            file[name][rng.randrange(len(file[name]))] = rng.choice((-1, 0, 1, 7, 10**6))
        else:
            del file[name]
            file[name] = rng.choice(
                (np.zeros(3), np.zeros((3, 3)), 1.0, "text", np.array([b"x"] * 3), h5py.SoftLink("/"))
            )
