"""The native embedding contraction against its PyTorch twin, to second derivatives."""

from __future__ import annotations

import pytest
import torch

from pwmlff.ops import embedding_contraction, library, reference

pytestmark = pytest.mark.skipif(not library.load(), reason=f"no native library: {library.status().error}")

WIDTHS = ([5], [3, 7], [4, 8, 8], [25, 50, 100], [9, 9, 33])


def inputs(widths: list[int], dtype: torch.dtype) -> list[torch.Tensor]:
    """Arguments with atoms of no pair, of few and of more than one block."""
    generator = torch.Generator().manual_seed(1)
    counts = torch.tensor([0, 3, 0, 0, 70, 1, 33, 0])
    start = torch.cat([torch.zeros(1, dtype=torch.int64), counts.cumsum(0)])
    n_pairs, n_in, n_parameters = int(start[-1]), 1, 0
    for n_out in widths:
        n_parameters += n_out * (n_in + 2)
        n_in = n_out

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype).requires_grad_()

    return [draw(n_pairs), draw(n_pairs, 4), start, draw(n_parameters)]


def relative(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a - b).detach().abs().max() / b.detach().abs().max())


@pytest.mark.parametrize("activation", [0, 1])
@pytest.mark.parametrize("widths", WIDTHS)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-4)])
def test_equals_twin(widths: list[int], activation: int, dtype: torch.dtype, tolerance: float) -> None:
    s, rows, start, parameters = inputs(widths, dtype)
    directions = torch.randn(len(s), dtype=dtype), torch.randn(len(s), 4, dtype=dtype)
    weights = torch.randn(len(start) - 1, 4, widths[-1], dtype=dtype, requires_grad=True)
    results = []
    for operation in (embedding_contraction, reference.embedding_contraction):
        sums = operation(s, rows, start, parameters, widths, activation)
        value = (sums * weights).sum()
        first = torch.autograd.grad(value, (s, rows, parameters), retain_graph=True)
        by_s, by_rows = torch.autograd.grad(value, (s, rows), create_graph=True)
        second = torch.autograd.grad(
            (by_s * directions[0]).sum() + (by_rows * directions[1]).sum(), (weights, s, rows, parameters)
        )
        results.append([sums, *first, by_s, by_rows, *second])
    for native, twin in zip(*results, strict=True):
        assert relative(native, twin) < tolerance


def test_gradcheck() -> None:
    s, rows, start, parameters = inputs([4, 8], torch.float64)
    start = start[:4]  # three pairs
    s, rows = s[:3].detach().requires_grad_(), rows[:3].detach().requires_grad_()

    def by_geometry(s: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        return embedding_contraction(s, rows, start, parameters.detach(), [4, 8], 0)

    assert torch.autograd.gradcheck(by_geometry, (s, rows))
    assert torch.autograd.gradgradcheck(by_geometry, (s, rows))
    assert torch.autograd.gradcheck(
        lambda p: embedding_contraction(s.detach(), rows.detach(), start, p, [4, 8], 0), parameters
    )


def test_any_number_of_threads_agrees() -> None:
    s, rows, start, parameters = inputs([25, 50, 100], torch.float64)
    s, rows, start = s.repeat(20), rows.repeat(20, 1), torch.arange(0, 20 * len(s) + 1, len(s))
    before = torch.get_num_threads()
    results = []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            sums = embedding_contraction(s, rows, start, parameters, [25, 50, 100], 0)
            results.append([sums, *torch.autograd.grad(sums.square().sum(), (s, rows, parameters))])
    finally:
        torch.set_num_threads(before)
    for other in results[1:]:
        for a, b in zip(other, results[0], strict=True):
            assert relative(a, b) < 1e-13


def test_wrong_arguments_are_refused() -> None:
    s, rows, start, parameters = inputs([4], torch.float64)
    with pytest.raises(RuntimeError, match="parameters"):
        embedding_contraction(s, rows, start, parameters[:-1], [4], 0)
    with pytest.raises(RuntimeError, match="rows"):
        embedding_contraction(s, rows[:, :3], start, parameters, [4], 0)
    with pytest.raises(RuntimeError, match="start"):
        embedding_contraction(s, rows, start[:-2], parameters, [4], 0)


def test_no_pairs() -> None:
    parameters = inputs([4], torch.float64)[3]
    empty = torch.zeros(0, dtype=torch.float64)
    sums = embedding_contraction(empty, empty.view(0, 4), torch.zeros(3, dtype=torch.int64), parameters, [4], 0)
    assert sums.shape == (2, 4, 4)
    assert sums.abs().max() == 0
