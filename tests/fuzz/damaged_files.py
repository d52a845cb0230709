"""Reads damaged files of one format: `damaged_files.py FOLDER FORMAT SEED FILES MEMORY`; run by `test_data_files.py`.

Ends with code 1 and the traceback at the first error that is not ours; the damaged file stays in FOLDER.
"""

from __future__ import annotations

import random
import resource
import shutil
import sys
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np

from pwmlff.data.frame import Frame
from pwmlff.data.readers import read_frames
from pwmlff.data.report import summarize
from pwmlff.data.writers import write_frames
from pwmlff.errors import PwmlffError

_WORDS = [
    *("nan", "inf", "-inf", "1e300", "-1", "0", "1e-300", "99999999999", "***", "²", "x", "", "T", "é", "\x00", "2.5"),
    *("0x10", "1_0", "--", "1e5", "123456789012345678901234567890", "pos:R:99999999999", "Xx", '"', "=", "atoms"),
]
_NUMBERS = [np.nan, np.inf, 1e300, -1.0, 0.0, 0.5, 1e12, -9e9, 1e-310]


def frames() -> list[Frame]:
    """Three frames of four atoms with all labels."""
    rng = np.random.default_rng(0)
    grid = np.array([[0.0, 0, 0], [2.0, 0, 0], [0, 2.0, 0], [0, 0, 2.0]])
    return [
        Frame(
            atomic_numbers=[29, 29, 8, 8],
            positions=grid + rng.normal(size=(4, 3)) * 0.05,
            cell=np.eye(3) * 4.5 + rng.normal(size=(3, 3)) * 0.1,
            energy=float(rng.normal()),
            forces=rng.normal(size=(4, 3)),
            virial=np.eye(3) * float(rng.normal()),
            atomic_energies=rng.normal(size=4),
            source="made.xyz",
            index=k,
            line=1 + 6 * k,
        )
        for k in range(3)
    ]


def movement(frame: Frame) -> str:
    """One frame as PWmat writes it."""
    numbers = frame.atomic_numbers.tolist()

    def rows(table: np.ndarray, tail: str = "") -> list[str]:
        return [f"{z:4d} {' '.join(f'{x:.12f}' for x in row)}{tail}" for z, row in zip(numbers, table, strict=True)]

    stress = " stress (eV): 1.0E+00 0.0E+00 0.0E+00"
    return "\n".join(
        [
            f"  {len(numbers)} atoms,Iteration (fs) = 1.0E+00, Etot,Ep,Ek (eV) = 1.0 {frame.energy:.9E} 0.5",
            " Lattice vector (Angstrom)",
            *(" ".join(f"{x:.12E}" for x in row) + stress for row in frame.cell),
            " Position (normalized), move_x, move_y, move_z",
            *rows(frame.positions @ np.linalg.inv(frame.cell), " 1 1 1"),
            " Force (-force, eV/Angstrom)",
            *rows(-np.asarray(frame.forces)),
            " Atomic-Energy, Etot(eV),E_nonloc(eV),Q_atom:dE(eV)=  -0.36E+06",
            *rows(np.ones((4, 3))),
            " " + "-" * 40,
            "",
        ]
    )


def outcar(chosen: list[Frame]) -> str:
    """An OUTCAR with one electronic step for each ionic one."""
    lines = [
        " vasp.6.4.2",
        " POTCAR:    PAW_PBE X",
        "   TITEL  = PAW_PBE Cu_pv 01Jan2000",
        "   TITEL  = PAW_PBE O 01Jan2000",
    ]
    lines += ["   number of dos      NEDOS =    301   number of ions     NIONS =      4", "   ions per type =    2   2"]
    lines += ["   NELM   =     60;   NELMIN=  4"]
    for number, frame in enumerate(chosen, start=1):
        lines += [f"---- Iteration {number:6d}(   1)  ----", "---- aborting loop because EDIFF is reached ----"]
        lines += [
            "  FORCE on cell =-STRESS in cart. coord.  units (eV):",
            "  Total  " + " 1.00000" * 6,
            "  in kB  " + " 9.00000" * 6,
        ]
        lines += ["      direct lattice vectors     reciprocal lattice vectors"]
        lines += ["".join(f"{x:13.9f}" for x in (*row, *row)) for row in frame.cell]
        lines += [" POSITION                                       TOTAL-FORCE (eV/Angst)", " " + "-" * 80]
        table = np.hstack([frame.positions, np.asarray(frame.forces)])
        lines += ["".join(f"{x:14.6f}" for x in row) for row in table]
        lines += [" " + "-" * 80, f"  free  energy   TOTEN  = {frame.energy:18.8f} eV", ""]
    return "\n".join([*lines, " General timing and accounting informations for this job:", ""])


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


def make(folder: Path, name: str) -> tuple[Path, Callable[[Path, random.Random], None], str]:
    """Write a valid file; also how to damage it, and its format."""
    chosen = frames()
    if name == "extxyz":
        write_frames(folder / "a.xyz", chosen)
        return folder / "a.xyz", damage_text, "extxyz"
    if name == "movement":
        (folder / "MOVEMENT").write_text("".join(map(movement, chosen)))
        return folder / "MOVEMENT", damage_text, "pwmat/movement"
    if name == "outcar":
        (folder / "OUTCAR").write_text(outcar(chosen))
        return folder / "OUTCAR", damage_text, "vasp/outcar"
    if name == "store":
        write_frames(folder / "a.h5", chosen)
        return folder / "a.h5", damage_store, "pwmlff/h5"
    system = folder / "system"
    (system / "set.000").mkdir(parents=True)
    (system / "type.raw").write_text("0 0 1 1\n")
    (system / "type_map.raw").write_text("Cu O\n")
    arrays = {"coord": "positions", "box": "cell", "force": "forces", "energy": "energy", "virial": "virial"}
    for file, field in arrays.items():
        np.save(system / "set.000" / f"{file}.npy", np.array([np.ravel(getattr(f, field)) for f in chosen]))
    return system, damage_npy, "deepmd/npy"


def main() -> int:
    """Go through the formats; 0 when nothing but our errors came."""
    seed, n_files, memory = map(int, sys.argv[3:6])
    warnings.simplefilter("ignore")  # of numpy and ASE about what they meet
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    return max(run(Path(sys.argv[1]), name, seed, n_files) for name in sys.argv[2].split(","))


def run(folder: Path, name: str, seed: int, n_files: int) -> int:
    """Damage and read files of one format."""
    good, damage, format = make(folder, name)
    assert len(read_frames([good])) == 3
    n_read = 0
    for k in range(n_files):
        rng = random.Random(f"{seed} {k}")
        bad = folder / f"bad_{good.name}"
        if bad.is_dir():
            shutil.rmtree(bad)
        (shutil.copytree if good.is_dir() else shutil.copyfile)(good, bad)
        damage(bad, rng)
        for options in ({}, {"skip_bad": True}, {"format": format}):
            try:
                summarize(read_frames([bad], **options), 3.0)
                n_read += 1
            except PwmlffError as error:
                if "\n" in str(error):
                    print(f"file {k}: more than one line: {error}")
                    return 1
            except BaseException:
                print(f"file {k} of seed {seed}, {options}: {bad}")
                traceback.print_exc()
                return 1
    print(f"{n_read} of {3 * n_files} readings succeeded")
    return 0


if __name__ == "__main__":
    sys.exit(main())
