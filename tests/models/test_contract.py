"""The contract every model keeps, shown by physics: invariances, additivity, smoothness, exact derivatives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from pwmlff.data.batch import Batch, collate, make_sample
from pwmlff.data.frame import Frame
from pwmlff.models import MODELS, Prediction, predict

TYPE_OF = {29: 0, 79: 1}
CUTOFF = 4.5
NAMES = ("DP", "DP_TYPE_EMBEDDING", "DP+ZBL", "TOY")
# energies and forces of these models are of order 1 eV and 1 eV/Å
TOLERANCE = {"float64": 1e-10, "float32": 2e-4}

every_case = pytest.mark.parametrize(
    ("name", "dtype", "mode"),
    [(name, dtype, mode) for name in NAMES for dtype in TOLERANCE for mode in ("eager", "scripted")],
)
every_model = pytest.mark.parametrize("name", NAMES)


def batch_of(*frames: Frame) -> Batch:
    return collate([make_sample(frame, TYPE_OF, CUTOFF) for frame in frames])


def changed(frame: Frame, **values: object) -> Frame:
    """Copy a frame without its labels, which the change would make wrong."""
    return replace(frame, energy=None, forces=None, virial=None, **values)


def cluster(positions: np.ndarray, numbers: list[int]) -> Frame:
    return Frame(atomic_numbers=np.array(numbers), positions=positions, cell=np.zeros((3, 3)), pbc=np.zeros(3, bool))


def close(a: torch.Tensor | None, b: torch.Tensor | None, tolerance: float) -> None:
    assert a is not None
    assert b is not None
    torch.testing.assert_close(a, b, rtol=0, atol=tolerance)


def test_every_row_of_models_is_tested() -> None:
    assert {name.split("+")[0] for name in NAMES} == set(MODELS)


@every_case
def test_no_atoms(make_case: Callable, name: str, dtype: str, mode: str) -> None:
    # the share of a process where a batch has fewer frames than there are processes
    nothing = predict(make_case(name, dtype, mode).run, batch_of(), groups=True, create_graph=True)
    shapes = [tuple(value.shape) for value in vars(nothing).values() if value is not None]
    assert shapes == [(0,), (0,), (0, 3), (0, 3, 3), (0,)]


@every_case
def test_invariances(make_case: Callable, two_element_frames: list[Frame], name: str, dtype: str, mode: str) -> None:
    case, frame, tolerance = make_case(name, dtype, mode), two_element_frames[2], TOLERANCE[dtype]
    reference = predict(case.run, batch_of(frame))
    assert reference.forces.abs().max() > 1e-3  # a constant would pass everything below

    moved = predict(case.run, batch_of(changed(frame, positions=frame.positions + [0.3, -7.1, 2.2])))
    close(moved.energy, reference.energy, tolerance)
    close(moved.forces, reference.forces, tolerance)
    close(moved.virial, reference.virial, 10 * tolerance)

    for sign in (1.0, -1.0):  # proper and improper
        turn = sign * Rotation.from_rotvec([0.4, -1.1, 0.7]).as_matrix()
        turned = changed(frame, positions=frame.positions @ turn.T, cell=frame.cell @ turn.T)
        rotated = predict(case.run, batch_of(turned))
        matrix = torch.from_numpy(turn)
        close(rotated.energy, reference.energy, tolerance)
        close(rotated.forces, reference.forces @ matrix.T, tolerance)
        close(rotated.virial, matrix @ reference.virial @ matrix.T, 10 * tolerance)

    order = np.random.default_rng(0).permutation(len(frame))
    shuffled = changed(frame, positions=frame.positions[order], atomic_numbers=frame.atomic_numbers[order])
    permuted = predict(case.run, batch_of(shuffled))
    close(permuted.atomic_energies, reference.atomic_energies[order], tolerance)
    close(permuted.forces, reference.forces[order], tolerance)


@every_case
def test_batch_equals_singles(
    make_case: Callable, two_element_frames: list[Frame], name: str, dtype: str, mode: str
) -> None:
    case, tolerance = make_case(name, dtype, mode), TOLERANCE[dtype]
    together = predict(case.run, batch_of(*two_element_frames))
    singles = [predict(case.run, batch_of(frame)) for frame in two_element_frames]
    close(together.energy, torch.cat([p.energy for p in singles]), tolerance)
    close(together.forces, torch.cat([p.forces for p in singles]), tolerance)
    close(together.virial, torch.cat([p.virial for p in singles]), 10 * tolerance)


@every_case
def test_supercell_and_newton(
    make_case: Callable, two_element_frames: list[Frame], name: str, dtype: str, mode: str
) -> None:
    """Twice the cell has twice the energy and virial; forces sum to zero and the virial is symmetric."""
    case, frame, tolerance = make_case(name, dtype, mode), two_element_frames[1], TOLERANCE[dtype]
    single = predict(case.run, batch_of(frame))
    doubled = changed(
        frame,
        positions=np.concatenate([frame.positions, frame.positions + frame.cell[0]]),
        atomic_numbers=np.tile(frame.atomic_numbers, 2),
        cell=frame.cell * [[2], [1], [1]],
    )
    double = predict(case.run, batch_of(doubled))
    close(double.energy, 2 * single.energy, 10 * tolerance)
    close(double.virial, 2 * single.virial, 100 * tolerance)
    close(single.forces.sum(0), torch.zeros(3, dtype=torch.float64), tolerance)
    close(single.virial, single.virial.transpose(1, 2), 10 * tolerance)


@every_model
def test_isolated_atom_and_distant_fragments(make_case: Callable, name: str) -> None:
    case = make_case(name)
    dimer = cluster(np.array([[0, 0, 0], [0, 0, 2.6]]), [29, 79])
    trimer = cluster(np.array([[0, 0, 0], [0, 0, 2.6], [2.2, 0.4, 1.0]]), [79, 29, 29])
    alone = predict(case.run, batch_of(cluster(np.zeros((1, 3)), [29])))
    assert alone.forces.abs().max() == 0
    assert alone.virial.abs().max() == 0
    assert torch.isfinite(alone.energy).all()

    far = np.array([CUTOFF + 3.0, 30.0, 0.0])
    union = cluster(
        np.concatenate([dimer.positions, trimer.positions + far, [[60.0, 0.0, 0.0]]]),
        [*dimer.atomic_numbers, *trimer.atomic_numbers, 29],
    )
    parts = [predict(case.run, batch_of(part)) for part in (dimer, trimer)]
    whole = predict(case.run, batch_of(union))
    close(whole.energy, parts[0].energy + parts[1].energy + alone.energy, 1e-11)
    close(whole.forces[:5], torch.cat([p.forces for p in parts]), 1e-11)


@every_model
def test_smooth_at_the_cutoff(make_case: Callable, name: str) -> None:
    """A neighbour that crosses the cutoff changes neither energy nor force, in any surroundings."""
    case = make_case(name)

    def at(distance: float) -> Prediction:
        atoms = np.array([[0, 0, 0], [2.4, 0, 0], [0, 2.6, 0.3], [0, 0, distance]])
        return predict(case.run, batch_of(cluster(atoms, [29, 79, 29, 79])))

    inside, outside = at(CUTOFF - 1e-5), at(CUTOFF + 1e-5)
    close(inside.energy, outside.energy, 1e-10)
    close(inside.forces, outside.forces, 1e-7)
    assert at(CUTOFF - 0.5).energy != outside.energy


@every_model
def test_forces_are_the_gradient(make_case: Callable, two_element_frames: list[Frame], name: str) -> None:
    """Central differences of fourth order in float64, relative 1e-7."""
    case, frame = make_case(name), two_element_frames[2]
    predicted = predict(case.run, batch_of(frame)).forces.numpy()
    rng = np.random.default_rng(5)
    for _ in range(4):
        direction = rng.standard_normal(frame.positions.shape)
        direction /= np.linalg.norm(direction)

        def energy(step: float, direction: np.ndarray = direction) -> float:
            moved = changed(frame, positions=frame.positions + step * direction)
            return float(predict(case.run, batch_of(moved), forces=False, virial=False).energy[0])

        expected = -fourth_order(energy, 1e-3)
        assert np.vdot(predicted, direction) == pytest.approx(expected, rel=1e-7, abs=1e-9)


@every_model
def test_virial_is_the_strain_derivative(make_case: Callable, two_element_frames: list[Frame], name: str) -> None:
    case, frame = make_case(name), two_element_frames[2]
    predicted = predict(case.run, batch_of(frame)).virial[0].numpy()
    rng = np.random.default_rng(6)
    for _ in range(4):
        direction = rng.standard_normal((3, 3))

        def energy(step: float, direction: np.ndarray = direction) -> float:
            strain = np.eye(3) + step * direction
            strained = changed(frame, positions=frame.positions @ strain, cell=frame.cell @ strain)
            return float(predict(case.run, batch_of(strained), forces=False, virial=False).energy[0])

        expected = -fourth_order(energy, 3e-4)
        assert np.vdot(predicted, direction) == pytest.approx(expected, rel=1e-7, abs=1e-9)


def fourth_order(function: Callable[[float], float], step: float) -> float:
    return (8 * (function(step) - function(-step)) - (function(2 * step) - function(-2 * step))) / (12 * step)


@every_model
def test_second_derivatives(make_case: Callable, name: str) -> None:
    """What force training differentiates is right: by positions and by every parameter."""
    case = make_case(name)
    positions = np.array([[0, 0, 0], [2.4, 0, 0.2], [0.1, 2.6, 0.3], [1.2, 1.4, 2.2]])
    batch = batch_of(cluster(positions, [29, 79, 29, 79]))
    parameters = list(case.potential.parameters())
    rows = (batch.pair_start, batch.pair_types, batch.atom_types)

    def energy(vectors: torch.Tensor) -> torch.Tensor:
        return case.potential(vectors, *rows)

    vectors = batch.pair_vectors.clone().requires_grad_()
    assert torch.autograd.gradcheck(energy, vectors)
    assert torch.autograd.gradgradcheck(energy, vectors)

    weights = torch.randn(vectors.shape, dtype=torch.float64)

    def projected_forces() -> torch.Tensor:
        leaf = batch.pair_vectors.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(energy(leaf).sum(), leaf, create_graph=True)
        return (gradient * weights).sum()

    gradients = torch.autograd.grad(projected_forces(), parameters, allow_unused=True, materialize_grads=True)
    for parameter, gradient in zip(parameters, gradients, strict=True):
        direction = torch.randn_like(parameter)

        def along(step: float, parameter: torch.Tensor = parameter, direction: torch.Tensor = direction) -> float:
            with torch.no_grad():
                parameter.add_(direction, alpha=step)
            value = float(projected_forces().detach())
            with torch.no_grad():
                parameter.sub_(direction, alpha=step)
            return value

        expected = fourth_order(along, 1e-3)
        assert float((gradient * direction).sum()) == pytest.approx(expected, rel=1e-6, abs=1e-8)


@every_model
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_close_contact_stays_finite(make_case: Callable, name: str, dtype: str) -> None:
    case = make_case(name, dtype)
    for distance in (1e-2, 0.1, 0.5):
        squeezed = cluster(np.array([[0, 0, 0], [0, 0, distance], [2.5, 0, 0]]), [29, 79, 29])
        prediction = predict(case.run, batch_of(squeezed))
        for values in (prediction.energy, prediction.forces, prediction.virial):
            assert torch.isfinite(values).all()


def test_pure_and_mixed_cells_share_descriptors(make_case: Callable) -> None:
    """The same surroundings have the same energy whatever else is in the cell."""
    case = make_case("DP")
    copper = cluster(np.array([[0, 0, 0], [0, 0, 2.5]]), [29, 29])
    mixed = cluster(np.array([[0, 0, 0], [0, 0, 2.5], [0, 40.0, 0]]), [29, 29, 79])
    alone, beside = (predict(case.run, batch_of(frame)).atomic_energies for frame in (copper, mixed))
    close(alone, beside[:2], 1e-12)
