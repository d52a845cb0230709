"""Networks of Behler and Parrinello."""

from pwmlff.models.bp.config import BPConfig
from pwmlff.models.bp.functions import SymmetryFunction
from pwmlff.models.bp.network import BehlerParrinello

__all__ = ["BPConfig", "BehlerParrinello", "SymmetryFunction"]
