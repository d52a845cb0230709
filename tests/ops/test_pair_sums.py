"""Sums of pair gradients to forces and virials: native operations beside their twins, and what they refuse."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from pwmlff.ops import library, pair_forces, pair_virials, reference

needs_library = pytest.mark.skipif(not library.load(), reason="the native library is not there")


@pytest.fixture(params=[1, 3])
def pairs(request: pytest.FixtureRequest) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor, Tensor]]:
    """Gradients, vectors, start, neighbours and frame start of frames of 5, 0, 9 and 700 atoms, on so many threads."""
    torch.set_num_threads(request.param)
    generator = torch.Generator().manual_seed(4)
    sizes = [5, 0, 9, 700]
    frame_start = torch.tensor([0, *sizes]).cumsum(0)
    counts = torch.randint(0, 30, (sum(sizes),), generator=generator)
    start = torch.cat([torch.zeros(1, dtype=torch.int64), counts.cumsum(0)])
    n_pairs = int(start[-1])
    neighbors = torch.cat(
        [
            torch.randint(int(first), int(last), (int(start[last] - start[first]),), generator=generator)
            for first, last in zip(frame_start[:-1], frame_start[1:], strict=True)
            if last > first
        ]
    )
    gradients, vectors = torch.randn(2, n_pairs, 3, generator=generator, dtype=torch.float64).unbind()
    yield gradients, vectors, start, neighbors, frame_start
    torch.set_num_threads(1)


@needs_library
def test_native_sums_are_those_of_the_twins(pairs: tuple[Tensor, ...]) -> None:
    gradients, vectors, start, neighbors, frame_start = pairs
    forces = pair_forces(gradients, start, neighbors, frame_start)
    assert torch.equal(forces, reference.pair_forces(gradients, start, neighbors, frame_start))
    virials = pair_virials(gradients, vectors, start, frame_start)
    expected = reference.pair_virials(gradients, vectors, start, frame_start)
    torch.testing.assert_close(virials, expected, rtol=1e-13, atol=1e-12)


def test_sums_can_be_differentiated(pairs: tuple[Tensor, ...]) -> None:
    gradients, vectors, start, neighbors, frame_start = pairs
    gradients.requires_grad_()
    (by_forces,) = torch.autograd.grad(pair_forces(gradients, start, neighbors, frame_start)[3, 1], gradients)
    expected = torch.zeros_like(gradients)
    expected[start[3] : start[4], 1] += 1.0
    expected[neighbors == 3, 1] -= 1.0
    assert torch.equal(by_forces, expected)
    (by_virial,) = torch.autograd.grad(pair_virials(gradients, vectors, start, frame_start)[0, 2, 1], gradients)
    expected = torch.zeros_like(gradients)
    expected[: start[5], 1] = -vectors[: start[5], 2]
    assert torch.equal(by_virial, expected)


def test_derivatives_are_those_of_differences_and_can_be_differentiated_again() -> None:
    gradients, vectors = torch.randn(2, 6, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64).unbind()
    start, neighbors = torch.tensor([0, 2, 3, 3, 5, 6]), torch.tensor([1, 2, 0, 4, 4, 3])
    frame_start = torch.tensor([0, 3, 3, 5])
    gradients.requires_grad_()

    def sums(gradients: Tensor) -> tuple[Tensor, Tensor]:
        forces = pair_forces(gradients, start, neighbors, frame_start)
        return forces, pair_virials(gradients, vectors, start, frame_start)

    assert torch.autograd.gradcheck(sums, gradients)
    assert torch.autograd.gradgradcheck(sums, gradients)


def test_virials_can_be_differentiated_by_vectors() -> None:
    gradients, vectors = torch.randn(2, 2, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64).unbind()
    vectors.requires_grad_()
    virials = pair_virials(gradients, vectors, torch.tensor([0, 1, 2]), torch.tensor([0, 2]))
    (by_vectors,) = torch.autograd.grad(virials[0, 2, 1], vectors)
    expected = torch.zeros_like(vectors)
    expected[:, 2] = -gradients[:, 1]
    assert torch.equal(by_vectors, expected)


@needs_library
def test_pairs_across_frames_and_wrong_offsets_are_errors(pairs: tuple[Tensor, ...]) -> None:
    gradients, vectors, start, neighbors, frame_start = pairs
    with pytest.raises(RuntimeError, match="is an atom of another frame"):
        pair_forces(gradients, start, neighbors.roll(len(neighbors) // 2), frame_start)
    with pytest.raises(RuntimeError, match="offsets must run from 0"):
        pair_virials(gradients[:-1], vectors[:-1], start, frame_start)
    with pytest.raises(RuntimeError, match="neighbours"):
        pair_forces(gradients, start, neighbors[:-1], frame_start)
