"""Folders that are divided into `train` and `valid`, as PWMLFF and MatPL write their data sets."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

TRAIN, VALID = "train", "valid"


def divided(paths: Iterable[Path]) -> tuple[list[Path], list[Path]]:
    """Return what of these paths is to train on, and what to validate on.

    Args:
        paths: Files and folders. A `valid` that has a `train` beside it, in a folder or anywhere below it, is to
            validate on.

    Returns:
        Paths that hold, together, all that the given ones hold; the second list is empty where nothing is divided.
    """
    train: list[Path] = []
    valid: list[Path] = []
    for path in paths:
        if not is_divided(path):
            train.append(path)
            continue
        for child in sorted(child for child in path.iterdir() if child.is_dir()):
            if child.name == VALID and (path / TRAIN).is_dir():
                valid.append(child)
            else:
                below = divided([child])
                train += below[0]
                valid += below[1]
    return train, valid


def is_divided(path: Path) -> bool:
    """Whether a folder, or one below it, has both a `train` and a `valid`."""
    return path.is_dir() and any(folder.is_dir() and (folder.parent / TRAIN).is_dir() for folder in path.rglob(VALID))
