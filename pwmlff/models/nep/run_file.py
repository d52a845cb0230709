"""Run files of NEP: keys of PWMLFF and MatPL."""

from __future__ import annotations

from pwmlff.models.run_file import RunFileHooks


class NEPRunFile(RunFileHooks):
    """Run files of NEP."""
