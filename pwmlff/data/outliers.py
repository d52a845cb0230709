"""Frames whose energies or forces lie far from those of the others, by statistics that a few wrong ones do not move.

Where a composition has frames enough, they are compared among themselves, in robust standard deviations. Energies of
rarer compositions are compared with what their elements have in all frames; such a sum over elements leaves out how
the atoms are bound, so that only what no binding explains is called an outlier.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pwmlff.data.frame import Frame
from pwmlff.elements import symbol_of

Composition = tuple[tuple[int, int], ...]  # atomic number and atoms of each element, ascending
_Group = tuple[Composition, NDArray[np.int64]]  # and its frames

_OUTLIER_Z = 7.0
_MIN_GROUP = 10  # frames of a composition needed to compare them among themselves
_MAD_TO_SIGMA = 1.4826
_WIDTH_TO_SIGMA = 3.29  # of a normal distribution, 5 % to 95 %
_STRONGEST_BINDING = 10.0  # eV/atom; tungsten, the most strongly bound solid, has 8.9
_SMALL_RESIDUAL = 0.1  # eV/atom; below it the fit minimises squares, above it absolute values
_MOST_ITERATIONS = 100


def composition_of(frame: Frame) -> Composition:
    """Count the atoms of each element."""
    numbers, counts = np.unique(frame.atomic_numbers, return_counts=True)
    return tuple(zip(numbers.tolist(), counts.tolist(), strict=True))


def formula(composition: Composition) -> str:
    """Write a composition such as H2O1."""
    return "".join(f"{symbol_of(number)}{count}" for number, count in composition)


def energy_outliers(energies: NDArray[np.float64], compositions: Sequence[Composition]) -> dict[int, str]:
    """Find frames whose energy is far off.

    Args:
        energies: [F] eV/atom, NaN where there is none.
        compositions: Of each frame.

    Returns:
        What is said of each such frame, by its number.
    """
    outliers = {}
    labelled = [(composition, frames[np.isfinite(energies[frames])]) for composition, frames in _groups(compositions)]
    common = [group for group in labelled if len(group[1]) >= _MIN_GROUP]
    rare = [group for group in labelled if len(group[1]) < _MIN_GROUP]
    for composition, frames in common:
        for k, z in zip(frames.tolist(), _robust_z(energies[frames]), strict=True):
            if abs(z) > _OUTLIER_Z:
                outliers[k] = f"energy {energies[k]:.4f} eV/atom is {z:+.0f} sigma off ({formula(composition)})"
    for k, residual in _residuals(energies, common, rare).items():
        if abs(residual) > _STRONGEST_BINDING:
            outliers[k] = (
                f"energy {energies[k]:.4f} eV/atom is {residual:+.4g} eV/atom off what its elements have in other "
                f"frames ({formula(compositions[k])})"
            )
    return dict(sorted(outliers.items()))


def force_outliers(forces: NDArray[np.float64], compositions: Sequence[Composition]) -> dict[int, str]:
    """Find frames whose largest force is far above those of their composition, on a logarithmic scale.

    Relaxed frames, whose forces are far below, are no outliers.

    Args:
        forces: [F] eV/Å, the largest of each frame, NaN where there is none.
        compositions: Of each frame.

    Returns:
        What is said of each such frame, by its number.
    """
    outliers = {}
    for composition, frames in _groups(compositions):
        for k, z in zip(frames.tolist(), _robust_z(np.log(forces[frames] + 0.01)), strict=True):
            if z > _OUTLIER_Z:
                outliers[k] = f"force {forces[k]:.2f} eV/Å is {z:+.0f} sigma off ({formula(composition)})"
    return outliers


def _groups(compositions: Sequence[Composition]) -> list[_Group]:
    members: dict[Composition, list[int]] = defaultdict(list)
    for k, composition in enumerate(compositions):
        members[composition].append(k)
    return [(composition, np.array(frames)) for composition, frames in members.items()]


def _robust_z(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance from the median in robust standard deviations; zero for small groups and absent values.

    The scale is the larger of the median absolute deviation and the width without the outer twentieth on each side,
    so that a second phase among the frames is not called an outlier.
    """
    present = np.sort(values[np.isfinite(values)])
    if len(present) < _MIN_GROUP:
        return np.zeros(len(values))
    median = np.median(present)
    trim = max(1, len(present) // 20)
    sigma = max(
        _MAD_TO_SIGMA * np.median(np.abs(present - median)), (present[-1 - trim] - present[trim]) / _WIDTH_TO_SIGMA
    )
    # equal values to rounding have no scale to be far on
    if sigma <= 1e-9 * max(abs(median), 1.0):
        return np.zeros(len(values))
    return np.nan_to_num((values - median) / sigma)


def _residuals(energies: NDArray[np.float64], common: list[_Group], rare: list[_Group]) -> dict[int, float]:
    """Return what the energies of rare compositions, in eV/atom, have above the sum over their elements.

    A common composition takes part with its median, as many times as it has frames.
    """
    frames = [k for _, members in rare for k in members.tolist()]
    if not frames:
        return {}
    rows = [composition for composition, members in rare for _ in members] + [composition for composition, _ in common]
    elements = sorted({number for row in rows for number, _ in row})
    fractions = np.array([[dict(row).get(number, 0) for number in elements] for row in rows], dtype=np.float64)
    fractions /= fractions.sum(axis=1, keepdims=True)
    values = np.array([*energies[frames], *(np.median(energies[members]) for _, members in common)])
    weights = np.array([1.0] * len(frames) + [float(len(members)) for _, members in common])
    residuals = values - fractions @ _fit(fractions, values, weights)
    return dict(zip(frames, residuals.tolist(), strict=False))  # those of common compositions come last


def _fit(
    fractions: NDArray[np.float64], energies: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Fit one energy per element, of the smallest sum of weighted absolute deviations: iterated least squares.

    Args:
        fractions: [R, T] of the elements in each row.
        energies: [R] eV/atom.
        weights: [R].

    Returns:
        [T] eV.
    """
    shift, residuals, of_squares = np.zeros(fractions.shape[1]), energies, weights
    for _ in range(_MOST_ITERATIONS):
        root = np.sqrt(of_squares)
        step, *_ = np.linalg.lstsq(fractions * root[:, None], residuals * root, rcond=1e-10)
        shift += step
        residuals = energies - fractions @ shift
        if np.abs(step).max() < 0.1 * _SMALL_RESIDUAL:
            break
        of_squares = weights / np.maximum(np.abs(residuals), _SMALL_RESIDUAL)
    return shift
