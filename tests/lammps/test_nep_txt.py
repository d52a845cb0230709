"""nep.txt as a model of the pair style: the same numbers as in Python, committees, and damaged files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest
import torch
from ase import Atoms

from pwmlff.export import export_model
from pwmlff.models import ZBLConfig, build_potential
from pwmlff.models.files.nep_txt import write_nep_txt
from pwmlff.models.nep import NEP, NEPConfig

FLEXIBLE = tuple((0.5 * k, 2.0 + 0.5 * k, 0.2, 3.0, 0.5, 0.9, 0.2, 0.4, 0.1, 0.2) for k in range(3))
MODELS: dict[str, tuple[ZBLConfig | None, dict[str, Any]]] = {
    "nep3": (ZBLConfig(inner=1.2, outer=2.4), {"version": 3}),
    "nep4": (None, {"version": 4, "descriptor": {"l_max": [4, 2, 1, 1, 1, 1, 1]}}),
    "nep4 typewise": (ZBLConfig(inner=1.2, outer=2.6, typewise_factor=0.95), {"version": 4}),
    "nep5 flexible": (ZBLConfig(flexible=FLEXIBLE), {"version": 5, "descriptor": {"cutoff": [5, 4, 4.5, 3.5]}}),
}


@pytest.fixture
def nep_txt(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a model with random coefficients."""

    def make(kind: str, seed: int = 0, elements: tuple[str, ...] = ("O", "Cu")) -> Path:
        torch.manual_seed(seed)
        zbl, keys = MODELS[kind]
        descriptor = {"cutoff": [5, 4], "n_max": [3, 2], "basis_size": [4, 3], **keys.get("descriptor", {})}
        settings = {**keys, "descriptor": descriptor, "fitting_net": {"network_size": 8}}
        potential = build_potential("NEP", NEPConfig.model_validate(settings), elements, zbl=zbl)
        assert isinstance(potential.network, NEP)
        for b1 in dict.fromkeys(potential.network.b1):
            torch.nn.init.normal_(b1)
        path = tmp_path / f"{kind.replace(' ', '_')}_{seed}.txt"
        write_nep_txt(path, potential)
        return path

    return make


@pytest.mark.parametrize("kind", list(MODELS))
def test_as_in_python(
    kind: str, crystal: Atoms, nep_txt: Callable[..., Path], run_lammps: Callable, expect: Callable
) -> None:
    path = nep_txt(kind)
    result, expected = run_lammps(crystal, f"pwmlff {path}"), expect(crystal, path)
    assert "NEP model" in result.output
    assert np.abs(result.forces).max() > 0.01
    np.testing.assert_allclose(result.forces, expected.forces, rtol=1e-10, atol=1e-11)
    np.testing.assert_allclose(result.atomic_energies, expected.atomic_energies, rtol=0, atol=1e-11)
    np.testing.assert_allclose(result.virial, expected.virial, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("ranks", "newton", "backend"), [(2, "on", "auto"), (2, "off", "auto"), (1, "on", "torch")])
def test_ranks_and_backends(
    ranks: int, newton: str, backend: str, crystal: Atoms, nep_txt: Callable[..., Path], run_lammps: Callable
) -> None:
    """One rank reads the file for all."""
    path = nep_txt("nep5 flexible")
    expected = run_lammps(crystal, f"pwmlff {path}")
    result = run_lammps(crystal, f"pwmlff {path} backend {backend}", ranks=ranks, newton=newton)
    np.testing.assert_allclose(result.forces, expected.forces, rtol=1e-10, atol=1e-11)
    np.testing.assert_allclose(result.virial, expected.virial, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("dtype", ["float64", "mixed"])
def test_exported_for_lammps(
    dtype: str, crystal: Atoms, nep_txt: Callable[..., Path], run_lammps: Callable, tmp_path: Path
) -> None:
    path = nep_txt("nep4 typewise")
    expected = run_lammps(crystal, f"pwmlff {path}")
    result = run_lammps(crystal, f"pwmlff {export_model(path, tmp_path / 'nep.pt', dtype)}")
    assert f"{dtype}, native kernels" in result.output
    tolerance = 1e-11 if dtype == "float64" else 1e-4 * np.abs(expected.forces).max()
    np.testing.assert_allclose(result.forces, expected.forces, rtol=1e-10, atol=tolerance)


def test_deviation_of_several_files(
    crystal: Atoms, nep_txt: Callable[..., Path], run_lammps: Callable, expect: Callable, tmp_path: Path
) -> None:
    """Elements in another order, another version."""
    paths = [nep_txt("nep4"), nep_txt("nep4", seed=1), nep_txt("nep5 flexible", seed=2, elements=("Cu", "O"))]
    result = run_lammps(crystal, f"pwmlff {' '.join(map(str, paths))} out_freq 1 out_file devi.txt")
    forces = np.array([expect(crystal, path).forces for path in paths])
    np.testing.assert_allclose(result.forces, forces[0], rtol=1e-10, atol=1e-11)
    deviations = np.sqrt(((forces - forces.mean(0)) ** 2).sum(2).mean(0))
    row = np.loadtxt(tmp_path / "devi.txt", ndmin=2)[0]
    assert any(value == pytest.approx(deviations.max(), rel=1e-5) for value in row[1:])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "cutoff 5 4",
            "cutoff 4 5",
            "line 2: expected 20 >= radial cutoff >= angular cutoff > 0 in Angstrom, got 4 and 5",
        ),
        ("nep4 ", "nep4_charge2 ", "line 1: `nep4_charge2` is a NEP with charges, which pwmlff does not read"),
        ("n_max", "nmax", "line 3: expected `n_max` with two integers from 0 to 19, got `nmax 3 2`"),
    ],
)
def test_damaged_files(
    old: str, new: str, message: str, nep_txt: Callable[..., Path], start_lammps: Callable, tmp_path: Path
) -> None:
    path = nep_txt("nep4")
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    for ranks in (1, 2):
        run = start_lammps(
            f"region b block 0 9 0 9 0 9\nunits metal\ncreate_box 2 b\npair_style pwmlff {path}\n", ranks=ranks
        )
        assert run.returncode != 0
        errors = [line for line in (run.stdout + run.stderr).splitlines() if line.startswith("ERROR")]
        assert len(errors) == 1
        assert f"cannot use model file '{path}': {message}" in errors[0]


def test_what_gpumd_prints(shared_data: Path, run_lammps: Callable) -> None:
    """Energies and forces of a frame of its example, to the digits it prints of its float32."""
    folder = shared_data / "nep_PbTe25"
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    atoms = ase.io.read(folder / "train.xyz", 0)
    forces = np.loadtxt(folder / "force_train.out", max_rows=len(atoms))[:, :3]
    rotated = atoms.copy()
    rotated.set_cell(atoms.cell.standard_form()[0], scale_atoms=True)
    rotation = np.linalg.solve(atoms.cell.array, rotated.cell.array)
    result = run_lammps(rotated, f"pwmlff {folder / 'nep.txt'}", types=("Te", "Pb"))
    np.testing.assert_allclose(result.forces, forces @ rotation, rtol=0, atol=1e-4)
    assert result.energy / len(atoms) == pytest.approx(np.loadtxt(folder / "energy_train.out")[0, 0], abs=1e-5)
