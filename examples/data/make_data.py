"""Make the DFT data sets of the examples: bcc lithium (`li27`) and rock-salt lithium hydride (`lih`).

    OMP_NUM_THREADS=1 python make_data.py li27
    OMP_NUM_THREADS=1 python make_data.py lih
    python make_data.py li27 --check
    OMP_NUM_THREADS=1 python make_data.py li27 --label FRAMES    # frames of your own, into FRAMES_labelled.xyz

Structures come from seeded Langevin dynamics on a small fitted pair potential, which only has to displace the atoms
plausibly. Labels come from GPAW 22.8.0 with the 0.9.20000 PAW data sets (Li with frozen 1s): PBE, spin-paired,
plane-wave mode (GPAW derives the grid spacing from the cutoff), Fermi-Dirac smearing, no symmetry but time reversal.
The energy is the free energy, the quantity whose derivatives the forces and the stress are.

            cutoff  mesh   width   dF, 4x4x4 mesh  dF, higher cutoff  |F - differences|  wall time
    li27    250 eV  3x3x2  0.2 eV  0.0058 eV/A     0.0001 eV/A        0.00007 eV/A       15 s
    lih     500 eV  2x2x2  0.1 eV  0.0083 eV/A *   0.0015 eV/A        0.00020 eV/A       10 s

    * measured at 400 eV

dF is the largest change of a force component (eV/A) on the last snapshot of the hottest trajectory, measured with
`--check`; wall times are per frame on one core. Labelling appends every finished frame to `<work>/<name>_labelled.xyz`
and skips those already there, so it may be interrupted.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms, units
from ase.build import bulk, make_supercell
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import read, write
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution
from ase.neighborlist import neighbor_list
from scipy.special import erfc

COULOMB = 14.399645  # e^2 / (4 pi eps0) in eV A
Setting = float | tuple[int, int, int]

BLOCK = 8  # consecutive frames labelled before moving on to the next trajectory

# Named cell deformations: the rows of the cell are multiplied by (1 + strain).
STRAINS: dict[str, np.ndarray] = {
    "none": np.zeros((3, 3)),
    "compressed": np.diag([-0.025, -0.025, -0.025]),
    "expanded": np.diag([0.025, 0.025, 0.025]),
    "uniaxial": np.diag([0.03, -0.01, -0.01]),
    "shear": np.array([[0.0, 0.02, 0.0], [0.02, 0.0, -0.015], [0.0, -0.015, 0.0]]),
}


def li_morse(r: np.ndarray, _like: np.ndarray) -> np.ndarray:
    """Morse pair energy in eV, fitted to bcc Li: a = 3.44 A, B = 13 GPa, cohesive energy 1.63 eV."""
    depth, alpha, r0 = 0.183984, 0.669935, 4.069768
    return depth * ((1.0 - np.exp(-alpha * (r - r0))) ** 2 - 1.0)


def lih_ionic(r: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Damped Coulomb between charges of +-0.8 e and Born-Mayer Li-H repulsion, in eV.

    Fitted to rock-salt LiH: a = 4.02 A, B = 68 GPa. `like` is true for Li-Li and H-H pairs.
    """
    coulomb = np.where(like, 1.0, -1.0) * 0.8**2 * COULOMB * erfc(0.2 * r) / r
    return coulomb + np.where(like, 0.0, 161.61 * np.exp(-r / 0.30))


class PairPotential(Calculator):
    """Force-shifted pair potential on a pair list made once (no atom of these crystals diffuses far).

    Args:
        phi: Pair energy (eV) as a function of distance (A) and of whether both elements are the same.
        cutoff: Distance (A) where the energy and the force of a pair go to zero.
        reference: Crystal whose pairs within cutoff + 1.5 A make the list.
    """

    implemented_properties = ["energy", "forces"]  # noqa: RUF012 (ASE's interface)

    def __init__(self, phi: Callable[..., np.ndarray], cutoff: float, reference: Atoms) -> None:
        """Make the pair list of the reference crystal."""
        super().__init__()
        self.i, self.j, shifts = neighbor_list("ijS", reference, cutoff + 1.5)
        self.offsets = shifts @ reference.cell.array
        numbers = reference.numbers
        self.like = numbers[self.i] == numbers[self.j]
        self.phi, self.cutoff = phi, cutoff

    def calculate(self, atoms: Atoms, properties: list[str], system_changes: list[str] = all_changes) -> None:
        """Fill `results` with energy (eV) and forces (eV/A)."""
        super().calculate(atoms, properties, system_changes)
        positions, step = self.atoms.positions, 1e-5
        vectors = positions[self.j] + self.offsets - positions[self.i]
        r = np.linalg.norm(vectors, axis=1)
        inside = r < self.cutoff
        i, r, vectors, like = self.i[inside], r[inside], vectors[inside], self.like[inside]

        def slope(x: np.ndarray) -> np.ndarray:
            return (self.phi(x + step, like) - self.phi(x - step, like)) / (2 * step)

        edge = np.full_like(r, self.cutoff)
        energy = self.phi(r, like) - self.phi(edge, like) - (r - edge) * slope(edge)
        along = ((slope(r) - slope(edge)) / r)[:, None] * vectors
        forces = np.zeros_like(positions)
        np.add.at(forces, i, along)
        self.results = {"energy": 0.5 * energy.sum(), "forces": forces}


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Everything that defines one data set.

    Attributes:
        crystal: Undeformed supercell.
        phi, cutoff: Pair potential of the sampling run and its cutoff (A).
        timestep, interval: Time step (fs) and number of steps between snapshots.
        runs: (temperature in K, name of the strain, number of snapshots) of each trajectory.
        pw_ev: Plane-wave cutoff (eV).
        kpts: Divisions of the Monkhorst-Pack mesh.
        width_ev: Fermi-Dirac width (eV).
        mixer: Pulay mixing parameter.
        dense: Overrides of the settings above used by `check`.
    """

    crystal: Atoms
    phi: Callable[..., np.ndarray]
    cutoff: float
    timestep: float
    interval: int
    runs: tuple[tuple[float, str, int], ...]
    pw_ev: float
    kpts: tuple[int, int, int]
    width_ev: float
    mixer: float
    dense: dict[str, dict[str, Setting]]


RECIPES = {
    "li27": Recipe(
        crystal=bulk("Li", "bcc", a=3.48) * (3, 3, 3),
        phi=li_morse,
        cutoff=9.0,
        timestep=2.0,
        interval=25,
        runs=(
            *((t, "none", 40) for t in (300.0, 400.0, 500.0, 600.0)),
            *((400.0, s, 10) for s in STRAINS if s != "none"),
        ),
        pw_ev=250.0,
        kpts=(3, 3, 2),
        width_ev=0.2,
        mixer=0.4,
        dense={"kpts": {"kpts": (4, 4, 4)}, "plane waves": {"pw_ev": 500.0}},
    ),
    "lih": Recipe(
        crystal=make_supercell(bulk("LiH", "rocksalt", a=4.06, cubic=True), [[-1, 1, 1], [1, -1, 1], [1, 1, -1]]),
        phi=lih_ionic,
        cutoff=8.0,
        timestep=0.5,
        interval=80,
        runs=(
            *((t, "none", 20) for t in (300.0, 500.0, 700.0)),
            *((400.0, s, 10) for s in STRAINS if s != "none"),
        ),
        pw_ev=500.0,
        kpts=(2, 2, 2),
        width_ev=0.1,
        mixer=0.4,
        dense={"kpts": {"kpts": (4, 4, 4)}, "plane waves": {"pw_ev": 700.0}},
    ),
}


def sample(recipe: Recipe) -> list[Atoms]:
    """Run Langevin dynamics with the pair potential and return the snapshots, trajectory by trajectory."""
    frames = []
    for run, (temperature, strain, n_frames) in enumerate(recipe.runs):
        atoms = recipe.crystal.copy()
        atoms.set_cell(atoms.cell.array @ (np.eye(3) + STRAINS[strain]), scale_atoms=True)
        atoms.calc = PairPotential(recipe.phi, recipe.cutoff, atoms)
        rng = np.random.default_rng(1000 + run)
        MaxwellBoltzmannDistribution(atoms, temperature_K=temperature, rng=rng)
        dynamics = Langevin(
            atoms, recipe.timestep * units.fs, temperature_K=temperature, friction=0.01 / units.fs, rng=rng
        )
        dynamics.run(round(1000.0 / recipe.timestep))  # 1 ps to forget the lattice
        for step in range(n_frames):
            dynamics.run(recipe.interval)
            frame = Atoms(atoms.symbols, positions=atoms.positions, cell=atoms.cell, pbc=True)
            name = f"{temperature:.0f}K" + ("" if strain == "none" else f"_{strain}")
            frame.info = {"config_type": name, "temperature": temperature, "run": run, "step": step}
            frames.append(frame)
    return frames


def make_calculator(recipe: Recipe, log: str | None = None, **overrides: Setting) -> Calculator:
    """Return GPAW in plane-wave mode with the settings of the recipe, some of them replaced."""
    from gpaw import GPAW, PW, FermiDirac, Mixer

    settings = {"pw_ev": recipe.pw_ev, "kpts": recipe.kpts, "width_ev": recipe.width_ev, "density": 1e-4} | overrides
    return GPAW(
        mode=PW(settings["pw_ev"]),
        xc="PBE",
        kpts={"size": settings["kpts"]},
        occupations=FermiDirac(settings["width_ev"]),
        symmetry={"point_group": False},  # time reversal stays on
        convergence={"density": settings["density"], "eigenstates": settings["density"] * 0.1, "energy": 1e-4},
        eigensolver="dav",
        mixer=Mixer(recipe.mixer, 5, 1.0),
        txt=log,
    )


def run_gpaw(calculator: Calculator, frame: Atoms) -> Atoms:
    """Return a copy of the frame with the free energy (eV), forces (eV/A) and stress (eV/A^3) of GPAW."""
    atoms = frame.copy()
    atoms.calc = calculator
    results = {
        "energy": atoms.get_potential_energy(force_consistent=True),
        "forces": atoms.get_forces(),
        "stress": atoms.get_stress(),
    }
    atoms.calc = SinglePointCalculator(atoms, **results)
    return atoms


def label(recipe: Recipe, name: str, work: Path, limit: int) -> list[Atoms]:
    """Label frames that are not labelled yet, append each to the work file at once, return all labelled ones.

    Blocks of consecutive frames share a calculator, so the density of one frame starts the next one.
    The blocks go round the trajectories, so that an interrupted run still holds every temperature.
    """
    work.mkdir(parents=True, exist_ok=True)
    samples, labelled = work / f"{name}_samples.xyz", work / f"{name}_labelled.xyz"
    if not samples.exists():
        write(samples, sample(recipe))
    done = read(labelled, ":") if labelled.exists() else []
    for frame in done:
        frame.arrays.pop("forces", None)  # ASE keeps the labels in the calculator as well
    known = {(frame.info["run"], frame.info["step"]) for frame in done}
    todo = [f for f in read(samples, ":") if (f.info["run"], f.info["step"]) not in known]
    todo.sort(key=lambda f: (f.info["step"] // BLOCK, f.info["run"], f.info["step"]))
    calculator, run = None, None
    for frame in todo[:limit]:
        if frame.info["run"] != run:
            calculator, run = make_calculator(recipe, str(work / f"{name}_gpaw.txt")), frame.info["run"]
        start = time.time()
        result = run_gpaw(calculator, frame)
        write(labelled, result, append=True)
        done.append(result)
        energy, rms = result.get_potential_energy(), result.get_forces().std()
        print(f"{len(done)} {frame.info} E {energy:.4f} F_rms {rms:.3f} {time.time() - start:.1f} s", flush=True)
    return done


def label_others(recipe: Recipe, path: Path) -> None:
    """Label the frames of a file with the settings of a recipe and write them beside it."""
    labelled = [run_gpaw(make_calculator(recipe), frame) for frame in read(path, ":")]
    write(path.with_name(f"{path.stem}_labelled.xyz"), labelled)


def write_split(frames: list[Atoms], name: str, out: Path) -> None:
    """Write the last fifth of each trajectory as the test set and the rest as the training set."""
    train, test = [], []
    for run in sorted({frame.info["run"] for frame in frames}):
        members = sorted((f for f in frames if f.info["run"] == run), key=lambda f: f.info["step"])
        n_test = round(0.2 * len(members))
        train += members[: len(members) - n_test]
        test += members[len(members) - n_test :]
    for suffix, subset in (("train", train), ("test", test)):
        if subset:
            write(out / f"{name}_{suffix}.xyz", subset)
        print(f"{name}_{suffix}.xyz: {len(subset)} frames")


def check(recipe: Recipe, frame: Atoms, delta: float = 0.01) -> None:
    """Print the convergence of the labels of one frame and compare forces with energy differences.

    Args:
        recipe: Settings under test.
        frame: A hot frame.
        delta: Displacement (A) of the central differences (of tightly converged energies), three components of atom 0.
    """
    base = run_gpaw(make_calculator(recipe), frame)
    net = np.abs(base.get_forces().sum(axis=0)).max()
    print(f"settings of the recipe: E {base.get_potential_energy():.6f} eV, largest net force {net:.1e} eV/A")
    for what, overrides in {**recipe.dense, "scf": {"density": 1e-6}}.items():
        dense = run_gpaw(make_calculator(recipe, **overrides), frame)
        forces = np.abs(dense.get_forces() - base.get_forces())
        energy = (dense.get_potential_energy() - base.get_potential_energy()) / len(frame)
        stress = np.abs(dense.get_stress() - base.get_stress()).max() / units.GPa
        print(
            f"{what} {overrides}: F max {forces.max():.4f} rms {np.sqrt((forces**2).mean()):.4f} eV/A,"
            f" E {1e3 * energy:+.2f} meV/atom, stress max {stress:.3f} GPa",
            flush=True,
        )
    calculator, numerical = make_calculator(recipe, density=1e-6), np.zeros(3)
    for axis in range(3):
        energies = []
        for sign in (1, -1):
            moved = frame.copy()
            moved.positions[0, axis] += sign * delta
            energies.append(run_gpaw(calculator, moved).get_potential_energy())
        numerical[axis] = -(energies[0] - energies[1]) / (2 * delta)
    print(f"forces {base.get_forces()[0]}, differences {numerical}")
    print(f"max |F_dft - F_fd| {np.abs(base.get_forces()[0] - numerical).max():.5f} eV/A")


def main() -> None:
    """Parse the command line, then label and split, or check."""
    parser = argparse.ArgumentParser(description="Make the DFT data sets of the examples.")
    parser.add_argument("name", choices=sorted(RECIPES), help="data set")
    parser.add_argument("--work", type=Path, default=Path("work"), help="folder of snapshots, labels and log")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="folder of the finished files")
    parser.add_argument("--limit", type=int, default=10**6, help="stop after so many newly labelled frames")
    parser.add_argument("--label", type=Path, metavar="FRAMES", help="label the frames of this file instead")
    parser.add_argument("--check", action="store_true", help="measure convergence and finite differences instead")
    args = parser.parse_args()
    recipe = RECIPES[args.name]
    if args.check:
        hot = max(range(len(recipe.runs)), key=lambda run: recipe.runs[run][0])
        check(recipe, next(f for f in reversed(sample(recipe)) if f.info["run"] == hot))
    elif args.label is not None:
        label_others(recipe, args.label)
    else:
        write_split(label(recipe, args.name, args.work, args.limit), args.name, args.out)


if __name__ == "__main__":
    main()
