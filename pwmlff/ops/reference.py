"""PyTorch twins of the native operations: fallback where the library is missing, and oracle in the tests."""

from __future__ import annotations

from typing import List, NamedTuple, Tuple  # noqa: UP035 - TorchScript does not read `tuple[...]`

import torch
from torch import Tensor


def residual_net(x: Tensor, parameters: Tensor, widths: list[int], activation: int) -> Tensor:
    """Evaluate the hidden layers of a residual net.

    Layer: `y = t * phi(W x + b)`; from the second on, plus `x` where the widths are equal, plus `(x, x)` where the
    width doubles (Zhang et al., NeurIPS 2018).

    Args:
        x: [n, n_in].
        parameters: Layer after layer weight [n_out, n_in], bias [n_out], scale t [n_out]; more may follow.
        widths: n_out of each layer.
        activation: 0 for tanh, 1 for the logistic sigmoid.

    Returns:
        [n, widths[-1]].
    """
    offset = 0
    for depth, n_out in enumerate(widths):
        n_in = x.shape[1]
        weight = parameters[offset : offset + n_out * n_in].view(n_out, n_in)
        offset += n_out * n_in
        bias = parameters[offset : offset + n_out]
        scale = parameters[offset + n_out : offset + 2 * n_out]
        offset += 2 * n_out
        z = torch.nn.functional.linear(x, weight, bias)
        y = scale * (torch.tanh(z) if activation == 0 else torch.sigmoid(z))
        if depth > 0 and n_out == n_in:
            y = y + x
        elif depth > 0 and n_out == 2 * n_in:
            y = y + torch.cat([x, x], dim=-1)
        x = y
    return x


def fitting_net(inputs: Tensor, parameters: Tensor, widths: list[int], activation: int) -> Tensor:
    """Evaluate a fitting net: a residual net and a linear output.

    Args:
        inputs: [n, D] descriptors.
        parameters: Those of `residual_net`, then the output's weight [widths[-1]] and bias [1].
        widths: See `residual_net`.
        activation: See `residual_net`.

    Returns:
        [n] energies.
    """
    hidden = residual_net(inputs, parameters, widths, activation)
    return torch.mv(hidden, parameters[-1 - widths[-1] : -1]) + parameters[-1]


def quintic_switch(distances: Tensor, inner: float, outer: float) -> Tensor:
    """Fall from 1 to 0 between two radii, twice continuously differentiable at both.

    `1 + u^3 (-6 u^2 + 15 u - 10)`, `u = (r - inner) / (outer - inner)` clamped to [0, 1]
    (Zhang et al., NeurIPS 2018, the switch of the smooth Deep Potential).

    Args:
        distances: Any shape, Å.
        inner: Å, 1 below.
        outer: Å, 0 beyond.
    """
    u = ((distances - inner) / (outer - inner)).clamp(0.0, 1.0)
    return 1.0 + u * u * u * (u * (15.0 - 6.0 * u) - 10.0)


def environment_rows(pair_vectors: Tensor, inner: float, outer: float) -> Tensor:
    """Return the rows `(s, s x/r, s y/r, s z/r)`.

    Args:
        pair_vectors: [E, 3] Å.
        inner: Å, where the switch begins.
        outer: Å, the cutoff.

    Returns:
        [E, 4] in 1/Å.
    """
    distances = torch.linalg.vector_norm(pair_vectors, dim=-1, keepdim=True)  # [E, 1]
    s = quintic_switch(distances, inner, outer) / distances
    return torch.cat([s, pair_vectors * (s / distances)], dim=-1)


def environment_matrix(
    vectors: Tensor,
    order: Tensor,
    types: Tensor,
    mean: Tensor,
    scale: Tensor,
    n_neighbors: Tensor,
    inner: float,
    outer: float,
    is_double: bool,
) -> Tuple[Tensor, Tensor]:  # noqa: UP006
    """Return the normalised environment matrix of pairs: input of the embedding net, and rows.

    Args:
        vectors: [E, 3] float64, Å.
        order: [n] pairs as they are wanted, each at most once.
        types: [E] type of the central atom.
        mean: [T] of s, 1/Å, float64.
        scale: [T, 4] of the rows, 1/Å, float64.
        n_neighbors: Divides the rows, scalar.
        inner: Å, where the switch begins.
        outer: Å, the cutoff.
        is_double: Whether the result is float64, otherwise float32.

    Returns:
        `(s - mean) / scale_0` [n], and rows / scale / n_neighbors [n, 4].
    """
    dtype = torch.float64 if is_double else torch.float32
    types = types.index_select(0, order)
    scales = scale.index_select(0, types)  # [n, 4]
    rows = environment_rows(vectors.index_select(0, order), inner, outer) / scales
    standardised = rows[:, 0] - (mean / scale[:, 0]).index_select(0, types)
    return standardised.to(dtype), (rows / n_neighbors).to(dtype)


def embedding_contraction(
    s: Tensor, rows: Tensor, start: Tensor, parameters: Tensor, widths: list[int], activation: int
) -> Tensor:
    """Contract an embedding net with the environment rows of each atom's pairs.

    `A[n, c, m] = sum_{e in pairs of n} rows[e, c] G_m(s_e)` (Zhang et al., NeurIPS 2018).

    Args:
        s: [E] input of the net.
        rows: [E, 4].
        start: [N + 1] int64, pairs of atom n are `start[n]:start[n + 1]`.
        parameters: See `residual_net`; one input.
        widths: See `residual_net`.
        activation: See `residual_net`.

    Returns:
        [N, 4, M].
    """
    n_atoms = start.shape[0] - 1
    centers = torch.repeat_interleave(torch.arange(n_atoms, device=start.device), start[1:] - start[:-1])
    features = residual_net(s.unsqueeze(-1), parameters, widths, activation)  # [E, M]
    sums = torch.zeros([n_atoms, 4, widths[-1]], dtype=s.dtype, device=s.device)
    return sums.index_add(0, centers, rows.unsqueeze(2) * features.unsqueeze(1))


def table_features(x: Tensor, coefficients: Tensor, lower: float, dx: float, inner: int, outer: int) -> Tensor:
    """Evaluate a table of polynomials that stands for an embedding net.

    Interval l begins at node x_l: `G_m(x) = sum_k coefficients[l, k, m] (x - x_l)^k`. Before the first node and beyond
    the last the features go on as straight lines.

    Args:
        x: [n] float64.
        coefficients: [inner + outer, order + 1, M].
        lower: The first node.
        dx: Width of an inner interval; an outer one is ten times as wide.
        inner: Number of inner intervals.
        outer: Number of outer intervals, which follow the inner ones.

    Returns:
        [n, M] in the dtype of the coefficients.
    """
    inside = x.clamp(lower, lower + dx * (inner + 10 * outer))
    steps = (inside.detach() - lower) / dx
    interval = torch.where(steps < inner, steps, inner + (steps - inner) / 10).floor().clamp(0, inner + outer - 1)
    node = lower + dx * torch.where(interval < inner, interval, inner + 10 * (interval - inner))
    t, beyond = inside - node, x - inside
    table = coefficients.index_select(0, interval.to(torch.int64))  # [n, order + 1, M]
    features = table[:, 0]
    power = torch.ones_like(t)  # t^(k - 1)
    for k in range(1, coefficients.shape[1]):
        weight = power * (t + k * beyond)
        features = features + weight.to(coefficients.dtype).unsqueeze(-1) * table[:, k]
        power = power * t
    return features


class DpModel(NamedTuple):
    """A Deep Potential as `dp_evaluate` takes it; the model is described in `models/dp.py`.

    Letters: T types, K embedding nets or tables, by (central, neighbour) type or by neighbour type.

    Attributes:
        embedding: [K, P] parameters of `residual_net`, or of all tables one after another the coefficients
            [intervals, order + 1, M] of `table_features`.
        grids: [K, 3] float64: lower, inner, outer of each table; [0, 3] for nets.
        fitting: [T, Q] parameters of `fitting_net` by central type.
        mean: [T] of s, 1/Å, float64.
        scale: [T, 4] of the environment rows, 1/Å, float64.
        overflows: [2] int64, added to: pairs beyond the inner intervals of their table, pairs beyond all of them.
        embedding_widths: Layer widths of the embedding nets; [M] for tables.
        fitting_widths: Hidden layer widths of the fitting nets.
        embedding_activation: See `residual_net`.
        fitting_activation: See `residual_net`.
        inner: Å, where the switch begins.
        outer: Å, the cutoff.
        n_neighbors: Divides the sums.
        dx: See `table_features`.
        n_axis: M2.
        has_double_geometry: Whether geometry and sums over neighbours are float64, otherwise of the nets' dtype.
    """

    embedding: Tensor
    grids: Tensor
    fitting: Tensor
    mean: Tensor
    scale: Tensor
    overflows: Tensor
    embedding_widths: List[int]  # noqa: UP006 - TorchScript
    fitting_widths: List[int]  # noqa: UP006
    embedding_activation: int
    fitting_activation: int
    inner: float
    outer: float
    n_neighbors: float
    dx: float
    n_axis: int
    has_double_geometry: bool


def dp_evaluate(
    pair_vectors: Tensor, pair_start: Tensor, pair_types: Tensor, atom_types: Tensor, model: DpModel
) -> Tuple[Tensor, Tensor]:  # noqa: UP006
    """Evaluate a whole Deep Potential for inference.

    Args:
        pair_vectors: [E, 3] float64, Å.
        pair_start: [N + 1] int64.
        pair_types: [E] int64.
        atom_types: [N] int64.
        model: See there.

    Returns:
        Atomic energies [N] and pair gradients [E, 3], float64.
    """
    vectors = pair_vectors.detach().requires_grad_(True)
    centers = torch.repeat_interleave(
        torch.arange(atom_types.shape[0], device=atom_types.device), pair_start[1:] - pair_start[:-1]
    )
    sums = environment_sums(vectors, centers, pair_types, atom_types, model)
    descriptor = torch.bmm(sums.transpose(1, 2), sums[:, :, : model.n_axis]).flatten(1)  # [N, M * M2]
    descriptor = descriptor.to(model.fitting.dtype)
    energies = torch.zeros([atom_types.shape[0]], dtype=torch.float64, device=atom_types.device)
    for central in range(model.mean.shape[0]):
        atoms = torch.nonzero(atom_types == central).squeeze(-1)
        found = fitting_net(
            descriptor.index_select(0, atoms), model.fitting[central], model.fitting_widths, model.fitting_activation
        )
        energies = energies.index_copy(0, atoms, found.to(torch.float64))
    gradients = torch.zeros_like(pair_vectors)
    if energies.requires_grad:
        by_vectors = torch.autograd.grad([energies.sum()], [vectors], allow_unused=True)[0]
        if by_vectors is not None:
            gradients = by_vectors
    return energies.detach(), gradients


def environment_sums(
    vectors: Tensor, centers: Tensor, pair_types: Tensor, atom_types: Tensor, model: DpModel
) -> Tensor:
    """Return the sums A [N, 4, M] of `dp_evaluate`.

    Args:
        vectors: [E, 3] float64, Å.
        centers: [E] central atom of each pair.
        pair_types: [E].
        atom_types: [N].
        model: See there.
    """
    wide = torch.float64 if model.has_double_geometry else model.fitting.dtype
    n_types = model.mean.shape[0]
    n_nets = model.embedding.shape[0] if model.grids.shape[0] == 0 else model.grids.shape[0]
    center_types = atom_types.index_select(0, centers)
    kinds = pair_types if n_nets == n_types else center_types * n_types + pair_types
    rows = environment_rows(vectors.to(wide), model.inner, model.outer)  # [E, 4]
    scale = model.scale.to(wide).index_select(0, center_types)
    x = (rows[:, 0] - model.mean.to(wide).index_select(0, center_types)) / scale[:, 0]
    rows = rows / scale / model.n_neighbors
    sums = torch.zeros([atom_types.shape[0], 4, model.embedding_widths[-1]], dtype=wide, device=vectors.device)
    first = 0
    for net in range(n_nets):
        pairs = torch.nonzero(kinds == net).squeeze(-1)
        inputs = x.index_select(0, pairs)
        if model.grids.shape[0] == 0:
            features = residual_net(
                inputs.to(model.embedding.dtype).unsqueeze(-1),
                model.embedding[net],
                model.embedding_widths,
                model.embedding_activation,
            )
        else:
            lower, inner, outer = float(model.grids[net, 0]), int(model.grids[net, 1]), int(model.grids[net, 2])
            table = model.embedding[first : first + inner + outer]
            first += inner + outer
            inputs = inputs.to(torch.float64)
            features = table_features(inputs, table, lower, model.dx, inner, outer)
            model.overflows[0] += (inputs > lower + model.dx * inner).sum()
            model.overflows[1] += (inputs > lower + model.dx * (inner + 10 * outer)).sum()
        outer_products = rows.index_select(0, pairs).unsqueeze(2) * features.to(wide).unsqueeze(1)
        sums = sums.index_add(0, centers.index_select(0, pairs), outer_products)
    return sums


KALMAN_TILE = 64  # rows and columns of a tile of P


def kalman_sweep(tiles: Tensor, downdate: Tensor, directions: Tensor) -> Tensor:
    """Change a symmetric matrix to `P - W W^T` in place and return the new `P H`.

    Args:
        tiles: [t, 64, 64], the lower triangle of P [n, n] in tiles (0,0), (1,0), (1,1), (2,0), ...; those of the
            diagonal whole, rows and columns beyond n zero.
        downdate: W [n, k]; k may be 0.
        directions: H [n, m]; m may be 0.

    Returns:
        [n, m].
    """
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
