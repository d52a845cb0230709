"""LAMMPS and the ASE calculator say the same of the same exported model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.stress import voigt_6_to_full_3x3_stress

from pwmlff import PwmlffCalculator
from pwmlff.export import export_potential
from pwmlff.models import build_potential
from pwmlff.models.dp import DPConfig


@pytest.fixture(scope="module")
def deep_potential(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Deep Potential with random weights."""
    torch.manual_seed(4)
    config = DPConfig.model_validate({"descriptor": {"Rmax": 5.0, "network_size": [8, 16], "M2": 4}})
    return export_potential(build_potential("DP", config, ("O", "Cu")), tmp_path_factory.mktemp("dp") / "dp.pt")


@pytest.mark.parametrize("ranks", [1, 2, 4])
def test_same_energy_forces_and_stress(crystal: Atoms, deep_potential: Path, run_lammps: Callable, ranks: int) -> None:
    result = run_lammps(crystal, f"pwmlff {deep_potential}", ranks=ranks, newton="off" if ranks == 2 else "on")
    crystal.calc = PwmlffCalculator(deep_potential, device="cpu")
    assert abs(crystal.get_potential_energy() - result.energy) < 1e-9 * len(crystal)
    np.testing.assert_allclose(crystal.get_potential_energies(), result.atomic_energies, rtol=0, atol=1e-9)
    np.testing.assert_allclose(crystal.get_forces(), result.forces, rtol=0, atol=1e-8)
    stress = voigt_6_to_full_3x3_stress(crystal.get_stress())
    xx_yy_zz_xy_xz_yz = stress[[0, 1, 2, 0, 0, 1], [0, 1, 2, 1, 2, 2]]
    np.testing.assert_allclose(-xx_yy_zz_xy_xz_yz * crystal.get_volume(), result.virial, rtol=0, atol=1e-7)
