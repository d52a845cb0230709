"""The native environment matrix against its PyTorch twin, to second derivatives."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from pwmlff.ops import environment_matrix, library, reference

pytestmark = pytest.mark.skipif(not library.load(), reason=f"no native library: {library.status().error}")

INNER, OUTER = 1.0, 4.0


def pairs(n: int = 3000) -> list[Tensor]:
    """Vectors on both sides of the two radii, their order, types and normalisation."""
    generator = torch.Generator().manual_seed(1)
    directions = torch.nn.functional.normalize(torch.randn(n, 3, generator=generator, dtype=torch.float64), dim=1)
    vectors = directions * (0.5 + 3.7 * torch.rand(n, 1, generator=generator, dtype=torch.float64))
    order = torch.randperm(n, generator=generator)
    types = torch.randint(0, 2, (n,), generator=generator)
    mean, scale = torch.rand(2, generator=generator), 0.5 + torch.rand(2, 4, generator=generator)
    return [vectors.requires_grad_(), order, types, mean.double(), scale.double(), torch.tensor(17.0).double()]


@pytest.mark.parametrize(("is_double", "tolerance"), [(True, 1e-12), (False, 1e-5)])
def test_equals_twin(is_double: bool, tolerance: float) -> None:
    arguments = pairs()
    vectors, order = arguments[0], arguments[1]
    dtype = torch.float64 if is_double else torch.float32
    by_s = torch.randn(len(order), dtype=dtype, requires_grad=True)
    by_rows = torch.randn(len(order), 4, dtype=dtype, requires_grad=True)
    directions = torch.randn_like(vectors)
    results = []
    for operation in (environment_matrix, reference.environment_matrix):
        s, rows = operation(*arguments, INNER, OUTER, is_double)
        assert s.dtype == rows.dtype == dtype
        value = (s * by_s).sum() + (rows * by_rows).sum()
        (first,) = torch.autograd.grad(value, vectors, create_graph=True)
        second = torch.autograd.grad((first * directions).sum(), (by_s, by_rows, vectors))
        results.append([s, rows, first, *second])
    for native, twin in zip(*results, strict=True):
        torch.testing.assert_close(native, twin, rtol=tolerance, atol=tolerance * float(twin.detach().abs().max()))


@pytest.mark.parametrize("part", [0, 1])
def test_one_result_alone(part: int) -> None:
    arguments = pairs()
    matrices = [
        torch.autograd.grad(operation(*arguments, INNER, OUTER, True)[part].square().sum(), arguments[0])[0]
        for operation in (environment_matrix, reference.environment_matrix)
    ]
    torch.testing.assert_close(*matrices, rtol=1e-12, atol=1e-12)


def test_gradcheck() -> None:
    vectors, order, *rest = pairs(6)
    order = order[:5]  # a pair that nobody wants

    def of_vectors(v: Tensor) -> tuple[Tensor, Tensor]:
        return environment_matrix(v, order, *rest, INNER, OUTER, True)

    assert torch.autograd.gradcheck(of_vectors, vectors)
    assert torch.autograd.gradgradcheck(of_vectors, vectors)


def test_a_third_derivative_is_refused() -> None:
    arguments = pairs(6)
    vectors = arguments[0]
    rows = environment_matrix(*arguments, INNER, OUTER, True)[1]
    (first,) = torch.autograd.grad(rows.square().sum(), vectors, create_graph=True)
    with pytest.raises(RuntimeError, match="a third derivative"):
        torch.autograd.grad(first.square().sum(), vectors, create_graph=True)


def test_not_a_number_stays() -> None:
    arguments = pairs(6)
    with torch.no_grad():
        arguments[0][arguments[1][2]] = math.nan
    s, rows = environment_matrix(*arguments, INNER, OUTER, True)
    assert s.isnan().tolist() == rows.isnan().all(1).tolist() == [False, False, True, False, False, False]


def test_any_number_of_threads_agrees() -> None:
    arguments, before, results = pairs(5000), torch.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            s, rows = environment_matrix(*arguments, INNER, OUTER, True)
            results.append([s, rows, *torch.autograd.grad(rows.square().sum() + s.sum(), arguments[0])])
    finally:
        torch.set_num_threads(before)
    for other in results[1:]:
        for a, b in zip(other, results[0], strict=True):
            assert torch.equal(a, b)


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (0, torch.zeros(3, 3), "float64"),
        (1, torch.zeros(7, dtype=torch.int64), r"order \[n <= E\]"),
        (2, torch.zeros(2, dtype=torch.int64), r"types \[E\]"),
        (4, torch.zeros(2, 3, dtype=torch.float64), r"scale \[T, 4\]"),
    ],
)
def test_wrong_arguments(place: int, value: Tensor, message: str) -> None:
    arguments = pairs(6)
    arguments[place] = value
    with pytest.raises(RuntimeError, match=message):
        environment_matrix(*arguments, INNER, OUTER, True)
