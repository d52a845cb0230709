"""The weights that are validated and kept: those under training, or their running average with its own zero of energy.

An average of weights is no average of energies: along the path of the weights it is off by a constant, tens of meV per
atom where they still move fast. So all energies of the averaged model are shifted per atom such that their mean error
on some training frames is zero.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pwmlff.data.dataset import FrameDataset
from pwmlff.models.derivatives import predict
from pwmlff.models.potential import Potential
from pwmlff.optim.ema import WeightAverage

_N_CALIBRATION = 64  # frames that give averaged weights their zero of energy


class FinalWeights:
    """Averages the weights of a potential in training, and gives it the average when it is asked for."""

    def __init__(
        self,
        potential: Potential,
        decay: float | None,
        data: FrameDataset,
        batch_size: int,
        device: torch.device,
    ) -> None:
        """Start before the first step.

        Args:
            potential: The one in training.
            decay: Of the average; None or 0 for none, the weights under training are the final ones then.
            data: Training frames; some of them, spread over all, give the zero of energy.
            batch_size: Frames evaluated at once.
            device: Where the potential is.
        """
        self._potential = potential
        self._data = data
        self._batch_size = batch_size
        self._device = device
        self._average = WeightAverage(potential, decay, own=["energy_shift"]) if decay else None
        self._calibrated_at = -1  # number of updates of the average

    def update(self, *, anew: bool) -> None:
        """Take the weights after a step into the average, or begin a new one with them."""
        if self._average is None:
            return
        if anew:
            self._average.restart()
            self._calibrated_at = -1
        self._average.update()

    @contextmanager
    def applied(self, *, shifted: bool) -> Iterator[None]:
        """Give the potential the final weights for the length of a `with` block.

        Args:
            shifted: Give averaged weights their own zero of energy, as they need it when energies are trained.
        """
        if self._average is None:
            yield
            return
        trained_shift = self._potential.energy_shift.clone()
        with self._average.applied():
            if self._calibrated_at != self._average.n_updates:
                self._calibrated_at = self._average.n_updates
                self._potential.energy_shift.copy_(trained_shift)
                if shifted:
                    error = self._mean_energy_error()
                    if torch.isfinite(error):  # no label, or weights that are lost
                        self._potential.energy_shift.add_(error)
            yield

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return the weights under training and the state of the average, for a file that holds the average.

        Both are empty without an average.
        """
        return ({}, {}) if self._average is None else self._average.state()

    def load_state(self, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
        """Take back what `state` returned; the potential holds the final weights and gets those under training."""
        if self._average is not None:
            self._average.load_state(tensors, state)

    def _mean_energy_error(self) -> Tensor:
        """Return the mean of label minus prediction over the frames of the calibration, eV/atom."""
        frames = np.unique(np.linspace(0, len(self._data) - 1, _N_CALIBRATION).round().astype(np.int64))
        errors = []
        for first in range(0, len(frames), self._batch_size):
            batch = self._data.batch(frames[first : first + self._batch_size]).to(self._device)
            energy = predict(self._potential, batch, forces=False, virial=False).energy
            errors.append(((batch.energy - energy) / batch.n_atoms)[batch.has_energy])
        return torch.cat(errors).mean()
