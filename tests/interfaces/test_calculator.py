"""The ASE calculator against the models it wraps, against derivatives of its own energy, and against LAMMPS."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from pathlib import Path

import ase.io
import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk, fcc111, molecule
from ase.calculators.calculator import PropertyNotImplementedError

from pwmlff import PwmlffCalculator
from pwmlff.data.batch import collate, make_sample
from pwmlff.data.frame import Frame
from pwmlff.errors import ConfigError, DataFormatError, ModelFileError
from pwmlff.evaluate.pair_model import PairModel
from pwmlff.models import Potential, predict

BAR = 1.6021765e6  # eV/Å^3 in bar, as LAMMPS rounds it
TIME_LIMIT = 120  # s


@pytest.fixture
def calculator(potential: Potential) -> PwmlffCalculator:
    return PwmlffCalculator(potential, device="cpu")


@pytest.fixture
def crystal() -> Atoms:
    """Eight atoms of a perturbed, sheared Cu-Au crystal in a cell thinner than the cutoff, some outside of it."""
    rng = np.random.default_rng(2)
    atoms = bulk("Cu", "fcc", a=3.8, cubic=True).repeat((2, 1, 1))
    atoms.symbols[[1, 4, 6]] = "Au"
    atoms.set_cell(atoms.cell @ np.array([[1, 0, 0], [0.1, 1, 0], [0.05, 0.2, 1]]), scale_atoms=True)
    atoms.positions += 0.1 * rng.standard_normal(atoms.positions.shape)
    atoms.positions[3] += atoms.cell[0] - 2 * atoms.cell[2]
    return atoms


def energy(atoms: Atoms, calculator: PwmlffCalculator) -> float:
    moved = atoms.copy()
    moved.calc = calculator
    return moved.get_potential_energy()


def test_import_of_the_package_stays_light() -> None:
    """`import pwmlff` costs neither torch nor ASE; the calculator is there all the same."""
    code = "import sys, pwmlff; assert not {'torch', 'ase'} & set(sys.modules); pwmlff.PwmlffCalculator"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=TIME_LIMIT)


def test_agrees_with_predict(
    calculator: PwmlffCalculator, potential: Potential, two_element_frames: list[Frame]
) -> None:
    for frame in two_element_frames:
        expected = predict(potential, collate([make_sample(frame, potential.type_of, potential.cutoff)]))
        atoms = Atoms(frame.atomic_numbers, positions=frame.positions, cell=frame.cell, pbc=True)
        atoms.calc = calculator
        assert atoms.get_potential_energy() == pytest.approx(expected.energy.item(), abs=1e-12)
        assert atoms.get_potential_energy(force_consistent=True) == atoms.get_potential_energy()
        np.testing.assert_allclose(atoms.get_potential_energies(), expected.atomic_energies, atol=1e-12)
        np.testing.assert_allclose(atoms.get_forces(), expected.forces, atol=1e-12)
        stress = atoms.get_stress(voigt=False)
        np.testing.assert_allclose(-stress * atoms.get_volume(), expected.virial[0], atol=1e-11)


def test_blocks_of_atoms_add_up(potential: Potential, two_element_frames: list[Frame]) -> None:
    model = PairModel.of_potential(potential, torch.device("cpu"))
    sample = make_sample(two_element_frames[2], model.type_of, model.cutoff)
    whole, pieces = model.evaluate(sample), model.evaluate(sample, max_pairs=100)
    np.testing.assert_allclose(pieces.atomic_energies, whole.atomic_energies, atol=1e-12)
    np.testing.assert_allclose(pieces.forces, whole.forces, atol=1e-12)
    np.testing.assert_allclose(pieces.atomic_virials, whole.atomic_virials, atol=1e-12)
    single_atoms = model.evaluate(sample, max_pairs=1)  # fewer than any atom has
    np.testing.assert_allclose(single_atoms.forces, whole.forces, atol=1e-12)


def test_forces_are_the_derivative_of_the_energy(calculator: PwmlffCalculator, crystal: Atoms) -> None:
    crystal.calc = calculator
    forces, step = crystal.get_forces(), 1e-4
    np.testing.assert_allclose(forces.sum(axis=0), 0.0, atol=1e-12)
    for atom, axis in [(0, 0), (3, 1), (4, 2), (7, 0)]:
        ends = []
        for sign in (1, -1):
            moved = crystal.copy()
            moved.positions[atom, axis] += sign * step
            ends.append(energy(moved, calculator))
        assert -(ends[0] - ends[1]) / (2 * step) == pytest.approx(forces[atom, axis], abs=1e-7)


def test_stress_is_the_derivative_by_strain(calculator: PwmlffCalculator, crystal: Atoms) -> None:
    crystal.calc = calculator
    stress, step = crystal.get_stress(voigt=False), 1e-5
    for a, b in [(0, 0), (1, 1), (2, 2), (0, 1), (2, 0), (1, 2)]:
        ends = []
        for sign in (1, -1):
            strain = np.eye(3)
            strain[a, b] += sign * step
            moved = crystal.copy()
            moved.set_cell(crystal.cell @ strain, scale_atoms=True)
            ends.append(energy(moved, calculator))
        assert (ends[0] - ends[1]) / (2 * step) / crystal.get_volume() == pytest.approx(stress[a, b], abs=1e-8)


def test_atomic_parts_add_up(calculator: PwmlffCalculator, crystal: Atoms) -> None:
    crystal.calc = calculator
    assert crystal.get_potential_energies().sum() == pytest.approx(crystal.get_potential_energy(), abs=1e-12)
    np.testing.assert_allclose(crystal.get_stresses().sum(axis=0), crystal.get_stress(), atol=1e-14)


def test_checkpoint_exported_model_and_potential_agree(
    calculator: PwmlffCalculator, checkpoint: Path, exported: Path, crystal: Atoms
) -> None:
    crystal.calc = calculator
    expected = {name: crystal.calc.get_property(name, crystal) for name in calculator.implemented_properties}
    for path in (checkpoint, exported, str(checkpoint)):
        other = PwmlffCalculator(path)
        assert other.elements == ("Cu", "Au")
        assert other.cutoff == 4.5
        for name, value in expected.items():
            np.testing.assert_allclose(other.get_property(name, crystal), value, atol=1e-10)


def test_supercell(calculator: PwmlffCalculator, crystal: Atoms) -> None:
    large = crystal.repeat((1, 2, 3))
    crystal.calc, large.calc = calculator, copy.deepcopy(calculator)
    assert large.get_potential_energy() == pytest.approx(6 * crystal.get_potential_energy(), abs=1e-10)
    np.testing.assert_allclose(large.get_forces(), np.tile(crystal.get_forces(), (6, 1)), atol=1e-10)
    np.testing.assert_allclose(large.get_stress(), crystal.get_stress(), atol=1e-12)


def test_a_molecule_has_no_stress(calculator: PwmlffCalculator) -> None:
    dimer = Atoms("CuAu", positions=[[0, 0, 0], [0, 0, 2.5]], calculator=calculator)
    np.testing.assert_allclose(dimer.get_forces().sum(axis=0), 0.0, atol=1e-13)
    boxed = dimer.copy()
    boxed.center(vacuum=8.0)  # a cell, but not periodic
    for atoms in (dimer, boxed):
        atoms.calc = calculator
        for ask in (atoms.get_stress, atoms.get_stresses):
            with pytest.raises(PropertyNotImplementedError, match="three cell vectors and a periodic direction"):
                ask()
        assert np.isfinite(atoms.get_potential_energy())
    assert energy(boxed, calculator) == pytest.approx(energy(dimer, calculator), abs=1e-12)


def test_a_slab_is_periodic_in_its_plane(calculator: PwmlffCalculator) -> None:
    """Images across the vacuum do not exist, and stress in the plane is the derivative by strain."""
    slab = fcc111("Cu", (2, 2, 3), a=3.7, vacuum=1.0)
    slab.pbc = [True, True, False]
    slab.calc = calculator
    spacious = slab.copy()
    spacious.center(vacuum=9.0, axis=2)
    spacious.pbc = True
    assert slab.get_potential_energy() == pytest.approx(energy(spacious, calculator), abs=1e-11)
    ends = []
    for sign in (1, -1):
        moved = slab.copy()
        moved.set_cell(slab.cell @ np.diag([1 + sign * 1e-5, 1, 1]), scale_atoms=True)
        ends.append(energy(moved, calculator))
    assert (ends[0] - ends[1]) / 2e-5 / slab.get_volume() == pytest.approx(slab.get_stress()[0], abs=1e-8)


def test_one_atom_alone(calculator: PwmlffCalculator) -> None:
    atom = Atoms("Cu", calculator=calculator)
    assert np.isfinite(atom.get_potential_energy())
    np.testing.assert_array_equal(atom.get_forces(), np.zeros((1, 3)))


def test_changes_are_noticed(calculator: PwmlffCalculator, crystal: Atoms) -> None:
    crystal.calc = calculator
    seen = [crystal.get_potential_energy()]

    def value_after_a_change() -> float:
        assert calculator.check_state(crystal)
        new = crystal.get_potential_energy()
        assert all(abs(new - old) > 1e-6 for old in seen)
        seen.append(new)
        assert crystal.get_potential_energy() == new
        return new

    crystal.positions[0, 0] += 0.05
    value_after_a_change()
    crystal.set_cell(crystal.cell * 1.01, scale_atoms=False)
    value_after_a_change()
    crystal.symbols[0] = "Au"
    value_after_a_change()
    crystal.pbc = [True, False, True]
    value_after_a_change()
    crystal.set_initial_magnetic_moments(np.ones(len(crystal)))
    assert not calculator.check_state(crystal)


def test_results_belong_to_the_caller(calculator: PwmlffCalculator, crystal: Atoms) -> None:
    crystal.calc = calculator
    forces = crystal.get_forces()
    forces[:] = 0.0
    assert np.abs(crystal.get_forces()).max() > 1e-3


def test_training_that_goes_on_changes_nothing(potential: Potential, crystal: Atoms) -> None:
    growing = copy.deepcopy(potential)
    crystal.calc = PwmlffCalculator(growing)
    before = crystal.get_potential_energy()
    with torch.no_grad():
        for weights in growing.parameters():
            weights.add_(0.1)
    crystal.rattle(1e-12)
    assert crystal.get_potential_energy() == pytest.approx(before, abs=1e-8)
    assert all(weights.requires_grad for weights in growing.parameters())


def test_forces_under_no_grad(calculator: PwmlffCalculator, exported: Path, crystal: Atoms) -> None:
    crystal.calc = calculator
    expected = crystal.get_forces()
    for other in (copy.deepcopy(calculator), PwmlffCalculator(exported)):
        other.results = {}
        crystal.calc = other
        with torch.no_grad():
            np.testing.assert_allclose(crystal.get_forces(), expected, atol=1e-10)


@pytest.mark.parametrize("source", ["potential", "checkpoint", "exported"])
def test_copies_and_pickles(source: str, request: pytest.FixtureRequest, crystal: Atoms) -> None:
    crystal.calc = PwmlffCalculator(request.getfixturevalue(source))
    expected = crystal.get_potential_energy()
    for twin in (copy.deepcopy(crystal), pickle.loads(pickle.dumps(crystal))):
        assert twin.calc is not crystal.calc
        assert twin.calc.results["energy"] == expected  # what was computed comes along
        twin.calc.results = {}
        assert twin.get_potential_energy() == pytest.approx(expected, abs=1e-12)
        twin.rattle(0.1)
        assert twin.get_potential_energy() != crystal.get_potential_energy()


def test_a_written_trajectory_knows_its_results(calculator: PwmlffCalculator, crystal: Atoms, tmp_path: Path) -> None:
    crystal.calc = calculator
    stress = crystal.get_stress()
    for name in ("frame.traj", "frame.xyz"):
        ase.io.write(tmp_path / name, crystal)
        back = ase.io.read(tmp_path / name)
        assert back.get_potential_energy() == pytest.approx(crystal.get_potential_energy(), abs=1e-7)
        np.testing.assert_allclose(back.get_stress(), stress, atol=1e-7)


def test_clear_errors(calculator: PwmlffCalculator, checkpoint: Path, tmp_path: Path) -> None:
    water = molecule("H2O")
    water.calc = calculator
    with pytest.raises(DataFormatError, match=r"ASE structure H2O .* holds H, but .* only Cu, Au"):
        water.get_forces()
    twins = Atoms("Cu2", calculator=calculator)
    with pytest.raises(DataFormatError, match="same place"):
        twins.get_forces()
    broken = Atoms("Cu", positions=[[np.nan, 0, 0]], calculator=calculator)
    with pytest.raises(DataFormatError, match="expected finite numbers"):
        broken.get_forces()
    flat = Atoms("Cu", pbc=True, calculator=calculator)
    with pytest.raises(DataFormatError, match="cell spans no volume"):
        flat.get_forces()
    with pytest.raises(ModelFileError, match=r"absent\.ckpt"):
        PwmlffCalculator(tmp_path / "absent.ckpt")
    (tmp_path / "notes.txt").write_text("no model")
    with pytest.raises(ModelFileError, match=r"notes\.txt"):
        PwmlffCalculator(tmp_path / "notes.txt")
    with pytest.raises(ConfigError, match="unknown device 'gpu'"):
        PwmlffCalculator(checkpoint, device="gpu")
    with pytest.raises(ConfigError, match=r"`device` cannot be set"):
        calculator.set(device="cuda")


@pytest.mark.parametrize("pbc", [False, True])
def test_a_run_that_explodes_ends_in_an_exception(calculator: PwmlffCalculator, crystal: Atoms, pbc: bool) -> None:
    """An atom 1e6 Å away once killed Python by a division by zero in the neighbour search."""
    crystal.pbc = pbc
    crystal.calc = calculator
    crystal.positions[0, 0] += 9e5
    assert np.isfinite(crystal.get_potential_energy())
    crystal.positions[0, 0] += 1e7
    with pytest.raises(DataFormatError, match="`positions` row 0 reaches"):
        crystal.get_potential_energy()


def test_nothing_finite_is_an_error(potential: Potential, crystal: Atoms) -> None:
    diverged = copy.deepcopy(potential)
    diverged.set_energy_shift(np.array([np.nan, 0.0]))
    crystal.calc = PwmlffCalculator(diverged)
    with pytest.raises(ModelFileError, match="predicts nan eV"):
        crystal.get_potential_energy()


@pytest.mark.parametrize("pbc", [(True, True, True), (True, False, True)])
def test_agrees_with_lammps_atom_by_atom(
    calculator: PwmlffCalculator, exported: Path, crystal: Atoms, tmp_path: Path, pbc: tuple[bool, bool, bool]
) -> None:
    lmp = Path(sys.executable).parent / "lmp"
    if not lmp.is_file():
        pytest.skip("lmp is not installed")
    crystal.wrap()
    crystal.pbc = pbc
    crystal.calc = calculator
    ase.io.write(tmp_path / "data", crystal, format="lammps-data", specorder=["Cu", "Au"], masses=True)
    boundary = " ".join("p" if periodic else "m" for periodic in pbc)
    (tmp_path / "in.lammps").write_text(_INPUT.format(model=exported, boundary=boundary))
    command = [lmp, "-in", "in.lammps", "-log", "none", "-nocite"]
    finished = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=TIME_LIMIT, check=False)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    table = np.loadtxt(tmp_path / "dump", skiprows=9)
    np.testing.assert_allclose(table[:, 1:4], crystal.get_forces(), atol=1e-9)
    np.testing.assert_allclose(table[:, 4], crystal.get_potential_energies(), atol=1e-10)
    stresses = crystal.get_stresses()[:, [0, 1, 2, 5, 4, 3]]  # LAMMPS: xx yy zz xy xz yz
    np.testing.assert_allclose(table[:, 5:] / BAR, stresses * crystal.get_volume(), atol=1e-9)


_INPUT = """
units metal
boundary {boundary}
atom_modify map array
read_data data
pair_style pwmlff {model}
pair_coeff * * Cu Au
compute energy all pe/atom
compute stress all stress/atom NULL virial
dump atoms all custom 1 dump id fx fy fz c_energy c_stress[*]
dump_modify atoms sort id format float %.16g
run 0
"""
