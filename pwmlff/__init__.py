"""Neural-network potentials from DFT frames to large-scale molecular dynamics in LAMMPS.

In a clone, `python -m pwmlff`, `torchrun -m pwmlff` and `python -c` look into the folder they are started in and find
these sources before the installed package. Sources without compiled libraries therefore give way to a package that
has them: what was installed is what runs, however it is started.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from importlib.metadata import Distribution

    from pwmlff.interfaces.calculator import PwmlffCalculator

__all__ = ["PwmlffCalculator", "__version__"]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import what needs torch or ASE on first use, so that `import pwmlff` costs nothing."""
    if name == "PwmlffCalculator":
        from pwmlff.interfaces.calculator import PwmlffCalculator

        return PwmlffCalculator
    raise AttributeError(f"module 'pwmlff' has no attribute '{name}'")


def _is_compiled(folder: str | Path) -> bool:
    return any(Path(folder, "lib").glob("*.so"))


def _installed_elsewhere() -> Distribution | None:
    """Return the installed pwmlff, if it is compiled and this is not it."""
    if any(_is_compiled(folder) for folder in __path__):
        return None
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        installed = distribution("pwmlff")
    except PackageNotFoundError:
        return None
    folder = Path(str(installed.locate_file("pwmlff")))
    return installed if (folder / "__init__.py").is_file() and _is_compiled(folder) else None


if _installed := _installed_elsewhere():
    __path__[:] = [str(_installed.locate_file("pwmlff"))]
    __version__ = _installed.version
