"""Finds and loads the native library of torch custom ops.

Nothing here raises at import: without the library every op falls back to its reference twin, and
`pwmlff info` prints why.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch

from pwmlff.lammps import library_directory

LIBRARY_NAME = "libpwmlff_ops.so"
SKIP_VARIABLE = "PWMLFF_NO_NATIVE"  # set to 1 to run on the reference twins, for comparison


@dataclass(frozen=True)
class NativeLibrary:
    """What became of loading the native library.

    Attributes:
        path: Where it was looked for.
        error: Empty when it is loaded, otherwise why not.
    """

    path: Path
    error: str

    @property
    def is_loaded(self) -> bool:
        """Whether `torch.ops.pwmlff` holds the native ops."""
        return not self.error


def load() -> bool:
    """Load the native ops and return whether `torch.ops.pwmlff` holds them; never raises."""
    return status().is_loaded


@lru_cache(maxsize=1)
def status() -> NativeLibrary:
    """Load the native ops once per process and return what came of it; never raises."""
    path = library_directory() / LIBRARY_NAME
    if os.environ.get(SKIP_VARIABLE, "0") not in ("", "0"):
        return NativeLibrary(path, f"the environment variable {SKIP_VARIABLE} is set")
    if not path.is_file():
        return NativeLibrary(path, f"{path} does not exist; install pwmlff with pip, which compiles it")
    try:
        torch.ops.load_library(str(path))
    except (OSError, RuntimeError) as error:
        return NativeLibrary(path, str(error).splitlines()[0])
    return NativeLibrary(path, "")


def build_info() -> dict[str, str]:
    """Return what the native library was compiled with; empty when it is not loaded."""
    if not load():
        return {}
    return dict(item.split("=", 1) for item in torch.ops.pwmlff.build_info().split(";"))
