"""The section on the learning curve: how training went, from the tables beside the checkpoint."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pwmlff import keys
from pwmlff.report import figures, limits
from pwmlff.report.epochs import Curve, read_curve
from pwmlff.report.section import Picture, Section
from pwmlff.report.verdict import Grade

_EARLY = 0.15  # a fall of the last fifth of the epochs that says training ended too early


def learning_section(model: Path) -> Section:
    """Judge the learning curve of the run that wrote a model."""
    section = Section("learning", "Learning curve", "Errors epoch by epoch, from the files beside the checkpoint.")
    section.limits = [limits.RISE]
    folder = _folder(model)
    if folder is None:
        section.find(Grade.GREY, "No epoch_train.dat lies beside the model, so how it was trained is not shown.")
        return section
    train, valid = read_curve(folder / "epoch_train.dat"), read_curve(folder / "epoch_valid.dat")
    if train is None:
        section.find(Grade.GREY, f"{folder / 'epoch_train.dat'} holds no epoch.")
        return section
    if valid is None:
        section.find(Grade.AMBER, f"{len(train.epochs)} epochs without validation frames: overfitting was not watched.")
    else:
        _judge(section, valid)
    section.blocks.append(Picture(figures.learning(train, valid), "Errors over epochs, training and validation."))
    section.numbers = {"n_epochs": int(train.epochs[-1])}
    return section


def _judge(section: Section, valid: Curve) -> None:
    quantity = keys.FORCES if keys.FORCES in valid.columns else next(iter(valid.columns))
    errors = valid.columns[quantity]
    best = int(np.nanargmin(errors))
    ratio = float(errors[-1] / errors[best])
    unit = "eV/Å" if quantity == keys.FORCES else ""
    section.find(
        limits.RISE.grade(ratio),
        f"The validation error of {quantity.replace('_', ' ')} was lowest in epoch {int(valid.epochs[best])} "
        f"({errors[best]:.3g} {unit}) and {errors[-1]:.3g} at the end, {ratio:.2f} times as much.",
    )
    last = errors[-max(2, len(errors) // 5) :]
    if len(errors) >= 10 and last[-1] < (1 - _EARLY) * last[0]:
        section.find(Grade.AMBER, "The error was still falling at the end: more epochs would help.")


def _folder(model: Path) -> Path | None:
    """Return the folder of a run that wrote a model, or a snapshot of it."""
    folder = model.absolute().parent
    return next((each for each in (folder, folder.parent) if (each / "epoch_train.dat").is_file()), None)
