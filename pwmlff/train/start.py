"""What a run file can say of a model from its training data, before anything is trained."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from pydantic import BaseModel

from pwmlff.data.radial import radial_density
from pwmlff.data.readers import read_frames
from pwmlff.models import MODELS
from pwmlff.plots.radial_curves import plot_radial_curves

_N_SHELLS = 200


def settings_from_data(
    model: str, elements: Sequence[str], data: Sequence[Path], picture: Path
) -> tuple[BaseModel | None, list[str], Path | None]:
    """Complete the default `model` section by what the training data tell, and draw what the atoms see.

    Args:
        model: A name in `MODELS`, upper or lower case, or another.
        elements: Symbols in type order; none where they are not known.
        data: Files or folders to train on; none where they are not known.
        picture: PNG to write.

    Returns:
        The section, None where the data are not needed or not there; lines for the user; the picture, None where there
        is nothing to draw or no matplotlib.
    """
    row = MODELS.get(model.strip().upper().replace("-", "_"))
    is_known = bool(elements) and bool(data) and all(path.exists() for path in data)
    if row is None or not row.RunFile.needs_frames or not is_known:
        return None, [], None
    frames = read_frames(data)
    settings, lines = row.RunFile.suggested(row.Config(), elements, frames)
    with torch.random.fork_rng(devices=[]):
        cutoff = row.from_config(settings, elements, torch.float64).cutoff
    edges = np.linspace(0.0, cutoff, _N_SHELLS + 1)
    distances = 0.5 * (edges[1:] + edges[:-1])
    curves = row.RunFile.radial_curves(settings, elements, distances)
    if not any(curves.values()) or find_spec("matplotlib") is None:
        return settings, lines, None
    plot_radial_curves(distances, curves, radial_density(frames, elements, edges), picture)
    return settings, lines, picture
