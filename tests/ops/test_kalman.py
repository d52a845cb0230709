"""The native sweep over a Kalman covariance against its PyTorch twin and against dense algebra."""

from __future__ import annotations

import pytest
import torch

from pwmlff.ops import kalman_sweep, library, reference

TILE = reference.KALMAN_TILE

native = pytest.mark.skipif(not library.load(), reason=f"no native library: {library.status().error}")


def sweep(tiles: torch.Tensor, w: torch.Tensor, h: torch.Tensor) -> torch.Tensor:
    """A matrix of one block."""
    return kalman_sweep([tiles], [0, len(h)], w, h)


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
    product, expected = sweep(tiles, w, h), reference.kalman_sweep([twin], [0, n], w, h)
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
    product = operation([tiles], [0, n], w, h)  # type: ignore[operator]
    expected = matrix - w @ w.T
    torch.testing.assert_close(product, expected @ h)
    torch.testing.assert_close(tiles, to_tiles(expected))


@native
@pytest.mark.parametrize(("k", "m"), [(1, 1), (6, 20)])
def test_diagonal_tiles_stay_symmetric(k: int, m: int) -> None:
    tiles = to_tiles(symmetric(130))
    for _ in range(5):
        sweep(tiles, torch.randn(130, k, dtype=torch.float64), torch.randn(130, m, dtype=torch.float64))
    for diagonal in (0, 2, 5):
        assert torch.equal(tiles[diagonal], tiles[diagonal].T)


@native
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_repeats_on_the_same_threads(threads: int) -> None:
    tiles, w, h = to_tiles(symmetric(700)), torch.randn(700, 1).double(), torch.randn(700, 1).double()
    copy, before = tiles.clone(), torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        assert torch.equal(sweep(tiles, w, h), sweep(copy, w, h))
        assert torch.equal(tiles, copy)
    finally:
        torch.set_num_threads(before)


@native
def test_downdate_then_product_is_the_same_as_both_at_once() -> None:
    # a checkpoint may fall between the two
    tiles, w, h = to_tiles(symmetric(200)), torch.randn(200, 7).double(), torch.randn(200, 5).double()
    parts = tiles.clone()
    together = sweep(tiles, w, h)
    sweep(parts, w, h[:, :0])
    assert torch.equal(sweep(parts, w[:, :0], h), together)


@native
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("h_by_rows", [False, True])
def test_blocks_do_not_know_each_other(threads: int, h_by_rows: bool) -> None:
    # many, of all sizes, and rows of no block between them
    bounds, first = [], 0
    for size in (1, 200, 64, 333, 65, 2, 700, 90, 128, 31):
        bounds += [first, first + size]
        first += size + (3 if size == 64 else 0)
    n = first + 2
    tiles = [to_tiles(symmetric(last - begin)) for begin, last in zip(bounds[::2], bounds[1::2], strict=True)]
    w = torch.randn(n, 6, dtype=torch.float64)
    h = torch.randn(5, n, dtype=torch.float64).T if h_by_rows else torch.randn(n, 5, dtype=torch.float64)
    alone, expected = [block.clone() for block in tiles], torch.zeros(n, 5, dtype=torch.float64)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        products = kalman_sweep(tiles, bounds, w, h)
    finally:
        torch.set_num_threads(before)
    for block, begin, last in zip(alone, bounds[::2], bounds[1::2], strict=True):
        expected[begin:last] = sweep(block, w[begin:last], h[begin:last])
    torch.testing.assert_close(products, expected, rtol=1e-13, atol=1e-13)
    for one, other in zip(tiles, alone, strict=True):
        assert torch.equal(one, other)


@native
def test_wrong_arguments_are_refused() -> None:
    tiles = to_tiles(symmetric(100))
    with pytest.raises(RuntimeError, match="expects 6 tiles for 130 rows, got 3"):
        sweep(tiles, torch.zeros(130, 1).double(), torch.zeros(130, 1).double())
    with pytest.raises(RuntimeError, match="within the 100 rows, got 50 to 150"):
        kalman_sweep([tiles], [50, 150], torch.zeros(100, 1).double(), torch.zeros(100, 1).double())
    with pytest.raises(RuntimeError, match="two bounds of each block, got 1 for 1"):
        kalman_sweep([tiles], [0], torch.zeros(100, 1).double(), torch.zeros(100, 1).double())
    with pytest.raises(RuntimeError, match="one dtype"):
        sweep(tiles, torch.zeros(100, 1), torch.zeros(100, 1).double())
