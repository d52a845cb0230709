"""Neuroevolution potential."""

from pwmlff.models.nep.config import NEPConfig
from pwmlff.models.nep.network import NEP

__all__ = ["NEP", "NEPConfig"]
