"""A stored Deep Potential on the native kernels, against its twin and against automatic differentiation."""

from __future__ import annotations

import pytest
import torch

from pwmlff.compress import tabulate
from pwmlff.data.batch import Batch
from pwmlff.data.dataset import FrameDataset, iterate_batches
from pwmlff.data.frame import Frame
from pwmlff.models import MODELS, Potential, build_potential
from pwmlff.models.dp.compressed import CompressedDeepPotential
from pwmlff.ops import StoredModel, library, make_evaluator, reference

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


def differentiated(potential: Potential, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """Return energies and pair gradients of the network by automatic differentiation."""
    vectors, *rest = arguments(batch)
    vectors = vectors.clone().requires_grad_()
    energies = potential.network(vectors, *rest).double()
    return energies.detach(), torch.autograd.grad(energies.sum(), vectors)[0]


def by_twin(stored: StoredModel, *pairs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, list[int]]:
    """Return energies, gradients and overflows of the PyTorch twin."""
    overflows = torch.zeros(2, dtype=torch.int64)
    return *reference.evaluate(stored.family, stored.arrays, *pairs, overflows), overflows.tolist()


def assert_close(actual: tuple[torch.Tensor, ...], expected: tuple[torch.Tensor, ...], tolerance: float) -> None:
    for a, b in zip(actual, expected, strict=True):
        assert a.dtype == b.dtype == torch.float64
        assert (a - b).abs().max() <= tolerance * b.abs().max()


@pytest.mark.parametrize("activation", ["tanh", "sigmoid"])
@pytest.mark.parametrize("model_type", ["DP", "DP_TYPE_EMBEDDING"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_equals_autograd_and_twin(
    model_type: str, dtype: str, activation: str, two_element_frames: list[Frame]
) -> None:
    potential, batch = make(model_type, dtype, two_element_frames, activation=activation)
    expected = differentiated(potential, batch)
    assert expected[1].abs().max() > 1e-3
    stored = potential.network.stored()
    assert_close(make_evaluator(stored)(*arguments(batch)), expected, TOLERANCE[dtype])
    assert_close(by_twin(stored, *arguments(batch))[:2], expected, TOLERANCE[dtype])


def test_more_atoms_than_a_chunk(cu_frames: list[Frame]) -> None:
    potential, batch = make("DP", "float64", cu_frames)  # 192 atoms of one type
    native = make_evaluator(potential.network.stored())(*arguments(batch))
    assert_close(native, differentiated(potential, batch), 1e-12)


def test_a_model_has_weights_of_its_own(cu_frames: list[Frame]) -> None:
    """What it was made of may change in place; another model is needed to notice."""
    potential, batch = make("DP", "float64", cu_frames[:1])
    stored = potential.network.stored()
    arrays = {name: array.clone() for name, array in stored.arrays.items()}
    model = make_evaluator(StoredModel(stored.family, arrays))
    before = model(*arguments(batch))
    for name in ("fitting", "embedding", "scale"):
        arrays[name].mul_(0.9)
        after = model(*arguments(batch))
        assert torch.equal(after[0], before[0])
        assert torch.equal(after[1], before[1])
        changed = make_evaluator(StoredModel(stored.family, arrays))(*arguments(batch))
        assert (changed[0] - before[0]).abs().max() > 1e-6
        assert_close(changed, by_twin(StoredModel(stored.family, arrays), *arguments(batch))[:2], 1e-12)


REPULSIONS = {
    "of older versions": {"repulsion.range": torch.tensor([2.0, 3.2], dtype=torch.float64)},
    "of each pair": {
        "repulsion.range": torch.tensor([[[0, 3.0], [2, 3.2]], [[2, 3.2], [0, 0]]], dtype=torch.float64),
        "repulsion.screening": torch.linspace(0.1, 1.0, 32, dtype=torch.float64).view(2, 2, 8),
    },
}


@pytest.mark.parametrize("order", [None, 3])
@pytest.mark.parametrize("repulsion", list(REPULSIONS))
def test_shift_and_repulsion(order: int | None, repulsion: str, two_element_frames: list[Frame]) -> None:
    """What every family may have, added by the kernels and by the twin."""
    potential, batch = make("DP", "float64", two_element_frames)
    stored = (potential if order is None else tabulate(potential, 0.05, order)).network.stored()
    more = {
        "energy_shift": torch.tensor([-3.0, 5.0], dtype=torch.float64),
        **REPULSIONS[repulsion],
        "repulsion.strength": torch.tensor(14.4, dtype=torch.float64),
        "repulsion.charges": torch.tensor([79.0, 29.0], dtype=torch.float64),
    }
    whole = StoredModel(stored.family, {**stored.arrays, **more})
    bare, native = make_evaluator(stored)(*arguments(batch)), make_evaluator(whole)(*arguments(batch))
    assert (native[1] - bare[1]).abs().max() > 1.0
    assert_close(native, by_twin(whole, *arguments(batch))[:2], 1e-12)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("fitting", None, "lacks the array 'fitting'"),
        ("n_axis", torch.tensor(14), "1 to 12 axis features, got 14"),
        ("fitting.activation", torch.tensor(2), "'fitting.activation' to be 0 or 1, got 2"),
        ("switch", torch.tensor([4.5, 1.0], dtype=torch.float64), "from an inner to an outer radius"),
        ("mean", torch.zeros(3, dtype=torch.float64), r"'scale' .* is float64 \[2, 4\], expected float64 \[3, 4\]"),
        ("embedding", torch.zeros(4, 7, dtype=torch.float64), r"'embedding' .* expected float64 \[n, "),
        ("embedding.widths", torch.tensor([6, -12]), "neurons, got -12"),
        ("embedding", torch.zeros(4, 7, dtype=torch.float32), "'embedding' .* is float32"),
        ("energy_shift", torch.zeros(3, dtype=torch.float64), "'energy_shift' .* expected"),
        ("repulsion.range", torch.zeros(2, dtype=torch.float64), "lacks the array 'repulsion.charges'"),
    ],
)
def test_arrays_that_do_not_fit(
    name: str, value: torch.Tensor | None, message: str, two_element_frames: list[Frame]
) -> None:
    stored = make("DP", "float64", two_element_frames)[0].network.stored()
    arrays = {**stored.arrays, name: value}
    with pytest.raises(RuntimeError, match=message):
        make_evaluator(StoredModel("dp", {name: array for name, array in arrays.items() if array is not None}))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("tables.grids", torch.zeros(4, 3, dtype=torch.float64), "intervals in table 0, got 0"),
        ("tables.grids", torch.tensor([[0.0, 1.0, 0.0]] * 4, dtype=torch.float64), "the 4 intervals of the grids"),
        ("tables.grids", torch.full((4, 3), torch.nan, dtype=torch.float64), "intervals in table 0"),
        ("tables.dx", torch.tensor(0.0, dtype=torch.float64), "intervals of a width"),
        ("tables", torch.zeros(9, 5, 12, dtype=torch.float64), "4 or 6"),
    ],
)
def test_tables_that_do_not_fit(name: str, value: torch.Tensor, message: str, two_element_frames: list[Frame]) -> None:
    potential, _ = make("DP", "float64", two_element_frames)
    stored = tabulate(potential, 0.05, 3).network.stored()
    with pytest.raises(RuntimeError, match=message):
        make_evaluator(StoredModel("dp", {**stored.arrays, name: value}))


def test_an_unknown_family() -> None:
    with pytest.raises(ValueError, match="'nothing'"):
        make_evaluator(StoredModel("nothing", {}))
    with pytest.raises(RuntimeError, match="no kernels for models of the family 'nothing'"):
        torch.classes.pwmlff.Model("nothing", {})


def test_pairs_that_do_not_fit(cu_frames: list[Frame]) -> None:
    potential, batch = make("DP", "float64", cu_frames[:1])
    model, (vectors, start, pair_types, atom_types) = make_evaluator(potential.network.stored()), arguments(batch)
    for wrong, message in (
        ((vectors.float(), start, pair_types, atom_types), "float64"),
        ((vectors, start[:-1], pair_types, atom_types), "do not fit each other"),
        ((vectors, start, pair_types[1:], atom_types), "do not fit each other"),
        ((vectors, start, pair_types, atom_types.int()), "int64"),
    ):
        with pytest.raises(RuntimeError, match=message):
            model(*wrong)


def test_threads_agree_and_atoms_without_neighbours(two_element_frames: list[Frame]) -> None:
    lonely = Frame(atomic_numbers=[29, 79], positions=[[0, 0, 0], [9, 0, 0]], cell=torch.zeros(3, 3), pbc=[False] * 3)
    potential, batch = make("DP", "float64", [*two_element_frames, lonely])
    form = make_evaluator(potential.network.stored())
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
    expected = potential.network(*arguments(batch))
    assert (results[0][0] - expected).abs().max() < 1e-12


def test_no_atoms(cu_frames: list[Frame]) -> None:
    potential, _ = make("DP", "float64", cu_frames[:1])
    none = torch.zeros(0, dtype=torch.int64)
    energies, gradients = make_evaluator(potential.network.stored())(
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
) -> None:
    """13 features: rows of the tables end in the middle of a vector."""
    potential, batch = make(model_type, "float64", two_element_frames, network_size=[6, 13])
    compressed = tabulate(potential, 0.05, order)
    expected = differentiated(compressed, batch)
    assert expected[1].abs().max() > 1e-3
    stored = in_dtype(compressed, dtype).network.stored(geometry)
    assert_close(make_evaluator(stored)(*arguments(batch)), expected, TOLERANCE[dtype])
    assert_close(by_twin(stored, *arguments(batch))[:2], expected, TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_geometry_in_the_precision_of_the_nets(dtype: str, two_element_frames: list[Frame]) -> None:
    potential, batch = make("DP", dtype, two_element_frames)
    native = make_evaluator(potential.network.stored(torch.float32))(*arguments(batch))
    assert_close(native, differentiated(potential, batch), TOLERANCE[dtype])


def test_mixed_sums_in_double_are_nearer_than_single(cu_frames: list[Frame]) -> None:
    """The same float32 tables: wider geometry and sums leave only the error of the nets."""
    potential, batch = make("DP", "float64", cu_frames, network_size=[6, 12])
    compressed = in_dtype(tabulate(potential, 0.02, 5), "float32")
    exact = make_evaluator(compressed.network.stored())(*arguments(batch))
    wide = make_evaluator(in_dtype(compressed, "float64").network.stored())(*arguments(batch))
    narrow = make_evaluator(compressed.network.stored(torch.float32))(*arguments(batch))
    mixed_error, single_error = ((x[1] - wide[1]).square().mean().sqrt() for x in (exact, narrow))
    assert 0 < mixed_error < single_error


def pair_batch(distances: list[float]) -> tuple[torch.Tensor, ...]:
    """One atom of type 0 with neighbours of type 1 along x."""
    vectors = torch.zeros(len(distances), 3, dtype=torch.float64)
    vectors[:, 0] = torch.tensor(distances)
    types = torch.ones(len(distances), dtype=torch.int64)
    return vectors, torch.tensor([0, len(distances)]), types, torch.zeros(1, dtype=torch.int64)


def test_overflows_are_counted(two_element_frames: list[Frame]) -> None:
    potential, _ = make("DP", "float64", two_element_frames)
    compressed = tabulate(potential, 0.01, 3)
    shortest = float(potential.network.environment.shortest[0])
    # s = 1/r below the inner radius of the switch; fine intervals reach a tenth further than the shortest distance, the
    # tables to ten times the largest s seen
    near = [0.88 * shortest, 0.2 * shortest]
    s_largest = 1 / shortest * _switch(shortest)
    beyond = [0.9 / (10 * s_largest), 0.01]
    stored = compressed.network.stored()
    native, counts = make_evaluator(stored), [0, 0]
    for pairs, expected in (
        ([3.0, 0.901 * shortest, 4.4], [0, 0]),
        ([3.0, *near], [2, 0]),
        ([*near, 4.0, *beyond], [4, 2]),
    ):
        native(*pair_batch(pairs))
        counts = [total + count for total, count in zip(counts, expected, strict=True)]
        assert native.overflows() == tuple(counts)
        assert by_twin(stored, *pair_batch(pairs))[2] == expected


def _switch(distance: float, inner: float = 1.0, outer: float = 4.5) -> float:
    u = min(1.0, max(0.0, (distance - inner) / (outer - inner)))
    return 1 + u**3 * (-6 * u**2 + 15 * u - 10)


def test_not_a_number_stays_visible(two_element_frames: list[Frame]) -> None:
    potential, batch = make("DP", "float64", two_element_frames)
    vectors = batch.pair_vectors.clone()
    vectors[0, 0] = float("nan")
    for network in (potential.network, tabulate(potential, 0.05, 3).network):
        energies, gradients = make_evaluator(network.stored())(vectors, *arguments(batch)[1:])
        assert energies[0].isnan()
        assert gradients[0].isnan().all()


def test_not_a_number_leaves_no_trace(two_element_frames: list[Frame]) -> None:
    """Buffers outlive a call; 13 features do not fill their vectors, so what lies behind them is read."""
    potential, batch = make("DP", "float64", two_element_frames, network_size=[6, 13])
    form = make_evaluator(tabulate(potential, 0.05, 3).network.stored())
    one_atom = pair_batch([2.5, 3.0])
    before = torch.get_num_threads()
    torch.set_num_threads(1)  # one workspace
    try:
        expected = form(*one_atom)
        form(torch.full_like(batch.pair_vectors, float("nan")), *arguments(batch)[1:])
        after = form(*one_atom)
    finally:
        torch.set_num_threads(before)
    assert torch.equal(after[0], expected[0])
    assert torch.equal(after[1], expected[1])
