"""The twin of NEP against plain loops over neighbours, and its derivatives."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from kernel_calls import Arrays, Pairs, random_pairs
from scipy.special import eval_legendre
from torch import Tensor

from pwmlff.ops import reference
from pwmlff.ops.reference import nep
from pwmlff.ops.reference.invariants import EXTRAS, direction_functions, invariants

N_TYPES, N_RADIAL, K_RADIAL, N_ANGULAR, K_ANGULAR, NEURONS = 3, 3, 5, 2, 4, 6
CUTOFF = [[5.0, 4.0], [5.5, 3.5], [4.5, 4.5]]


def make_arrays(l_max: int = 4, extras: tuple[int, ...] = (1,) * 6) -> Arrays:
    generator = torch.Generator().manual_seed(4)

    def random(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    width = N_RADIAL + N_ANGULAR * (l_max + sum(extras))
    return {
        "cutoff": torch.tensor(CUTOFF, dtype=torch.float64),
        "l_max": torch.tensor(l_max),
        "extras": torch.tensor(extras),
        "radial": random(N_TYPES, N_TYPES, N_RADIAL, K_RADIAL),
        "angular": random(N_TYPES, N_TYPES, N_ANGULAR, K_ANGULAR),
        "net": 0.5 * random(N_TYPES, NEURONS * (width + 2) + 1),
        "scaler": 0.1 + 0.1 * random(width).abs(),
        "double_geometry": torch.tensor(1),
    }


def make_pairs(n_atoms: int = 8, per_atom: int = 9, longest: float = 6.0) -> Pairs:
    """Atoms with pairs of all lengths up to beyond the cutoffs, one atom without any."""
    counts = [0 if atom == 2 else per_atom for atom in range(n_atoms)]
    vectors, start, types, _ = random_pairs(N_TYPES, n_atoms, per_atom, shortest=1.0, longest=longest, counts=counts)
    return vectors, start, types, torch.arange(n_atoms) % N_TYPES


def energies_of(arrays: Arrays, *pairs: Tensor) -> Tensor:
    return nep.atomic_energies(arrays, *pairs, torch.zeros(2, dtype=torch.int64))


def evaluate(arrays: Arrays, pairs: Pairs) -> tuple[Tensor, Tensor]:
    return reference.evaluate("nep", arrays, *pairs, torch.zeros(2, dtype=torch.int64))


def g(distance: float, cutoff: float, coefficients: np.ndarray) -> list[float]:
    """Return all g_n of one distance."""
    if distance >= cutoff:
        return [0.0] * len(coefficients)
    smooth = 0.5 * (1 + math.cos(math.pi * distance / cutoff))
    x = 2 * (distance / cutoff - 1) ** 2 - 1
    basis = [smooth] + [0.5 * (math.cos(k * math.acos(x)) + 1) * smooth for k in range(1, coefficients.shape[1])]
    return [sum(c * f for c, f in zip(row, basis, strict=True)) for row in coefficients]


def loop_energies(arrays: Arrays, pairs: Pairs) -> list[float]:
    """Evaluate atom by atom and neighbour by neighbour, the angular part from cosines or as sums of one atom."""
    vectors, start, pair_types, atom_types = (tensor.numpy() for tensor in pairs)
    radial, angular, net = (arrays[name].numpy() for name in ("radial", "angular", "net"))
    l_max, extras, energies = int(arrays["l_max"]), arrays["extras"].tolist(), []
    for atom, central in enumerate(atom_types):
        q_radial = np.zeros(N_RADIAL)
        near: list[tuple[np.ndarray, list[float]]] = []
        for pair in range(start[atom], start[atom + 1]):
            other, distance = pair_types[pair], float(np.linalg.norm(vectors[pair]))
            cutoffs = [(CUTOFF[central][part] + CUTOFF[other][part]) / 2 for part in (0, 1)]
            q_radial += g(distance, cutoffs[0], radial[central, other])
            near.append((vectors[pair] / distance, g(distance, cutoffs[1], angular[central, other])))
        rows = []
        for degree in range(1, l_max + 1):
            row = [0.0] * N_ANGULAR
            for e_j, g_j in near:
                for e_k, g_k in near:
                    factor = (2 * degree + 1) / (4 * math.pi) * eval_legendre(degree, float(e_j @ e_k))
                    for n in range(N_ANGULAR):
                        row[n] += factor * g_j[n] * g_k[n]
            rows.append(row)
        for place, is_on in enumerate(extras):
            if is_on:
                rows.append([loop_extra(place, near, n) for n in range(N_ANGULAR)])
        q = np.concatenate([q_radial, *rows]) * arrays["scaler"].numpy()
        energy, width = -net[central, -1], len(q)
        for neuron in range(NEURONS):
            w0 = net[central, neuron * width : (neuron + 1) * width]
            b0, w1 = (net[central, NEURONS * (width + part) + neuron] for part in (0, 1))
            energy += w1 * math.tanh(sum(w * x for w, x in zip(w0, q, strict=True)) - b0)
        energies.append(energy)
    return energies


def loop_extra(place: int, near: list[tuple[np.ndarray, list[float]]], n: int) -> float:
    """Return an invariant, tested in `test_invariants.py`, of sums made neighbour by neighbour."""
    sums = torch.zeros(24, dtype=torch.float64)
    for direction, weights in near:
        sums += weights[n] * direction_functions(torch.from_numpy(direction).unsqueeze(0), 4)[0]
    return float(invariants(sums, 4, [int(place == other) for other in range(6)])[-1])


@pytest.mark.parametrize("l_max", [0, 1, 4, 8])
def test_equals_loops(l_max: int) -> None:
    arrays = make_arrays(l_max, tuple(int(extra.l_max <= l_max) for extra in EXTRAS))
    expected = torch.tensor(loop_energies(arrays, make_pairs()), dtype=torch.float64)
    torch.testing.assert_close(energies_of(arrays, *make_pairs()), expected, rtol=1e-12, atol=1e-12)


def test_each_radial_function_stands_alone() -> None:
    """A change of one coefficient changes the descriptors of its n alone, and only where its types meet."""
    arrays, pairs = make_arrays(), make_pairs()
    before = nep.descriptors(arrays, *pairs)
    arrays["radial"][1, 2, 0, 3] += 1.0
    changed = (nep.descriptors(arrays, *pairs) != before).nonzero()
    assert set(changed[:, 1].tolist()) == {0}
    assert set(pairs[3][changed[:, 0]].tolist()) == {1}
    arrays["angular"][0, 0, 1, 2] += 1.0
    changed = (nep.descriptors(arrays, *pairs)[:, N_RADIAL:] != before[:, N_RADIAL:]).nonzero()
    assert set((changed[:, 1] % N_ANGULAR).tolist()) == {1}


def test_derivatives() -> None:
    arrays, (vectors, *rest) = make_arrays(), make_pairs(n_atoms=3, per_atom=4)
    names = ("radial", "angular", "net")

    def energies(vectors: Tensor, *weights: Tensor) -> Tensor:
        return energies_of({**arrays, **dict(zip(names, weights, strict=True))}, vectors, *rest)

    inputs = [tensor.clone().requires_grad_() for tensor in (vectors, *(arrays[name] for name in names))]
    assert torch.autograd.gradcheck(energies, inputs, fast_mode=True)
    assert torch.autograd.gradgradcheck(energies, inputs, fast_mode=True)


def test_pairs_beyond_their_cutoffs_are_as_none() -> None:
    arrays, (vectors, start, pair_types, atom_types) = make_arrays(), make_pairs()
    gradients = evaluate(arrays, (vectors, start, pair_types, atom_types))[1]
    centers = torch.repeat_interleave(torch.arange(len(atom_types)), start.diff())
    cutoff = arrays["cutoff"][:, 0]
    is_near = vectors.norm(dim=1) < (cutoff[atom_types[centers]] + cutoff[pair_types]) / 2
    assert not gradients[~is_near].any()
    assert gradients[is_near].abs().sum(1).all()
    counts = torch.zeros(len(atom_types), dtype=torch.int64).index_add(
        0, centers[is_near], torch.ones(is_near.sum(), dtype=torch.int64)
    )
    fewer = (vectors[is_near], torch.cat([start[:1], counts.cumsum(0)]), pair_types[is_near], atom_types)
    assert torch.equal(energies_of(arrays, *fewer), energies_of(arrays, vectors, start, pair_types, atom_types))


def test_functions_and_their_slopes_end_at_the_cutoff() -> None:
    distances = torch.tensor([0.0, 1.0, 2.7, 4.9999], dtype=torch.float64, requires_grad=True)
    functions = nep.chebyshev_functions(distances, torch.full_like(distances, 5.0), 20)
    assert torch.equal(functions[0].detach(), torch.ones(20, dtype=torch.float64))
    assert functions[-1].abs().max() < 1e-8
    (slopes,) = torch.autograd.grad(functions.sum(), distances)
    assert slopes.isfinite().all()
    assert slopes[-1].abs() < 1e-2


@pytest.mark.parametrize(("dtype", "double", "tolerance"), [("float32", 1, 2e-6), ("float32", 0, 2e-5)])
def test_lower_precision(dtype: str, double: int, tolerance: float) -> None:
    arrays, pairs = make_arrays(), make_pairs()
    lower = {name: array.to(getattr(torch, dtype)) for name, array in arrays.items() if array.is_floating_point()}
    lower |= {"cutoff": arrays["cutoff"], "double_geometry": torch.tensor(double)}
    for ours, exact in zip(evaluate({**arrays, **lower}, pairs), evaluate(arrays, pairs), strict=True):
        assert ours.dtype == torch.float64
        assert 0 < (ours - exact).abs().max() <= tolerance * exact.abs().max()


def test_not_a_number_stays_visible() -> None:
    arrays, (vectors, *rest) = make_arrays(), make_pairs()
    vectors[0, 0] = torch.nan
    energies, gradients = evaluate(arrays, (vectors, *rest))
    assert energies[0].isnan()
    assert gradients[0].isnan().all()
    assert energies[1:].isfinite().all()


def test_no_pairs_and_no_atoms() -> None:
    arrays = make_arrays()
    nothing, none = torch.zeros(0, 3, dtype=torch.float64), torch.zeros(0, dtype=torch.int64)
    for n_atoms in (0, 2):
        energies, gradients = evaluate(arrays, (nothing, none.new_zeros(n_atoms + 1), none, none.new_zeros(n_atoms)))
        assert energies.shape == (n_atoms,)
        assert gradients.shape == (0, 3)
