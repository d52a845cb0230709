"""Exported models: one file that runs without Python, in LAMMPS and elsewhere; and files of other programs."""

from pwmlff.export.foreign import export_as
from pwmlff.export.run import export_model, export_potential

__all__ = ["export_as", "export_model", "export_potential"]
