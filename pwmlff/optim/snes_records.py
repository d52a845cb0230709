"""Files of GPUMD that a run with SNES writes beside its own; the second, of a NEP alone, is read too.

loss.out      generation, loss, L1, L2, then root mean square errors of energies per atom (eV), forces (eV/Å) and
virials per atom (eV) of the training frames, and of the validation frames or 0
nep.restart   mean and deviation of each weight, in the order of nep.txt
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from pwmlff import keys
from pwmlff.errors import ConfigError, in_one_line
from pwmlff.models.base import Network
from pwmlff.optim.base import OptimizerRecords

LOSSES, RESTART = "loss.out", "nep.restart"
_ERRORS = (keys.ENERGY, keys.FORCES, keys.VIRIAL)
_WIDTHS = (8, *[11] * 3, *[13] * 6)  # of the columns, as in GPUMD

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class SearchReport:
    """Where a search is.

    Attributes:
        n_generations: Done.
        losses: Loss, its two penalties, and root mean square errors of energies, forces and virials, on the last batch.
        mean: Of the trained weights, by the name of their parameter in the network.
        deviation: Likewise.
    """

    n_generations: int
    losses: Sequence[float]
    mean: Mapping[str, Floats]
    deviation: Mapping[str, Floats]


class SnesRecords(OptimizerRecords):
    """Both files of one run."""

    def __init__(self, folder: Path, network: Network, report: Callable[[], SearchReport]) -> None:
        """Choose the folder; `report` tells what to write of the search for the weights of a network."""
        self._losses, self._restart = folder / LOSSES, folder / RESTART
        self._network, self._report = network, report
        self._has_restart = network.file_order() is not None
        self.names = f"{LOSSES} and {RESTART}" if self._has_restart else LOSSES

    def begin(self) -> None:
        """Keep the lines of generations that are done."""
        n_done = self._report().n_generations
        lines = self._losses.read_text(encoding="utf-8").splitlines() if self._losses.exists() else []
        done = [line for line in lines if line.split()[:1] and int(line.split()[0]) <= n_done]
        self._losses.write_text("".join(f"{line}\n" for line in done), encoding="utf-8")

    def write(self, valid: Mapping[str, float]) -> None:
        """Add a line of losses, and write means and deviations anew."""
        report = self._report()
        train = dict(zip(_ERRORS, report.losses[3:], strict=True))
        errors = [rmse.get(name, 0.0) for rmse in (train, valid) for name in _ERRORS]
        cells = [str(report.n_generations), *(f"{number:.5f}" for number in (*report.losses[:3], *errors))]
        line = "".join(cell.ljust(width) for cell, width in zip(cells, _WIDTHS, strict=True))
        with self._losses.open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")
        if self._has_restart:
            write_restart(self._restart, self._network, report.mean, report.deviation)


def write_restart(path: Path, network: Network, mean: Mapping[str, Floats], deviation: Mapping[str, Floats]) -> None:
    """Write means and deviations.

    Args:
        path: Of the file.
        network: Tells the order.
        mean: Of the weights, by the name of their parameter in the network.
        deviation: Likewise; weights that are not named have 0, and their value as their mean.
    """
    order = network.file_order()
    assert order is not None
    table = np.zeros((1 + max(int(places.max()) for places in order.values()), 2))
    for name, weight in network.named_parameters():
        places = order[weight].numpy()
        own = weight.detach().cpu().to(torch.float64).numpy()
        table[places, 0] = mean[name].reshape(places.shape) if name in mean else own
        table[places, 1] = deviation[name].reshape(places.shape) if name in deviation else 0.0
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text("".join(f"{m:15.7e} {d:15.7e}\n" for m, d in table.tolist()), encoding="utf-8")
    partial.replace(path)


def read_restart(path: Path, network: Network) -> tuple[dict[str, Floats], dict[str, Floats]]:
    """Return means and deviations as `write_restart` takes them, of all weights.

    Raises:
        ConfigError: The file cannot be read, or is not of this network.
    """
    order = network.file_order()
    if order is None:
        raise ConfigError(f"`nep_restart` is for NEP, a {type(network).__name__} has no such file")
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ConfigError(f"`nep_restart`: cannot read '{path}': {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"`nep_restart`: '{path}' is no text file") from error
    table = np.array([_numbers(path, number, line) for number, line in enumerate(lines, start=1)]).reshape(-1, 2)
    n_lines = 1 + max(int(places.max()) for places in order.values())
    if len(table) != n_lines:
        raise ConfigError(
            f"'{path}' has {len(table)} lines, expected {n_lines}, one for each weight of the model; "
            "`model` must be as it was trained with"
        )
    names = {name: order[weight].numpy() for name, weight in network.named_parameters()}
    mean, deviation = ({name: table[places, column] for name, places in names.items()} for column in (0, 1))
    return mean, deviation


def _numbers(path: Path, number: int, line: str) -> tuple[float, float]:
    try:
        mean, deviation = (float(word) for word in line.split())
    except ValueError:
        mean = deviation = math.nan
    if not (math.isfinite(mean) and 0 <= deviation < math.inf):
        raise ConfigError(
            in_one_line(f"'{path}' line {number}: expected a mean and a deviation from 0 on, got `{line[:60]}`")
        )
    return mean, deviation
