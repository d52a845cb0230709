"""Comparisons that say what was expected, what was found, and how far apart the two are."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from pwmlff.testing.subject import Result, Subject


def agree(what: str, values: ArrayLike, expected: ArrayLike, tolerance: ArrayLike) -> None:
    """Compare numbers.

    Args:
        what: The property and the quantity with its unit, for the message.
        values: Numbers of any shape.
        expected: Likewise.
        tolerance: Largest absolute difference allowed, one or for each.

    Raises:
        AssertionError: They differ by more, in shape, or one is not a number.
    """
    values, expected = np.asarray(values, dtype=float), np.asarray(expected, dtype=float)
    if values.shape != expected.shape:
        raise AssertionError(f"{what}: shape {values.shape}, expected {expected.shape}")
    errors, allowed = np.abs(values - expected), np.broadcast_to(np.asarray(tolerance, dtype=float), values.shape)
    wrong = ~(errors <= allowed)  # NaN is wrong
    if wrong.any():
        worst = np.unravel_index(np.argmax(np.where(wrong, np.nan_to_num(errors, nan=np.inf), -1.0)), values.shape)
        place = f" at {[int(k) for k in worst]}" if worst else ""
        raise AssertionError(
            f"{what}: found {values[worst]:.15g}, expected {expected[worst]:.15g}{place}, "
            f"apart by {errors[worst]:.1e}, allowed {allowed[worst]:.1e}"
        )


def same(what: str, result: Result, expected: Result, tolerance: float, virial_tolerance: float) -> None:
    """Compare all that a form says of a structure; arguments as in `agree`."""
    agree(f"{what}: energy, eV", result.energy, expected.energy, tolerance)
    agree(f"{what}: atomic energies, eV", result.atomic_energies, expected.atomic_energies, tolerance)
    agree(f"{what}: forces, eV/Å", result.forces, expected.forces, tolerance)
    agree(f"{what}: virial, eV", result.virial, expected.virial, virial_tolerance)


def finite(what: str, result: Result) -> None:
    """Raise AssertionError unless all numbers of a result are finite."""
    for name, values in vars(result).items():
        if not np.isfinite(values).all():
            raise AssertionError(f"{what}: {name} is {np.asarray(values).tolist()}, expected finite numbers")


def matters(what: str, size: ArrayLike, subject: Subject, tolerance: float | None = None) -> None:
    """Raise AssertionError unless a quantity is large enough for a check of it to mean anything.

    Args:
        what: The property and the quantity, for the message.
        size: Its numbers in the structure of the check, eV or eV/Å.
        subject: For the tolerance.
        tolerance: With which it is compared; `same` of the subject when not given.
    """
    largest = float(np.abs(size).max())
    expected = max(1e-3, 10 * (subject.tolerance.same if tolerance is None else tolerance))
    if not largest > expected:
        raise AssertionError(
            f"{what}: {largest:.1e}, too small for the check to mean anything, expected more than {expected:.0e}; "
            "take larger weights, or a `spacing` where the model acts"
        )
