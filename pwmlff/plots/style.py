"""The look shared by all plots; drawn without pyplot, so no global state and no display is needed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from math import log10
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pwmlff.errors import PwmlffError

if TYPE_CHECKING:
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

COLORS = ("#2f6db5", "#d9722e", "#3a9a5b", "#8a56a8", "#b8433f", "#6b6b6b")
COLOR_MAP = "viridis"  # readable by colour-blind people and in grey
RESOLUTION = 150  # dots per inch

_SETTINGS: Any = {  # matplotlib types the keys as literals
    "font.size": 10,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#555555",
    "axes.titlesize": 11,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.7,
    "legend.frameon": True,
    "legend.framealpha": 0.9,
    "legend.edgecolor": "#dddddd",
    "legend.fontsize": 9,
    "lines.linewidth": 1.5,
}


@contextmanager
def plot_style() -> Iterator[None]:
    """Apply the look to figures made inside the block.

    Raises:
        PwmlffError: matplotlib is not installed.
    """
    try:
        import matplotlib
    except ImportError as error:
        raise PwmlffError("plots need matplotlib: pip install matplotlib, or turn plots off") from error
    with matplotlib.rc_context(_SETTINGS):
        yield


def label_in_plain_numbers(axis: Axis) -> None:
    """Choose some five ticks of a logarithmic axis, whatever its length, and write 0.06, not 6 x 10^-2."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

    low, high = axis.get_view_interval()
    decades = log10(high / low)
    if decades < 1.0:
        axis.set_major_locator(MaxNLocator(5))
    else:
        steps = (1.0, 2.0, 5.0) if decades < 2.0 else (1.0, 3.0) if decades < 3.0 else (1.0,)
        axis.set_major_locator(LogLocator(subs=steps))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.6g}"))


def save_figure(figure: Figure, path: Path) -> None:
    """Write a PNG; the folder is created when it is not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=RESOLUTION, format="png")
