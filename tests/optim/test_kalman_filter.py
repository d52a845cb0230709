"""The filter against Bayesian regression in closed form and against its equations written out."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from pwmlff.optim.kalman_filter import FilterError, KalmanFilter


def make(blocks: list[tuple[int, int]], **keys: Any) -> KalmanFilter:
    return KalmanFilter(blocks, **{"p0": 1.0, "p_max": 1e9, "forgetting": 1.0, "nu": 1.0, **keys})


def covariance(kalman: KalmanFilter) -> torch.Tensor:
    """P as a dense matrix, block after block."""
    identity = torch.eye(kalman.n_weights, dtype=torch.float64)
    dense = torch.zeros_like(identity)
    for first, last in kalman.bounds:
        part = torch.zeros_like(identity)
        part[first:last] = identity[first:last]
        dense += kalman.quadratic_form(part)
    return dense


def draw(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64)


@pytest.mark.parametrize("k", [1, 3])
def test_linear_model_without_forgetting_is_ridge_regression(k: int) -> None:
    # prior N(0, p0), noise 1: after all data the mean is (X^T X + 1/p0)^-1 X^T y, the covariance the inverse
    n, p0 = 90, 0.5
    inputs, labels = draw(60, n), draw(60)
    kalman, weights = make([(0, n)], p0=p0), torch.zeros(n, dtype=torch.float64)
    for rows in torch.arange(60).split(k):
        residuals = labels[rows] - inputs[rows] @ weights
        weights += kalman.step(inputs[rows].T, residuals)
    precision = inputs.T @ inputs + torch.eye(n, dtype=torch.float64) / p0
    torch.testing.assert_close(weights, torch.linalg.solve(precision, inputs.T @ labels), rtol=1e-8, atol=1e-10)
    torch.testing.assert_close(covariance(kalman), torch.linalg.inv(precision), rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("k", [1, 4])
def test_blocks_and_forgetting_as_written(k: int) -> None:
    blocks, forgetting, nu = [(0, 70), (70, 75), (75, 140)], 0.95, 0.99
    kalman = make(blocks, p0=0.1, forgetting=forgetting, nu=nu)
    dense = [0.1 * torch.eye(last - first, dtype=torch.float64) for first, last in blocks]
    for _ in range(6):
        directions, residuals = draw(140, k), draw(k)
        parts = [directions[first:last] for first, last in blocks]
        innovation = len(blocks) * forgetting * torch.eye(k, dtype=torch.float64)
        innovation += sum(h.T @ p @ h for h, p in zip(parts, dense, strict=True))
        change = torch.cat(
            [p @ h @ torch.linalg.solve(innovation, residuals) for h, p in zip(parts, dense, strict=True)]
        )
        dense = [
            (p - p @ h @ torch.linalg.solve(innovation, h.T @ p)) / forgetting
            for h, p in zip(parts, dense, strict=True)
        ]
        forgetting = nu * forgetting + 1 - nu
        torch.testing.assert_close(kalman.step(directions, residuals), change, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(covariance(kalman), torch.block_diag(*dense), rtol=1e-9, atol=1e-12)
    assert kalman.forgetting == pytest.approx(1 - (1 - 0.95) * nu**6)


def test_forgetting_is_bounded_where_nothing_is_measured() -> None:
    kalman = make([(0, 3)], p0=0.01, p_max=5.0, forgetting=0.5)
    direction = torch.tensor([[1.0], [0.0], [0.0]], dtype=torch.float64)
    for _ in range(50):
        kalman.step(direction, torch.zeros(1, dtype=torch.float64))
    variances = covariance(kalman).diagonal()
    assert float(variances[1]) == pytest.approx(5.0)
    assert 0 < float(variances[0]) < 5.0


@pytest.mark.parametrize(("dtype", "smallest"), [(torch.float64, 0.0), (torch.float32, -1e-4)])
def test_stays_positive_and_symmetric(dtype: torch.dtype, smallest: float) -> None:
    kalman = make([(0, 100)], forgetting=0.98, nu=0.999, dtype=dtype, p_max=100.0)
    for _ in range(300):
        kalman.step(10 * draw(100, 2), draw(2))
    dense = covariance(kalman)
    torch.testing.assert_close(dense, dense.T)
    values = torch.linalg.eigvalsh(dense)
    assert float(values[0]) >= smallest * float(values[-1])


@pytest.mark.parametrize("bad", ["direction", "residual"])
def test_what_is_not_finite_is_refused_and_changes_nothing(bad: str) -> None:
    kalman, directions, residuals = make([(0, 20)]), draw(20, 2), draw(2)
    kalman.step(directions, residuals)
    before = covariance(kalman)
    (directions if bad == "direction" else residuals).view(-1)[1] = float("nan")
    with pytest.raises(FilterError):
        kalman.step(directions, residuals)
    assert torch.equal(covariance(kalman), before)


def test_reset_keeps_the_memory_length() -> None:
    kalman = make([(0, 20)], p0=0.3, forgetting=0.9, nu=0.5)
    kalman.step(draw(20, 2), draw(2))
    kalman.reset()
    torch.testing.assert_close(covariance(kalman), 0.3 * torch.eye(20, dtype=torch.float64))
    assert kalman.forgetting == pytest.approx(0.95)


@pytest.mark.parametrize("anew", [False, True])
def test_shrunk_covariance_stays_below_its_new_bound(anew: bool) -> None:
    kalman = make([(0, 20)], p0=0.3, p_max=0.6, forgetting=0.9)
    for _ in range(9):
        kalman.step(draw(20, 2), draw(2))
    expected = 0.3 * torch.eye(20, dtype=torch.float64) if anew else covariance(kalman)
    kalman.shrink(0.01, anew=anew)
    torch.testing.assert_close(covariance(kalman), 0.01 * expected)
    restored = make([(0, 20)], p0=0.3, p_max=0.6, forgetting=0.9)
    restored.load_state(*kalman.state())
    for one in (kalman, restored):
        for _ in range(99):
            one.step(torch.zeros(20, 1, dtype=torch.float64), draw(1))
        assert one.largest_variance == pytest.approx(0.006)


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_restored_filter_goes_on_bit_for_bit(k: int, dtype: torch.dtype) -> None:
    keys = {"forgetting": 0.97, "nu": 0.99, "dtype": dtype}
    whole, saved = make([(0, 80), (80, 95)], **keys), make([(0, 80), (80, 95)], **keys)
    measurements = [(draw(95, k), draw(k)) for _ in range(6)]
    for measurement in measurements[:3]:
        assert torch.equal(whole.step(*measurement), saved.step(*measurement))
    restored = make([(0, 80), (80, 95)], **keys)
    restored.load_state(*saved.state())
    for measurement in measurements[3:]:
        change = whole.step(*measurement)
        assert torch.equal(restored.step(*measurement), change)
        assert torch.equal(saved.step(*measurement), change)  # saving changes nothing either


def test_half_of_p_is_stored() -> None:
    tensors, _ = make([(0, 640)]).state()
    assert sum(tensor.numel() for tensor in tensors.values()) == 640 * (640 + 64) // 2
