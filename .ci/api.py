"""Writes the API reference as HTML, from the docstrings: `make api`, or `python .ci/api.py FOLDER`."""

from __future__ import annotations

import pkgutil
import sys
import warnings
from pathlib import Path

import pdoc

import pwmlff

# told by `pwmlff --help`
LEFT_OUT = ("pwmlff.__main__", "pwmlff.cli")


def main(folder: Path) -> None:
    """Write the pages of all modules, not only of those that a package's `__all__` names."""
    names = [module.name for module in pkgutil.walk_packages(pwmlff.__path__, "pwmlff.")]
    chosen = [name for name in names if not name.startswith(LEFT_OUT)]
    pdoc.render.configure(docformat="google", show_source=True)
    # a package without `__all__` brings its modules, which are then named twice
    warnings.filterwarnings("ignore", message="The module specification")
    # a NamedTuple's annotations are shown as they are written
    warnings.filterwarnings("ignore", message="Error parsing type annotation")
    pdoc.pdoc("pwmlff", *chosen, output_directory=folder)
    print(f"{len(chosen) + 1} modules: {folder / 'index.html'}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
