"""The pictures of the report, as SVG elements that stand in the page."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from itertools import count
from typing import TYPE_CHECKING, Any, ParamSpec

import numpy as np
from numpy.typing import NDArray

from pwmlff import keys
from pwmlff.plots.style import COLORS, plot_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from pwmlff.report.dynamics import Run
    from pwmlff.report.elasticity import EquationOfStateFit
    from pwmlff.report.epochs import Curve
    from pwmlff.report.pair_curves import Curve as PairCurve
    from pwmlff.report.residuals import Residuals
    from pwmlff.report.spectrum import Spectrum

_WIDTH, _HEIGHT = 8.4, 2.9  # inches, of a row of panels
_REM_PER_INCH = 6.2  # of a picture, so that its letters are somewhat smaller than the text around it
_MOST_POINTS = 4000  # of a scatter plot
_FEWEST_BINS, _MOST_BINS = 15, 61
_NAMES = {keys.ENERGY: "energy", keys.FORCES: "force component", "stress": "stress"}
_SET_COLORS = {"train": COLORS[0], "valid": COLORS[1], "test": COLORS[1]}
_STYLE: Any = {"svg.fonttype": "none", "font.family": "sans-serif", "font.size": 9, "figure.facecolor": "none"}
_numbers = count(1)
_Arguments = ParamSpec("_Arguments")


def _styled(draw: Callable[_Arguments, str]) -> Callable[_Arguments, str]:
    """Draw in the look of all plots, with text as text."""

    @wraps(draw)
    def drawn(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> str:
        with plot_style():
            import matplotlib

            with matplotlib.rc_context(_STYLE):
                return draw(*args, **kwargs)

    return drawn


@_styled
def residuals(sets: Mapping[str, Residuals], units: Mapping[str, str]) -> str:
    """Draw histograms of residuals, a panel for each labelled quantity."""
    figure, panels = _row(_labelled(sets, units))
    for axes, quantity in zip(panels, _labelled(sets, units), strict=True):
        values = {name: of.errors(quantity) for name, of in sets.items() if len(of.labels[quantity])}
        reach = max(float(np.quantile(np.abs(errors), 0.995)) for errors in values.values()) or 1.0
        n_bins = int(np.clip(3 * max(map(len, values.values())) ** (1 / 3), _FEWEST_BINS, _MOST_BINS)) | 1
        edges = np.linspace(-1.25 * reach, 1.25 * reach, n_bins + 1).tolist()
        for name, errors in values.items():
            weights = np.full(len(errors), 100.0 / len(errors))
            inside = np.clip(errors, edges[0], edges[-1])  # what is beyond is counted at the ends
            axes.hist(
                inside, edges, weights=weights, histtype="stepfilled", alpha=0.35, color=_SET_COLORS[name], label=name
            )
            axes.hist(inside, edges, weights=weights, histtype="step", linewidth=1.1, color=_SET_COLORS[name])
        axes.set_xlabel(f"{_NAMES[quantity]} error ({units[quantity]})")
    panels[0].set_ylabel("values (%)")
    panels[0].legend()
    return _svg(figure)


@_styled
def parity(sets: Mapping[str, Residuals], units: Mapping[str, str]) -> str:
    """Draw predictions over labels, a panel for each labelled quantity."""
    figure, panels = _row(_labelled(sets, units), height=3.1)
    for axes, quantity in zip(panels, _labelled(sets, units), strict=True):
        present = {name: of for name, of in sets.items() if len(of.labels[quantity])}
        low = min(float(of.labels[quantity].min()) for of in present.values())
        high = max(float(of.labels[quantity].max()) for of in present.values())
        margin = 0.05 * (high - low) or 0.5
        zero = 0.5 * (low + high) if quantity == keys.ENERGY else 0.0
        span = np.array([low - margin, high + margin]) - zero
        axes.plot(span, span, color="#444444", linewidth=0.8, linestyle="--", zorder=1)
        for name, of in present.items():
            places = _evenly(len(of.labels[quantity]), _MOST_POINTS)
            axes.scatter(
                of.labels[quantity][places] - zero,
                of.predicted[quantity][places] - zero,
                s=5,
                alpha=0.5,
                linewidths=0,
                color=_SET_COLORS[name],
                label=name,
                rasterized=True,
            )
        axes.set(xlim=span, ylim=span, xlabel=f"label, {_NAMES[quantity]} ({units[quantity]})")
        axes.set_aspect("equal")
        axes.locator_params(nbins=5)
    panels[0].set_ylabel("predicted")
    panels[0].legend(markerscale=2)
    return _svg(figure)


@_styled
def learning(train: Curve, valid: Curve | None) -> str:
    """Draw errors over epochs, a panel for each quantity."""
    figure, panels = _row(train.columns)
    units = {keys.ENERGY: "eV/atom", keys.FORCES: "eV/Å", keys.VIRIAL: "eV/atom"}
    for axes, (quantity, values) in zip(panels, train.columns.items(), strict=True):
        axes.plot(train.epochs, values, color=COLORS[0], label="training")
        if valid is not None and quantity in valid.columns:
            axes.plot(valid.epochs, valid.columns[quantity], color=COLORS[1], label="validation")
        axes.set_yscale("log")
        _plain_ticks(axes)
        axes.set_xlabel("epoch")
        axes.set_ylabel(f"RMSE of {quantity.replace('_', ' ')} ({units.get(quantity, 'eV')})")
    panels[0].legend()
    return _svg(figure)


@_styled
def pair_curves(curves: Sequence[tuple[str, float, PairCurve, Sequence[PairCurve]]]) -> str:
    """Draw energies over distances, a panel for each pair: name, shortest distance, dimer, squeezed pairs."""
    n_columns = min(3, len(curves))
    n_rows = -(-len(curves) // n_columns)
    figure = _figure((_WIDTH if n_columns > 1 else _WIDTH * 0.62, 2.5 * n_rows))
    panels = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
    for axes, (name, shortest, dimer, squeezed) in zip(panels, curves, strict=False):
        axes.axvline(shortest, color=COLORS[5], linestyle=":", linewidth=1.0)
        axes.plot(dimer.distances, dimer.energies, color=COLORS[0], label="dimer")
        for place, curve in enumerate(squeezed):
            axes.plot(curve.distances, curve.energies, color=COLORS[1], label="squeezed" if place == 0 else None)
        shown = np.concatenate([dimer.energies, *(curve.energies for curve in squeezed)])
        low, high = np.clip([np.nanmin(shown, initial=0.0), np.nanmax(shown, initial=1.0)], -20.0, 12.0)
        axes.set_ylim(1.1 * low - 0.2, 1.1 * high)
        axes.set_xlim(0.45 * shortest, min(float(dimer.distances[0]), 2.5 * shortest))
        axes.set_title(name)
        axes.set_xlabel("distance (Å)")
    for axes in panels[len(curves) :]:
        axes.set_visible(False)
    panels[0].set_ylabel("energy (eV)")
    panels[0].legend()
    return _svg(figure)


@_styled
def coverage(own: NDArray[np.float64], test: NDArray[np.float64], errors: NDArray[np.float64]) -> str:
    """Draw distances to the nearest training atom, of training and of test atoms, and force errors over them."""
    figure, (left, right) = _row(range(2))
    reach = max(1.5, min(float(np.quantile(test, 0.995, method="higher")) if len(test) else 1.5, 20.0))
    edges = np.linspace(0.0, reach, 45).tolist()
    for name, values in (("train", own), ("test", test)):
        if len(values):
            weights = np.full(len(values), 100.0 / len(values))
            left.hist(np.minimum(values, reach), edges, weights=weights, alpha=0.4, color=_SET_COLORS[name], label=name)
    left.axvline(1.0, color=COLORS[4], linestyle=":", linewidth=1.0)
    left.set(xlabel="distance to the nearest training atom", ylabel="atoms (%)")
    left.legend()
    labelled = np.flatnonzero(np.isfinite(errors))
    places = labelled[_evenly(len(labelled), _MOST_POINTS)] if len(labelled) else labelled
    right.scatter(test[places], errors[places], s=5, alpha=0.4, linewidths=0, color=COLORS[1], rasterized=True)
    right.axvline(1.0, color=COLORS[4], linestyle=":", linewidth=1.0)
    right.set(xlabel="distance to the nearest training atom", ylabel="force error (eV/Å)")
    return _svg(figure)


@_styled
def equations_of_state(curves: Sequence[tuple[str, EquationOfStateFit]], volumes: Sequence[NDArray[np.float64]]) -> str:
    """Draw energies over volumes, from the lowest of each, with ticks at the volumes of the data."""
    figure, panels = _row(curves)
    for axes, (name, fit), data in zip(panels, curves, volumes, strict=True):
        energies = 1000 * (fit.energies - fit.energies.min())
        axes.plot(fit.volumes, energies, marker="o", markersize=3.5, color=COLORS[0])
        near = data[(data > 0.9 * fit.volumes.min()) & (data < 1.1 * fit.volumes.max())]
        shown = np.unique(near.round(3))
        axes.plot(shown, np.full(len(shown), -0.06 * energies.max()), "|", color=COLORS[1], markersize=7)
        axes.set(xlabel="volume (Å³ per atom)", ylabel="energy (meV per atom)")
        axes.set_title(name, fontsize=9)
    return _svg(figure)


@_styled
def phonons(spectra: Sequence[tuple[str, Spectrum]]) -> str:
    """Draw bands along a path, a panel for each crystal."""
    figure, panels = _row(spectra, height=3.2)
    for axes, (name, spectrum) in zip(panels, spectra, strict=True):
        axes.plot(spectrum.distances, spectrum.bands, color=COLORS[0], linewidth=0.9)
        axes.axhline(0.0, color="#444444", linewidth=0.8)
        axes.set_xticks([x for x, _ in spectrum.corners], [label for _, label in spectrum.corners])
        axes.set_xlim(spectrum.distances[0], spectrum.distances[-1])
        axes.set_title(name, fontsize=9)
    panels[0].set_ylabel("frequency (THz)")
    return _svg(figure)


@_styled
def dynamics(runs: Sequence[tuple[str, Run]]) -> str:
    """Draw temperature, potential energy, and the total energy in NVE over time."""
    figure, (upper, middle, lower) = _row(range(3))
    for place, (name, run) in enumerate(runs):
        color = COLORS[place % len(COLORS)]
        upper.plot(run.bath.times, run.bath.temperature, color=color, linewidth=0.8, label=name)
        upper.axhline(run.plan.temperature, color=color, linestyle=":", linewidth=0.8)
        if len(run.bath):
            energies = np.array(run.bath.potential)
            middle.plot(run.bath.times, energies - energies[0], color=color, linewidth=0.8)
        if len(run.free):
            total = 1000 * np.array(run.free.total)
            lower.plot(np.array(run.free.times) - run.free.times[0], total - total[0], color=color, linewidth=0.8)
    upper.set(xlabel="time (ps)", ylabel="temperature (K)")
    middle.set(xlabel="time (ps)", ylabel="potential energy (eV per atom)")
    lower.set(xlabel="time in NVE (ps)", ylabel="total energy (meV per atom)")
    upper.legend(fontsize=7)
    return _svg(figure)


def _labelled(sets: Mapping[str, Residuals], units: Mapping[str, str]) -> list[str]:
    return [quantity for quantity in units if any(len(of.labels[quantity]) for of in sets.values())]


def _row(panels: Iterable[object], height: float = _HEIGHT) -> tuple[Figure, list[Axes]]:
    """Return a figure with a panel for each of some things, side by side."""
    n_panels = max(1, len(list(panels)))
    figure = _figure((_WIDTH if n_panels > 1 else _WIDTH * 0.62, height))
    return figure, list(figure.subplots(1, n_panels, squeeze=False)[0])


def _figure(size: tuple[float, float]) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=size, layout="constrained")


def _plain_ticks(axes: Axes) -> None:
    """Label a logarithmic axis with numbers as people write them."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    low, high = axes.get_ylim()
    is_short = high / low < 30
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if is_short else (1.0,)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _svg(figure: Figure) -> str:
    """Return a figure as an element whose names are its own in the page."""
    import matplotlib

    own = f"picture{next(_numbers)}"
    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": own}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None}, dpi=120)
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'\bid="([^"]+)"', rf'id="{own}-\1"', text)
    text = re.sub(r"url\(#([^)]+)\)", rf"url(#{own}-\1)", text)
    text = re.sub(r'href="#([^"]+)"', rf'href="#{own}-\1"', text)
    width = float(figure.get_size_inches()[0]) * _REM_PER_INCH
    head, rest = text.split(">", 1)
    head = re.sub(r' (?:width|height)="[^"]*"', "", head)  # the page decides, up to the size of its text
    return f'{head} style="max-width: {width:.1f}rem">{rest}'


def _evenly(n: int, most: int) -> NDArray[np.int64]:
    return np.unique(np.linspace(0, max(n - 1, 0), min(n, most)).round().astype(np.int64))
