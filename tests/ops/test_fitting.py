"""The native fitting net against its PyTorch twin, to second derivatives."""

from __future__ import annotations

import pytest
import torch

from pwmlff.ops import fitting_net, library, reference

pytestmark = pytest.mark.skipif(not library.load(), reason=f"no native library: {library.status().error}")

SHAPES = ((7, [5]), (16, [8, 8, 16]), (40, [24, 24, 24]), (3, [9, 4, 4]))


def draw(*shape: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64).to(dtype).requires_grad_()


def count(n_in: int, widths: list[int]) -> int:
    total = widths[-1] + 1
    for n_out in widths:
        total += n_out * (n_in + 2)
        n_in = n_out
    return total


def relative(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a - b).detach().abs().max() / b.detach().abs().max())


@pytest.mark.parametrize("activation", [0, 1])
@pytest.mark.parametrize(("n_in", "widths"), SHAPES)
@pytest.mark.parametrize("n_atoms", [1, 5, 150])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-4)])
def test_equals_twin(
    n_in: int, widths: list[int], activation: int, n_atoms: int, dtype: torch.dtype, tolerance: float
) -> None:
    inputs, parameters = draw(n_atoms, n_in, dtype=dtype), draw(count(n_in, widths), dtype=dtype)
    factors = draw(n_atoms, dtype=dtype)
    directions = torch.randn(n_atoms, n_in, dtype=dtype)
    results = []
    for operation in (fitting_net, reference.fitting_net):
        energies = operation(inputs, parameters, widths, activation)
        value = (energies * factors).sum()
        first = torch.autograd.grad(value, (inputs, parameters), retain_graph=True)
        (by_inputs,) = torch.autograd.grad(value, inputs, create_graph=True)
        second = torch.autograd.grad((by_inputs * directions).sum(), (factors, inputs, parameters))
        results.append([energies, *first, by_inputs, *second])
    for native, twin in zip(*results, strict=True):
        assert relative(native, twin) < tolerance


def test_gradcheck() -> None:
    inputs, parameters = draw(3, 4), draw(count(4, [6, 6])).detach()
    assert torch.autograd.gradcheck(lambda x: fitting_net(x, parameters, [6, 6], 0), inputs)
    assert torch.autograd.gradgradcheck(lambda x: fitting_net(x, parameters, [6, 6], 0), inputs)


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(RuntimeError, match="expects 21 parameters"):
        fitting_net(draw(3, 2), draw(5), [4], 0)
    with pytest.raises(RuntimeError, match="one dtype"):
        fitting_net(draw(3, 2), draw(count(2, [4]), dtype=torch.float32), [4], 0)


def test_no_atoms() -> None:
    assert fitting_net(draw(0, 2), draw(count(2, [4])), [4], 0).shape == (0,)
