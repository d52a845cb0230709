"""Neural-network potentials from DFT frames to large-scale molecular dynamics in LAMMPS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pwmlff.interfaces.calculator import PwmlffCalculator

__all__ = ["PwmlffCalculator", "__version__"]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import what needs torch or ASE on first use, so that `import pwmlff` costs nothing."""
    if name == "PwmlffCalculator":
        from pwmlff.interfaces.calculator import PwmlffCalculator

        return PwmlffCalculator
    raise AttributeError(f"module 'pwmlff' has no attribute '{name}'")
