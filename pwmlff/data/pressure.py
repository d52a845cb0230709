"""Pressures that the virials of frames mean, without the part of moving atoms."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from pwmlff.data.frame import Frame
from pwmlff.units import EV_PER_A3_IN_GPA

# GPa; below the strength of nearly every solid, above what is calculated without intent
_PLAUSIBLE = (-30.0, 100.0)


def pressure_of(frame: Frame) -> float:
    """Return the pressure in GPa, positive under compression; NaN without a virial or a box that is periodic."""
    if frame.virial is None or not frame.pbc.all():
        return np.nan
    return float(np.trace(frame.virial)) / (3 * frame.volume) * EV_PER_A3_IN_GPA


def implausible_pressure(pressures: Iterable[float]) -> float | None:
    """Return the median of pressures (GPa, NaN is left out) if no material can be under it; None otherwise."""
    known = [pressure for pressure in pressures if np.isfinite(pressure)]
    median = float(np.median(known)) if known else 0.0
    low, high = _PLAUSIBLE
    return None if low < median < high else median
