"""Pairs at random places, and a stored model on the native kernels and on its twin, for the tests of each family."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from pwmlff.ops import StoredModel, make_evaluator, reference

Arrays = dict[str, Tensor]
Pairs = tuple[Tensor, Tensor, Tensor, Tensor]  # vectors, start, types of neighbours, types of atoms


def random_pairs(
    n_types: int, n_atoms: int, most: int, *, shortest: float, longest: float = 6.0, counts: Sequence[int] = ()
) -> Pairs:
    """Return atoms with 0 to `most` pairs each, of all lengths; the first atoms have `counts` of them."""
    generator = torch.Generator().manual_seed(5)
    n_pairs = torch.randint(0, most + 1, (n_atoms,), generator=generator)
    n_pairs[: len(counts)] = torch.tensor(counts, dtype=torch.int64)
    start = torch.cat([torch.zeros(1, dtype=torch.int64), n_pairs.cumsum(0)])
    directions = torch.randn(int(start[-1]), 3, generator=generator, dtype=torch.float64)
    lengths = shortest + (longest - shortest) * torch.rand(len(directions), 1, generator=generator, dtype=torch.float64)
    pair_types = torch.randint(0, n_types, (len(directions),), generator=generator)
    atom_types = torch.randint(0, n_types, (n_atoms,), generator=generator)
    return torch.nn.functional.normalize(directions) * lengths, start, pair_types, atom_types


def by_twin(family: str, arrays: Arrays, pairs: Pairs) -> tuple[Tensor, Tensor]:
    """Return atomic energies and pair gradients of the PyTorch twin."""
    return reference.evaluate(family, arrays, *pairs, torch.zeros(2, dtype=torch.int64))


def by_kernels(family: str, arrays: Arrays, pairs: Pairs) -> tuple[Tensor, Tensor]:
    """Return them of the native kernels."""
    return make_evaluator(StoredModel(family, arrays))(*pairs)


def assert_close(actual: Sequence[Tensor], expected: Sequence[Tensor], tolerance: float = 1e-12) -> None:
    """Compare by the largest number of each."""
    for a, b in zip(actual, expected, strict=True):
        assert a.dtype == b.dtype == torch.float64
        assert (a - b).abs().max() <= tolerance * b.abs().max()


@contextmanager
def threads(n: int) -> Iterator[None]:
    """Run on so many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def assert_threads_agree(family: str, arrays: Arrays, pairs: Pairs) -> None:
    """Energies and gradients are the same to the last bit, for atoms do not share sums."""
    model = make_evaluator(StoredModel(family, arrays))
    results = []
    for n in (1, 2, 3):
        with threads(n):
            results.append(model(*pairs))
    for energies, gradients in results[1:]:
        assert torch.equal(energies, results[0][0])
        assert torch.equal(gradients, results[0][1])


def assert_nothing_is_nothing(family: str, arrays: Arrays) -> None:
    """No atoms, and atoms without pairs."""
    nothing, none = torch.zeros(0, 3, dtype=torch.float64), torch.zeros(0, dtype=torch.int64)
    for n_atoms in (0, 2):
        pairs = (nothing, none.new_zeros(n_atoms + 1), none, none.new_zeros(n_atoms))
        energies, gradients = by_kernels(family, arrays, pairs)
        assert gradients.shape == (0, 3)
        torch.testing.assert_close(energies, by_twin(family, arrays, pairs)[0], rtol=1e-13, atol=0)


def assert_what_every_family_may_have(family: str, arrays: Arrays, pairs: Pairs, n_types: int) -> None:
    """An energy shift and a repulsion are added."""
    more = {
        "energy_shift": torch.tensor([-3.0, 5.0, 1.0][:n_types], dtype=torch.float64),
        "repulsion.range": torch.tensor([1.0, 2.0], dtype=torch.float64),
        "repulsion.strength": torch.tensor(14.4, dtype=torch.float64),
        "repulsion.charges": torch.tensor([79.0, 29.0, 8.0][:n_types], dtype=torch.float64),
    }
    whole = by_kernels(family, {**arrays, **more}, pairs)
    assert (whole[1] - by_kernels(family, arrays, pairs)[1]).abs().max() > 1.0
    assert_close(whole, by_twin(family, {**arrays, **more}, pairs))


def assert_not_a_number_is_seen_and_leaves_no_trace(family: str, arrays: Arrays, pairs: Pairs, place: int) -> None:
    """Buffers outlive a call, and vectors are filled with what others have left."""
    vectors, *rest = pairs
    model = make_evaluator(StoredModel(family, arrays))
    spoiled = vectors.clone()
    spoiled[place, 0] = torch.nan
    with threads(1):  # one workspace
        expected = model(vectors, *rest)
        energies, gradients = model(spoiled, *rest)
        all_spoiled = model(torch.full_like(vectors, torch.nan), *rest)
        after = model(vectors, *rest)
    centers = torch.repeat_interleave(torch.arange(len(energies)), rest[0].diff())
    others = torch.arange(len(energies)) != centers[place]
    assert energies[centers[place]].isnan()
    assert gradients[place].isnan().all()
    assert torch.equal(energies[others], expected[0][others])
    assert torch.equal(gradients[others[centers]], expected[1][others[centers]])
    assert all_spoiled[1].isnan().all()
    assert torch.equal(after[0], expected[0])
    assert torch.equal(after[1], expected[1])
