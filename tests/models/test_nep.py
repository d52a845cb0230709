"""NEP as a network: versions, what they share, statistics, arrays there and back, and starting from another model."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from pwmlff.data.batch import Batch
from pwmlff.data.dataset import FrameDataset, iterate_batches
from pwmlff.data.frame import Frame
from pwmlff.errors import ModelFileError
from pwmlff.models import build_potential
from pwmlff.models.nep import NEP, NEPConfig
from pwmlff.models.potential import Potential
from pwmlff.ops import make_evaluator
from pwmlff.ops.reference import nep
from pwmlff.optim.kalman_blocks import WeightVector, split_blocks

CUTOFF = 4.5
ELEMENTS = ["Au", "Cu"]
DESCRIPTOR = {"cutoff": [CUTOFF, 4.0], "n_max": [3, 2], "basis_size": [4, 3], "l_max": [4, 2, 1]}


def make(
    elements: list[str] | None = None, fitting_net: dict[str, Any] | None = None, seed: int = 0, **keys: Any
) -> Potential:
    torch.manual_seed(seed)
    descriptor = {**DESCRIPTOR, **keys.pop("descriptor", {})}
    settings = {"descriptor": descriptor, "fitting_net": {"network_size": 6, **(fitting_net or {})}, **keys}
    return build_potential("NEP", NEPConfig.model_validate(settings), elements or ELEMENTS)


def network_of(potential: Potential) -> NEP:
    assert isinstance(potential.network, NEP)
    return potential.network


def batch_of(frames: list[Frame], elements: list[str] | None = None) -> Batch:
    dataset = FrameDataset(frames, elements or ELEMENTS, CUTOFF)
    return dataset.batch(range(len(dataset)))


@pytest.mark.parametrize(("version", "n_nets", "n_b1"), [(3, 1, 1), (4, 2, 1), (5, 2, 2)])
def test_versions(version: int, n_nets: int, n_b1: int, two_element_frames: list[Frame]) -> None:
    potential, batch = make(version=version), batch_of(two_element_frames)
    network = network_of(potential)
    width, n_coefficients = 4 + 3 * 6, 4 * (4 * 5 + 3 * 4)
    assert len(WeightVector(network)) == n_nets * 6 * (width + 2) + n_b1 + n_coefficients
    rows = network.arrays()["net"]
    assert torch.equal(rows[0], rows[1]) == (version == 3)
    with torch.no_grad():
        for b1 in dict.fromkeys(network.b1):
            b1.fill_(1.5 if b1 is network.b1[0] else 2.5)
    expected = torch.tensor([1.5, 2.5 if version == 5 else 1.5])
    before = nep.atomic_energies({**network.arrays(), "net": rows}, *batch.pairs, torch.zeros(2, dtype=torch.int64))
    torch.testing.assert_close(before - network(*batch.pairs), expected.double()[batch.atom_types])


@pytest.mark.parametrize("version", [3, 4, 5])
def test_arrays_there_and_back(version: int, two_element_frames: list[Frame]) -> None:
    one, other, batch = make(version=version, seed=1), make(version=version, seed=2), batch_of(two_element_frames)
    one.collect_statistics([batch])
    assert not torch.equal(one(*batch.pairs), other(*batch.pairs))
    network_of(other).take_arrays(network_of(one).arrays())
    assert torch.equal(one(*batch.pairs), other(*batch.pairs))
    for name, array in network_of(one).arrays().items():
        assert torch.equal(array, network_of(other).arrays()[name])


@pytest.mark.parametrize(
    ("version", "keys", "message"),
    [
        (5, {"n_max": [4, 2]}, r"radial of the shape \[2, 2, 5, 5\], expected \[2, 2, 4, 5\]"),
        (5, {"cutoff": [CUTOFF, 3.0]}, r"cutoff \[\[4.5, 3.0\], \[4.5, 3.0\]\], expected \[\[4.5, 4.0\], "),
        (5, {"l_max": [3, 2, 1, 1]}, r"l_max 3, expected 4"),
        (4, {}, r"a b1 for each type, expected one for all \(version 4\)"),
        (3, {}, r"a net for each type, expected one for all \(version 3\)"),
    ],
)
def test_arrays_that_do_not_fit(version: int, keys: dict[str, Any], message: str) -> None:
    other = network_of(make(descriptor=keys))
    torch.nn.init.normal_(other.b1[1])
    with pytest.raises(ValueError, match=message):
        network_of(make(version=version)).take_arrays(other.arrays())


@pytest.mark.parametrize("start", ["scaled", "gpumd"])
def test_descriptors_are_scaled_by_their_range(start: str, two_element_frames: list[Frame]) -> None:
    potential, batch = make(start=start), batch_of(two_element_frames)
    network = network_of(potential)
    before = [net.b0.detach().clone() for net in network.nets]
    potential.collect_statistics(iterate_batches(FrameDataset(two_element_frames, ELEMENTS, CUTOFF), 4))
    arrays = network.arrays()
    if start == "gpumd":  # with all coefficients 1, as GPUMD takes it
        arrays |= {name: torch.ones_like(arrays[name]) for name in ("radial", "angular")}
    scaled = nep.descriptors(arrays, *batch.pairs) * network.scaler
    expected = torch.ones_like(network.scaler)
    if start == "scaled":  # two-body terms come first
        expected[:4], expected[4:] = 5.0, 0.3
    torch.testing.assert_close(scaled.amax(0) - scaled.amin(0), expected)
    for central, net in enumerate(network.nets):
        shift = net.w0 @ scaled[batch.atom_types == central].mean(0) if start == "scaled" else 0.0
        torch.testing.assert_close(net.b0, before[central] + shift)


@pytest.mark.parametrize("start", ["scaled", "gpumd"])
@pytest.mark.parametrize(("force", "factor"), [(0.02, 0.1), (0.25, 0.25), (3.0, 1.0), (None, 1.0)])
def test_outputs_start_with_the_scale_of_small_forces(
    start: str, force: float | None, factor: float, two_element_frames: list[Frame]
) -> None:
    potential = make(start=start)
    before = [net.w1.detach().clone() for net in network_of(potential).nets]
    signs = np.random.default_rng(1).choice([-1.0, 1.0], (len(two_element_frames), 1000, 3))
    unlabelled = replace(two_element_frames[0], forces=None)
    frames = [
        replace(frame, forces=None if force is None else force * sign[: len(frame)])
        for frame, sign in zip(two_element_frames, signs, strict=True)
    ]
    potential.collect_statistics(iterate_batches(FrameDataset([*frames, unlabelled], ELEMENTS, CUTOFF), 2))
    for net, w1 in zip(network_of(potential).nets, before, strict=True):
        torch.testing.assert_close(net.w1, w1 * (factor if start == "scaled" else 1.0))


def test_statistics_of_what_is_always_the_same() -> None:
    """An element that is not there, no neighbours at all: nothing is divided by zero."""
    atoms = Frame(atomic_numbers=[29, 29], positions=[[0, 0, 0], [20, 0, 0]], cell=np.zeros((3, 3)), pbc=[False] * 3)
    potential, batch = make(), batch_of([atoms])
    potential.collect_statistics([batch])
    assert network_of(potential).scaler.tolist() == [5.0] * 4 + [0.3] * 18
    assert potential(*batch.pairs).isfinite().all()


def test_a_descriptor_of_radial_functions_alone(two_element_frames: list[Frame]) -> None:
    potential, batch = make(descriptor={"l_max": [0]}), batch_of(two_element_frames)
    potential.collect_statistics([batch])
    energies, gradients = potential.energies_and_gradients(*batch.pairs, differentiable=True)
    assert network_of(potential).arrays()["scaler"].shape == (4,)
    gradients.square().sum().backward()
    assert energies.isfinite().all()


@pytest.mark.parametrize(
    ("keys", "trained"),
    [
        ({"fix_cij": True}, {"w0", "b0", "w1", "b1"}),
        ({"fix_hiddenlayer": True}, {"radial", "angular", "w1", "b1"}),
        ({"fix_outlayer": True, "fix_cij": True}, {"w0", "b0"}),
    ],
)
@pytest.mark.parametrize("version", [3, 5])
def test_weights_that_are_kept(version: int, keys: dict[str, bool], trained: set[str]) -> None:
    network = network_of(make(version=version, fitting_net=keys))
    names = {name.split(".")[-1].removeprefix("shared_") for name, p in network.named_parameters() if p.requires_grad}
    assert names == trained


def test_blocks_of_a_kalman_filter_begin_with_a_type() -> None:
    network = network_of(make(["Al", "Cu", "Ag"], {"network_size": 30}))
    sizes, n_weights = WeightVector(network).sizes, len(WeightVector(network))
    assert split_blocks(sizes, 5120) == [(0, n_weights)]
    of_type = n_weights // 3
    assert split_blocks(sizes, of_type + 50) == [(0, of_type), (of_type, 2 * of_type), (2 * of_type, n_weights)]


def test_stored_arrays_say_the_same(two_element_frames: list[Frame]) -> None:
    potential, batch = make(descriptor={"cutoff": [4.5, 4.0, 4.1, 3.2]}), batch_of(two_element_frames)
    potential.collect_statistics([batch])
    potential.set_energy_shift(np.array([-3.0, 5.0]))
    energies, gradients = potential.energies_and_gradients(*batch.pairs, differentiable=True)
    stored = potential.stored()
    assert stored is not None
    result = make_evaluator(stored)(*batch.pairs)
    torch.testing.assert_close(result[0], energies.detach(), rtol=1e-11, atol=1e-12)
    torch.testing.assert_close(result[1], gradients.detach(), rtol=1e-10, atol=1e-12)


def test_start_from_some_elements_of_many(two_element_frames: list[Frame]) -> None:
    many = ["O", "Cu", "H", "Au"]
    start = make(many, descriptor={"cutoff": [4.5, 4.0, 4.2, 3.5, 3.9, 3.9, 4.1, 3.0]})
    start.collect_statistics([batch_of(two_element_frames, many)])
    start.set_energy_shift(np.array([1.0, 2.0, 3.0, 4.0]))
    potential = make(descriptor={"cutoff": [4.1, 3.0, 4.2, 3.5]}, seed=1)
    potential.start_from(start)
    given, own = batch_of(two_element_frames, many), batch_of(two_element_frames)
    torch.testing.assert_close(potential(*own.pairs), start(*given.pairs))
    assert potential.shortest[0, 1] == start.shortest[3, 1]
    with pytest.raises(ModelFileError, match="the start model has cutoff"):
        make(many).start_from(potential)
    with pytest.raises(ModelFileError, match=r"the start model has radial of the shape .*, expected .* run file says"):
        make(descriptor={"cutoff": [4.1, 3.0, 4.2, 3.5], "n_max": [1, 1]}).start_from(start)


def test_start_from_one_net_for_all(two_element_frames: list[Frame]) -> None:
    start, potential, batch = make(version=3), make(seed=1), batch_of(two_element_frames)
    start.collect_statistics([batch])
    potential.start_from(start)
    assert torch.equal(potential(*batch.pairs), start(*batch.pairs))
    with pytest.raises(ModelFileError, match="expected one for all"):
        start.start_from(make())
