"""Forces and virial against differences of the energy, all taken in LAMMPS; heat flux against its definition."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from families import FAMILIES, small_potential

from pwmlff.data.batch import collate, make_sample
from pwmlff.export import export_potential
from pwmlff.models.files import read_model

BAR = 1.6021765e6  # eV/Å^3 in bar, as LAMMPS rounds it
HEAD = """
box tilt large
read_data data
change_box all triclinic
pair_style pwmlff {model}
pair_coeff * * Cu O
thermo_style custom step pe pxx pyy pzz pxy pxz pyz vol
thermo_modify format float %.16g
dump dump all custom 1000 dump id fx fy fz
dump_modify dump sort id format float %.16g
run 0
undump dump
"""


@pytest.fixture(scope="module", params=FAMILIES)
def smooth_model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model with random weights."""
    potential = small_potential(request.param, 4.5, ("O", "Cu"))
    return export_potential(potential, tmp_path_factory.mktemp("model") / "model.pt")


def test_forces(tmp_path: Path, crystal: Atoms, smooth_model: Path, run_script: Callable) -> None:
    step = 1e-4  # Å
    moves, commands = [(7, 0), (7, 1), (30, 2), (44, 0)], ""
    for atom, axis in moves:
        vector = np.eye(3)[axis] * step
        commands += f"group one id {atom + 1}\n"
        for factor in (1, -2):
            commands += "displace_atoms one move {} {} {} units box\nrun 0\n".format(*(factor * vector))
        commands += "displace_atoms one move {} {} {} units box\ngroup one delete\n".format(*vector)
    result = run_script(crystal, HEAD.format(model=smooth_model) + commands, ranks=2)
    forces = np.loadtxt(tmp_path / "dump", skiprows=9)[:, 1:]
    energies = [table["PotEng"][0] for table in result.tables[1:]]
    for (atom, axis), plus, minus in zip(moves, energies[::2], energies[1::2], strict=True):
        assert -(plus - minus) / (2 * step) == pytest.approx(forces[atom, axis], abs=1e-6)


@pytest.mark.parametrize("newton", ["on", "off"])
def test_virial(crystal: Atoms, smooth_model: Path, run_script: Callable, newton: str) -> None:
    strain = 1e-5
    (lx, _, _), (xy, ly, _), (xz, yz, lz) = crystal.cell.array
    commands, names = "", ("Pxx", "Pyy", "Pzz", "Pxy", "Pxz", "Pyz")
    for name in names:
        row, column = ("xyz".index(letter) for letter in name[1:])
        for sign in (1, -1):
            deformation = np.eye(3)
            deformation[row, column] += sign * strain
            (ax, _, _), (bx, by, _), (cx, cy, cz) = crystal.cell.array @ deformation.T
            commands += f"change_box all x final 0 {ax:.16g} y final 0 {by:.16g} z final 0 {cz:.16g} "
            commands += f"xy final {bx:.16g} xz final {cx:.16g} yz final {cy:.16g} remap units box\nrun 0\n"
            commands += f"change_box all x final 0 {lx:.16g} y final 0 {ly:.16g} z final 0 {lz:.16g} "
            commands += f"xy final {xy:.16g} xz final {xz:.16g} yz final {yz:.16g} remap units box\n"
    tables = run_script(crystal, HEAD.format(model=smooth_model) + commands, newton=newton).tables
    energies = [table["PotEng"][0] for table in tables[1:]]
    volume = tables[0]["Volume"][0]
    for name, plus, minus in zip(names, energies[::2], energies[1::2], strict=True):
        virial = tables[0][name][0] * volume / BAR
        assert -(plus - minus) / (2 * strain) == pytest.approx(virial, abs=2e-5)


@pytest.mark.parametrize(("ranks", "newton"), [(1, "on"), (2, "off")])
def test_heat_flux(
    tmp_path: Path, crystal: Atoms, as_frame: Callable, model: Path, run_script: Callable, ranks: int, newton: str
) -> None:
    """J = sum_i e_i v_i - sum_pairs r_ij (dE_i/dr_ij . v_j), the flux of a many-body energy."""
    commands = f"""
read_data data
pair_style pwmlff {model}
pair_coeff * * Cu O
velocity all create 600 1 loop geom
compute kinetic all ke/atom
compute potential all pe/atom
compute stress all centroid/stress/atom NULL virial
compute flux all heat/flux kinetic potential stress
thermo_style custom step c_flux[1] c_flux[2] c_flux[3]
thermo_modify format float %.16g
dump dump all custom 1 dump id vx vy vz c_kinetic
dump_modify dump sort id format float %.16g
run 0
"""
    table = run_script(crystal, commands, ranks=ranks, newton=newton).tables[0]
    dump = np.loadtxt(tmp_path / "dump", skiprows=9)
    velocities, kinetic = dump[:, 1:4], dump[:, 4]

    exported = read_model(model, trust=True).potential
    batch = collate([make_sample(as_frame(crystal), {29: 0, 8: 1}, exported.cutoff)])
    energies, gradients = exported.energies_and_gradients(*batch.pairs)
    power = (gradients.numpy() * velocities[batch.pair_neighbors.numpy()]).sum(axis=1)
    expected = ((energies.numpy() + kinetic)[:, None] * velocities).sum(axis=0)
    expected -= (batch.pair_vectors.numpy() * power[:, None]).sum(axis=0)
    flux = [table[f"c_flux[{d}]"][0] for d in (1, 2, 3)]
    np.testing.assert_allclose(flux, expected, rtol=1e-7)
