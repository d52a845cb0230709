"""Exported models: one file that runs without Python, in LAMMPS and elsewhere."""

from pwmlff.export.run import export_model, export_potential

__all__ = ["export_model", "export_potential"]
