"""An evaluation that can be differentiated by the weights: of many sums at once, and in parts.

Whatever is trained is a function of the atomic energies E_i and the pair gradients g_ij = dE/dr_ij. Its derivative by
the weights is that of

    sum_i e_i E_i + sum_ij c_ij . g_ij

where e and c are its derivatives by energies and pair gradients. A Kalman filter wants this for several measurements of
several frames, each a row; a loss wants one row.

Letters: `F` parts, `K` sums, `N` atoms, `E` pairs, `n` trained weights.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


@dataclass(frozen=True)
class Evaluation:
    """Energies and pair gradients without a graph, and how to differentiate them.

    Attributes:
        energies: [N] eV, float64.
        gradients: [E, 3] eV/Å, float64; None where they were not asked for.
        weight_gradients: Takes e [K, N] and c [k, E, 3] of the first k <= K sums, the others having none; returns the
            derivative of each part's share of each sum by the trained weights, [F, K, n] float64. To be called once.
    """

    energies: Tensor
    gradients: Tensor | None
    weight_gradients: Callable[[Tensor, Tensor], Tensor]


def trained_weights(module: nn.Module) -> list[nn.Parameter]:
    """Return the parameters that require a gradient, in the order they are registered."""
    return [parameter for parameter in module.parameters() if parameter.requires_grad]


def evaluate_by_autograd(
    evaluate: Callable[..., tuple[Tensor, Tensor | None]],
    weights: Sequence[nn.Parameter],
    pairs: Sequence[Tensor],
    part_start: Tensor,
) -> Evaluation:
    """Record each part on its own, so that differentiating it costs nothing for the others.

    Args:
        evaluate: Takes the four tensors of the contract and returns energies and perhaps pair gradients, with a graph.
        weights: To differentiate by.
        pairs: The four tensors.
        part_start: [F + 1] int64, atoms of part f are `part_start[f]:part_start[f + 1]`.
    """
    atoms, places = _ranges(part_start), _ranges(pairs[1][part_start])
    results = [evaluate(*_part(pairs, a, p)) for a, p in zip(atoms, places, strict=True)]

    def weight_gradients(by_energies: Tensor, by_gradients: Tensor) -> Tensor:
        rows = by_energies.new_empty(len(results), len(by_energies), sum(weight.numel() for weight in weights))
        for row, (energies, gradients), a, p in zip(rows, results, atoms, places, strict=True):
            values = [(e * energies).sum() for e in by_energies[:, a]]
            for k, c in enumerate(by_gradients[:, p]):
                values[k] = values[k] + (c * gradients).sum()
            for k, value in enumerate(values):
                write_gradient(value, weights, row[k], keeps_graph=k + 1 < len(values))
        return rows

    like = pairs[0]
    energies = [like.new_zeros(0), *(energies.detach() for energies, _ in results)]
    gradients = [like.new_zeros(0, 3), *(gradients.detach() for _, gradients in results if gradients is not None)]
    is_complete = len(gradients) == len(energies)
    return Evaluation(torch.cat(energies), torch.cat(gradients) if is_complete else None, weight_gradients)


def write_gradient(value: Tensor, weights: Sequence[nn.Parameter], row: Tensor, *, keeps_graph: bool) -> None:
    """Write the gradient of a scalar by the weights into a row [n]; its graph is used up unless it is to be kept."""
    if not value.requires_grad:  # there may be no pair
        row.zero_()
        return
    parts = torch.autograd.grad(value, weights, retain_graph=keeps_graph, allow_unused=True, materialize_grads=True)
    for place, part in zip(row.split([weight.numel() for weight in weights]), parts, strict=True):
        place.copy_(part.reshape(-1))


def _ranges(start: Tensor) -> list[slice]:
    bounds = start.tolist()
    return [slice(first, last) for first, last in zip(bounds[:-1], bounds[1:], strict=True)]


def _part(pairs: Sequence[Tensor], atoms: slice, places: slice) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the four tensors of the contract for some atoms and their pairs."""
    vectors, start, pair_types, atom_types = pairs
    own_start = start[atoms.start : atoms.stop + 1] - places.start
    return vectors[places], own_start, pair_types[places], atom_types[atoms]


class WithWeights(torch.autograd.Function):
    """Energies and pair gradients of an evaluation as functions of the weights, for a loss."""

    @staticmethod
    def forward(ctx: Any, evaluation: Evaluation, *weights: Tensor) -> tuple[Tensor, Tensor]:
        """Return what the evaluation holds."""
        assert evaluation.gradients is not None
        ctx.set_materialize_grads(False)
        ctx.weight_gradients = evaluation.weight_gradients  # not the results, which will refer to this
        ctx.n_atoms, ctx.n_pairs = len(evaluation.energies), len(evaluation.gradients)
        ctx.save_for_backward(*weights)
        return evaluation.energies, evaluation.gradients

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, by_energies: Tensor | None, by_gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        """Return the gradients of the weights, from one row of one part."""
        weights = ctx.saved_tensors
        like = next(tensor for tensor in (by_energies, by_gradients) if tensor is not None)
        e = like.new_zeros(ctx.n_atoms) if by_energies is None else by_energies
        c = like.new_zeros(0, ctx.n_pairs, 3) if by_gradients is None else by_gradients.unsqueeze(0)
        row = ctx.weight_gradients(e.unsqueeze(0), c)[0, 0]
        parts = row.split([weight.numel() for weight in weights])
        return None, *(part.view_as(weight).to(weight.dtype) for part, weight in zip(parts, weights, strict=True))
