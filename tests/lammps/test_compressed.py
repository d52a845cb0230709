"""Compressed models in LAMMPS: the numbers of the ASE calculator, a warning when atoms come too near, and the count."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import ase.io
import numpy as np
import pytest
import torch
from ase import Atoms
from toy_model import ToyModel

from pwmlff import PwmlffCalculator
from pwmlff.compress import tabulate
from pwmlff.data.dataset import FrameDataset, iterate_batches
from pwmlff.export import export_potential
from pwmlff.models import MODELS, Potential, ZBLConfig, build_potential
from pwmlff.ops import library

pytestmark = pytest.mark.skipif(not library.load(), reason=f"no native library: {library.status().error}")

CUTOFF = 4.6  # Å
DP = {"descriptor": {"Rmax": CUTOFF, "Rmin": 1.0, "network_size": [8, 16], "M2": 4}}
NEP = {"descriptor": {"cutoff": [CUTOFF, 4.0], "n_max": [3, 2], "basis_size": [5, 4]}, "start": "gpumd"}
NEARER = "pairs nearer than any in its training data"
WARNING = "meets " + NEARER


@pytest.fixture
def compressed(crystal: Atoms, as_frame: Callable, tmp_path: Path) -> Callable[..., Path]:
    """Return a function that exports a compressed model made for the distances of the crystal."""

    def make(model_type: str = "DP", dtype: str = "float64", seed: int = 8) -> Path:
        torch.manual_seed(seed)
        config = MODELS[model_type].Config.model_validate(NEP if model_type == "NEP" else DP)
        potential = build_potential(model_type, config, ("O", "Cu"), zbl=ZBLConfig(inner=0.8, outer=1.6))
        potential.collect_statistics(iterate_batches(FrameDataset([as_frame(crystal)], ["O", "Cu"], CUTOFF), 1))
        path = tmp_path / f"{model_type}_{dtype}_{seed}.pt"
        return export_potential(tabulate(potential, 0.02, 3), path, dtype)

    return make


def collided(atoms: Atoms, distance: float = 1.0) -> Atoms:
    """Bring two neighbours near to each other; the pair is i -> j and j -> i."""
    atoms = atoms.copy()
    nearest = int(np.argsort(atoms.get_distances(0, range(len(atoms)), mic=True))[1])
    atoms.set_distance(0, nearest, distance, fix=0, mic=True)
    return atoms


def n_nearer(atoms: Atoms, model: Path) -> int:
    calculator = PwmlffCalculator(model, device="cpu", trust=True)
    atoms.calc = calculator
    atoms.get_potential_energy()
    return calculator.table_overflows[0]


@pytest.mark.parametrize(
    ("model_type", "name"),
    [("DP", "DP_COMPRESSED"), ("DP_TYPE_EMBEDDING", "DP_COMPRESSED"), ("NEP", "NEP_COMPRESSED")],
)
@pytest.mark.parametrize("dtype", ["float64", "mixed", "float32"])
@pytest.mark.parametrize(("ranks", "newton"), [(1, "on"), (2, "off")])
def test_equals_the_calculator(
    crystal: Atoms,
    compressed: Callable,
    run_lammps: Callable,
    model_type: str,
    name: str,
    dtype: str,
    ranks: int,
    newton: str,
) -> None:
    path = compressed(model_type, dtype)
    result = run_lammps(crystal, f"pwmlff {path} block_pairs 500", ranks=ranks, newton=newton)
    crystal.calc = PwmlffCalculator(path, device="cpu")
    # float32 sums depend on the order of neighbours
    tolerance = 1e-9 if dtype == "float64" else 1e-5
    np.testing.assert_allclose(result.atomic_energies, crystal.get_potential_energies(), rtol=0, atol=tolerance)
    np.testing.assert_allclose(result.forces, crystal.get_forces(), rtol=0, atol=10 * tolerance)
    assert np.abs(result.forces).max() > 1e-2
    assert f"{name} model '{path}' of O Cu, cutoff {CUTOFF} Angstrom, {dtype}" in result.output
    assert WARNING not in result.output


@pytest.mark.parametrize("ranks", [1, 2])
def test_one_warning_per_run(crystal: Atoms, compressed: Callable, run_script: Callable, ranks: int) -> None:
    """A fixed pair is warned of on the first thermo output, and counted on all evaluations of the run."""
    path, atoms = compressed(), collided(crystal)
    pairs = n_nearer(atoms, path)
    assert pairs >= 2
    commands = f"""
read_data data
pair_style pwmlff {path}
pair_coeff * * Cu O
thermo 1
run 5
run 5
"""
    output = run_script(atoms, commands, ranks=ranks).output
    lines = [line for line in output.splitlines() if NEARER in line]
    assert len(lines) == 4
    for step, (warning, count) in zip((0, 5), (lines[:2], lines[2:]), strict=True):
        assert f"WARNING: pair_style pwmlff: step {step}: model '{path}' {WARNING}; it extrapolates there" in warning
        assert count.endswith(f"in this run model '{path}' met {6 * pairs} {NEARER}")


def test_pairs_beyond_the_tables(crystal: Atoms, compressed: Callable, run_lammps: Callable) -> None:
    path = compressed()
    output = run_lammps(collided(crystal, 0.02), f"pwmlff {path}").output
    warning, count = [line for line in output.splitlines() if NEARER in line]
    assert WARNING in warning
    assert count.endswith("(2 of them beyond its tables, which straight lines continue)")


def test_overflow_between_thermo_outputs(crystal: Atoms, compressed: Callable, run_script: Callable) -> None:
    """The pair is near only in the middle of the run; the last step says so."""
    path = compressed()
    commands = f"""
read_data data
pair_style pwmlff {path}
pair_coeff * * Cu O
group one id 1
fix there one move wiggle 1.2 1.2 NULL 0.02
thermo 1000
timestep 0.001
run 10
"""
    output = run_script(crystal, commands, ranks=2).output
    warning, count = [line for line in output.splitlines() if NEARER in line]
    assert "step 10: " in warning
    assert "in this run model" in count


def test_tables_of_a_nep_end_nowhere(crystal: Atoms, compressed: Callable, run_lammps: Callable) -> None:
    output = run_lammps(collided(crystal, 0.02), f"pwmlff {compressed('NEP')}").output
    warning, count = [line for line in output.splitlines() if NEARER in line]
    assert WARNING in warning
    assert count.endswith(NEARER)


def test_committee_names_the_model(crystal: Atoms, compressed: Callable, run_lammps: Callable, model: Path) -> None:
    """The first model does not know the distances of its training data, two others do."""
    tables = [compressed(seed=seed) for seed in (1, 2)]
    style = f"pwmlff {model} {tables[0]} {tables[1]} out_freq 1"
    output = run_lammps(collided(crystal, 1.3), style, ranks=2).output
    (line,) = [line for line in output.splitlines() if WARNING in line]
    for path in tables:
        assert f"model '{path}' meets " in line
    assert str(model) not in line


def test_models_that_know_nothing_say_nothing(crystal: Atoms, model: Path, run_lammps: Callable) -> None:
    assert NEARER not in run_lammps(collided(crystal), f"pwmlff {model}").output


@pytest.mark.parametrize("kind", ["DP", "TorchScript", "tables of an older version"])
@pytest.mark.parametrize(("ranks", "coeff", "style"), [(1, "* *", "{}"), (2, "* * pwmlff", "hybrid/overlay {}")])
def test_models_of_every_kind(
    crystal: Atoms,
    as_frame: Callable,
    run_script: Callable,
    tmp_path: Path,
    kind: str,
    ranks: int,
    coeff: str,
    style: str,
) -> None:
    torch.manual_seed(8)
    if kind == "TorchScript":
        potential = Potential(ToyModel.from_config(ToyModel.Config(), ["O", "Cu"], torch.float64), ["O", "Cu"])
    else:
        potential = build_potential("DP", MODELS["DP"].Config.model_validate(DP), ("O", "Cu"))
    frames = FrameDataset([as_frame(crystal)], ["O", "Cu"], potential.cutoff)
    potential.collect_statistics(iterate_batches(frames, 1))
    if kind.startswith("tables"):
        potential = tabulate(potential, 0.02, 3)
        potential.shortest.zero_()
    path = export_potential(potential, tmp_path / "model.pt")
    atoms = collided(crystal, 0.5)
    pairs = n_nearer(atoms, path)
    assert pairs >= 2
    known = "it was compressed for" if kind.startswith("tables") else "in its training data"
    commands = f"read_data data\npair_style {style.format(f'pwmlff {path}')}\npair_coeff {coeff} Cu O\nrun 3\n"
    for structure, counts in ((crystal, []), (atoms, [4 * pairs])):
        output = run_script(structure, commands, ranks=ranks).output
        lines = [line for line in output.splitlines() if "pairs nearer than any" in line]
        assert len(lines) == 2 * len(counts)
        assert sum(line.startswith("WARNING") for line in lines) == len(counts)
        for count in counts:
            assert lines[1].endswith(f"met {count} pairs nearer than any {known}")


def test_unknown_precision(crystal: Atoms, compressed: Callable, start_lammps: Callable, tmp_path: Path) -> None:
    path = compressed()
    body = path.read_bytes()[:-64].replace(b'"dtype": "float64"', b'"dtype": "float16"')
    path.write_bytes(body + hashlib.sha256(body).hexdigest().encode())
    ase.io.write(tmp_path / "data", crystal, format="lammps-data", specorder=["Cu", "O"], masses=True)
    run = start_lammps(f"units metal\nread_data data\npair_style pwmlff {path}\npair_coeff * * Cu O\nrun 0\n")
    assert 'its dtype is "float16", expected "float64", "mixed" or "float32"' in run.stdout + run.stderr
