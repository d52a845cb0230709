"""What ASE does with a calculator: equation of state, relaxation, phonons, dynamics; on known physics."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from ase import units
from ase.build import bulk
from ase.eos import EquationOfState
from ase.filters import UnitCellFilter
from ase.md.verlet import VelocityVerlet
from ase.optimize import BFGS
from ase.phonons import Phonons
from torch import Tensor

from pwmlff import PwmlffCalculator
from pwmlff.models import Potential
from pwmlff.models.base import Network
from pwmlff.units import EV_PER_A3_IN_GPA


class CopperTightBinding(Network):
    """Second-moment tight binding of Cu with the parameters of Cleri and Rosato (Phys. Rev. B 48, 22 (1993)).

    `E_i = sum_j A exp(-p (r/r0 - 1)) - sqrt(sum_j xi^2 exp(-2 q (r/r0 - 1)))`, faded to zero from 5.5 to 6.5 Å.

    Args:
        scale: Of all lengths.
    """

    def __init__(self, scale: float = 1.0) -> None:
        super().__init__()
        self.scale = scale
        self.cutoff = 6.5 * scale

    def forward(self, pair_vectors: Tensor, pair_start: Tensor, pair_types: Tensor, atom_types: Tensor) -> Tensor:
        centers = torch.repeat_interleave(torch.arange(len(atom_types)), pair_start[1:] - pair_start[:-1])
        distances = torch.linalg.vector_norm(pair_vectors, dim=1) / self.scale
        x = (distances - 5.5).clamp(min=0.0)
        fade = 1 - x**3 * (10 - 15 * x + 6 * x**2)
        stretch = distances / 2.556 - 1
        repulsion = 0.0855 * torch.exp(-10.96 * stretch) * fade
        hopping = 1.224**2 * torch.exp(-2 * 2.278 * stretch) * fade
        zero = torch.zeros(len(atom_types), dtype=torch.float64)
        return zero.index_add(0, centers, repulsion) - zero.index_add(0, centers, hopping).clamp(min=1e-12).sqrt()


@pytest.fixture
def calculator() -> PwmlffCalculator:
    return PwmlffCalculator(Potential(CopperTightBinding(), ["Cu"]), device="cpu")


def test_equation_of_state(calculator: PwmlffCalculator) -> None:
    volumes, energies = [], []
    for a in np.linspace(3.5, 3.72, 7):
        crystal = bulk("Cu", "fcc", a=a)
        crystal.calc = calculator
        volumes.append(crystal.get_volume())
        energies.append(crystal.get_potential_energy())
    volume, cohesion, modulus = EquationOfState(volumes, energies, eos="birchmurnaghan").fit()
    # experiment, to which the parameters were fitted: 3.615 Å, 3.544 eV, 142 GPa
    assert (4 * volume) ** (1 / 3) == pytest.approx(3.615, abs=0.02)
    assert cohesion == pytest.approx(-3.544, abs=0.05)
    assert modulus * EV_PER_A3_IN_GPA == pytest.approx(142, rel=0.1)


def test_relaxation_of_atoms_and_cell_finds_the_crystal(calculator: PwmlffCalculator) -> None:
    crystal = bulk("Cu", "fcc", a=3.70, cubic=True)
    crystal.set_cell(crystal.cell @ np.array([[1, 0, 0], [0.02, 1, 0], [0, 0.01, 0.98]]), scale_atoms=True)
    crystal.rattle(0.05, seed=1)
    crystal.calc = calculator
    assert BFGS(UnitCellFilter(crystal), logfile=None).run(fmax=1e-3, steps=60)
    np.testing.assert_allclose(crystal.get_stress(), 0.0, atol=1e-4)
    # twelve neighbours at one distance, as in the perfect crystal
    distances = np.sort(crystal.repeat(3).get_distances(0, range(1, 108), mic=True))
    np.testing.assert_allclose(distances[:12], 3.615 / np.sqrt(2), atol=0.02)
    assert np.ptp(distances[:12]) < 2e-3


def test_phonons(calculator: PwmlffCalculator, tmp_path: Path) -> None:
    phonons = Phonons(bulk("Cu", "fcc", a=3.615), calculator, supercell=(4, 4, 4), delta=0.02, name=tmp_path / "phonon")
    phonons.run()
    phonons.read(acoustic=True)
    frequencies = phonons.band_structure([[0, 0, 0], [0.5, 0.5, 0]]) / units._hplanck * units._e / 1e12  # THz
    np.testing.assert_allclose(frequencies[0], 0.0, atol=0.02)
    # X point; neutron scattering gives 5.1, 5.1 and 7.2 THz
    np.testing.assert_allclose(np.sort(frequencies[1]), [5.1, 5.1, 7.2], rtol=0.15)


def test_dynamics_conserve_energy(calculator: PwmlffCalculator) -> None:
    crystal = bulk("Cu", "fcc", a=3.63, cubic=True).repeat(2)
    crystal.calc = calculator
    widths = np.sqrt(crystal.get_masses() * units.kB * 600)
    crystal.set_momenta(np.random.default_rng(4).standard_normal((len(crystal), 3)) * widths[:, np.newaxis])
    start = crystal.get_momenta().sum(axis=0)
    dynamics = VelocityVerlet(crystal, timestep=0.5 * units.fs)
    totals = []
    for _ in range(200):
        dynamics.run(1)
        totals.append(crystal.get_total_energy() / len(crystal))
    first, last = np.mean(totals[:100]), np.mean(totals[100:])
    assert np.ptp(totals) < 2e-5  # eV/atom, the fluctuation of velocity Verlet
    assert last == pytest.approx(first, abs=1e-6)
    np.testing.assert_allclose(crystal.get_momenta().sum(axis=0), start, atol=1e-10)


def test_example_script(pytestconfig: pytest.Config, capsys: pytest.CaptureFixture[str]) -> None:
    """The example's three parts run on any potential that binds; here copper's, blown up to lithium's size."""
    path = pytestconfig.rootpath / "examples" / "ase" / "lithium.py"
    specification = importlib.util.spec_from_file_location("lithium", path)
    example = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(example)
    calculator = PwmlffCalculator(Potential(CopperTightBinding(scale=1.2), ["Li"]), device="cpu")
    a = example.equation_of_state(calculator)
    assert a == pytest.approx(2.87 * 1.2, abs=0.03)  # bcc copper of this potential
    example.phonons(calculator, a)
    example.dynamics(calculator, a)
    printed = capsys.readouterr().out
    pressure = re.search(r"from the stress: (\S+) GPa", printed)
    drift = re.search(r"energy drift (\S+) eV/atom/ps", printed)
    assert abs(float(pressure[1])) < 0.3  # of a bulk modulus of more than 50 GPa
    assert abs(float(drift[1])) < 1e-4
    assert printed.count("THz") == 3
