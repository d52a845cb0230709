"""Statistics of whole data sets, in one pass and in float64."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from pwmlff.data.frame import Frame
from pwmlff.elements import atomic_number_of
from pwmlff.errors import DataFormatError


def fit_energy_shift(
    frames: Iterable[Frame], elements: Sequence[str], of: Sequence[str] | None = None
) -> NDArray[np.float64]:
    """Fit one energy per element by least squares of the total energies on the compositions.

    All frames with an energy take part. Where compositions do not determine the solution, it is the one
    of minimum norm, so that elements which always appear together share the energy.

    Args:
        frames: Labelled structures.
        elements: Symbols in type order.
        of: Some of them, the energies of the others being 0; all when None.

    Returns:
        [T] eV per atom, of the elements `of` in their order.

    Raises:
        DataFormatError: No frame has an energy, or a frame holds an element that is not listed.
    """
    numbers = np.array([atomic_number_of(symbol) for symbol in elements])
    # frames of equal composition enter the normal equations as one weighted row
    totals: dict[tuple[int, ...], list[float]] = {}
    for frame in frames:
        if frame.energy is None:
            continue
        counts = tuple((frame.atomic_numbers[:, None] == numbers).sum(axis=0).tolist())
        if sum(counts) != len(frame):
            raise DataFormatError(f"{frame.where} holds other elements than {', '.join(elements)}; list all of them")
        entry = totals.setdefault(counts, [0.0, 0.0])
        entry[0] += 1
        entry[1] += frame.energy
    if not totals:
        raise DataFormatError("no frame has an energy; the energy shift per element cannot be fitted")
    compositions = np.array(list(totals), dtype=np.float64)  # [compositions, elements]
    weights = np.array([n for n, _ in totals.values()])
    means = np.array([total / n for n, total in totals.values()])
    # per atom, so that large frames do not outweigh small ones
    scale = np.sqrt(weights) / compositions.sum(axis=1)
    if of is not None:
        compositions = compositions[:, [elements.index(symbol) for symbol in of]]
    solution, *_ = np.linalg.lstsq(compositions * scale[:, None], means * scale, rcond=1e-10)
    return solution
