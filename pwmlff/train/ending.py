"""What is told when a run is over: errors, time, where everything lies, and what to do next."""

from __future__ import annotations

from collections.abc import Collection

from pwmlff.train.metrics import EpochResult
from pwmlff.train.progress import SHOWN
from pwmlff.train.records import RunFiles
from pwmlff.train.trainer import Trainer


def describe_end(trainer: Trainer, files: RunFiles, advice: str | None) -> list[str]:
    """Return the lines.

    Args:
        trainer: Whose run is over.
        files: Of the run.
        advice: A line on how the run went; None for nothing to say.
    """
    history, best = trainer.history, trainer.best
    if not history or best is None:
        return [f"wrote {files.last}"]
    is_validated = history[-1].valid is not None
    seconds = sum(result.seconds for result in history)
    reason = ""
    if history[-1].epoch < trainer.settings.n_epochs:
        reason = f", ended early after {trainer.settings.early_stop} epochs that were no better than epoch {best.epoch}"
    shown = trainer.settings.ranked_by  # not what else happens to be labelled
    rows = [("last", history[-1], files.last), ("best", best, files.best)]
    frames = "validation" if is_validated else "training"
    lines = [f"{len(history)} epochs in {duration(seconds)}{reason}; errors of {frames} frames:"]
    lines += [f"  {name}, epoch {result.epoch}: {_errors(result, shown)}, {path}" for name, result, path in rows]
    if advice:
        lines.append(advice)
    lines.append(f"curves and tables of the errors: {files.folder}")
    lines.append(
        f"next: pwmlff test {files.best} DATA with frames of its own, then pwmlff export {files.best} for LAMMPS"
    )
    return lines


def describe_no_end(trainer: Trainer) -> str:
    """Return why there is nothing left to train."""
    if trainer.is_stopped_early:
        return "the run has ended early; raise `early_stop` to go on, or start anew with --fresh"
    is_staged = trainer.settings.place.stage > 0
    how = "raise `epochs` of the last stage, or add one, to go on" if is_staged else "raise `epochs` to go on"
    return f"all {trainer.settings.n_epochs} epochs are done; {how}, or start anew with --fresh"


def duration(seconds: float) -> str:
    """Return a time in the units in which one thinks of it."""
    if seconds < 100:
        return f"{seconds:.3g} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"


def _errors(result: EpochResult, quantities: Collection[str]) -> str:
    rmse = (result.train if result.valid is None else result.valid).rmse
    shown = [(rmse[key], *SHOWN[key]) for key in SHOWN if key in rmse and key in quantities]
    return ", ".join(f"{name} {factor * value:.4g} {unit}" for value, name, unit, factor in shown)
