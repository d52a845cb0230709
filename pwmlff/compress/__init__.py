"""Compression: embedding nets become tables."""

from pwmlff.compress.tabulate import tabulate

__all__ = ["tabulate"]
