"""The covariance matrix of a Kalman filter."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

KALMAN_TILE = 64  # rows and columns of a tile of P


def kalman_sweep(tiles: Sequence[Tensor], bounds: Sequence[int], downdate: Tensor, directions: Tensor) -> Tensor:
    """Change the blocks of a symmetric block-diagonal matrix to `P - W W^T` in place and return the new `P H`.

    Args:
        tiles: Of each block [t, 64, 64], its lower triangle in tiles (0,0), (1,0), (1,1), (2,0), ...; those of the
            diagonal whole, rows and columns beyond the block zero.
        bounds: First and last + 1 row of each block.
        downdate: W [n, k], of which each block takes its rows; k may be 0.
        directions: H [n, m]; m may be 0.

    Returns:
        [n, m], 0 where there is no block.
    """
    products = torch.zeros_like(directions)
    for block, first, last in zip(tiles, bounds[::2], bounds[1::2], strict=True):
        products[first:last] = _sweep_block(block, downdate[first:last], directions[first:last])
    return products


def _sweep_block(tiles: Tensor, downdate: Tensor, directions: Tensor) -> Tensor:
    n = directions.shape[0]
    n_rows = -(-n // KALMAN_TILE)
    rows, columns = torch.tril_indices(n_rows, n_rows, device=tiles.device)
    w, h = (
        torch.nn.functional.pad(matrix, (0, 0, 0, n_rows * KALMAN_TILE - n)).view(n_rows, KALMAN_TILE, matrix.shape[1])
        for matrix in (downdate, directions)
    )
    if downdate.shape[1] > 0:
        tiles.baddbmm_(w[rows], w[columns].transpose(1, 2), alpha=-1)
    products = torch.zeros_like(h).index_add(0, rows, torch.bmm(tiles, h[columns]))
    below = rows > columns
    products = products.index_add(0, columns[below], torch.bmm(tiles[below].transpose(1, 2), h[rows[below]]))
    return products.flatten(0, 1)[:n]
