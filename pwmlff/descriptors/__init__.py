"""Geometry of atomic surroundings: environment matrices, element properties."""
