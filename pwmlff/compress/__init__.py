"""Compression: functions of one number, nets and others, become tables."""

from pwmlff.compress.run import Compression, compress_model
from pwmlff.compress.tabulate import tabulate

__all__ = ["Compression", "compress_model", "tabulate"]
