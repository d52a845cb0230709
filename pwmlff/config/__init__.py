"""The run file: reading, checking, documenting it."""

from __future__ import annotations

from pwmlff.config.run import RunConfig, load_config

__all__ = ["RunConfig", "load_config"]
