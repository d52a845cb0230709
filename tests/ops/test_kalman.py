"""The native sweep over a Kalman covariance against its PyTorch twin and against dense algebra."""

from __future__ import annotations

import pytest
import torch

from pwmlff.ops import kalman_sweep, library, reference

TILE = reference.KALMAN_TILE

native = pytest.mark.skipif(not library.load(), reason=f"no native library: {library.status().error}")


def symmetric(n: int) -> torch.Tensor:
    matrix = torch.randn(n, n, dtype=torch.float64)
    product = matrix @ matrix.T / n
    return (product + product.T) / 2


def to_tiles(matrix: torch.Tensor) -> torch.Tensor:
    n_rows = -(-len(matrix) // TILE)
    missing = n_rows * TILE - len(matrix)
    blocks = torch.nn.functional.pad(matrix, (0, missing, 0, missing)).view(n_rows, TILE, n_rows, TILE)
    return torch.stack([blocks[i, :, j] for i in range(n_rows) for j in range(i + 1)])


@native
@pytest.mark.parametrize("n", [1, 64, 100, 333])
@pytest.mark.parametrize("k", [0, 1, 5, 17])
@pytest.mark.parametrize("m", [0, 1, 3, 16, 40])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-13), (torch.float32, 1e-5)])
def test_equals_twin(n: int, k: int, m: int, dtype: torch.dtype, tolerance: float) -> None:
    tiles = to_tiles(symmetric(n)).to(dtype)
    w, h = torch.randn(n, k, dtype=dtype), torch.randn(n, m, dtype=dtype)
    twin = tiles.clone()
    product, expected = kalman_sweep(tiles, w, h), reference.kalman_sweep(twin, w, h)
    assert product.shape == (n, m)
    scale = float(twin.abs().max()) * max(n, 1)
    torch.testing.assert_close(product, expected, rtol=tolerance, atol=tolerance * scale)
    torch.testing.assert_close(tiles, twin, rtol=tolerance, atol=tolerance * scale)


@pytest.mark.parametrize("operation", [pytest.param(kalman_sweep, marks=native), reference.kalman_sweep])
def test_equals_dense_algebra(operation: object) -> None:
    n, k, m = 150, 4, 3
    matrix = symmetric(n)
    w, h = torch.randn(n, k, dtype=torch.float64), torch.randn(n, m, dtype=torch.float64)
    tiles = to_tiles(matrix)
    product = operation(tiles, w, h)  # type: ignore[operator]
    expected = matrix - w @ w.T
    torch.testing.assert_close(product, expected @ h)
    torch.testing.assert_close(tiles, to_tiles(expected))


@native
@pytest.mark.parametrize(("k", "m"), [(1, 1), (6, 20)])
def test_diagonal_tiles_stay_symmetric(k: int, m: int) -> None:
    tiles = to_tiles(symmetric(130))
    for _ in range(5):
        kalman_sweep(tiles, torch.randn(130, k, dtype=torch.float64), torch.randn(130, m, dtype=torch.float64))
    for diagonal in (0, 2, 5):
        assert torch.equal(tiles[diagonal], tiles[diagonal].T)


@native
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_repeats_on_the_same_threads(threads: int) -> None:
    tiles, w, h = to_tiles(symmetric(700)), torch.randn(700, 1).double(), torch.randn(700, 1).double()
    copy, before = tiles.clone(), torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        assert torch.equal(kalman_sweep(tiles, w, h), kalman_sweep(copy, w, h))
        assert torch.equal(tiles, copy)
    finally:
        torch.set_num_threads(before)


@native
def test_downdate_then_product_is_the_same_as_both_at_once() -> None:
    # a checkpoint may fall between the two
    tiles, w, h = to_tiles(symmetric(200)), torch.randn(200, 7).double(), torch.randn(200, 5).double()
    parts = tiles.clone()
    together = kalman_sweep(tiles, w, h)
    kalman_sweep(parts, w, h[:, :0])
    assert torch.equal(kalman_sweep(parts, w[:, :0], h), together)


@native
def test_wrong_arguments_are_refused() -> None:
    tiles = to_tiles(symmetric(100))
    with pytest.raises(RuntimeError, match="expects 6 tiles for 130 rows, got 3"):
        kalman_sweep(tiles, torch.zeros(130, 1).double(), torch.zeros(130, 1).double())
    with pytest.raises(RuntimeError, match="one dtype"):
        kalman_sweep(tiles, torch.zeros(100, 1), torch.zeros(100, 1).double())
