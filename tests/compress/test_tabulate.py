"""Tables follow the nets they were made from, smoothly, and ever better with finer grids."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from pwmlff.compress import tabulate
from pwmlff.compress.deviations import compare
from pwmlff.data.frame import Frame
from pwmlff.errors import ModelFileError
from pwmlff.models import Potential
from pwmlff.models.dp import DeepPotential
from pwmlff.models.dp.compressed import EmbeddingTable
from pwmlff.ops.reference import residual_net

MODELS_TO_COMPRESS = ["DP", "DP_TYPE_EMBEDDING", "DP+ZBL"]


def net_features(potential: Potential, index: int, x: Tensor) -> Tensor:
    net, constants = potential.network.embedding_nets()[index]
    return residual_net(x.unsqueeze(-1), net.flat_parameters(constants), net.widths, net.activation)


def table_of(potential: Potential, dx: float, order: int, index: int = 1) -> EmbeddingTable:
    return tabulate(potential, dx, order).network.tables[index]


def slopes(table: EmbeddingTable, x: Tensor) -> Tensor:
    """Derivative of each feature at each input, [n, M]."""
    return torch.func.jvp(table, (x,), (torch.ones_like(x),))[1]


@pytest.mark.parametrize("order", [3, 5])
@pytest.mark.parametrize("name", MODELS_TO_COMPRESS)
def test_forces_of_the_default_grid(trained: Callable, two_element_frames: list[Frame], name: str, order: int) -> None:
    original = trained(name)
    deviations = compare(original, tabulate(original, 0.01, order), two_element_frames)
    assert 0 < deviations.force_error < {3: 1e-4, 5: 1e-6}[order]
    assert deviations.energy.max_absolute < 1e-6
    assert deviations.virial.max_absolute < 1e-4


@pytest.mark.parametrize(("order", "coarsest", "factor"), [(3, 0.1, 16), (5, 0.2, 64)])
@pytest.mark.parametrize("name", ["DP", "DP_TYPE_EMBEDDING"])
def test_order_of_convergence(trained: Callable, name: str, order: int, coarsest: float, factor: float) -> None:
    """Halving dx divides the error of the features by 2^(order + 1)."""
    potential = trained(name)
    tables = [table_of(potential, dx, order) for dx in (coarsest, coarsest / 2, coarsest / 4)]
    finest = tables[2]
    x = torch.linspace(finest.grid.lower, finest.grid.lower + finest.dx * finest.grid.fine, 2001, dtype=torch.float64)
    expected = net_features(potential, 1, x)
    errors = [float((table(x) - expected).abs().max()) for table in tables]
    assert errors[-1] > 1e-13  # not yet rounding
    for coarse, fine in zip(errors, errors[1:], strict=False):
        assert coarse / fine == pytest.approx(factor, rel=0.2)


@pytest.mark.parametrize("order", [3, 5])
def test_exact_at_nodes_and_smooth_everywhere(trained: Callable, order: int) -> None:
    """Features and slopes agree from both sides of fine nodes, of the two grids' boundary, and of both ends."""
    potential, dx = trained("DP"), 0.1
    table = table_of(potential, dx, order)
    grid = table.grid
    fine_end, end = grid.lower + dx * grid.fine, grid.lower + dx * (grid.fine + 10 * grid.coarse)
    assert grid.coarse > 0
    places = [grid.lower, grid.lower + dx, grid.lower + 7 * dx, fine_end, fine_end + 10 * dx, end]
    nodes = torch.tensor(places, dtype=torch.float64)
    assert (table(nodes) - net_features(potential, 1, nodes)).abs().max() < 1e-12
    step = 1e-9
    assert (table(nodes - step) - table(nodes + step)).abs().max() < 1e-7
    assert (slopes(table, nodes - step) - slopes(table, nodes + step)).abs().max() < 1e-7


def test_straight_lines_beyond_both_ends(trained: Callable) -> None:
    table = table_of(trained("DP"), 0.1, 5)
    grid = table.grid
    for end, away in ((grid.lower, -1.0), (grid.lower + 0.1 * (grid.fine + 10 * grid.coarse), 1.0)):
        x = end + away * torch.tensor([0.0, 1.0, 2.0, 700.0], dtype=torch.float64)
        expected = table(x[:1]) + (x - end).unsqueeze(-1) * slopes(table, x[:1])
        torch.testing.assert_close(table(x), expected, rtol=1e-12, atol=1e-12)


def test_range_covers_the_shortest_distances(trained: Callable) -> None:
    potential = trained("DP")
    shortest = potential.network.environment.shortest
    ranges = tabulate(potential, 0.05, 3).network.table_summary().ranges
    for reach, distance in zip(ranges, shortest.tolist(), strict=True):
        s, further = (_switch(r) / r for r in (distance, 0.9 * distance))
        assert s < further <= reach.ends[0] < 1.2 * further
        assert reach.ends[1] >= 10 * s


@pytest.mark.parametrize("order", [3, 5])
def test_somewhat_nearer_than_the_shortest_distance(
    trained: Callable, two_element_frames: list[Frame], order: int
) -> None:
    """Tables are as good there as for the training frames; the intervals further on are ten times as wide."""
    original = trained("DP")
    compressed = tabulate(original, 0.01, order)
    dense = [replace(frame, positions=0.92 * frame.positions, cell=0.92 * frame.cell) for frame in two_element_frames]
    error = compare(original, compressed, dense).force_error
    assert compressed.overflows()[0] > 0
    assert 0 < error < {3: 1e-4, 5: 1e-6}[order]


def _switch(distance: float) -> float:
    u = (distance - 1.0) / (4.5 - 1.0)
    return 1 + u**3 * (-6 * u**2 + 15 * u - 10)


def test_source_is_unchanged(trained: Callable) -> None:
    potential = trained("DP+ZBL")
    before = {name: value.clone() for name, value in potential.state_dict().items()}
    compressed = tabulate(potential, 0.1, 3)
    assert isinstance(potential.network, DeepPotential)
    for name, value in potential.state_dict().items():
        assert torch.equal(value, before[name])
    assert len(compressed.repulsion) == 1
    assert torch.equal(compressed.energy_shift, potential.energy_shift)


@pytest.mark.parametrize(
    ("dx", "order", "message"),
    [(0.01, 4, "order is 4, expected 3"), (0.0, 3, "spacing is 0.0"), (float("nan"), 5, "spacing is nan")],
)
def test_wrong_grids(trained: Callable, dx: float, order: int, message: str) -> None:
    with pytest.raises(ModelFileError, match=message):
        tabulate(trained("DP"), dx, order)


def test_compressed_twice(trained: Callable) -> None:
    with pytest.raises(ModelFileError, match="compressed already"):
        tabulate(tabulate(trained("DP"), 0.1, 3), 0.1, 3)
