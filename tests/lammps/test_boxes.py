"""Boxes of every kind, against the same model on a brute-force list of periodic images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from ase import Atoms

from pwmlff.elements import atomic_number_of
from pwmlff.models.files import read_model


def brute_force(atoms: Atoms, path: Path) -> tuple[float, np.ndarray]:
    """Return energy and forces from a plain loop over images, which shares no code with any neighbour list."""
    exported = read_model(path, trust=True).potential
    cutoff, elements = exported.cutoff, exported.elements
    # lengths of the dual vectors: inverse distances between the faces of the cell
    duals = np.linalg.norm(np.linalg.inv(atoms.cell.array), axis=0)
    reach = np.where(atoms.pbc, np.ceil(cutoff * duals).astype(int) + 1, 0)
    images = np.array(list(np.ndindex(*(2 * reach + 1)))) - reach
    types = np.array([[atomic_number_of(e) for e in elements].index(z) for z in atoms.numbers])
    vectors, start, neighbors = [], [0], []
    for i in range(len(atoms)):
        for j in range(len(atoms)):
            r = atoms.positions[j] - atoms.positions[i] + images @ atoms.cell.array
            distance = np.linalg.norm(r, axis=1)
            near = (distance < cutoff) & ((i != j) | images.any(axis=1))
            vectors.append(r[near])
            neighbors += [j] * int(near.sum())
        start.append(len(neighbors))
    energies, gradients = exported.energies_and_gradients(
        torch.from_numpy(np.concatenate(vectors)),
        torch.tensor(start),
        torch.from_numpy(types[neighbors]),
        torch.from_numpy(types),
    )
    g = gradients.numpy()
    centers = np.repeat(np.arange(len(atoms)), np.diff(start))
    forces = np.zeros((len(atoms), 3))
    np.add.at(forces, centers, g)
    np.add.at(forces, neighbors, -g)
    return float(energies.sum()), forces


@pytest.mark.parametrize("newton", ["on", "off"])
@pytest.mark.parametrize("axis", [0, 2])
def test_thickness_swept(
    tmp_path: Path, crystal: Atoms, model: Path, run_script: Callable, newton: str, axis: int
) -> None:
    """From a box thinner than half the cutoff to one wider than twice the cutoff."""
    atoms = crystal[:3]
    atoms.positions = [[0.3, 0.2, 0.1], [2.1, 1.7, 0.9], [3.6, 0.4, 1.2]]
    thicknesses = [1.7, 1.99, 2.01, 3.9, 4.05, 7.99, 8.4]
    sizes = np.full(3, 5.1)
    frames, commands = [], ""
    for number, thickness in enumerate(thicknesses):
        sizes[axis] = thickness
        frame = atoms.copy()
        frame.set_cell(np.diag(sizes))
        frame.positions[:, axis] *= thickness / 5.0
        frames.append(frame)
        moves = "\n".join(f"set atom {k + 1} x {x} y {y} z {z}" for k, (x, y, z) in enumerate(frame.positions))
        bounds = " ".join(f"{name} final 0 {size}" for name, size in zip("xyz", sizes, strict=True))
        commands += f"""
change_box all {bounds} units box
{moves}
dump dump all custom 1 dump.{number} id fx fy fz
dump_modify dump sort id format float %.16g
run 0
undump dump
"""
    start = atoms.copy()
    start.set_cell([5.1, 5.1, 5.1])
    head = f"""
comm_modify cutoff 7.0
read_data data
pair_style pwmlff {model}
pair_coeff * * Cu O
thermo_style custom step pe
thermo_modify format float %.16g
"""
    tables = run_script(start, head + commands, newton=newton).tables
    for number, frame in enumerate(frames):
        energy, forces = brute_force(frame, model)
        assert tables[number]["PotEng"][0] == pytest.approx(energy, abs=1e-9), thicknesses[number]
        dumped = np.loadtxt(tmp_path / f"dump.{number}", skiprows=9)[:, 1:]
        np.testing.assert_allclose(dumped, forces, rtol=0, atol=1e-8)


@pytest.mark.parametrize("pbc", [(True, True, False), (False, True, False)])
def test_slab_and_rod(crystal: Atoms, model: Path, run_lammps: Callable, pbc: tuple[bool, bool, bool]) -> None:
    atoms = crystal[:10]
    atoms.set_cell([9.0, 8.0, 20.0])
    atoms.positions += [1.5, 1.0, 5.0]
    atoms.pbc = pbc
    energy, forces = brute_force(atoms, model)
    result = run_lammps(atoms, f"pwmlff {model}", ranks=2)
    assert result.energy == pytest.approx(energy, abs=1e-9)
    np.testing.assert_allclose(result.forces, forces, rtol=0, atol=1e-8)


def test_strongly_tilted(crystal: Atoms, model: Path, run_lammps: Callable) -> None:
    cell = [[5.2, 0, 0], [2.5, 5.0, 0], [-2.4, 2.3, 4.8]]
    atoms = Atoms(
        "CuOCuO", positions=[[0, 0, 0], [2.4, 0.3, 0.2], [1.0, 2.5, 0.4], [2.0, 2.2, 2.6]], cell=cell, pbc=True
    )
    energy, forces = brute_force(atoms, model)
    result = run_lammps(atoms, f"pwmlff {model}", newton="off", ranks=2)
    assert result.energy == pytest.approx(energy, abs=1e-9)
    np.testing.assert_allclose(result.forces, forces, rtol=0, atol=1e-8)


def test_replicated_box(crystal: Atoms, model: Path, run_script: Callable) -> None:
    style = f"pair_style pwmlff {model}\npair_coeff * * Cu O\nthermo_style custom step pe pxy\n"
    style += "thermo_modify format float %.16g\n"
    commands = f"read_data data\n{style}run 0\nreplicate 2 1 2\nrun 0\n"
    one, four = run_script(crystal, commands).tables
    assert four["PotEng"][0] == pytest.approx(4 * one["PotEng"][0], rel=1e-12)
    assert four["Pxy"][0] == pytest.approx(one["Pxy"][0], rel=1e-9)


def test_close_contact_is_finite(model: Path, run_lammps: Callable, expect: Callable) -> None:
    atoms = Atoms("CuO", positions=[[1, 1, 1], [1.02, 1, 1]], cell=[8, 8, 8], pbc=True)
    result, expected = run_lammps(atoms, f"pwmlff {model}"), expect(atoms, model)
    assert np.isfinite(result.forces).all()
    np.testing.assert_allclose(result.forces, expected.forces, rtol=1e-9, atol=1e-8)
