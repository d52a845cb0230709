"""Which frames of a trajectory are worth a first-principles calculation."""

from __future__ import annotations

from pwmlff.selection.run import By, Candidate, Selected, select_frames

__all__ = ["By", "Candidate", "Selected", "select_frames"]
