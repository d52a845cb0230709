"""Parity plots: prediction against label, with the error below on its own scale.

The error panel is there because a parity line of total energies looks perfect long before the errors are small.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pwmlff import keys
from pwmlff.plots.style import COLOR_MAP, COLORS, label_in_plain_numbers, plot_style, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PathCollection

MAX_POINTS = 200_000  # kept per quantity
_FEW_POINTS = 500  # up to here dots in one colour, beyond it coloured by density
_DENSITY_BINS = 120
_LOWEST_DENSITY = 0.01  # of the largest; lower ones have its colour


class _Look(NamedTuple):
    file: str
    name: str
    unit: str
    error_unit: str
    error_factor: float


_LOOKS = {
    keys.ENERGY: _Look("Energy.png", "energy per atom", "eV/atom", "meV/atom", 1000.0),
    keys.FORCES: _Look("Force.png", "force component", "eV/Å", "eV/Å", 1.0),
    keys.VIRIAL: _Look("Virial.png", "virial per atom", "eV/atom", "meV/atom", 1000.0),
    keys.ATOMIC_ENERGIES: _Look("AtomicEnergy.png", "atomic energy", "eV", "meV", 1000.0),
}
PARITY_FILES = tuple(look.file for look in _LOOKS.values())


@dataclass(frozen=True)
class ParityErrors:
    """The errors that the legend of a plot tells, in internal units; None where one has no value.

    Attributes:
        count: Compared values, of which not all need be drawn.
        rmse: Root mean square error.
        mae: Mean absolute error.
        r2: Coefficient of determination.
    """

    count: int
    rmse: float | None
    mae: float | None
    r2: float | None


class ParityPoints:
    """Points of each quantity, collected frame by frame and thinned evenly so that memory stays bounded.

    Args:
        limit: Most points kept per quantity; beyond it every second point goes, and so on.
    """

    def __init__(self, limit: int = MAX_POINTS) -> None:
        self._limit = limit
        self._parts: dict[str, list[NDArray[np.float64]]] = {label: [] for label in _LOOKS}
        self._kept = dict.fromkeys(_LOOKS, 0)
        self._seen = dict.fromkeys(_LOOKS, 0)
        self._stride = dict.fromkeys(_LOOKS, 1)

    def add(self, pairs: Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64]]]) -> None:
        """Add (label, prediction) arrays of one frame, by label name."""
        for label, (reference, predicted) in pairs.items():
            points = np.stack([np.ravel(reference), np.ravel(predicted)], axis=1)
            stride = self._stride[label]
            chosen = points[-self._seen[label] % stride :: stride]
            self._seen[label] += len(points)
            self._parts[label].append(chosen)
            self._kept[label] += len(chosen)
            while self._kept[label] > self._limit:
                thinned = self.of(label)[::2]
                self._parts[label], self._kept[label] = [thinned], len(thinned)
                self._stride[label] *= 2

    def of(self, label: str) -> NDArray[np.float64]:
        """Return the points kept for a label, [P, 2] of (label, prediction)."""
        return np.concatenate([np.empty((0, 2)), *self._parts[label]])

    def fraction(self, label: str) -> float:
        """The share of all points that is kept."""
        return self._kept[label] / max(self._seen[label], 1)


def draw_parity_plots(points: ParityPoints, errors: Mapping[str, ParityErrors], folder: Path) -> list[Path]:
    """Draw one plot per labelled quantity; plots of an earlier test that no longer apply are removed.

    Args:
        points: What to draw.
        errors: Those over all points, for the legends, by label name.
        folder: Gets Energy.png, Force.png, Virial.png, AtomicEnergy.png.

    Returns:
        The files written.
    """
    written = []
    for label, look in _LOOKS.items():
        path = folder / look.file
        if errors[label].count == 0:
            path.unlink(missing_ok=True)
            continue
        _draw(points.of(label), points.fraction(label), errors[label], look, path)
        written.append(path)
    return written


def _draw(points: NDArray[np.float64], fraction: float, summary: ParityErrors, look: _Look, path: Path) -> None:
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    with plot_style():
        figure = Figure(figsize=(6.0, 6.6), layout="constrained")
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[4, 1.25])
        low, high = points.min(), points.max()
        margin = 0.04 * (high - low) or 0.5
        span = (low - margin, high + margin)
        upper.plot(span, span, color="#444444", linewidth=0.9, linestyle="--", zorder=1)
        lower.axhline(0.0, color="#444444", linewidth=0.9, linestyle="--", zorder=1)
        errors = (points[:, 1] - points[:, 0]) * look.error_factor
        drawn = _scatter(upper, points[:, 0], points[:, 1], _legend(summary, look))
        _scatter(lower, points[:, 0], errors)
        ticks = MaxNLocator(5).tick_values(*span)
        ticks = ticks[(ticks >= span[0]) & (ticks <= span[1])]
        upper.set(xlim=span, ylim=span, xticks=ticks, yticks=ticks, ylabel=f"predicted {look.name} ({look.unit})")
        reach = 1.08 * np.abs(errors).max() or 1.0
        lower.set(
            xlabel=f"reference {look.name} ({look.unit})", ylabel=f"error ({look.error_unit})", ylim=(-reach, reach)
        )
        for axes in (upper, lower):
            axes.ticklabel_format(useOffset=False)
        if drawn.get_array() is not None:
            label = "density of points; 1: the densest place"
            bar = figure.colorbar(drawn, ax=[upper, lower], aspect=40, extend="min", label=label)
            label_in_plain_numbers(bar.ax.yaxis)
        upper.legend(loc="upper left", handlelength=0.8)
        shown = "" if fraction == 1.0 else f", {len(points)} shown"
        upper.set_title(f"{look.name}: {summary.count} values{shown}", loc="left")
        save_figure(figure, path)


def _scatter(axes: Axes, x: NDArray[np.float64], y: NDArray[np.float64], label: str | None = None) -> PathCollection:
    """Draw points; where they are many, with their density as the array that is shown in colours."""
    from matplotlib.colors import LogNorm

    size = float(np.clip(4000 / len(x), 3.0, 22.0))
    if len(x) <= _FEW_POINTS:
        return axes.scatter(x, y, s=size, color=COLORS[0], alpha=0.75, linewidths=0, label=label)
    density = _point_density(x, y)
    order = np.argsort(density)  # the densest last, so that they are not hidden
    norm = LogNorm(_LOWEST_DENSITY, 1.0)
    return axes.scatter(
        x[order], y[order], s=size, c=density[order], norm=norm, cmap=COLOR_MAP, linewidths=0, label=label
    )


def _point_density(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Number of points in the histogram bin of each point, over that in the fullest bin."""
    counts, x_edges, y_edges = np.histogram2d(x, y, bins=_DENSITY_BINS)
    x_bin = np.clip(np.searchsorted(x_edges, x, side="right") - 1, 0, _DENSITY_BINS - 1)
    y_bin = np.clip(np.searchsorted(y_edges, y, side="right") - 1, 0, _DENSITY_BINS - 1)
    return counts[x_bin, y_bin] / counts.max()


def _legend(errors: ParityErrors, look: _Look) -> str:
    lines = []
    for name, value in (("RMSE", errors.rmse), ("MAE", errors.mae)):
        if value is not None:
            lines.append(f"{name} {value * look.error_factor:.4g} {look.error_unit}")
    if errors.r2 is not None:
        lines.append(f"R² {errors.r2:.5f}")
    return "\n".join(lines)
