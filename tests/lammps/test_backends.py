"""Models of a family with native kernels run without torch: the numbers and messages are those of torch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.io import write
from families import FAMILIES, small_potential

from pwmlff.compress import tabulate
from pwmlff.data.dataset import FrameDataset, iterate_batches
from pwmlff.export import export_potential
from pwmlff.lammps import PLUGIN_NAME
from pwmlff.models import Potential, ZBLConfig

CUTOFF = 4.6  # Å
STYLE = "read_data data\npair_style pwmlff {style}\npair_coeff * * Cu O\nrun 0\n"
REPULSION = ZBLConfig(inner=2.0, outer=3.2)  # reaches the neighbours of the crystal


@pytest.fixture
def potential(crystal: Atoms, as_frame: Callable) -> Callable[..., Potential]:
    """Return a function that makes an untrained model, or its tables."""

    def make(kind: str = "DP", zbl: ZBLConfig | None = None, seed: int = 3) -> Potential:
        made = small_potential(kind.removesuffix(" tables"), CUTOFF, ("O", "Cu"), seed=seed, zbl=zbl)
        made.collect_statistics(iterate_batches(FrameDataset([as_frame(crystal)], ["O", "Cu"], CUTOFF), 1))
        made.set_energy_shift(np.array([-5.0, -3.0]))
        return tabulate(made, 0.02, 3) if kind.endswith("tables") else made

    return make


@pytest.mark.parametrize(
    ("kind", "dtype"),
    [
        ("DP", "float64"),
        ("DP_TYPE_EMBEDDING", "mixed"),
        ("DP tables", "float64"),
        ("DP tables", "mixed"),
        ("DP tables", "float32"),
        ("DP_TYPE_EMBEDDING tables", "float32"),
        ("NEP", "float64"),
        ("NEP", "mixed"),
        ("NEP", "float32"),
    ],
)
def test_numbers_are_those_of_torch(
    crystal: Atoms, potential: Callable, run_lammps: Callable, tmp_path: Path, kind: str, dtype: str
) -> None:
    path = export_potential(potential(kind), tmp_path / "model.pt", dtype)
    native = run_lammps(crystal, f"pwmlff {path}")
    assert f"{dtype}, native kernels " in native.output
    by_torch = run_lammps(crystal, f"pwmlff {path} backend torch")
    assert f"{dtype}, torch {torch.__version__.split('+')[0]}" in by_torch.output
    assert np.abs(native.forces).max() > 1e-3
    np.testing.assert_array_equal(native.forces, by_torch.forces)
    np.testing.assert_array_equal(native.atomic_energies, by_torch.atomic_energies)
    np.testing.assert_array_equal(native.centroid_sum, by_torch.centroid_sum)


@pytest.mark.parametrize("kind", ["DP tables", "NEP"])
@pytest.mark.parametrize(("ranks", "newton"), [(1, "off"), (2, "on"), (2, "off")])
def test_ranks_and_newton(
    crystal: Atoms, potential: Callable, run_lammps: Callable, tmp_path: Path, ranks: int, newton: str, kind: str
) -> None:
    path = export_potential(potential(kind, REPULSION), tmp_path / "model.pt")
    style = f"pwmlff {path} block_pairs 500 backend"
    native = run_lammps(crystal, f"{style} native", ranks=ranks, newton=newton)
    by_torch = run_lammps(crystal, f"{style} torch", ranks=ranks, newton=newton)
    np.testing.assert_allclose(native.forces, by_torch.forces, rtol=0, atol=1e-11)
    np.testing.assert_allclose(native.virial, by_torch.virial, rtol=0, atol=1e-9)


@pytest.mark.parametrize("kind", FAMILIES)
def test_repulsion(crystal: Atoms, potential: Callable, run_lammps: Callable, tmp_path: Path, kind: str) -> None:
    """Added by the kernels as torch adds it; without it the numbers are others."""
    path = export_potential(potential(kind, REPULSION), tmp_path / "zbl.pt")
    native, by_torch = (run_lammps(crystal, f"pwmlff {path} backend {name}") for name in ("native", "torch"))
    np.testing.assert_allclose(native.forces, by_torch.forces, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(native.atomic_energies, by_torch.atomic_energies, rtol=0, atol=1e-12)
    bare = run_lammps(crystal, f"pwmlff {export_potential(potential(kind), tmp_path / 'bare.pt')}")
    assert np.abs(native.forces - bare.forces).max() > 1.0


@pytest.mark.parametrize("kind", FAMILIES)
def test_null_types(crystal: Atoms, potential: Callable, run_lammps: Callable, tmp_path: Path, kind: str) -> None:
    path = export_potential(potential(kind), tmp_path / "model.pt")
    native, by_torch = (
        run_lammps(crystal, f"pwmlff {path} backend {name}", coeff="pair_coeff * * Cu NULL")
        for name in ("native", "torch")
    )
    np.testing.assert_array_equal(native.forces, by_torch.forces)
    assert not native.forces[crystal.numbers == 8].any()


@pytest.mark.parametrize("kind", ["DP tables", "NEP"])
def test_two_threads(crystal: Atoms, potential: Callable, run_script: Callable, tmp_path: Path, kind: str) -> None:
    path = export_potential(potential(kind), tmp_path / "model.pt")
    commands = f"thermo_modify format float %.16g\n{STYLE.format(style=path)}"
    energies = [
        run_script(crystal, commands, options=["-pk", "omp", str(n_threads)]).tables[0]["E_pair"][0]
        for n_threads in (1, 2)
    ]
    assert energies[0] == pytest.approx(energies[1], rel=1e-13)


@pytest.mark.parametrize("kind", FAMILIES)
def test_committee_of_both_backends(
    crystal: Atoms, potential: Callable, model: Path, run_script: Callable, tmp_path: Path, kind: str
) -> None:
    """The deviation does not depend on who computes; `model` is one that only torch runs."""
    paths = [export_potential(potential(kind, seed=seed), tmp_path / f"{seed}.pt") for seed in (1, 2)]
    rows = []
    for backend in ("auto", "torch"):
        style = f"{paths[0]} {paths[1]} {model} out_freq 1 backend {backend}"
        output = run_script(crystal, STYLE.format(style=style), ranks=2).output
        assert output.count("native kernels") == (2 if backend == "auto" else 0)
        rows.append(np.loadtxt(tmp_path / "model_devi.out"))
    assert rows[0][4] > 1e-3
    np.testing.assert_allclose(rows[0], rows[1], rtol=1e-8)


def test_overflows_are_counted(crystal: Atoms, potential: Callable, run_lammps: Callable, tmp_path: Path) -> None:
    path = export_potential(potential("DP tables"), tmp_path / "model.pt")
    atoms = crystal.copy()
    nearest = int(np.argsort(atoms.get_distances(0, range(len(atoms)), mic=True))[1])
    atoms.set_distance(0, nearest, 0.02, fix=0, mic=True)
    warnings = [
        next(line for line in run_lammps(atoms, f"pwmlff {path} backend {name}").output.splitlines() if "met " in line)
        for name in ("native", "torch")
    ]
    assert warnings[0] == warnings[1]
    assert "(2 of them beyond its tables" in warnings[0]


@pytest.mark.parametrize("kind", FAMILIES)
def test_runs_where_torch_is_not(
    crystal: Atoms, potential: Callable, model: Path, run_bare: Callable, tmp_path: Path, kind: str
) -> None:
    write(tmp_path / "data", crystal, format="lammps-data", specorder=["Cu", "O"], masses=True)
    path = export_potential(potential(kind), tmp_path / "model.pt")
    libraries = [PLUGIN_NAME, "libpwmlff_lammps.so"]
    run = run_bare(f"units metal\n{STYLE.format(style=path)}", libraries)
    assert "native kernels" in run.stdout
    assert run.returncode == 0
    run = run_bare(f"units metal\n{STYLE.format(style=f'{model} trust yes')}", libraries)
    assert "it needs torch, whose library cannot be loaded: " in run.stdout + run.stderr
    assert "libpwmlff_lammps_torch.so: cannot open shared object file" in run.stdout + run.stderr


@pytest.mark.parametrize(
    ("style", "message"),
    [
        ("{toy} backend native", "backend native was asked for, but it has no native form"),
        ("{dp} backend native device cuda", "'backend native' runs on the processor, but 'device cuda' is given"),
        ("{dp} backend numpy", "keyword 'backend' does not know 'numpy'; choose from: auto, native, torch"),
    ],
)
def test_backend_that_cannot_be(
    potential: Callable, model: Path, start_lammps: Callable, tmp_path: Path, style: str, message: str
) -> None:
    path = export_potential(potential(), tmp_path / "model.pt")
    box = "units metal\nregion box block 0 9 0 9 0 9\ncreate_box 2 box\n"
    run = start_lammps(f"{box}pair_style pwmlff {style.format(toy=model, dp=path)}\n")
    assert run.returncode != 0
    assert message in run.stdout + run.stderr
