"""Neural-network potentials from DFT frames to large-scale molecular dynamics in LAMMPS.

    frames = pwmlff.read_frames(["train.xyz"])          # any format; eV, Å
    run = pwmlff.train("train.json")                    # a run file, or a dictionary
    model = pwmlff.load("model_record/dp_model_best.ckpt")
    result = model.predict(atoms)                       # an ase.Atoms or a frame, or a list of them
    atoms.calc = pwmlff.PwmlffCalculator([model])       # ASE; several models are a committee

`help(pwmlff.load)` and so on tell the rest.

In a clone, `python -m pwmlff`, `torchrun -m pwmlff` and `python -c` look into the folder they are started in and find
these sources before the installed package. Sources without compiled libraries therefore give way to a package that
has them: what was installed is what runs, however it is started.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from importlib.metadata import Distribution

    from pwmlff.data.readers import read_frames
    from pwmlff.evaluate.evaluator import FrameResult
    from pwmlff.evaluate.model import Model, load
    from pwmlff.interfaces.calculator import PwmlffCalculator
    from pwmlff.train.python import train

__all__ = ["FrameResult", "Model", "PwmlffCalculator", "__version__", "load", "read_frames", "train"]

__version__ = "0.1.0"


# what is public -> the module that has it
_HOMES = {
    "FrameResult": "pwmlff.evaluate.evaluator",
    "Model": "pwmlff.evaluate.model",
    "PwmlffCalculator": "pwmlff.interfaces.calculator",
    "load": "pwmlff.evaluate.model",
    "read_frames": "pwmlff.data.readers",
}


def __getattr__(name: str) -> Any:
    """Import what needs torch or ASE on first use, so that `import pwmlff` costs nothing."""
    from importlib import import_module

    if name == "train":  # a package that is a function too
        return import_module("pwmlff.train")
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'pwmlff' has no attribute '{name}'")


def __dir__() -> list[str]:
    """List what is public, imported or not."""
    return sorted({*globals(), *__all__})


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
