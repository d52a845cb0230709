"""Kalman prediction uncertainty: how much the filter's covariance leaves open about a prediction.

A model trained with LKF or GKF carries the covariance P of its weights. For a prediction with the gradient H = dh/dw,

    u = sum_b H_b^T P_b H_b        over the blocks b of the weights,

is the variance of h in units of the filter's measurement noise: large where a structure depends on the weights in a way
the training frames have not fixed. One model does what otherwise takes a committee. Only ratios of u mean something.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pwmlff.data.batch import collate, make_sample
from pwmlff.data.frame import Frame
from pwmlff.errors import ConfigError, ModelFileError
from pwmlff.evaluate.rows import check_output, write_rows
from pwmlff.models.derivatives import predict
from pwmlff.models.files import ModelFile, read_model, refuse_exported
from pwmlff.optim.kalman_blocks import WeightVector
from pwmlff.optim.kalman_filter import KalmanFilter

COLUMNS = ("etot_kpu", "f_kpu_mean", "f_kpu_max", "f_kpu_min")
_AT_ONCE = 48  # gradients held in memory
_TENSORS = "optimizer/filter/"  # of a checkpoint, where the filter's state is


@dataclass
class KalmanUncertainty:
    """A potential with the covariance of its weights, from a checkpoint of LKF or GKF.

    Attributes:
        path: The checkpoint.
        fraction: Part of the atoms whose forces are looked at.
        seed: Of their choice.
    """

    path: Path
    fraction: float = 0.5
    seed: int = 2024

    def __post_init__(self) -> None:
        """Read the checkpoint.

        Raises:
            ConfigError: The fraction is not in (0, 1].
            ModelFileError: The file is no checkpoint, or holds no covariance.
        """
        if not 0 < self.fraction <= 1:
            raise ConfigError(f"the part of the atoms is {self.fraction}, expected a number in (0, 1]")
        refuse_exported(
            self.path,
            "which keeps the model only and has no covariance P; expected the last checkpoint of a run with LKF or GKF",
        )
        checkpoint = read_model(self.path)
        state = checkpoint.state.get("optimizer", {}).get("filter")
        if state is None:
            trained = f"it was trained with {_optimizer(checkpoint)}"
            why = trained if "epoch" in checkpoint.state else "it holds a model only"
            if checkpoint.potential.network.untrainable:
                why = f"it is {checkpoint.potential.network.untrainable}, which keeps the model only"
            raise ModelFileError(
                f"'{self.path}' has no covariance P: {why}; "
                "expected the last checkpoint (not the best) of a run with LKF or GKF"
            )
        tensors = {k.removeprefix(_TENSORS): v for k, v in checkpoint.tensors.items() if k.startswith(_TENSORS)}
        self.potential = checkpoint.potential
        self.potential.hold(checkpoint.config.get("freeze", ()))  # the filter knows nothing of weights it did not train
        self._vector = WeightVector(self.potential)
        self._filter = KalmanFilter.restored(tensors, state)

    def of_frame(self, frame: Frame) -> dict[str, float]:
        """Return the uncertainties of a structure by the names of `COLUMNS`.

        `etot_kpu` is that of the energy per atom, the others are statistics over the force components of the atoms
        chosen.

        Raises:
            DataFormatError: The model does not know an element.
        """
        batch = collate([make_sample(frame, self.potential.type_of, self.potential.cutoff)])
        prediction = predict(self.potential, batch, virial=False, create_graph=True)
        assert prediction.forces is not None
        n_chosen = max(1, round(self.fraction * len(frame)))
        atoms = np.sort(np.random.default_rng(self.seed).permutation(len(frame))[:n_chosen])
        forces = self._variances(list(prediction.forces[torch.from_numpy(atoms)].flatten()), keeps_graph=True)
        (energy,) = self._variances([prediction.energy[0] / len(frame)])
        return dict(zip(COLUMNS, (energy, float(np.mean(forces)), max(forces), min(forces)), strict=True))

    def _variances(self, values: list[Tensor], *, keeps_graph: bool = False) -> list[float]:
        """Return u of each scalar; their graph is used up unless it is to be kept."""
        variances: list[float] = []
        for first in range(0, len(values), _AT_ONCE):
            several = values[first : first + _AT_ONCE]
            is_last = first + _AT_ONCE >= len(values)
            gradients = torch.empty(len(several), len(self._vector), dtype=torch.float64)
            self._vector.write_gradients(several, gradients, keeps_graph=keeps_graph or not is_last)
            variances += self._filter.quadratic_form(gradients.T).diagonal().tolist()
        return variances


def _optimizer(checkpoint: ModelFile) -> str:
    """Return the name of the optimizer that a checkpoint is the state of."""
    optimizer = checkpoint.config.get("optimizer", {})
    if isinstance(optimizer, list):
        optimizer = optimizer[checkpoint.state.get("place", {}).get("stage", 0)]
    return str(optimizer.get("optimizer", "another optimizer"))


def write_kpu(
    model: KalmanUncertainty,
    trajectory: Path,
    output: Path,
    *,
    elements: Sequence[str] | None = None,
    every: int = 1,
) -> int:
    """Write the uncertainties along a trajectory, one row per frame as it is read; return the number of rows.

    Args:
        model: The potential with its covariance.
        trajectory: LAMMPS dump, extended XYZ, or another file ASE reads.
        output: File to write, replaced when it is there.
        elements: Symbols of the types 1, 2, ... of a dump.
        every: Evaluate every n-th frame.

    Raises:
        ConfigError: The output would replace an input.
        DataFormatError: The trajectory cannot be read; rows of the frames before the fault are written.
    """
    check_output(output, (model.path, trajectory))
    return sum(1 for _ in write_rows(output, trajectory, model.of_frame, COLUMNS, elements=elements, every=every))
