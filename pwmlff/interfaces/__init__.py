"""Calculators for other programs."""
