"""The section on errors: of energies, forces and stresses on test frames and on training frames."""

from __future__ import annotations

from typing import Any

import numpy as np

from pwmlff import keys
from pwmlff.evaluate.errors import ErrorStatistics
from pwmlff.report import figures, limits
from pwmlff.report.inputs import Subject
from pwmlff.report.residuals import QUANTITIES, STRESS, Residuals, root_mean_square
from pwmlff.report.section import Note, Picture, Section, Table
from pwmlff.report.verdict import Grade, no_worse_than

_NAMES = {keys.ENERGY: "energy", keys.FORCES: "forces", STRESS: "stress"}
UNITS = {keys.ENERGY: "meV/atom", keys.FORCES: "eV/Å", STRESS: "GPa"}
_FEW_FRAMES = 5
_WORST_FRAMES = 5
_MOST_GROUPS = 25


def errors_section(subject: Subject, train: Residuals | None, test: Residuals | None) -> Section:
    """Judge the errors.

    Args:
        subject: The model and its frames.
        train: Of the training frames; None where they are not known.
        test: Of the test frames; None where there are none.
    """
    section = Section("errors", "Errors", "Predictions beside the labels of frames, test beside training.")
    judged = test if test is not None else train
    assert judged is not None  # one of them is always there
    section.limits = [limits.FORCE, limits.ENERGY, limits.STRESS, limits.OVERFIT, limits.ELEMENT]
    if not any(len(judged.labels[quantity]) for quantity in QUANTITIES):
        section.find(Grade.AMBER, "The frames have no labels, so errors are not known.")
        return section
    _judge_quantities(section, judged, "test" if test is not None else "training")
    _judge_frames(section, subject, train, test)
    if train is not None and test is not None:
        _judge_overfitting(section, train, test)
    _judge_groups(section, judged)
    section.blocks.append(_table(train, test))
    sets = {name: of for name, of in (("train", train), ("test", test)) if of is not None}
    section.blocks.append(
        Picture(figures.residuals(sets, UNITS), "Residuals, predicted minus label: the share of values in each bin.")
    )
    section.blocks.append(
        Picture(figures.parity(sets, UNITS), "Prediction over label; energies from the middle of their range.")
    )
    for kind, heading in (("element", "element"), ("config_type", "config_type"), ("source", "source")):
        table = _group_table(judged, kind, heading)
        if table is not None:
            section.blocks.append(table)
    section.blocks.append(_worst_frames(judged))
    section.numbers = {name: _numbers(of) for name, of in sets.items()}
    return section


def _judge_quantities(section: Section, judged: Residuals, which: str) -> None:
    energy, forces, stress = (judged.statistics(quantity) for quantity in QUANTITIES)
    if forces.count:
        section.find(
            _force_grade(forces),
            f"Forces of {which} frames are off by {_number(forces.rmse)} eV/Å (RMSE), {_percent(_relative(forces))} of "
            f"their root mean square of {root_mean_square(forces):.3g} eV/Å.",
        )
    if energy.count:
        # a constant is a matter of the zero of energy
        scatter = float(np.sqrt(energy.error.squared_deviation / energy.count))
        value = scatter if energy.is_rigid_shift else energy.rmse or 0.0
        shift = (
            f" apart from a constant of {energy.shift:+.4g} meV/atom, another zero of energy"
            if energy.is_rigid_shift
            else ""
        )
        section.find(limits.ENERGY.grade(value), f"Energies are off by {value:.3g} meV/atom (RMSE){shift}.")
    if stress.count:
        relative = _relative(stress)
        rmse = stress.rmse or 0.0
        grade = Grade.GREEN if rmse <= limits.STRESS_NOISE else limits.STRESS.grade(relative)
        section.find(
            grade, f"Stresses are off by {rmse:.3g} GPa (RMSE), {_percent(relative)} of their root mean square."
        )
    missing = [_NAMES[quantity] for quantity in QUANTITIES if len(judged.labels[quantity]) == 0]
    if missing:
        section.find(Grade.GREY, f"Not labelled, so not judged: {', '.join(missing)}.")


def _judge_frames(section: Section, subject: Subject, train: Residuals | None, test: Residuals | None) -> None:
    if test is None:
        section.find(Grade.AMBER, "There are no test frames: errors on frames the model has not seen are not known.")
        return
    if subject.n_seen:
        share = subject.n_seen / max(subject.test.n_all, 1)
        section.find(
            Grade.RED if share > 0.5 else Grade.AMBER,
            f"{subject.n_seen} of {subject.test.n_all} test frames are training frames.",
        )
    if subject.test.n_all < _FEW_FRAMES:
        section.find(Grade.AMBER, f"Only {subject.test.n_all} test frames judge the model.")
    if train is None:
        section.find(
            Grade.GREY,
            "The training frames are not known, so overfitting is not looked for here; name them with --train.",
        )


def _judge_overfitting(section: Section, train: Residuals, test: Residuals) -> None:
    quantity = keys.FORCES if len(test.labels[keys.FORCES]) else keys.ENERGY
    on_train, on_test = train.statistics(quantity), test.statistics(quantity)
    if not on_train.count or not on_test.count:
        return
    noise = limits.FORCE_NOISE if quantity == keys.FORCES else limits.ENERGY_NOISE * 1000
    a, b = on_test.rmse or 0.0, on_train.rmse or 0.0
    ratio = a / max(b, 1e-12)
    grade = limits.OVERFIT.grade(ratio)
    is_fine = _force_grade(on_test) if quantity == keys.FORCES else limits.ENERGY.grade(a)
    if a <= noise:
        grade = Grade.GREEN
    elif is_fine is Grade.GREEN:
        grade = no_worse_than(grade, Grade.AMBER)
    unit = UNITS[quantity]
    words = f"{_number(b)} {unit} on training frames, {_number(a)} on test frames: {ratio:.3g} times as much"
    tail = {
        Grade.GREEN: "no overfitting to be seen",
        Grade.AMBER: "the model is overfitted somewhat; more frames would help",
        Grade.RED: "the model has learnt its training frames by heart",
    }[grade]
    section.find(grade, f"{words}; {tail}.")


def _judge_groups(section: Section, judged: Residuals) -> None:
    whole = root_mean_square(judged.statistics(keys.FORCES))
    for (kind, name), of in judged.groups.items():
        statistics = of.get(keys.FORCES, ErrorStatistics())
        if kind == "source" or not statistics.count or (statistics.rmse or 0.0) <= limits.FORCE_NOISE:
            continue
        # relaxed structures have no forces to compare with
        size = max(root_mean_square(statistics), 0.5 * whole)
        relative = (statistics.rmse or 0.0) / size
        grade = limits.ELEMENT.grade(relative)
        if grade is not Grade.GREEN:
            section.find(
                grade,
                f"Forces of {kind} {name} are off by {_number(statistics.rmse)} eV/Å, {_percent(relative)} of a root "
                f"mean square of {size:.3g} eV/Å.",
            )


def _force_grade(statistics: ErrorStatistics) -> Grade:
    if (statistics.rmse or 0.0) <= limits.FORCE_NOISE:
        return Grade.GREEN
    return limits.FORCE.grade(_relative(statistics))


def _relative(statistics: ErrorStatistics) -> float:
    return (statistics.rmse or 0.0) / max(root_mean_square(statistics), 1e-12)


def _table(train: Residuals | None, test: Residuals | None) -> Table:
    rows = []
    for quantity in QUANTITIES:
        for name, of in (("test", test), ("train", train)):
            if of is None or not len(of.labels[quantity]):
                continue
            s = of.statistics(quantity)
            r2 = "–" if s.r2 is None else f"{s.r2:.4f}"
            cells = [_number(s.rmse), _number(s.mae), _number(s.max), r2, str(s.count)]
            rows.append([f"{_NAMES[quantity]}, {UNITS[quantity]}, {name}", *cells])
    return Table(["", "RMSE", "MAE", "largest", "R²", "values"], rows)


def _group_table(judged: Residuals, kind: str, heading: str) -> Table | None:
    names = sorted({name for k, name in judged.groups if k == kind}, key=lambda name: -judged.n_frames[(kind, name)])
    if len(names) < 2:
        return None
    units = [keys.FORCES] if kind == "element" else list(QUANTITIES)
    rows = []
    for name in names[:_MOST_GROUPS]:
        of = judged.groups[(kind, name)]
        cells = [_number(of[q].rmse) if q in of else "–" for q in units]
        relative = _percent(_relative(of[keys.FORCES])) if keys.FORCES in of else "–"
        rows.append([name, *cells, relative, str(judged.n_frames[(kind, name)])])
    caption = f"{len(names) - _MOST_GROUPS} more are not shown." if len(names) > _MOST_GROUPS else ""
    headings = [heading, *(f"{_NAMES[q]}, {UNITS[q]}" for q in units), "of RMS force"]
    return Table([*headings, "atoms" if kind == "element" else "frames"], rows, f"RMSE by {heading}. {caption}".strip())


def _worst_frames(judged: Residuals) -> Table | Note:
    rows = []
    for result in judged.results:
        if result.frame.forces is not None:
            errors = np.linalg.norm(result.forces - result.frame.forces, axis=1)
            rows.append((float(errors.max()), int(errors.argmax()), result.frame))
    if not rows:
        return Note("No frame has labelled forces.")
    rows.sort(key=lambda row: -row[0])
    table = [[frame.where, str(atom), f"{value:.3g}"] for value, atom, frame in rows[:_WORST_FRAMES]]
    return Table(["frame", "atom", "force error, eV/Å"], table, "The largest errors of a force. Look at these frames.")


def _numbers(of: Residuals) -> dict[str, Any]:
    return {
        _NAMES[quantity]: {**of.statistics(quantity).as_dict(), "unit": UNITS[quantity]}
        for quantity in QUANTITIES
        if len(of.labels[quantity])
    }


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"


def _percent(ratio: float) -> str:
    return f"{100 * ratio:.3g} %"
