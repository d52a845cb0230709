"""Run a model over labelled frames, batch by batch, and yield one result per frame.

Frames are read, predicted and forgotten: memory is bounded by the largest batch, whatever the size of the data.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pwmlff.data.batch import Sample, collate
from pwmlff.data.dataset import FrameDataset
from pwmlff.data.frame import Frame
from pwmlff.errors import DataFormatError, ModelFileError
from pwmlff.models import Potential, predict

# of one batch; about 0.5 GB of intermediates where a model with 100 features per pair is differentiated automatically
MAX_PAIRS = 40_000


@dataclass(frozen=True)
class FrameResult:
    """What a model says about one frame.

    Attributes:
        frame: The frame, with its labels.
        energy: eV.
        forces: [N, 3] eV/Å.
        virial: [3, 3] eV.
        atomic_energies: [N] eV.
        descriptors: [N, D] what the nets see of each atom, see `Potential.descriptors`; None where not asked for.
    """

    frame: Frame
    energy: float
    forces: NDArray[np.float64]
    virial: NDArray[np.float64]
    atomic_energies: NDArray[np.float64]
    descriptors: NDArray[np.float64] | None = None

    @property
    def stress(self) -> NDArray[np.float64] | None:
        """[3, 3] eV/Å^3, positive under tension; None without three cell vectors or a periodic direction."""
        if not self.frame.pbc.any() or self.frame.volume == 0:
            return None
        return -self.virial / self.frame.volume


def predict_frames(
    model: Potential,
    frames: Sequence[Frame],
    *,
    batch_size: int | None = None,
    max_pairs: int = MAX_PAIRS,
    skipped: list[str] | None = None,
    descriptors: bool = False,
) -> Iterator[FrameResult]:
    """Yield the model's prediction for every frame, in order.

    Args:
        model: The model, on the device where it shall run.
        frames: Labelled or not; a lazy sequence is read as it is used.
        batch_size: Most frames of one batch; None leaves it to `max_pairs`.
        max_pairs: Most neighbour pairs of one batch; a larger frame makes a batch of its own.
        skipped: When given, frames the model cannot take are dropped and the reasons appended here.
        descriptors: Whether descriptors are wanted too.

    Raises:
        DataFormatError: A frame holds an element the model does not know, or two atoms at one place.
        ModelFileError: The model's prediction is not a finite number, or it has no descriptors.
    """
    dataset = FrameDataset(frames, model.elements, model.cutoff, cache_bytes=0)
    for samples in _batches(_samples(dataset, skipped), batch_size, max_pairs):
        yield from _predict_batch(model, samples, descriptors)


def describe_frames(model: Potential, frames: Sequence[Frame]) -> Iterator[NDArray[np.float64]]:
    """Yield the descriptors [N, D] of the atoms of every frame, in order; see `Potential.descriptors`.

    Raises:
        DataFormatError: A frame holds an element the model does not know, or two atoms at one place.
        ModelFileError: The model has no descriptors.
    """
    dataset = FrameDataset(frames, model.elements, model.cutoff, cache_bytes=0)
    for samples in _batches(_samples(dataset, None), None, MAX_PAIRS):
        batch = collate(samples).to(model.device)
        yield from np.split(model.descriptors(*batch.pairs).cpu().numpy(), batch.frame_start.cpu().numpy()[1:-1])


def _samples(dataset: FrameDataset, skipped: list[str] | None) -> Iterator[Sample]:
    for index in range(len(dataset)):
        try:
            sample = dataset[index]
        except DataFormatError as error:
            if skipped is None:
                raise
            skipped.append(str(error))
            continue
        yield sample


def _batches(samples: Iterator[Sample], batch_size: int | None, max_pairs: int) -> Iterator[list[Sample]]:
    batch: list[Sample] = []
    n_pairs = 0
    for sample in samples:
        pairs = len(sample.neighbors.pair_neighbors)
        is_full = n_pairs + pairs > max_pairs or (batch_size is not None and len(batch) >= batch_size)
        if batch and is_full:
            yield batch
            batch, n_pairs = [], 0
        batch.append(sample)
        n_pairs += pairs
    if batch:
        yield batch


def _predict_batch(model: Potential, samples: Sequence[Sample], descriptors: bool) -> Iterator[FrameResult]:
    batch = collate(samples).to(model.device)
    described = model.descriptors(*batch.pairs).cpu().numpy() if descriptors else None
    prediction = predict(model, batch)
    assert prediction.forces is not None  # asked for by default
    assert prediction.virial is not None
    energy = prediction.energy.detach().cpu().numpy()
    forces = prediction.forces.detach().cpu().numpy()
    virial = prediction.virial.detach().cpu().numpy()
    atomic_energies = prediction.atomic_energies.detach().cpu().numpy()
    start = batch.frame_start.cpu().numpy()
    for index, sample in enumerate(samples):
        atoms = slice(start[index], start[index + 1])
        result = FrameResult(
            sample.frame,
            float(energy[index]),
            forces[atoms],
            virial[index],
            atomic_energies[atoms],
            None if described is None else described[atoms],
        )
        if not (np.isfinite(result.energy) and np.isfinite(result.forces).all() and np.isfinite(result.virial).all()):
            raise ModelFileError(
                f"{sample.frame.where}: the model predicts {result.energy} eV, expected finite numbers; "
                "its training may have diverged (see the last epochs of epoch_train.dat)"
            )
        yield result
