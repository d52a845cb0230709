"""Equation of state, phonons and molecular dynamics of bcc lithium with a trained model in ASE.

    python lithium.py ../li27/model_record/dp_model_best.ckpt

The model is a checkpoint or the `.pt` file that `pwmlff export` makes of it. Takes well under a minute.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from ase import Atoms, units
from ase.build import bulk
from ase.eos import EquationOfState
from ase.md.langevin import Langevin
from ase.md.verlet import VelocityVerlet
from ase.phonons import Phonons

from pwmlff import PwmlffCalculator

TEMPERATURE = 300  # K
GPA = 1 / units.GPa  # GPa per eV/Å^3
THZ = 1e-12 * units._e / units._hplanck  # THz per eV
SPECIAL_POINTS = {"H": [-0.5, 0.5, 0.5], "P": [0.25, 0.25, 0.25], "N": [0.0, 0.5, 0.0]}


def equation_of_state(calculator: PwmlffCalculator) -> float:
    """Fit energies of eleven lattice parameters; return the equilibrium one."""
    volumes, energies = [], []
    for a in np.linspace(3.30, 3.58, 11):
        crystal = bulk("Li", "bcc", a=a)
        crystal.calc = calculator
        volumes.append(crystal.get_volume())
        energies.append(crystal.get_potential_energy())
    volume, energy, modulus = EquationOfState(volumes, energies, eos="birchmurnaghan").fit()
    a = (2 * volume) ** (1 / 3)
    print(f"equation of state   a = {a:.4f} Å, E = {energy:.5f} eV/atom, B = {modulus * GPA:.1f} GPa")
    crystal = bulk("Li", "bcc", a=a)
    crystal.calc = calculator
    print(f"                    pressure there, from the stress: {-crystal.get_stress()[:3].mean() * GPA:+.3f} GPa")
    return a


def phonons(calculator: PwmlffCalculator, a: float) -> None:
    """Print phonon frequencies at the corners of the Brillouin zone, from finite displacements."""
    with TemporaryDirectory() as folder:
        crystal = bulk("Li", "bcc", a=a)
        vibrations = Phonons(crystal, calculator, supercell=(6, 6, 6), delta=0.02, name=Path(folder) / "phonon")
        vibrations.run()
        vibrations.read(acoustic=True)
    for name, point in SPECIAL_POINTS.items():
        frequencies = vibrations.band_structure([point])[0] * THZ
        print(f"phonons at {name}        {'  '.join(f'{value:6.3f}' for value in np.sort(frequencies))} THz")


def dynamics(calculator: PwmlffCalculator, a: float) -> None:
    """Run 54 atoms at a constant temperature, then at constant energy."""
    rng = np.random.default_rng(1)
    crystal = bulk("Li", "bcc", a=a, cubic=True).repeat(3)
    crystal.calc = calculator
    widths = np.sqrt(crystal.get_masses() * units.kB * 2 * TEMPERATURE)  # half of it goes into potential energy
    crystal.set_momenta(rng.standard_normal((len(crystal), 3)) * widths[:, np.newaxis])
    heat_bath = Langevin(
        crystal, 1 * units.fs, temperature_K=TEMPERATURE, friction=0.02 / units.fs, fixcm=False, rng=rng
    )
    _, temperatures = _follow(heat_bath, crystal, 400)
    print(f"Langevin dynamics   {temperatures[200:].mean():.0f} K in the second half of 0.4 ps")
    energies, temperatures = _follow(VelocityVerlet(crystal, 1 * units.fs), crystal, 400)
    drift = np.polyfit(np.arange(400) / 1000, energies, 1)[0]
    print(f"Verlet dynamics     {temperatures.mean():.0f} K, energy drift {drift:+.1e} eV/atom/ps in 0.4 ps")


def _follow(run: Langevin | VelocityVerlet, crystal: Atoms, n_steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Total energies (eV/atom) and temperatures (K) of each step."""
    energies, temperatures = [], []
    for _ in run.irun(n_steps - 1):
        energies.append(crystal.get_total_energy() / len(crystal))
        temperatures.append(crystal.get_temperature())
    return np.array(energies), np.array(temperatures)


def main() -> None:
    parser = argparse.ArgumentParser(description="Bulk properties of lithium with a trained model")
    parser.add_argument("model", type=Path, help="checkpoint or exported model that knows Li")
    calculator = PwmlffCalculator(parser.parse_args().model)
    a = equation_of_state(calculator)
    phonons(calculator, a)
    dynamics(calculator, a)


if __name__ == "__main__":
    main()
