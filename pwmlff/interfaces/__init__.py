"""Calculators for other programs; each is imported with its program, not before."""
