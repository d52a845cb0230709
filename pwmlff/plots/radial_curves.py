"""What the atoms of each element see of the distance to a neighbour, over the distances in the data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pwmlff.models.run_file import RadialCurve
from pwmlff.plots.style import COLORS, plot_style, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PANEL = (5.2, 3.2)  # inches


def plot_radial_curves(
    distances: NDArray[np.float64],
    curves: Mapping[str, Sequence[RadialCurve]],
    densities: NDArray[np.float64],
    path: Path,
) -> None:
    """Draw a row of panels for each element, one panel for each kind of curves.

    Args:
        distances: [n] Å.
        curves: Of each element, in type order.
        densities: [T, T, n] of neighbours by the types of atom and neighbour, 1/Å³.
        path: PNG to write.

    Raises:
        PwmlffError: matplotlib is not installed.
    """
    kinds = list(dict.fromkeys(curve.kind for own in curves.values() for curve in own))
    elements = list(curves)
    with plot_style():
        from matplotlib.figure import Figure

        figure = Figure(figsize=(_PANEL[0] * len(kinds), _PANEL[1] * len(elements)), layout="constrained")
        panels = figure.subplots(len(elements), len(kinds), squeeze=False)
        for row, element, density in zip(panels, elements, densities, strict=True):
            for axes, kind in zip(row, kinds, strict=True):
                own = [curve for curve in curves[element] if curve.kind == kind]
                axes.set_title(f"{element}: {len(own)} {kind}")
                _draw(axes, distances, own, dict(zip(elements, density, strict=True)))
        save_figure(figure, path)


def _draw(
    axes: Axes,
    distances: NDArray[np.float64],
    curves: Sequence[RadialCurve],
    densities: Mapping[str, NDArray[np.float64]],
) -> None:
    whole = max((float(density.max()) for density in densities.values()), default=0.0)
    for place, (element, density) in enumerate(densities.items()):
        color = COLORS[place % len(COLORS)]
        there = f"{element} in the data"
        axes.fill_between(distances, density / (whole or 1.0), color=color, alpha=0.18, linewidth=0, label=there)
    colors: dict[tuple[str, ...], str] = {}
    for curve in curves:
        is_new = curve.neighbors not in colors
        color = colors.setdefault(curve.neighbors, COLORS[len(colors) % len(COLORS)])
        label = f"counts {' '.join(curve.neighbors)}" if is_new else None
        axes.plot(distances, curve.values, color=color, linewidth=1.0, alpha=0.8, label=label)
    axes.set_xlabel("distance (Å)")
    axes.set_ylabel("weight of a neighbour")
    axes.set_xlim(0.0, float(distances[-1]))
    axes.legend(loc="upper right")
