"""Fixtures shared by all tests: small labelled frames made on the spot, and the folder of real data if there is one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from pwmlff.data.frame import Frame

if TYPE_CHECKING:
    from ase import Atoms

DATA_VARIABLE = "PWMLFF_TEST_DATA"  # folder of first-principles data sets for the tests that want them


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """Run torch on one thread: the tests' tensors are small, and sums keep one order on every machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    """Give every test the same global torch state, whatever ran before it."""
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def shared_data(pytestconfig: pytest.Config) -> Path:
    """Folder of real data sets; tests that ask for it skip where it is absent."""
    given = os.environ.get(DATA_VARIABLE)
    folder = Path(given) if given else pytestconfig.rootpath.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real data: set {DATA_VARIABLE} to its folder")
    return folder


@pytest.fixture(scope="session")
def label() -> Callable[..., Frame]:
    """Return a function that makes ASE atoms a frame with the energy, forces and virial of EMT."""
    from ase.calculators.emt import EMT

    def make(atoms: Atoms, source: str = "", index: int = 0) -> Frame:
        atoms.calc = EMT()
        return Frame(
            atomic_numbers=atoms.numbers,
            positions=atoms.positions,
            cell=atoms.cell.array,
            pbc=atoms.pbc,
            energy=atoms.get_potential_energy(),
            forces=atoms.get_forces(),
            virial=-atoms.get_stress(voigt=False) * atoms.get_volume(),
            source=source,
            index=index,
        )

    return make


@pytest.fixture(scope="session")
def cu_frames(label: Callable[..., Frame]) -> list[Frame]:
    """Six frames of a perturbed and strained 32-atom fcc Cu cell, labelled by ASE's EMT potential."""
    from ase.build import bulk

    rng = np.random.default_rng(20)
    crystal = bulk("Cu", "fcc", a=3.61, cubic=True).repeat((2, 2, 2))
    return [label(_shaken(crystal, rng), "cu.xyz", index) for index in range(6)]


@pytest.fixture(scope="session")
def two_element_frames(label: Callable[..., Frame]) -> list[Frame]:
    """Six frames of perturbed fcc Cu-Au cells of 4 to 16 atoms and all compositions, labelled by EMT."""
    from ase.build import bulk

    rng = np.random.default_rng(30)
    frames = []
    for index, repeat in enumerate([(1, 1, 1), (2, 1, 1), (2, 2, 1), (1, 1, 2), (2, 2, 1), (1, 2, 1)]):
        crystal = bulk("Cu", "fcc", a=3.8, cubic=True).repeat(repeat)
        n_gold = (0, 4, 8, 2, 5, 8)[index]  # pure and mixed cells
        crystal.numbers[rng.permutation(len(crystal))[:n_gold]] = 79
        frames.append(label(_shaken(crystal, rng), "cuau.xyz", index))
    return frames


def _shaken(crystal: Atoms, rng: np.random.Generator) -> Atoms:
    """Copy a crystal with its cell strained by about 2 % and its atoms displaced by about 0.1 Å."""
    atoms = crystal.copy()
    atoms.set_cell(atoms.cell @ (np.eye(3) + 0.02 * rng.standard_normal((3, 3))), scale_atoms=True)
    atoms.positions += 0.1 * rng.standard_normal(atoms.positions.shape)
    return atoms
