"""Naming the frame behind a loss that is not finite."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from pwmlff import distributed
from pwmlff.data.dataset import FrameDataset
from pwmlff.models.derivatives import predict
from pwmlff.models.potential import Potential
from pwmlff.optim.loss import LossWeights, sum_errors

_N_SHOWN = 3


def describe_bad_frames(
    potential: Potential,
    dataset: FrameDataset,
    indices: Iterable[int],
    weights: LossWeights,
    device: torch.device,
) -> str:
    """Evaluate frames one by one and say which of them have a loss or gradient that is not finite.

    With several processes each looks at its own frames, and all say the same.

    Args:
        potential: In the state that failed.
        dataset: Where the frames come from.
        indices: Frames to look at.
        weights: Of the loss.
        device: Where the potential is.
    """
    chosen = [int(index) for index in indices]
    faulty = [dataset[i].frame.where for i in chosen if not _is_finite(potential, dataset, i, weights, device)]
    first = [dataset[i].frame.where for i in chosen[:_N_SHOWN]]
    everywhere = distributed.gather((faulty, first, len(chosen)))
    bad = [where for places, _, _ in everywhere for where in places]
    advice = "look at the structure and labels there"
    if len(bad) == sum(n_frames for _, _, n_frames in everywhere) > 1:
        advice = "as every frame of the batch is affected, the weights may have diverged: lower the learning rate"
    shown = ", ".join(bad[:_N_SHOWN]) + (f" and {len(bad) - _N_SHOWN} more" if len(bad) > _N_SHOWN else "")
    where = shown or "the batch of " + ", ".join([where for _, places, _ in everywhere for where in places][:_N_SHOWN])
    return f"the loss or its gradient is not finite in {where}; {advice}"


def _is_finite(
    potential: Potential, dataset: FrameDataset, index: int, weights: LossWeights, device: torch.device
) -> bool:
    batch = dataset.batch([index]).to(device)
    prediction = predict(potential, batch, **weights.predicted, create_graph=True)
    loss = sum_errors(prediction, batch).loss(weights)
    if not torch.isfinite(loss):
        return False
    parameters = [p for p in potential.parameters() if p.requires_grad]
    if not loss.requires_grad:
        return True
    gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
    return all(bool(torch.isfinite(g).all()) for g in gradients if g is not None)
