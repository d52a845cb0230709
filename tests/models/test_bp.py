"""Networks of Behler and Parrinello: functions as data, scaling by the data, features of PWMLFF, start models."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from pwmlff.data.batch import Batch
from pwmlff.data.dataset import FrameDataset, iterate_batches
from pwmlff.data.frame import Frame
from pwmlff.data.neighbors import neighbor_list
from pwmlff.errors import ConfigError, ModelFileError
from pwmlff.models import build_potential
from pwmlff.models.bp import BehlerParrinello, BPConfig, SymmetryFunction
from pwmlff.models.bp.features import feature_functions
from pwmlff.models.bp.functions import functions_of, neighbor_weights, pair_weights
from pwmlff.ops.reference import bp

ELEMENTS = ["Cu", "Au"]
G2 = {"type": "G2", "cutoff": 5.0, "eta": 0.5}
G5 = {"type": "G5", "cutoff": 4.0, "eta": 0.02, "lambda": -1, "zeta": 2}
FUNCTIONS = [
    {"type": "G1", "cutoff": 4.0, "neighbors": ["Cu"]},
    {**G2, "neighbors": ["Au"], "r_s": 2.5},
    {**G2, "neighbors": ["Cu"], "central": "Au", "r_s": 2.0},
    {**G5, "neighbors": ["Cu", "Au"]},
    {**G5, "neighbors": ["Cu", "Cu"], "lambda": 1},
    {**G5, "weights": "Z"},
]


def function_of(values: dict[str, Any]) -> SymmetryFunction:
    return SymmetryFunction.model_validate(values)


def config_of(**descriptor: Any) -> BPConfig:
    return BPConfig.model_validate({"descriptor": descriptor, "fitting_net": {"network_size": [4, 3]}})


def batches_of(frames: list[Frame], elements: list[str], cutoff: float) -> list[Batch]:
    return list(iterate_batches(FrameDataset(frames, elements, cutoff), 3))


# functions as data


@pytest.mark.parametrize(
    "values",
    [
        *FUNCTIONS,
        {"type": "G3", "cutoff": 6.0, "kappa": 1.0, "weights": "Z", "factor": 2.0},
        {"type": "piece", "centers": [2.0], "half_widths": [0.5]},
        {"type": "triple", "neighbors": ["Cu", "Au"], "centers": [2.0, 3.0, 4.0], "half_widths": [0.5, 0.6, 0.7]},
    ],
)
def test_functions_are_json(values: dict[str, Any]) -> None:
    function = function_of(values)
    written = json.loads(json.dumps(function.model_dump(mode="json")))
    assert written == values  # nothing but what was given
    assert function_of(written) == function
    assert len({function, function_of(written)}) == 1


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"type": "G2", "cutoff": 6.0}, "a G2 needs `eta`"),
        ({"type": "G1"}, "a G1 needs `cutoff`"),
        ({"type": "G1", "cutoff": 6.0, "eta": 1.0}, "`eta` is no parameter of a G1, which has cutoff"),
        ({**G5, "kappa": 1.0}, "`kappa` is no parameter of a G5, which has cutoff, eta, r_s, lambda, zeta"),
        ({**G5, "neighbors": ["Cu"]}, "`neighbors` of a G5: expected 2 elements, got Cu"),
        ({**G2, "neighbors": []}, "`neighbors` of a G2: expected 1 element, got none"),
        ({**G2, "neighbors": ["Cu"], "weights": "Z"}, "`weights` is for functions of all neighbours"),
        ({**G2, "central": "Xx"}, "unknown element 'Xx'"),
        ({**G5, "zeta": 0.5}, "greater than or equal to 1"),
        ({**G5, "lambda": 2}, "less than or equal to 1"),
        ({**G2, "cutoff": 25}, "less than or equal to 20"),
        ({**G2, "eta": math.inf}, "finite number"),
        ({"type": "G6", "cutoff": 5}, "'G1', 'G2', 'G3', 'G4', 'G5', 'piece' or 'triple'"),
        ({"type": "piece", "centers": [2, 3], "half_widths": [1]}, "`centers` of a piece: expected 1 numbers, got 2"),
        ({"type": "piece", "centers": [2], "half_widths": [0]}, "`half_widths`: expected numbers > 0, got 0"),
        ({"type": "piece", "centers": [-2], "half_widths": [1]}, "its pieces end at -1 Å, expected more than 0"),
    ],
)
def test_wrong_functions(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as error:
        function_of(values)
    assert message in str(error.value)


def test_symbols_and_numbers_are_elements() -> None:
    assert function_of({**G2, "central": 29, "neighbors": [79]}) == function_of(
        {**G2, "central": "cu", "neighbors": "Au"}
    )


def test_weights() -> None:
    assert neighbor_weights(function_of({**G2, "weights": "Z", "factor": 0.5}), ELEMENTS) == [14.5, 39.5]
    assert neighbor_weights(function_of({**G2, "neighbors": ["Au"]}), ELEMENTS) == [0.0, 1.0]
    assert pair_weights(function_of({**G5, "neighbors": ["Au", "Cu"]}), ELEMENTS) == [[0.0, 1.0], [1.0, 0.0]]
    assert pair_weights(function_of({**G5, "weights": "Z"}), ELEMENTS)[0] == [29.0**2, 29.0 * 79.0]
    triple = {"type": "triple", "neighbors": ["Au", "Cu"], "centers": [1, 2, 3], "half_widths": [1, 1, 1]}
    assert pair_weights(function_of(triple), ELEMENTS) == [[0.0, 0.0], [1.0, 0.0]]


def test_network_of_functions() -> None:
    network = BehlerParrinello(config_of(functions=FUNCTIONS), ELEMENTS, torch.float64)
    assert network.cutoff == 5.0
    assert network.widths == [5, 6]
    stored = network.stored()
    assert stored.family == "bp"
    assert stored.arrays["radial_start"].tolist() == [0, 2, 5]
    assert stored.arrays["radial_kind"].tolist() == [1, 2, 1, 2, 2]
    assert stored.arrays["angular"][0].tolist() == [4.0, 0.02, 0.0, -1.0, 2.0, 0.0, 0.0]
    assert stored.arrays["activations"].tolist() == [0, 0, 2]
    assert [len(net.layers) for net in network.nets] == [3, 3]
    with pytest.raises(ConfigError, match="the symmetry functions are chosen from the training data"):
        BehlerParrinello(config_of(), ELEMENTS, torch.float64)


# scaling


@pytest.mark.parametrize("normalization", ["standard", "range", "none"])
def test_scaling(two_element_frames: list[Frame], normalization: str) -> None:
    dead = {**G2, "cutoff": 0.5}  # no neighbour is so near
    config = config_of(functions=[*FUNCTIONS, dead], normalization=normalization)
    potential = build_potential("NN", config, ELEMENTS)
    network = potential.network
    assert isinstance(network, BehlerParrinello)
    batches = batches_of(two_element_frames, ELEMENTS, network.cutoff)
    potential.collect_statistics(batches)
    for central, scaling in enumerate(network.scaling.split(network.widths)):
        values = torch.cat([bp.symmetry_functions(network.arrays(), *batch.pairs)[central].values for batch in batches])
        inputs = (values - scaling[:, 0]) * scaling[:, 1]
        is_dead = torch.tensor([f.cutoff == 0.5 for f in functions_of(network.functions, ELEMENTS[central])])
        assert (inputs[:, is_dead] == 0).all()
        inputs, spread = inputs[:, ~is_dead], (values.amax(0) - values.amin(0))[~is_dead]
        if normalization == "standard":
            assert inputs.mean(0).abs().max() < 1e-12
            assert (inputs.std(0, correction=0) - 1).abs().max() < 1e-12
        elif normalization == "range":
            assert inputs.amin(0).abs().max() < 1e-15
            torch.testing.assert_close(inputs.amax(0), (spread / 0.1).clamp(max=1.0))
        else:
            assert torch.equal(inputs, values[:, ~is_dead])


# features of PWMLFF


def features(elements: list[str], frames: list[Frame] | None = None, **descriptor: Any) -> list[SymmetryFunction]:
    return feature_functions(config_of(**descriptor).descriptor, elements, frames)


def test_features_3_and_4() -> None:
    functions = features(["Si"], feature_type=[3, 4])
    radial, angular = functions[:6], functions[6:]
    assert [(f.eta, f.r_s) for f in radial] == [(1 / w**2, r) for r in (1.0, 6.0) for w in (1.0, 1.5, 2.0)]
    assert len(angular) == 20
    assert {f.type for f in angular} == {"G4"}
    assert [f.lambda_ for f in angular] == [1.0, -1.0] * 10
    assert [f.eta for f in angular[::2]] == [1 / (0.5 * k) ** 2 for k in range(1, 11)]
    assert {f.zeta for f in angular} == {1.0}  # the widths use up all functions
    assert {(f.cutoff, f.factor) for f in angular} == {(6.0, 2.0)}
    more = features(["Si"], feature_type=[3, 4], Rmax=5.0, feature_4={"n3b": 10, "zeta": 3.0, "w": [1.0, 2.0]})
    assert [f.zeta for f in more[6:]] == [1.0] * 4 + [3.0] * 4 + [9.0] * 2
    two = features(["Li", "Si"], feature_type=[3, 4])
    assert [f.neighbors for f in two[::6][:2]] == [("Li",), ("Si",)]
    pairs = [(f.neighbors, f.factor) for f in two[12::20]]
    assert pairs == [(("Li", "Li"), 2.0), (("Li", "Si"), 1.0), (("Si", "Si"), 2.0)]


def test_features_1_and_2() -> None:
    functions = features(["Li", "Si"], feature_type=[1, 2])
    pieces = functions[:24]
    x = np.logspace(0, math.log10(9.0), 26)[1:-1]
    centers = ((x - 5.0) / 4.0 + 1.0) * 6.0 / 2.0  # as PWMLFF writes it
    np.testing.assert_allclose([f.centers[0] for f in pieces if f.centers], centers, rtol=1e-13)
    assert {round(f.half_widths[0], 12) for f in pieces if f.half_widths} == {round(6.0 - centers[-1], 12)}
    assert max(f.reach for f in functions) == pytest.approx(6.0)
    triples = functions[48:]
    assert [sum(f.neighbors == pair for f in triples) for pair in (("Li", "Li"), ("Li", "Si"), ("Si", "Si"))] == [
        18,
        27,
        18,
    ]
    ordered = [f.centers for f in triples if f.neighbors == ("Li", "Li") and f.centers]
    assert all(first <= second for first, second, _ in ordered)


def test_geometric_grid() -> None:
    grid = {"iflag_grid": 1, "iflag_ftype": 1}
    functions = features(["Li"], feature_type=[1, 2], Rmin=0.7, feature_1={**grid, "numOf2bfeat": 4})[:4]
    points = [0.7 * ((6.7 / 0.7) ** (k / 5) - 1) for k in range(6)]
    ends = [(f.centers[0] - f.half_widths[0], f.reach) for f in functions if f.centers and f.half_widths]
    np.testing.assert_allclose(ends, [(points[k], points[k + 2]) for k in range(4)], atol=1e-13)
    grid["iflag_ftype"] = 2
    functions = features(["Li"], feature_type=[1, 2], Rmin=0.7, feature_1={**grid, "numOf2bfeat": 4})[:4]
    ends = [(f.centers[0] - f.half_widths[0], f.reach) for f in functions if f.centers and f.half_widths]
    np.testing.assert_allclose(ends, [(points[max(k - 1, 0)], points[k + 2]) for k in range(4)], atol=1e-13)


def test_grid_by_the_data(two_element_frames: list[Frame]) -> None:
    """About as much of the weighted density lies between any two points of the grid."""
    grid = {"iflag_grid": 2, "iflag_ftype": 1}
    settings = {"feature_type": [1, 2], "feature_1": {**grid, "numOf2bfeat": 6}, "feature_2": grid}
    functions = features(ELEMENTS, two_element_frames, **settings)
    own = [f for f in functions if f.type == "piece" and f.central == "Cu" and f.neighbors == ("Au",)]
    assert len(own) == 6
    ends = [(f.centers[0] - f.half_widths[0], f.reach) for f in own if f.centers and f.half_widths]
    assert ends[0][0] == pytest.approx(0.0, abs=1e-12)
    assert ends[-1][1] == pytest.approx(6.0)
    points = [0.0, *(low for low, _ in ends[1:]), ends[-2][1], 6.0]
    assert all(before < after for before, after in zip(points[:-1], points[1:], strict=True))
    distances = []
    for frame in two_element_frames:
        neighbors = neighbor_list(frame, 6.0)
        for atom in np.flatnonzero(frame.atomic_numbers == 29):
            own_pairs = slice(neighbors.pair_start[atom], neighbors.pair_start[atom + 1])
            distances.append(np.linalg.norm(neighbors.pair_vectors[own_pairs], axis=1))
    flat = np.concatenate(distances)
    weights = 1 / (flat / 6.0 * 1000 + 200) ** 4
    masses = np.histogram(flat, points, weights=weights)[0]
    assert masses[:2].sum() < 3 * masses[2:4].sum() + 1e-30
    assert {f.central for f in functions} == {"Cu", "Au"}
    with pytest.raises(ConfigError, match="makes its grid from the training data, which is not known"):
        features(ELEMENTS, None, **settings)
    with pytest.raises(ConfigError, match="`dR1` and `dR2`: expected 0.006 to 6 Å, got 0.001"):
        features(ELEMENTS, two_element_frames, feature_type=[1, 2], feature_1={**grid, "dR1": 0.001})


# start models


def energies(network: BehlerParrinello, batch: Batch) -> torch.Tensor:
    return network(*batch.pairs)


def test_start_from_some_elements_in_another_order(two_element_frames: list[Frame]) -> None:
    """A model of one of two elements has the energies of the larger model, where only that element is."""
    torch.manual_seed(2)
    large = BehlerParrinello(config_of(functions=FUNCTIONS), ELEMENTS, torch.float64)
    large.collect_statistics(batches_of(two_element_frames, ELEMENTS, 5.0))
    swapped = BehlerParrinello(config_of(functions=FUNCTIONS), ["Au", "Cu"], torch.float64)
    swapped.start_from(large, [1, 0])
    (batch, *_), (same, *_) = (batches_of(two_element_frames, names, 5.0) for names in (ELEMENTS, ["Au", "Cu"]))
    torch.testing.assert_close(energies(swapped, same), energies(large, batch), rtol=1e-12, atol=1e-12)

    config = BPConfig.model_validate({"fitting_net": {"network_size": [4, 3]}})
    config = BehlerParrinello.RunFile.continued(config, config_of(functions=FUNCTIONS), ["Cu"], [0], ["Cu", "Au"])
    assert config.descriptor.functions is not None
    assert len(config.descriptor.functions) == 3
    small = BehlerParrinello(config, ["Cu"], torch.float64)
    small.start_from(large, [0])
    copper = [Frame(atomic_numbers=np.full(len(f), 29), positions=f.positions, cell=f.cell) for f in two_element_frames]
    (alone, *_), (among, *_) = (batches_of(copper, names, 5.0) for names in (["Cu"], ELEMENTS))
    torch.testing.assert_close(energies(small, alone), energies(large, among), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"functions": FUNCTIONS[1:]}, "the start model has other symmetry functions for Cu"),
        ({"functions": FUNCTIONS, "cutoff_function": "poly2"}, "has descriptor.cutoff_function cos, but the run file"),
        ({"functions": FUNCTIONS, "fitting_net": {"network_size": [5]}}, "has fitting_net.activation"),
        ({"functions": FUNCTIONS, "fitting_net": {"network_size": [4, 4]}}, "has fitting_net.network_size"),
    ],
)
def test_start_models_that_do_not_fit(changes: dict[str, Any], message: str) -> None:
    net = changes.pop("fitting_net", {"network_size": [4, 3]})
    config = BPConfig.model_validate({"descriptor": changes, "fitting_net": net})
    start = BehlerParrinello(config_of(functions=FUNCTIONS), ELEMENTS, torch.float64)
    with pytest.raises(ModelFileError, match=message):
        BehlerParrinello(config, ELEMENTS, torch.float64).start_from(start, [0, 1])
