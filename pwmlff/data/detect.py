"""Guess the format of a data file or folder from its content; names and suffixes are not trusted.

Text files may be compressed by gzip.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from pwmlff.data.text_files import is_gzipped, read_head
from pwmlff.errors import DataFormatError

STORE = "pwmlff/h5"
UNLABELLED = ("pwmat/config", "vasp/poscar")  # structures without labels, recognised to say so
_HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
_SNIFF = 1 << 16  # bytes
_ATOMS = re.compile(r"^\s*\d+\s+atoms\b", re.IGNORECASE)
_OUTCAR = re.compile(
    r"^\s*vasp\.\d|^\s*POTCAR:|^\s*INCAR:|FREE ENERGIE OF THE ION-ELECTRON|TOTAL-FORCE \(eV/Angst\)", re.M
)


def guess_format(path: Path) -> str:
    """Name the format of a file or folder.

    Args:
        path: What to look at.

    Returns:
        A key of `READERS`, `"pwmlff/h5"` for a store, one of `UNLABELLED`, or `"vasp/xml"`.

    Raises:
        DataFormatError: The path does not exist, is empty, is nothing known, or of a format that does not tell its
            units.
    """
    if not path.exists():
        raise DataFormatError(f"{path} does not exist")
    guess = guess_folder(path) if path.is_dir() else _guess_file(path)
    if guess is None:
        raise DataFormatError(f"{path}: the format is not recognised; name it with `format`")
    return guess


def check_paths(paths: Iterable[Path | str]) -> None:
    """Refuse paths that do not exist, all at once.

    Raises:
        DataFormatError: One or more do not exist.
    """
    missing = [str(path) for path in paths if not Path(path).exists()]
    if missing:
        verb = "does" if len(missing) == 1 else "do"
        raise DataFormatError(f"{', '.join(missing)} {verb} not exist (looked in {Path.cwd()})")


def data_files(path: Path) -> list[Path]:
    """List what a path stands for: itself, or the files of a folder that is no data set of npy files.

    Raises:
        DataFormatError: The folder holds no file.
    """
    if not path.is_dir() or guess_folder(path) is not None:
        return [path]
    files = sorted(file for file in path.iterdir() if file.is_file() and not file.name.startswith("."))
    if not files:
        raise DataFormatError(f"{path}: the folder holds no data file, and no npy data set of deepmd or pwmlff")
    return files


def guess_folder(path: Path) -> str | None:
    """Name the format of the npy data sets in a folder; None without any."""
    if next(path.rglob("type.raw"), None) is not None:
        return "deepmd/npy"
    if next(path.rglob("image_type.npy"), None) is not None:
        return "pwmlff/npy"
    return None


def _guess_file(path: Path) -> str | None:
    head = read_head(path, _SNIFF)
    if not head.strip():
        raise DataFormatError(f"{path} is empty")
    if head.startswith(_HDF5_MAGIC):
        if is_gzipped(path):
            raise DataFormatError(f"{path}: a store is read in place and cannot be compressed; unpack it with gunzip")
        return STORE
    text = head.decode(errors="replace")
    lines = text.lstrip("\n").splitlines()
    if _ATOMS.match(lines[0]):
        return "pwmat/movement" if re.search(r"^\s*force\b|E\w+\s*\(eV\)\s*=", text, re.I | re.M) else "pwmat/config"
    if _OUTCAR.search(text):
        return "vasp/outcar"
    if _looks_like_poscar(lines):  # whose comment may be a number
        return "vasp/poscar"
    if lines[0].strip().isdigit():
        return "extxyz"
    if lines[0].strip() == "begin":
        raise DataFormatError(
            f"{path}: an input.data of n2p2 or RuNNer does not tell its units; name its format, n2p2/input.data for Å "
            "and eV or runner/input.data for Bohr and Hartree"
        )
    if "<modeling>" in text:
        return "vasp/xml"
    return None


def _looks_like_poscar(lines: list[str]) -> bool:
    try:
        rows = [[float(word) for word in line.split()] for line in lines[1:5]]
    except ValueError:
        return False
    return [len(row) for row in rows] == [1, 3, 3, 3]
