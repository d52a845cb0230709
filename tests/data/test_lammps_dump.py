"""LAMMPS dumps: every form of box and coordinates gives the same structure; damaged files say where."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms

from pwmlff.data.frame import Frame
from pwmlff.data.lammps_dump import is_dump, read_dump
from pwmlff.data.trajectory import iterate_trajectory
from pwmlff.errors import ConfigError, DataFormatError

CELL = np.array([[6.0, 0, 0], [-1.5, 5.0, 0], [0.7, 1.1, 4.5]])  # in LAMMPS's orientation
ORIGIN = np.array([-1.0, 2.0, 0.5])
SCALED = np.random.default_rng(1).uniform(size=(5, 3))
TYPES = np.array([1, 2, 2, 1, 2])
NUMBERS = np.array([29, 8, 8, 29, 8])


def dump_text(columns: str, rows: list[list[object]], *, step: int = 0, flags: str = "pp pp pp", box: str = "") -> str:
    """One frame of a dump; the box is CELL in the form of a restricted triclinic one unless given."""
    (lx, _, _), (xy, ly, _), (xz, yz, lz) = CELL
    xlo, ylo, zlo = ORIGIN
    shifts_x, shifts_y = (0, xy, xz, xy + xz), (0, yz)
    box = box or (
        f"ITEM: BOX BOUNDS xy xz yz {flags}\n"
        f"{xlo + min(shifts_x)} {xlo + lx + max(shifts_x)} {xy}\n"
        f"{ylo + min(shifts_y)} {ylo + ly + max(shifts_y)} {xz}\n"
        f"{zlo} {zlo + lz} {yz}\n"
    )
    table = "".join(" ".join(map(str, row)) + "\n" for row in rows)
    return f"ITEM: TIMESTEP\n{step}\nITEM: NUMBER OF ATOMS\n{len(rows)}\n{box}ITEM: ATOMS {columns}\n{table}"


def rows_of(positions: np.ndarray, shift: np.ndarray | None = None) -> list[list[object]]:
    shifted = positions if shift is None else positions + shift
    return [[k + 1, TYPES[k], *shifted[k]] for k in range(5)]


WriteDump = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> WriteDump:
    def write_text(text: str) -> Path:
        path = tmp_path / "traj.dump"
        path.write_text(text)
        return path

    return write_text


def read_one(path: Path, elements: tuple[str, ...] | None = ("Cu", "O")) -> tuple[int, Frame]:
    (step_and_frame,) = read_dump(path, elements)
    return step_and_frame


def distances(frame: Frame) -> np.ndarray:
    return Atoms(frame.atomic_numbers, frame.positions, cell=frame.cell, pbc=frame.pbc).get_all_distances(mic=True)


POSITIONS = ORIGIN + SCALED @ CELL
FORMS = {
    "wrapped": ("id type x y z", rows_of(POSITIONS)),
    "unwrapped": ("id type xu yu zu", rows_of(POSITIONS, np.array([2, -1, 3]) @ CELL)),
    "scaled": ("id type xs ys zs", rows_of(SCALED)),
    "scaled unwrapped": ("id type xsu ysu zsu", rows_of(SCALED, np.array([1, 0, -2]))),
    "other columns first": ("vx id x y z type", [[0.1, r[0], *r[2:], r[1]] for r in rows_of(POSITIONS)]),
    "any order of atoms": ("id type x y z", [rows_of(POSITIONS)[k] for k in (3, 0, 4, 2, 1)]),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_coordinates_is_the_same_structure(write: WriteDump, form: str) -> None:
    step, frame = read_one(write(dump_text(*FORMS[form], step=700)))
    assert step == 700
    np.testing.assert_array_equal(frame.atomic_numbers, NUMBERS)
    np.testing.assert_allclose(frame.cell, CELL, atol=1e-12)
    expected = Atoms(NUMBERS, POSITIONS, cell=CELL, pbc=True).get_all_distances(mic=True)
    np.testing.assert_allclose(distances(frame), expected, atol=1e-9)


def test_general_triclinic_box(write: WriteDump) -> None:
    rotation, _ = np.linalg.qr(np.random.default_rng(3).standard_normal((3, 3)))
    cell, positions = CELL @ rotation, POSITIONS @ rotation
    lines = "".join(" ".join(map(str, [*row, origin])) + "\n" for row, origin in zip(cell, ORIGIN, strict=True))
    text = dump_text("id type x y z", rows_of(positions), box=f"ITEM: BOX BOUNDS abc origin pp pp pp\n{lines}")
    _, frame = read_one(write(text))
    np.testing.assert_allclose(frame.cell, cell)
    expected = Atoms(NUMBERS, POSITIONS, cell=CELL, pbc=True).get_all_distances(mic=True)
    np.testing.assert_allclose(distances(frame), expected, atol=1e-9)


@pytest.mark.parametrize(
    ("heading", "pbc"),
    [("pp pp pp", [1, 1, 1]), ("pp fs mm", [1, 0, 0]), ("ff pp ss", [0, 1, 0]), ("", [1, 1, 1])],
)
def test_boundaries_of_an_orthogonal_box(write: WriteDump, heading: str, pbc: list[int]) -> None:
    box = f"ITEM: BOX BOUNDS {heading}\n-1 5\n2 7\n0.5 4.5\n"
    _, frame = read_one(write(dump_text("id type xs ys zs", rows_of(SCALED), box=box)))
    np.testing.assert_array_equal(frame.pbc, np.array(pbc, dtype=bool))
    np.testing.assert_allclose(frame.cell, np.diag([6, 5, 4]))
    np.testing.assert_allclose(frame.positions, ORIGIN + SCALED * [6, 5, 4])


def test_a_dump_may_name_its_elements(write: WriteDump) -> None:
    rows = [[k + 1, TYPES[k], ["Cu", "O"][TYPES[k] - 1], *POSITIONS[k]] for k in range(5)]
    path = write(dump_text("id type element x y z", rows))
    np.testing.assert_array_equal(read_one(path, None)[1].atomic_numbers, NUMBERS)
    named = read_one(path, ("Ag", "S"))[1]  # what the user says counts
    np.testing.assert_array_equal(named.atomic_numbers, np.where(TYPES == 1, 47, 16))


def test_types_named_null_are_left_out(write: WriteDump) -> None:
    _, frame = read_one(write(GOOD), ("Cu", "NULL"))
    np.testing.assert_array_equal(frame.atomic_numbers, [29, 29])
    np.testing.assert_allclose(frame.positions, POSITIONS[TYPES == 1])
    with pytest.raises(DataFormatError, match="has no atoms"):
        read_one(write(GOOD), ("NULL", "NULL"))


def test_frames_come_with_their_steps_also_gzipped(write: WriteDump, tmp_path: Path) -> None:
    text = "ITEM: UNITS\nmetal\nITEM: TIME\n0.5\n"
    text += "".join(dump_text("id type x y z", rows_of(POSITIONS + 0.1 * k), step=50 * k) for k in range(3))
    packed = tmp_path / "traj.dump.gz"
    packed.write_bytes(gzip.compress(text.encode()))
    for path in (write(text), packed):
        assert is_dump(path)
        trajectory = list(iterate_trajectory(path, ["Cu", "O"]))
        assert [step for step, _ in trajectory] == [0, 50, 100]
        assert [frame.index for _, frame in trajectory] == [0, 1, 2]
        np.testing.assert_allclose(trajectory[2][1].positions, POSITIONS + 0.2)


def test_frames_before_a_fault_are_read(write: WriteDump) -> None:
    text = dump_text("id type x y z", rows_of(POSITIONS)) + dump_text("id type x y z", rows_of(POSITIONS), step=10)
    reader = read_dump(write(text.rsplit("\n", 2)[0]), ("Cu", "O"))
    assert next(reader)[0] == 0
    with pytest.raises(DataFormatError, match=r"frame 1 \(line 28\): the file ends within a frame"):
        next(reader)


GOOD = dump_text("id type x y z", rows_of(POSITIONS))
LAST_ROW = GOOD.splitlines()[-1]
FAULTS = {
    "cut in a row": (GOOD.replace(LAST_ROW, LAST_ROW.rsplit(" ", 2)[0]), r"line 14\): expected 5 columns, found 3"),
    "cut in the header": (GOOD[: GOOD.index("ITEM: ATOMS")], "has no atoms; the file may be truncated"),
    "letters": (GOOD.replace(LAST_ROW, "5 2 a b c"), "column x holds something that is no number"),
    "nan": (GOOD.replace(LAST_ROW, "5 2 nan 0 0"), "expected finite numbers"),
    "infinite": (GOOD.replace(LAST_ROW, "5 2 0 inf 0"), "column y holds inf, expected finite numbers"),
    "half a type": (GOOD.replace(LAST_ROW, "5 1.5 0 0 0"), "type 1.5 is not whole"),
    "unknown type": (GOOD.replace(LAST_ROW, "5 3 0 0 0"), "holds types 1 to 3, but 2 elements were named"),
    "no coordinates": (GOOD.replace("x y z", "vx vy vz"), "expected columns x y z, xu yu zu or xs ys zs"),
    "no box": (GOOD.replace("BOX BOUNDS xy xz yz pp pp pp", "TIME"), "expected a line 'ITEM: ...'"),
    "box without numbers": (
        GOOD.replace("ITEM: ATOMS", "ITEM: BOX BOUNDS\nhigh low\nITEM: ATOMS"),
        "expected 2 numbers",
    ),
    "units": ("ITEM: UNITS\nlj\n" + GOOD, "in units lj, expected metal or real"),
    "junk": (GOOD + "junk\n", "expected a line 'ITEM: ...', found 'junk'"),
    "no step": (GOOD.replace("ITEM: TIMESTEP\n0\n", ""), "expected 'ITEM: TIMESTEP' before 'ITEM: ATOMS'"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_damaged_dumps(write: WriteDump, fault: str) -> None:
    text, message = FAULTS[fault]
    with pytest.raises(DataFormatError, match=message):
        list(read_dump(write(text), ("Cu", "O")))


@pytest.mark.parametrize("damage", [lambda c: c[:-9], lambda c: c[:12] + b"\xff" * 9 + c[21:], lambda c: c[:4] + c[8:]])
def test_damaged_compressed_dumps(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "frames.gz"
    path.write_bytes(damage(gzip.compress(GOOD.encode())))
    with pytest.raises(DataFormatError, match="cannot be decompressed"):
        list(iterate_trajectory(path, ("Cu", "O")))


def test_elements_must_be_known(write: WriteDump) -> None:
    path = write(GOOD)
    with pytest.raises(ConfigError, match=r"names no elements; name those of types 1, 2, ... with --elements"):
        list(read_dump(path))
    with pytest.raises(ConfigError, match="unknown element 'Xx'"):
        list(read_dump(path, ("Cu", "Xx")))


def test_other_trajectories(tmp_path: Path) -> None:
    atoms = [Atoms("CuO", [[0, 0, 0], [0, 0, 2 + 0.1 * k]], cell=[9, 9, 9], pbc=True) for k in range(3)]
    for name in ("frames.xyz", "frames.traj", "XDATCAR"):
        ase.io.write(tmp_path / name, atoms)
        trajectory = list(iterate_trajectory(tmp_path / name))
        assert [step for step, _ in trajectory] == [0, 1, 2]
        np.testing.assert_allclose(trajectory[2][1].positions[1], [0, 0, 2.2], atol=1e-6)
    with pytest.raises(ConfigError, match="is none; leave it out"):
        next(iterate_trajectory(tmp_path / "frames.xyz", ["Cu", "O"]))
    with pytest.raises(DataFormatError, match="no trajectory"):
        next(iterate_trajectory(tmp_path / "absent.dump"))
    (tmp_path / "empty").write_text("")
    with pytest.raises(DataFormatError, match="is empty"):
        next(iterate_trajectory(tmp_path / "empty"))
    (tmp_path / "prose.txt").write_text("no trajectory at all\n")
    with pytest.raises(DataFormatError, match=r"cannot read .*prose\.txt as a trajectory"):
        next(iterate_trajectory(tmp_path / "prose.txt"))


def test_what_ase_says_of_a_trajectory_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def iread(*_: object, **__: object) -> None:
        raise ValueError("the first line\nthe second")

    monkeypatch.setattr(ase.io, "iread", iread)
    (tmp_path / "prose.txt").write_text("no trajectory at all\n")
    with pytest.raises(DataFormatError, match=r"\(ValueError: the first line the second\)"):
        next(iterate_trajectory(tmp_path / "prose.txt"))
