"""Exported models: one file that runs without Python, in LAMMPS and elsewhere."""

from pwmlff.export.torchscript import ExportedFile, export_model, export_potential, load_exported

__all__ = ["ExportedFile", "export_model", "export_potential", "load_exported"]
