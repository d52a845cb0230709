"""Choose the frames of trajectories whose labels a model would learn most from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from itertools import islice
from pathlib import Path

import numpy as np
import torch

from pwmlff.data.frame import Frame
from pwmlff.data.readers import read_frames
from pwmlff.data.trajectory import iterate_trajectory
from pwmlff.errors import ConfigError, DataFormatError, ModelFileError
from pwmlff.evaluate.deviation import Committee
from pwmlff.evaluate.kpu import KalmanUncertainty
from pwmlff.evaluate.loading import load_model
from pwmlff.models import Potential
from pwmlff.selection.closest import unphysical
from pwmlff.selection.farthest import Environments, farthest_frames

_POOL = 4  # of the most uncertain frames, so many times as wanted, those are taken that are far from each other


class By(str, Enum):
    """What tells that a frame is worth a calculation."""

    DEVIATION = "deviation"
    KPU = "kpu"
    FARTHEST = "farthest"


@dataclass(frozen=True)
class Candidate:
    """A frame of a trajectory.

    Attributes:
        step: Time step of a dump; of other files the place of the frame, from 0.
        frame: The structure, without labels.
        score: `max_devi_f` in eV/Å, `f_kpu_max`, or the novelty by which the frame was chosen.
    """

    step: int
    frame: Frame
    score: float = float("nan")


@dataclass
class Selected:
    """What was chosen.

    Attributes:
        by: How.
        frames: Those chosen, the first the one to label first.
        lines: What happened, for the user.
    """

    by: By
    frames: list[Candidate] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)


def select_frames(
    models: Sequence[Path],
    trajectories: Sequence[Path],
    n_wanted: int,
    *,
    by: By | None = None,
    lo: float | None = None,
    hi: float | None = None,
    train: Sequence[Path] = (),
    closest: float | None = None,
    elements: Sequence[str] | None = None,
    every: int = 1,
    device: torch.device | None = None,
    trust: bool = False,
) -> Selected:
    """Choose frames by the deviation of a committee, by Kalman prediction uncertainty, or by what is new to a model.

    Of frames that are uncertain those are taken that are far from each other, since neighbours in time say the same.

    Args:
        models: Model files: two or more for `By.DEVIATION`, the last checkpoint of a run with LKF or GKF for `By.KPU`.
        trajectories: LAMMPS dumps, extended XYZ, or other files ASE reads.
        n_wanted: How many frames.
        by: By deviation with several models, otherwise by novelty, when None.
        lo: Frames with less deviation (eV/Å) or uncertainty are known well enough.
        hi: Frames with as much or more are too far off to be trusted as structures.
        train: Frames the model was trained on, which the chosen ones are to be unlike.
        closest: Å, of two atoms; half the sum of covalent radii when None. Frames with nearer ones are dropped.
        elements: Symbols of the types 1, 2, ... of dumps.
        every: Consider every n-th frame.
        device: Where to run; the CPU when None.
        trust: Whether code in model files may be run, see `read_model`.

    Raises:
        ConfigError: Models and settings do not go together.
        DataFormatError: A trajectory cannot be read, or holds an element a model does not know.
        ModelFileError: A model cannot be read, or has no descriptors or covariance where these are needed.
    """
    by = by or (By.DEVIATION if len(models) > 1 else By.FARTHEST)
    _check(models, trajectories, by, lo, hi)
    chosen_device = device or torch.device("cpu")
    result = Selected(by)
    candidates = _physical(trajectories, elements, every, closest, result)
    if by is not By.FARTHEST:
        score = _score(models, by, chosen_device, trust)
        candidates = [replace(each, score=score(each.frame)) for each in candidates]
        candidates = _between(candidates, lo, hi, result)
        candidates.sort(key=lambda each: -each.score)
    known = list(read_frames(train)) if train else []
    if candidates:
        pool = candidates if by is By.FARTHEST else candidates[: _POOL * n_wanted]
        result.frames = _spread(load_model(models[0], chosen_device, trust), pool, known, n_wanted, result)
    if len(result.frames) < n_wanted:
        result.lines.append(f"{len(result.frames)} frames chosen, {n_wanted} were wanted: there are no more candidates")
    return result


def _check(models: Sequence[Path], trajectories: Sequence[Path], by: By, lo: float | None, hi: float | None) -> None:
    if not models:
        raise ConfigError("no model is named: pwmlff select MODELS... TRAJECTORIES... -n 50; one model, or a committee")
    if not trajectories:
        raise ConfigError("no trajectory is named: pwmlff select MODELS... TRAJECTORIES... -n 50")
    if by is not By.DEVIATION and len(models) > 1:
        raise ConfigError(f"by {by.value} one model is asked, got {len(models)}; several are for deviation")
    if by is By.FARTHEST and (lo is not None or hi is not None):
        raise ConfigError("lo and hi are bounds of deviation or kpu; frames are chosen by what is farthest here")
    if lo is not None and hi is not None and lo >= hi:
        raise ConfigError(f"lo is {lo:g} and hi is {hi:g}, expected lo below hi")


def _physical(
    trajectories: Sequence[Path], elements: Sequence[str] | None, every: int, closest: float | None, result: Selected
) -> list[Candidate]:
    """Read the frames and drop those with atoms too near to each other."""
    kept: list[Candidate] = []
    dropped: list[str] = []
    for path in trajectories:
        for step, frame in islice(iterate_trajectory(path, elements), 0, None, every):
            reason = unphysical(frame, closest)
            if reason is not None:
                dropped.append(reason)
                continue
            bare = replace(frame, energy=None, forces=None, virial=None, atomic_energies=None)
            kept.append(Candidate(step, bare))
    if not kept and not dropped:
        raise DataFormatError(f"{' '.join(map(str, trajectories))}: no frame is there")
    result.lines.append(f"{len(kept) + len(dropped)} frames of {len(trajectories)} trajectories")
    if dropped:
        result.lines.append(f"dropped {len(dropped)} unphysical frames; the first: {dropped[0]}")
    return kept


def _score(models: Sequence[Path], by: By, device: torch.device, trust: bool) -> Callable[[Frame], float]:
    if by is By.KPU:
        uncertainty = KalmanUncertainty(models[0])
        return lambda frame: uncertainty.of_frame(frame)["f_kpu_max"]
    committee = Committee.load(models, device, trust)
    return lambda frame: committee.deviation(frame)["max_devi_f"]


def _between(candidates: list[Candidate], lo: float | None, hi: float | None, result: Selected) -> list[Candidate]:
    """Keep the frames between the bounds, and say how many there are on each side, as DP-GEN does."""
    if not candidates:
        return []
    name, unit = ("max_devi_f", " eV/Å") if result.by is By.DEVIATION else ("f_kpu_max", "")
    scores = np.array([each.score for each in candidates])
    result.lines.append(f"{name} {scores.min():.4g} to {scores.max():.4g}{unit}, median {np.median(scores):.4g}")
    accurate = scores < (-np.inf if lo is None else lo)
    failed = scores >= (np.inf if hi is None else hi)
    if lo is not None or hi is not None:
        bounds = [f"{accurate.sum()} accurate (below {lo:g})"] if lo is not None else []
        bounds += [f"{(~accurate & ~failed).sum()} candidates"]
        bounds += [f"{failed.sum()} failed ({hi:g} or more)"] if hi is not None else []
        result.lines.append(", ".join(bounds))
    return [each for each, out in zip(candidates, accurate | failed, strict=True) if not out]


def _spread(
    model: Potential, pool: list[Candidate], known: list[Frame], n_wanted: int, result: Selected
) -> list[Candidate]:
    """Choose frames that are far from each other in what the model sees; the first is the most uncertain one."""
    frames = [each.frame for each in pool]
    is_scored = result.by is not By.FARTHEST
    try:
        environments = Environments(model, [*known, *frames])
    except ModelFileError as error:
        if not is_scored:
            raise
        result.lines.append(f"the most uncertain frames are taken, however alike they are: {error}")
        return pool[:n_wanted]
    chosen = farthest_frames(environments, frames, n_wanted, known=known, first=0 if is_scored else None)
    return [pool[place] if is_scored else replace(pool[place], score=novelty) for place, novelty in chosen]
