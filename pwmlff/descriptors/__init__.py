"""Geometry of atomic surroundings: cutoffs, environment matrices, element properties."""
