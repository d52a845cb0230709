"""Neuroevolution potential, on coefficients or on tables."""

from pwmlff.models.nep.compressed import CompressedNEP
from pwmlff.models.nep.config import NEPConfig
from pwmlff.models.nep.network import NEP

__all__ = ["NEP", "CompressedNEP", "NEPConfig"]
