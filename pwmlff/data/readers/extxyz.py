"""Extended XYZ, parsed by ASE one frame at a time so that a fault has a frame and a line.

Labels: `energy`, else `free_energy`; columns `forces` or `force`; `virial` (eV), else `stress` in ASE's
sign through `virial = -stress * volume`; columns `energies` or `atomic_energies`. A frame without any of these
has those names behind `REF_` or `dft_`, as data for MACE and GAP do. `LabelKeys` names others.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pwmlff.data.frame import Frame
from pwmlff.data.readers.common import Faults, LabelKeys, check_last_number, label_like, place
from pwmlff.data.text_files import reading_text
from pwmlff.errors import DataFormatError

if TYPE_CHECKING:
    from ase import Atoms

_PROPERTIES = re.compile(r'Properties="?([^\s"]+)')
_COUNT = re.compile(r"\s*[0-9]{1,12}\s*")
_PBC = re.compile(r"""(?<!\S)pbc=("[^"]*"|'[^']*'|\[[^\]]*\]|\{[^}]*\}|\S+)""", re.IGNORECASE)
_NAMES = {
    "energy": ("energy", "free_energy"),
    "forces": ("forces", "force"),
    "virial": ("virial", "virials"),
    "stress": ("stress",),
    "atomic_energies": ("energies", "atomic_energies"),
}
_WEIGHTS = ("weight", "config_weight", "energy_weight", "forces_weight", "stress_weight", "virials_weight")
_PREFIXES = ("REF_", "ref_", "DFT_", "dft_")
_YES_OR_NO = ("T", "F", "TRUE", "FALSE", "1", "0")
_VOIGT = ((0, 5, 4), (5, 1, 3), (4, 3, 2))


def read_extxyz(path: Path, faults: Faults) -> Iterator[Frame]:
    """Read the frames of an extended XYZ file.

    Args:
        path: The file.
        faults: What to do with faulty frames.

    Raises:
        DataFormatError: A frame is faulty.
    """
    found: set[str] = set()  # keys that were asked for
    n_frames = 0
    for index, (line, rows, fault) in enumerate(_split_frames(path)):
        where = place(path, index, line)
        frame = faults.attempt(_parse, path, index, line, rows, fault, faults, found, where=where)
        if frame is not None:
            n_frames += 1
            yield frame
    absent = [f"`{key}`" for key in faults.labels.given().values() if key not in found]
    if absent and n_frames:
        raise DataFormatError(f"{path}: none of its {n_frames} frames has {' or '.join(absent)}, which was asked for")


def _split_frames(path: Path) -> Iterator[tuple[int, list[str], str]]:
    """Cut the file at its count lines.

    Yields:
        First line number (from 1), the lines, and what is wrong with their number (empty when right).
    """
    start = 0
    rows: list[str] = []
    is_lost = False  # between a line that cannot begin a frame and the next count line
    with reading_text(path) as file:
        for number, line in enumerate(file, start=1):
            expected = int(rows[0]) + 2 if rows else 0
            is_count = len(rows) != 1 and _COUNT.fullmatch(line) is not None
            if is_count or (len(rows) >= expected and not line.strip()):
                if rows:
                    yield start, rows, _count_fault(rows, expected)
                start, rows, is_lost = number, [line] if is_count else [], is_lost and not is_count
            elif rows:
                rows.append(line)
            elif not is_lost:
                is_lost = True
                yield number, [line], f"expected the number of atoms, found '{line.strip()[:60]}'"
    if rows:
        yield start, rows, _count_fault(rows, int(rows[0]) + 2)


def _count_fault(rows: list[str], expected: int) -> str:
    if len(rows) == expected:
        return ""
    n_rows = max(len(rows) - 2, 0)
    return f"the frame has {n_rows} atom rows, its first line says {expected - 2}; the file may be truncated"


def _parse(path: Path, index: int, line: int, rows: list[str], fault: str, faults: Faults, found: set[str]) -> Frame:
    from ase.io.extxyz import read_xyz

    if fault:
        raise DataFormatError(f"{place(path, index, line + len(rows) - 1)}: {fault}")
    check_last_number(rows[2:], place(path, index, line + len(rows) - 1))
    _check_columns(rows, path, index, line)
    _check_pbc(rows[1], place(path, index, line + 1))
    try:
        atoms = next(read_xyz(io.StringIO("".join(rows)), index=0))
    except Exception as error:  # ASE raises whatever its parser met: ValueError, KeyError, XYZError, ...
        raise DataFormatError(f"{place(path, index, _bad_row(rows, line))}: {_reason(error)}") from error
    results: dict[str, Any] = {**atoms.info, **atoms.arrays, **(atoms.calc.results if atoms.calc else {})}
    found.update(key for key in faults.labels.given().values() if key in results)
    names = _label_names(results, faults.labels)
    energy = _energy(results, names["energy"], place(path, index, line + 1))
    if names["energy"] == _NAMES["energy"] and "free_energy" in results and energy != results["free_energy"]:
        faults.report.note(path, "`energy` and `free_energy` differ; `energy` is used, `energy_key` names the other")
    taken = sorted(name for tried in names.values() for name in tried if name in results)
    if any(name.startswith(_PREFIXES) for name in taken):
        faults.report.note(path, f"labels are {', '.join(taken)}")
    weighted = [name for name in _WEIGHTS if name in atoms.info and not np.all(atoms.info[name] == 1)]
    if weighted:
        faults.report.note(path, f"`{weighted[0]}` is not used: `train_weights` of a run file weighs whole sources")
    known = {name for several in (*_NAMES.values(), *names.values()) for name in several}
    faults.report.not_taken(path, _not_taken(atoms, rows, known if _is_plain(results) else set(taken)))
    return Frame(
        atomic_numbers=atoms.numbers,
        positions=atoms.positions,
        cell=np.array(atoms.cell),
        pbc=atoms.pbc,
        energy=energy,
        forces=_first(results, *names["forces"]),
        virial=_virial(results, names, float(abs(np.linalg.det(atoms.cell)))),
        atomic_energies=_first(results, *names["atomic_energies"]),
        source=str(path),
        index=index,
        line=line,
    )


def _is_plain(results: dict[str, Any]) -> bool:
    """Whether a frame has labels under their plain names."""
    return any(name in results for names in _NAMES.values() for name in names)


def _label_names(results: dict[str, Any], asked: LabelKeys) -> dict[str, tuple[str, ...]]:
    """Return the names under which each label is looked for, in this order.

    All are of one calculation: what is not asked for by name has the prefix of what is.
    """
    given = asked.given()
    prefixes = [prefix for prefix in _PREFIXES if any(key.startswith(prefix) for key in given.values())]
    if not given and not _is_plain(results):
        prefixes = [prefix for prefix in _PREFIXES if any(prefix + name in results for name in _NAMES["energy"])]
        prefixes = prefixes or [p for p in _PREFIXES if any(p + name in results for name in _NAMES["forces"])]
    prefix = prefixes[0] if prefixes else ""
    names = {label: tuple(prefix + name for name in several) for label, several in _NAMES.items()}
    names.update({label: (key,) for label, key in given.items()})
    if "stress" in given and "virial" not in given:
        names["virial"] = ()
    return names


def _check_columns(rows: list[str], path: Path, index: int, line: int) -> None:
    """Compare what `Properties` claims with the first row, before anything of the claimed size is made."""
    named = _PROPERTIES.search(rows[1])
    if named is None or len(rows) < 3:
        return
    counts = named[1].split(":")[2::3]
    claimed = sum(int(count) for count in counts if count.isdecimal() and len(count) < 13)
    if not all(count.isdecimal() and len(count) < 13 for count in counts) or claimed > len(rows[2].split()):
        raise DataFormatError(
            f"{place(path, index, line + 1)}: `Properties` names {claimed} columns, the row below the comment line has "
            f"{len(rows[2].split())}; cannot be read as extended XYZ"
        )


def _check_pbc(comment: str, where: str) -> None:
    named = _PBC.search(comment)
    words = re.findall(r"[^\s,\[\]{}\"']+", named[1]) if named else ["T"] * 3
    if len(words) not in (1, 3) or any(word.upper() not in _YES_OR_NO for word in words):
        raise DataFormatError(f"{where}: pbc is '{' '.join(words)}', expected three of T and F, such as pbc=\"T T F\"")


def _energy(results: dict[str, Any], names: tuple[str, ...], where: str) -> float | None:
    energy = _first(results, *names)
    if energy is None:
        return None
    try:
        return float(np.asarray(energy).item())
    except (TypeError, ValueError):
        raise DataFormatError(f"{where}: `{names[0]}` is '{str(energy)[:60]}', expected one number") from None


def _not_taken(atoms: Atoms, rows: list[str], known: set[str]) -> set[str]:
    """Names of keys and columns that may be labels and are not `known`."""
    names = {f"column {name}" for name in label_like(atoms.arrays) - known}
    names |= {f"key {name}" for name in label_like(atoms.info) - known}
    named = _PROPERTIES.search(rows[1])
    if named is not None:
        n_columns = sum(int(count) for count in named[1].split(":")[2::3])
        n_more = len(rows[2].split()) - n_columns
        if n_more > 0:
            names.add(f"{n_more} columns that `Properties` does not declare")
    return names


def _first(results: dict[str, Any], *names: str) -> Any:
    return next((results[name] for name in names if name in results), None)


def _virial(results: dict[str, Any], names: dict[str, tuple[str, ...]], volume: float) -> NDArray[np.float64] | None:
    virial = _first(results, *names["virial"])
    if virial is not None:
        flat = np.asarray(virial, dtype=np.float64).ravel()
        return flat.reshape(3, 3) if flat.size == 9 else flat
    stress = _first(results, *names["stress"])
    if stress is None or volume == 0.0:
        return None
    flat = np.asarray(stress, dtype=np.float64).ravel()
    # ASE hands a stress out in Voigt order, and one of another name as it stands
    return -(flat.reshape(3, 3) if flat.size == 9 else flat[np.array(_VOIGT)]) * volume


def _reason(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"unknown element or column {error}"
    return f"cannot be read as extended XYZ ({str(error) or type(error).__name__})"


def _bad_row(rows: list[str], line: int) -> int:
    """Line of the first atom row that does not fit the columns `Properties` names; else that of `Properties`."""
    from pwmlff.elements import SYMBOLS

    named = _PROPERTIES.search(rows[1])
    columns = named[1].split(":")[2::3] if named else ["4"]
    width = sum(int(count) for count in columns if count.isdigit())
    for k, row in enumerate(rows[2:]):
        words = row.split()
        if len(words) != width or (words[0].isalpha() and words[0] not in SYMBOLS) or _not_numbers(words[1:4]):
            return line + 2 + k
    return line + 1


def _not_numbers(words: list[str]) -> bool:
    try:
        [float(word) for word in words]
    except ValueError:
        return True
    return False
