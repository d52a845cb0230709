"""The operations on CUDA: kernels compiled, run on the host in place of a GPU, and on a GPU where there is one."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.cpp_extension import include_paths, library_paths

from pwmlff import ops
from pwmlff.compress import tabulate
from pwmlff.data.batch import Batch
from pwmlff.data.dataset import FrameDataset, iterate_batches
from pwmlff.data.frame import Frame
from pwmlff.models import MODELS, build_potential
from pwmlff.models.nep import NEP
from pwmlff.ops import StoredModel, library, make_evaluator, reference

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "pwmlff" / "csrc"
ELEMENTS = ["Au", "Cu"]
TOLERANCE = {"float64": 1e-12, "mixed": 2e-5, "float32": 4e-5}
HAS_CUDA_OPS = library.build_info().get("cuda", "none") != "none"

needs_native = pytest.mark.skipif(not library.load(), reason=f"no native library: {library.status().error}")
needs_gpu = pytest.mark.skipif(
    not (torch.cuda.is_available() and HAS_CUDA_OPS), reason="needs a GPU, and pwmlff built with CUDA"
)
all_cases = [
    pytest.mark.parametrize("precision", list(TOLERANCE)),
    pytest.mark.parametrize("features", ["tanh", "sigmoid", "order 3", "order 5"]),
    pytest.mark.parametrize("model_type", ["DP", "DP_TYPE_EMBEDDING"]),
]
Arguments = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]


def for_all_cases(test: Callable[..., None]) -> Callable[..., None]:
    for mark in all_cases:
        test = mark(test)
    return test


def make(
    model_type: str, features: str, precision: str, frames: list[Frame], width: int = 13
) -> tuple[StoredModel, Arguments]:
    """Return a model with all that a model may have, and pairs and atoms, one of them alone.

    13 features end inside a warp.
    """
    tables = features.startswith("order")
    descriptor: dict[str, object] = {"Rmax": 4.5, "Rmin": 1.0, "M2": 5, "network_size": [6, 12, 24]}
    descriptor.update({"network_size": [6, width]} if tables else {"activation": features})
    settings = {"descriptor": descriptor, "fitting_net": {"network_size": [10, 20, 20, 1]}}
    config = MODELS[model_type].Config.model_validate(settings)
    potential = build_potential(model_type, config, ELEMENTS, "float64")
    lonely = Frame(atomic_numbers=[29, 79], positions=[[0, 0, 0], [9, 0, 0]], cell=torch.zeros(3, 3), pbc=[False] * 3)
    dataset = FrameDataset([*frames, lonely], ELEMENTS, 4.5)
    potential.collect_statistics(iterate_batches(dataset, 4))
    if tables:
        potential = tabulate(potential, 0.05, int(features[-1]))
        model_type, config = "DP_COMPRESSED", potential.network.config
    if precision != "float64":
        weights = potential.state_dict()
        potential = build_potential(model_type, config, ELEMENTS, "float32")
        potential.load_state_dict(weights)
    stored = potential.network.stored(torch.float32 if precision == "float32" else torch.float64)
    return with_all(stored), arguments(dataset.batch(range(len(dataset))))


def with_all(stored: StoredModel) -> StoredModel:
    """Return a model of two elements with what every family may have."""
    more = {
        "energy_shift": torch.tensor([-3.0, 5.0], dtype=torch.float64),
        "repulsion.range": torch.tensor([[[0, 2.8], [1.5, 2.9]], [[1.5, 2.9], [0, 0]]], dtype=torch.float64),
        "repulsion.screening": torch.linspace(0.1, 1.0, 32, dtype=torch.float64).view(2, 2, 8),
        "repulsion.strength": torch.tensor(14.4, dtype=torch.float64),
        "repulsion.charges": torch.tensor([79.0, 29.0], dtype=torch.float64),
    }
    return StoredModel(stored.family, {**stored.arrays, **more})


def arguments(batch: Batch) -> Arguments:
    return batch.pair_vectors, batch.pair_start, batch.pair_types, batch.atom_types


def assert_close(actual: tuple[torch.Tensor, ...], expected: tuple[torch.Tensor, ...], tolerance: float) -> None:
    for a, b in zip(actual, expected, strict=True):
        assert a.dtype == b.dtype == torch.float64
        assert (a.cpu() - b).abs().max() <= tolerance * b.abs().max()


@pytest.mark.slow
@pytest.mark.skipif(not (shutil.which("nvcc") and shutil.which("make")), reason="needs nvcc and make")
def test_kernels_compile() -> None:
    done = subprocess.run(["make", "-s", "cuda-check"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "CUDA kernels compiled" in done.stdout


@pytest.fixture(scope="module")
def on_host(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Make `torch.ops.pwmlff_cuda_on_host`: all but the registration, with a stand-in for the CUDA runtime."""
    shim, target = Path(__file__).parent / "cuda_on_host", tmp_path_factory.mktemp("cuda") / "libcuda_on_host.so"
    host = [path for path in (SOURCES / "cuda").rglob("*.cpp") if path.name != "register.cpp"]
    host += [SOURCES / "torch" / f"{name}.cpp" for name in ("pair_tensors", "stored_tensors")]
    host += [SOURCES / "core" / f"{name}.cpp" for name in ("stored_model", "zbl", "dp/description", "nep/description")]
    command = ["g++", "-std=c++20", "-O1", "-fPIC", "-shared", "-o", target]
    command += [f"-I{folder}" for folder in (shim, SOURCES, SOURCES / "core", *include_paths())]
    command += ["-x", "c++", *(SOURCES / "cuda").rglob("*.cu"), *host, shim / "register.cpp", "-x", "none"]
    command += [*(f"-L{folder}" for folder in library_paths()), "-ltorch", "-ltorch_cpu", "-lc10"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    torch.ops.load_library(str(target))


def evaluate_on_host(
    stored: StoredModel, batch: Arguments, workspace: int
) -> tuple[tuple[torch.Tensor, torch.Tensor], tuple[int, int]]:
    """Return what the kernels make of a batch, in chunks of atoms that take so many bytes, and the overflows."""
    overflows = torch.zeros(2, dtype=torch.int64)
    operation = torch.ops.pwmlff_cuda_on_host.evaluate
    return operation(stored.family, stored.arrays, overflows, workspace, *batch), tuple(overflows.tolist())


@pytest.mark.slow
@pytest.mark.usefixtures("on_host")
@needs_native
@for_all_cases
def test_on_host(
    model_type: str,
    features: str,
    precision: str,
    two_element_frames: list[Frame],
) -> None:
    """In one chunk of atoms and in many."""
    stored, batch = make(model_type, features, precision, two_element_frames[:1])
    expected = make_evaluator(stored)(*batch)
    assert expected[1].abs().max() > 1e-3
    for workspace in (1 << 28, 1 << 14):
        assert_close(evaluate_on_host(stored, batch, workspace)[0], expected, TOLERANCE[precision])


@pytest.mark.slow
@pytest.mark.usefixtures("on_host")
@needs_native
def test_on_host_many_features_overflows_and_nothing(two_element_frames: list[Frame]) -> None:
    """150 features are more than a block has threads; overflows are still counted once."""
    stored, batch = make("DP", "order 3", "float64", two_element_frames[:1], width=150)
    vectors = batch[0].clone()
    vectors[:3] *= torch.tensor([0.5, 0.5, 1e-3]).unsqueeze(-1)
    native = make_evaluator(stored)
    expected = native(vectors, *batch[1:])
    assert native.overflows() == (3, 1)
    on_host, overflows = evaluate_on_host(stored, (vectors, *batch[1:]), 1 << 28)
    assert_close(on_host, expected, 1e-12)
    assert overflows == (3, 1)
    distances = torch.full((2, 2), 2.7, dtype=torch.float64)  # takes the place of the count by the tables
    known = StoredModel(stored.family, {**stored.arrays, "shortest": distances})
    n_nearer = int((torch.linalg.vector_norm(vectors, dim=-1) < 2.7).sum())
    assert n_nearer > 3
    assert evaluate_on_host(known, (vectors, *batch[1:]), 1 << 28)[1] == (n_nearer, 1)
    vectors[0, 0] = float("nan")
    (energies, gradients), _ = evaluate_on_host(stored, (vectors, *batch[1:]), 1 << 28)
    assert energies.isnan().sum() == 1
    assert gradients[: int(batch[1][1])].isnan().all()
    none = torch.zeros(0, dtype=torch.int64)
    (energies, gradients), _ = evaluate_on_host(
        stored, (vectors[:0], torch.zeros(1, dtype=torch.int64), none, none), 1 << 28
    )
    assert energies.shape == (0,)
    assert gradients.shape == (0, 3)


@needs_gpu
@for_all_cases
def test_on_gpu(model_type: str, features: str, precision: str, two_element_frames: list[Frame]) -> None:
    stored, batch = make(model_type, features, precision, two_element_frames)
    model = make_evaluator(stored)
    expected, counts = model(*batch), model.overflows()
    on_gpu = [tensor.to("cuda") for tensor in batch]
    first, again = model(*on_gpu), model(*on_gpu)
    assert_close(first, expected, TOLERANCE[precision])
    assert torch.equal(first[1], again[1])  # sums have a fixed order
    assert model.overflows() == tuple(3 * count for count in counts)


def derivatives(operation: Callable[..., torch.Tensor], device: str) -> list[torch.Tensor]:
    """Return a contraction of 40 features, and its first and second derivatives; some atoms have no pairs."""
    generator = torch.Generator().manual_seed(1)
    start = torch.tensor([0, 3, 3, 70, 71, 71], device=device)
    shapes = {"s": [71], "rows": [71, 4], "parameters": [10 * 3 + 20 * 12 + 40 * 22 + 40 * 42], "weights": [5, 4, 40]}
    drawn = [torch.randn(shape, generator=generator, dtype=torch.float64).to(device) for shape in shapes.values()]
    s, rows, parameters, weights = (tensor.requires_grad_() for tensor in drawn)
    sums = operation(s, rows, start, parameters, [10, 20, 40, 40], 0)
    first = torch.autograd.grad((sums * weights).sum(), (s, rows), create_graph=True)
    second = torch.autograd.grad(sum(x.square().sum() for x in first), (s, rows, parameters, weights))
    return [sums, *first, *second]


@pytest.mark.slow
@pytest.mark.usefixtures("on_host")
def test_contraction_on_host() -> None:
    operation = torch.ops.pwmlff_cuda_on_host.embedding_contraction
    for actual, expected in zip(
        derivatives(operation, "cpu"), derivatives(reference.embedding_contraction, "cpu"), strict=True
    ):
        assert (actual - expected).abs().max() <= 1e-12 * expected.abs().max()


@needs_gpu
def test_contraction_on_gpu() -> None:
    actual, again = (derivatives(ops.embedding_contraction, "cuda") for _ in range(2))
    for a, b, expected in zip(actual, again, derivatives(reference.embedding_contraction, "cpu"), strict=True):
        assert (a.cpu() - expected).abs().max() <= 1e-12 * expected.abs().max()
        assert torch.equal(a, b)


# keys of the section `model` by what is special about them
NEPS: dict[str, dict[str, Any]] = {
    "GPUMD's": {"version": 4, "descriptor": {"cutoff": [4.5, 3.8]}},
    "all invariants, cutoffs by element": {
        "descriptor": {"cutoff": [4.5, 4.2, 4.1, 3.6], "n_max": [3, 2], "l_max": [4, 1, 1, 1, 1, 1, 1]},
        "fitting_net": {"network_size": 10},
    },
    "l up to 8, more than a warp or a block holds": {
        "version": 3,
        "descriptor": {"cutoff": [4.5, 4.0], "n_max": [9, 19], "basis_size": [12, 19], "l_max": [8, 1, 0, 0, 1]},
        "fitting_net": {"network_size": 40},
    },
    "l up to 6": {"descriptor": {"cutoff": [4.5, 4.0], "n_max": [0, 7], "basis_size": [0, 0], "l_max": [6]}},
    "no angles": {"descriptor": {"cutoff": [4.5, 4.0], "l_max": [0]}},
}
for_all_neps = pytest.mark.parametrize("keys", NEPS.values(), ids=NEPS)


def make_nep(keys: dict[str, Any], precision: str, frames: list[Frame]) -> tuple[NEP, StoredModel, Arguments]:
    """Return a network, its arrays with all that a model may have, and pairs and atoms, one of them alone."""
    config = MODELS["NEP"].Config.model_validate(keys)
    potential = build_potential("NEP", config, ELEMENTS, "float64" if precision == "float64" else "float32")
    lonely = Frame(atomic_numbers=[29, 79], positions=[[0, 0, 0], [9, 0, 0]], cell=torch.zeros(3, 3), pbc=[False] * 3)
    dataset = FrameDataset([*frames, lonely], ELEMENTS, 4.5)
    potential.collect_statistics(iterate_batches(dataset, 4))
    stored = potential.network.stored(torch.float32 if precision == "float32" else torch.float64)
    return potential.network, with_all(stored), arguments(dataset.batch(range(len(dataset))))


@pytest.mark.slow
@pytest.mark.usefixtures("on_host")
@needs_native
@for_all_neps
@pytest.mark.parametrize("precision", list(TOLERANCE))
def test_nep_on_host(keys: dict[str, Any], precision: str, two_element_frames: list[Frame]) -> None:
    _, stored, batch = make_nep(keys, precision, two_element_frames[:2])
    expected = make_evaluator(stored)(*batch)
    assert expected[1].abs().max() > 1e-3
    actual, overflows = evaluate_on_host(stored, batch, 1 << 28)
    assert_close(actual, expected, TOLERANCE[precision])
    assert overflows == (0, 0)
    twin = reference.evaluate("nep", stored.arrays, *batch, torch.zeros(2, dtype=torch.int64))
    assert_close(actual, twin, TOLERANCE[precision])


@pytest.mark.slow
@pytest.mark.usefixtures("on_host")
def test_nep_on_host_many_neighbors_far_pairs_and_nothing(two_element_frames: list[Frame]) -> None:
    """Pairs from beyond both cutoffs add nothing, what is not a number stays to be seen, and there may be no atom."""
    _, stored, (vectors, start, pair_types, atom_types) = make_nep(NEPS["GPUMD's"], "float64", two_element_frames[:1])
    first = slice(0, int(start[1]))
    more = torch.cat([vectors[first] * scale for scale in (0.7, 0.8, 0.9, 1.0, 1.1, 30.0, 1e200)])
    pairs = more, torch.tensor([0, len(more)]), pair_types[first].repeat(7), atom_types[:1]
    assert len(more) > 100
    actual, _ = evaluate_on_host(stored, pairs, 1 << 28)
    assert_close(actual, reference.evaluate("nep", stored.arrays, *pairs, torch.zeros(2, dtype=torch.int64)), 1e-12)
    assert not actual[1][-2 * len(vectors[first]) :].any()
    spoiled = vectors.clone()
    spoiled[0, 0] = float("nan")
    (energies, gradients), _ = evaluate_on_host(stored, (spoiled, start, pair_types, atom_types), 1 << 28)
    assert energies.isnan().sum() == 1
    assert gradients[0].isnan().all()
    none = torch.zeros(0, dtype=torch.int64)
    (energies, gradients), _ = evaluate_on_host(stored, (vectors[:0], none.new_zeros(1), none, none), 1 << 28)
    assert energies.shape == (0,)
    assert gradients.shape == (0, 3)


@pytest.mark.slow
@pytest.mark.usefixtures("on_host")
def test_compressed_neps_are_refused(two_element_frames: list[Frame]) -> None:
    config = MODELS["NEP"].Config.model_validate(NEPS["GPUMD's"])
    potential = build_potential("NEP", config, ELEMENTS, "float64")
    stored = with_all(tabulate(potential, 0.05, 3).network.stored(torch.float64))
    _, _, batch = make_nep(NEPS["GPUMD's"], "float64", two_element_frames[:1])
    with pytest.raises(RuntimeError, match="a compressed NEP has no kernels for GPUs"):
        evaluate_on_host(stored, batch, 1 << 28)


def nep_factors(batch: Arguments) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return parts, one of them without atoms, and factors of three sums, two of them over gradients."""
    n_atoms = len(batch[3])
    by_energies = torch.randn(3, n_atoms, dtype=torch.float64)
    by_energies[0] = 0.0
    return torch.tensor([0, 2, 2, n_atoms]), by_energies, torch.randn(2, *batch[0].shape, dtype=torch.float64)


def assert_rows_close(actual: torch.Tensor, expected: torch.Tensor, tolerance: float) -> None:
    assert actual.shape == expected.shape
    for row, other in zip(actual.flatten(0, 1).cpu(), expected.flatten(0, 1), strict=True):
        assert (row - other).abs().max() <= tolerance * other.abs().max()


@pytest.mark.slow
@pytest.mark.usefixtures("on_host")
@for_all_neps
@pytest.mark.parametrize("precision", ["float64", "mixed"])
def test_nep_weight_gradients_on_host(
    keys: dict[str, Any], precision: str, two_element_frames: list[Frame], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against derivatives of the twin; with room for a row of each atom, and with little."""
    network, stored, batch = make_nep(keys, precision, two_element_frames[:2])
    parts, *factors = nep_factors(batch)
    monkeypatch.setattr(type(network), "trained_by_kernels_on", ())
    expected = network.evaluate_parts(*batch, part_start=parts).weight_gradients(*factors)
    for workspace in (1 << 28, 1 << 10):
        rows = torch.ops.pwmlff_cuda_on_host.weight_gradients(
            stored.family, stored.arrays, workspace, *batch, parts, *factors
        )
        assert_rows_close(network.by_parameters(rows), expected, {"float64": 1e-11, "mixed": 2e-5}[precision])


@needs_gpu
@for_all_neps
@pytest.mark.parametrize("precision", list(TOLERANCE))
def test_nep_on_gpu(keys: dict[str, Any], precision: str, two_element_frames: list[Frame]) -> None:
    _, stored, batch = make_nep(keys, precision, two_element_frames)
    model = make_evaluator(stored)
    expected, on_gpu = model(*batch), [tensor.to("cuda") for tensor in batch]
    first, again = model(*on_gpu), model(*on_gpu)
    assert_close(first, expected, TOLERANCE[precision])
    assert torch.equal(first[1], again[1])


@needs_gpu
@for_all_neps
@pytest.mark.parametrize("precision", ["float64", "mixed"])
def test_nep_weight_gradients_on_gpu(keys: dict[str, Any], precision: str, two_element_frames: list[Frame]) -> None:
    network, _, batch = make_nep(keys, precision, two_element_frames)
    parts, *factors = nep_factors(batch)
    expected = network.evaluate_parts(*batch, part_start=parts).weight_gradients(*factors)
    network.to("cuda")
    on_gpu = [tensor.to("cuda") for tensor in batch]
    rows = [
        network.evaluate_parts(*on_gpu, part_start=parts).weight_gradients(*(tensor.to("cuda") for tensor in factors))
        for _ in range(2)
    ]
    assert rows[0].is_cuda
    assert_rows_close(rows[0], expected, {"float64": 1e-11, "mixed": 2e-5}[precision])
    assert torch.equal(*rows)


@needs_native
def test_an_exported_model_asks_for_kernels_when_it_runs() -> None:
    """TorchScript must not replace the answer by a constant."""
    assert "has_kernels" in str(torch.jit.script(ops.embedding_contraction).graph)
