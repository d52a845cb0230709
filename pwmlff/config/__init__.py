"""The run file: reading, checking, documenting it."""

from __future__ import annotations

from pwmlff.config.run import RunConfig, is_run_file, load_config

__all__ = ["RunConfig", "is_run_file", "load_config"]
