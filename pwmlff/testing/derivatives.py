"""Checks of derivatives by differences: forces and virial of every form, and what training differentiates again."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from pwmlff.data.batch import collate, make_sample
from pwmlff.data.frame import Frame
from pwmlff.testing import structures
from pwmlff.testing.asserting import agree, matters
from pwmlff.testing.subject import Subject

_STENCIL = {1: 8 / 12, -1: -8 / 12, 2: -1 / 12, -2: 1 / 12}  # slope of fourth order
_PARAMETER_STEP = 1e-3


def forces(subject: Subject) -> None:
    """Forces are the negative gradient of the energy, along random directions and along themselves."""
    frame = structures.crystal(subject)
    (result,) = subject.form([frame])
    matters("forces: forces, eV/Å", result.forces, subject)
    rng = np.random.default_rng(5)
    directions = [rng.standard_normal(result.forces.shape) for _ in range(3)] + [result.forces]
    directions = [direction / np.linalg.norm(direction) for direction in directions]

    def moved(direction: np.ndarray, step: float) -> Frame:
        return structures.changed(frame, positions=frame.positions + step * direction)

    slopes = _slopes(subject, moved, directions, subject.tolerance.step)
    _compare(
        "forces: along a direction, eV/Å", [float(np.vdot(result.forces, d)) for d in directions], -slopes, subject
    )


def virial(subject: Subject) -> None:
    """The virial is the negative derivative of the energy by strain."""
    frame = structures.crystal(subject)
    (result,) = subject.form([frame])
    matters("virial: virial, eV", result.virial, subject)
    rng = np.random.default_rng(6)
    directions = [rng.standard_normal((3, 3)) for _ in range(4)]

    def strained(direction: np.ndarray, step: float) -> Frame:
        strain = np.eye(3) + step * direction
        return structures.changed(frame, positions=frame.positions @ strain, cell=frame.cell @ strain)

    # in a strain of a tenth the farthest neighbours move by about the step
    slopes = _slopes(subject, strained, directions, 0.1 * subject.tolerance.step)
    projected = [float(np.vdot(result.virial, direction)) for direction in directions]
    _compare("virial: along a strain, eV", projected, -slopes, subject)


def _slopes(
    subject: Subject, frame_at: Callable[[np.ndarray, float], Frame], directions: Sequence[np.ndarray], step: float
) -> np.ndarray:
    frames = [frame_at(direction, k * step) for direction in directions for k in _STENCIL]
    energies = np.array([result.energy for result in subject.form(frames)]).reshape(len(directions), -1)
    return energies @ np.array(list(_STENCIL.values())) / step


def _compare(what: str, values: Sequence[float], slopes: np.ndarray, subject: Subject) -> None:
    tolerance = subject.tolerance.slope_floor + subject.tolerance.slope * np.abs(slopes)
    matters(what, slopes, subject, float(tolerance.max()))
    agree(what, values, slopes, tolerance)


def second_derivatives(subject: Subject) -> None:
    """Atomic energies are twice differentiable by the pair vectors, in float64."""
    assert subject.differentiable is not None
    vectors, rows = _tensors(subject)
    energies = subject.differentiable.energies

    def function(x: Tensor) -> Tensor:
        return energies(x, *rows)

    leaf = vectors.clone().requires_grad_()
    (slope,) = _gradients("second_derivatives: atomic energies", function(leaf).sum(), [leaf])
    matters("second_derivatives: pair gradients, eV/Å", slope.numpy(), subject)
    try:
        torch.autograd.gradcheck(function, leaf)
        torch.autograd.gradgradcheck(function, leaf)
    except RuntimeError as error:  # torch tells a wrong derivative so
        raise AssertionError(f"second_derivatives: by pair vectors, {error}") from error


def parameter_derivatives(subject: Subject) -> None:
    """What energy and force training use is right: derivatives of both by every parameter."""
    assert subject.differentiable is not None
    vectors, rows = _tensors(subject)
    function, parameters = subject.differentiable.energies_and_gradients, list(subject.differentiable.parameters)
    generator = torch.Generator().manual_seed(7)
    weights = torch.randn(vectors.shape, dtype=torch.float64, generator=generator)
    atom_weights = torch.randn(rows[2].shape, dtype=torch.float64, generator=generator)

    def energy() -> Tensor:
        return (function(vectors.clone(), *rows)[0] * atom_weights).sum()

    def force() -> Tensor:
        return (function(vectors.clone(), *rows)[1] * weights).sum()

    for name, quantity in {"energies": energy, "forces": force}.items():
        what = f"parameter_derivatives: of {name}"
        gradients = _gradients(what, quantity(), parameters)
        matters(f"{what}, eV or eV/Å", max(float(gradient.abs().max()) for gradient in gradients), subject)
        for number, (parameter, gradient) in enumerate(zip(parameters, gradients, strict=True)):
            direction = torch.randn(parameter.shape, dtype=parameter.dtype, generator=generator)
            expected = _slope_along(parameter, direction, quantity)
            agree(
                f"{what} by parameter {number} of shape {list(parameter.shape)}",
                float((gradient * direction).sum()),
                expected,
                1e-8 + 1e-6 * abs(expected),
            )


def _gradients(what: str, quantity: Tensor, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
    if not quantity.requires_grad:
        raise AssertionError(f"{what}: have no graph, expected to be differentiable")
    return torch.autograd.grad(quantity, inputs, allow_unused=True, materialize_grads=True)


def _slope_along(parameter: Tensor, direction: Tensor, quantity: Callable[[], Tensor]) -> float:
    """Differentiate by differences; the parameter is put back as it was."""
    before = parameter.detach().clone()
    total = 0.0
    for k, factor in _STENCIL.items():
        with torch.no_grad():
            parameter.copy_(before + k * _PARAMETER_STEP * direction)
        total += factor * float(quantity().detach())
    with torch.no_grad():
        parameter.copy_(before)
    return total / _PARAMETER_STEP


def _tensors(subject: Subject) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor]]:
    """Return pair vectors, and pair_start, pair_types, atom_types, of four atoms."""
    type_of = {int(number): index for index, number in enumerate(structures.atomic_numbers(subject))}
    batch = collate([make_sample(structures.small_cluster(subject), type_of, subject.cutoff)])
    return batch.pair_vectors, (batch.pair_start, batch.pair_types, batch.atom_types)
