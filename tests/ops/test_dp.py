"""The whole Deep Potential in one native operation, against its twin and against automatic differentiation."""

from __future__ import annotations

import pytest
import torch

from pwmlff.compress import tabulate
from pwmlff.data.batch import Batch
from pwmlff.data.dataset import FrameDataset, iterate_batches
from pwmlff.data.frame import Frame
from pwmlff.models import MODELS, Potential, build_potential
from pwmlff.models.dp.compressed import CompressedDeepPotential
from pwmlff.models.dp.native import NativeDeepPotential
from pwmlff.models.inference import AutogradInference, PotentialInference
from pwmlff.ops import library, reference

pytestmark = pytest.mark.skipif(not library.load(), reason=f"no native library: {library.status().error}")

TOLERANCE = {"float64": 1e-12, "float32": 2e-5}
ELEMENTS = ["Au", "Cu"]


def make(model_type: str, dtype: str, frames: list[Frame], **descriptor: object) -> tuple[Potential, Batch]:
    config = {
        "descriptor": {"Rmax": 4.5, "Rmin": 1.0, "M2": 5, "network_size": [6, 12, 12], **descriptor},
        "fitting_net": {"network_size": [10, 10, 1]},
    }
    potential = build_potential(model_type, MODELS[model_type].Config.model_validate(config), ELEMENTS, dtype)
    dataset = FrameDataset(frames, ELEMENTS, 4.5)
    potential.collect_statistics(iterate_batches(dataset, 4))
    return potential, dataset.batch(range(len(dataset)))


def in_dtype(potential: Potential, dtype: str) -> Potential:
    """Return the same compressed model with nets and tables of another precision."""
    network = potential.network
    assert isinstance(network, CompressedDeepPotential)
    other = build_potential("DP_COMPRESSED", network.config, potential.elements, dtype)
    other.load_state_dict(potential.state_dict())
    return other


def arguments(batch: Batch) -> tuple[torch.Tensor, ...]:
    return batch.pair_vectors, batch.pair_start, batch.pair_types, batch.atom_types


def assert_close(found: tuple[torch.Tensor, ...], expected: tuple[torch.Tensor, ...], tolerance: float) -> None:
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == b.dtype == torch.float64
        assert (a - b).abs().max() <= tolerance * b.abs().max()


@pytest.mark.parametrize("activation", ["tanh", "sigmoid"])
@pytest.mark.parametrize("model_type", ["DP", "DP_TYPE_EMBEDDING"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_equals_autograd_and_twin(
    model_type: str, dtype: str, activation: str, two_element_frames: list[Frame], monkeypatch: pytest.MonkeyPatch
) -> None:
    potential, batch = make(model_type, dtype, two_element_frames, activation=activation)
    expected = AutogradInference(potential.network)(*arguments(batch))
    assert expected[1].abs().max() > 1e-3
    native = potential.network.inference_form()
    assert isinstance(native, NativeDeepPotential)
    assert_close(native(*arguments(batch)), expected, TOLERANCE[dtype])
    monkeypatch.setattr("pwmlff.models.dp.native.dp_evaluate", reference.dp_evaluate)
    assert_close(native(*arguments(batch)), expected, TOLERANCE[dtype])


def test_more_atoms_than_a_chunk(cu_frames: list[Frame]) -> None:
    potential, batch = make("DP", "float64", cu_frames)  # 192 atoms of one type
    found = potential.network.inference_form()(*arguments(batch))
    assert_close(found, AutogradInference(potential.network)(*arguments(batch)), 1e-12)


def test_changed_weights_are_noticed(cu_frames: list[Frame], monkeypatch: pytest.MonkeyPatch) -> None:
    """The operation keeps prepared weights; they must not outlive a change in place."""
    potential, batch = make("DP", "float64", cu_frames[:1])
    native = potential.network.inference_form()
    before = native(*arguments(batch))[0]
    for weights in (native.fitting, native.embedding, native.scale):
        weights.mul_(0.9)
        after = native(*arguments(batch))
        assert (after[0] - before).abs().max() > 1e-6
        with monkeypatch.context() as patch:
            patch.setattr("pwmlff.models.dp.native.dp_evaluate", reference.dp_evaluate)
            assert_close(after, native(*arguments(batch)), 1e-12)


def test_threads_agree_and_atoms_without_neighbours(two_element_frames: list[Frame]) -> None:
    lonely = Frame(atomic_numbers=[29, 79], positions=[[0, 0, 0], [9, 0, 0]], cell=torch.zeros(3, 3), pbc=[False] * 3)
    potential, batch = make("DP", "float64", [*two_element_frames, lonely])
    form = PotentialInference(potential)
    before = torch.get_num_threads()
    try:
        results = []
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            results.append(form(*arguments(batch)))
    finally:
        torch.set_num_threads(before)
    for energies, gradients in results[1:]:
        assert torch.equal(energies, results[0][0])  # atoms do not share sums
        assert torch.equal(gradients, results[0][1])
    expected = potential(*arguments(batch))
    assert (results[0][0] - expected).abs().max() < 1e-12


def test_no_atoms(cu_frames: list[Frame]) -> None:
    potential, _ = make("DP", "float64", cu_frames[:1])
    none = torch.zeros(0, dtype=torch.int64)
    energies, gradients = potential.network.inference_form()(
        torch.zeros(0, 3, dtype=torch.float64), torch.zeros(1, dtype=torch.int64), none, none
    )
    assert energies.shape == (0,)
    assert gradients.shape == (0, 3)


@pytest.mark.parametrize("geometry", [torch.float64, torch.float32])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("order", [3, 5])
@pytest.mark.parametrize("model_type", ["DP", "DP_TYPE_EMBEDDING"])
def test_tables_equal_autograd_and_twin(
    model_type: str,
    order: int,
    dtype: str,
    geometry: torch.dtype,
    two_element_frames: list[Frame],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """13 features: rows of the tables end in the middle of a vector."""
    potential, batch = make(model_type, "float64", two_element_frames, network_size=[6, 13])
    compressed = tabulate(potential, 0.05, order)
    expected = AutogradInference(compressed.network)(*arguments(batch))
    assert expected[1].abs().max() > 1e-3
    native = in_dtype(compressed, dtype).network.inference_form(geometry)
    assert isinstance(native, NativeDeepPotential)
    assert_close(native(*arguments(batch)), expected, TOLERANCE[dtype])
    monkeypatch.setattr("pwmlff.models.dp.native.dp_evaluate", reference.dp_evaluate)
    assert_close(native(*arguments(batch)), expected, TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_geometry_in_the_precision_of_the_nets(dtype: str, two_element_frames: list[Frame]) -> None:
    potential, batch = make("DP", dtype, two_element_frames)
    expected = AutogradInference(potential.network)(*arguments(batch))
    found = potential.network.inference_form(torch.float32)(*arguments(batch))
    assert_close(found, expected, TOLERANCE[dtype])


def test_mixed_sums_in_double_are_nearer_than_single(cu_frames: list[Frame]) -> None:
    """The same float32 tables: wider geometry and sums leave only the error of the nets."""
    potential, batch = make("DP", "float64", cu_frames, network_size=[6, 12])
    compressed = in_dtype(tabulate(potential, 0.02, 5), "float32")
    exact = compressed.network.inference_form()(*arguments(batch))
    wide = in_dtype(compressed, "float64").network.inference_form()(*arguments(batch))
    narrow = compressed.network.inference_form(torch.float32)(*arguments(batch))
    mixed_error, single_error = ((x[1] - wide[1]).square().mean().sqrt() for x in (exact, narrow))
    assert 0 < mixed_error < single_error


def pair_batch(distances: list[float]) -> tuple[torch.Tensor, ...]:
    """One atom of type 0 with neighbours of type 1 along x."""
    vectors = torch.zeros(len(distances), 3, dtype=torch.float64)
    vectors[:, 0] = torch.tensor(distances)
    types = torch.ones(len(distances), dtype=torch.int64)
    return vectors, torch.tensor([0, len(distances)]), types, torch.zeros(1, dtype=torch.int64)


def test_overflows_are_counted(two_element_frames: list[Frame], monkeypatch: pytest.MonkeyPatch) -> None:
    potential, _ = make("DP", "float64", two_element_frames)
    compressed = tabulate(potential, 0.01, 3)
    shortest = float(potential.network.environment.shortest[0])
    # s = 1/r below the inner radius of the switch; the tables reach to ten times the largest s seen
    near = [0.9 * shortest, 0.2 * shortest]
    s_largest = 1 / shortest * _switch(shortest)
    beyond = [0.9 / (10 * s_largest), 0.01]
    for monkey in (False, True):
        if monkey:
            monkeypatch.setattr("pwmlff.models.dp.native.dp_evaluate", reference.dp_evaluate)
        native = compressed.network.inference_form()
        native(*pair_batch([3.0, 1.001 * shortest, 4.4]))
        assert native.table_overflows.tolist() == [0, 0]
        native(*pair_batch([3.0, *near]))
        assert native.table_overflows.tolist() == [2, 0]
        native(*pair_batch([*near, 4.0, *beyond]))
        assert native.table_overflows.tolist() == [2 + 4, 2]


def _switch(distance: float, inner: float = 1.0, outer: float = 4.5) -> float:
    u = min(1.0, max(0.0, (distance - inner) / (outer - inner)))
    return 1 + u**3 * (-6 * u**2 + 15 * u - 10)


def test_not_a_number_stays_visible(two_element_frames: list[Frame]) -> None:
    potential, batch = make("DP", "float64", two_element_frames)
    vectors = batch.pair_vectors.clone()
    vectors[0, 0] = float("nan")
    for form in (potential.network.inference_form(), tabulate(potential, 0.05, 3).network.inference_form()):
        energies, gradients = form(vectors, *arguments(batch)[1:])
        assert energies[0].isnan()
        assert gradients[0].isnan().all()


def test_not_a_number_leaves_no_trace(two_element_frames: list[Frame]) -> None:
    """Buffers outlive a call; 13 features do not fill their vectors, so what lies behind them is read."""
    potential, batch = make("DP", "float64", two_element_frames, network_size=[6, 13])
    form = tabulate(potential, 0.05, 3).network.inference_form()
    one_atom = pair_batch([2.5, 3.0])
    before = torch.get_num_threads()
    torch.set_num_threads(1)  # one workspace
    try:
        expected = form(*one_atom)
        form(torch.full_like(batch.pair_vectors, float("nan")), *arguments(batch)[1:])
        found = form(*one_atom)
    finally:
        torch.set_num_threads(before)
    assert torch.equal(found[0], expected[0])
    assert torch.equal(found[1], expected[1])
