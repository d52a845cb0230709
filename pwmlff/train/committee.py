"""A committee: several runs of one run file, whose models tell by their spread what none of them knows.

Each member has weights and an order of frames of its own, and leaves out another part of the training frames. All hold
out the same validation frames, on which their spread is compared with their error at the end.

Different starts make most of the spread, and all of the data make the best members (Lakshminarayanan et al., NeurIPS
2017); parts that are left out in turn add what hangs on single frames (Krogh and Vedelsby, NIPS 1994; Schran et al.,
JCP 153, 104105, 2020). A bootstrap would leave out 37 % of the frames instead of a tenth.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from rich.console import Console

from pwmlff import distributed
from pwmlff.config import RunConfig
from pwmlff.data.frame import Frame
from pwmlff.data.readers import ReadReport
from pwmlff.data.replacing import replacing
from pwmlff.device import choose_device
from pwmlff.errors import ConfigError
from pwmlff.evaluate.deviation import COLUMNS, Committee, deviation_of
from pwmlff.evaluate.rows import write_table
from pwmlff.train.data import read_run_frames
from pwmlff.train.progress import say
from pwmlff.train.records import RunFiles
from pwmlff.train.run import train_from_config

_LEAST_PARTS = 10  # of the training frames; each member leaves out one
_TRUSTED = 95  # percentile of the deviation on held-out frames up to which a structure is like the data
DEVIATION_FILE = "model_devi.out"


@dataclass
class HeldOutDeviation:
    """How far the members are apart on frames that none was trained on, beside how wrong they are.

    Attributes:
        max_devi_f: Of each frame, eV/Å.
        member_errors: Root mean square force error of each member over all frames with forces, eV/Å.
        mean_error: The same of the members' mean.
    """

    max_devi_f: list[float] = field(default_factory=list)
    member_errors: list[float] = field(default_factory=list)
    mean_error: float | None = None

    def lines(self) -> list[str]:
        """Say what it means."""
        devi = np.array(self.max_devi_f)
        trusted = float(np.percentile(devi, _TRUSTED))
        lines = [
            f"deviation on {len(devi)} held-out frames: max_devi_f {devi.min():.3g} to {devi.max():.3g} eV/Å, "
            f"median {np.median(devi):.3g}"
        ]
        if self.mean_error is not None:
            least, most = min(self.member_errors), max(self.member_errors)
            lines.append(
                f"force error there: members {least:.3g} to {most:.3g} eV/Å, their mean {self.mean_error:.3g} eV/Å"
            )
        lines.append(
            f"a structure with max_devi_f above {trusted:.2g} eV/Å is unlike the data, worth a calculation: "
            f"pwmlff select MODELS... TRAJECTORY -n 50 --lo {trusted:.2g}"
        )
        return lines


def member_configs(config: RunConfig, n_members: int) -> list[RunConfig]:
    """Return the run files of the members.

    Args:
        config: Of one run; its folder will hold those of the members, member_1 and so on.
        n_members: At least 2.

    Raises:
        ConfigError: There are fewer than two members, or `leave_out` is given, which they set.
    """
    if n_members < 2:
        raise ConfigError(f"a committee has at least 2 members, got {n_members}")
    if config.leave_out is not None:
        raise ConfigError(
            "`leave_out` is given, but each member of a committee leaves out a part of its own; remove it"
        )
    n_parts = max(n_members, _LEAST_PARTS)
    split_seed = config.seed if config.split_seed is None else config.split_seed
    return [
        config.model_copy(
            update={
                "seed": config.seed + number - 1,
                "split_seed": split_seed,
                "leave_out": (number, n_parts),
                "model_num": 1,
                "model_store_dir": config.model_store_dir / f"member_{number}",
            }
        )
        for number in range(1, n_members + 1)
    ]


def train_committee(
    config: RunConfig, n_members: int, *, fresh: bool = False, console: Console | None = None
) -> list[Path]:
    """Train the members one after another; those that are done already are not trained again.

    Several processes that are to work on the runs must have been joined, see `distributed.session`.

    Args:
        config: The run file.
        n_members: Number of models.
        fresh: Start all anew.
        console: Where to print; standard output when None.

    Returns:
        The best model of each member. `model_devi.out` in the folder of the run has the deviation on held-out frames.

    Raises:
        ConfigError: The run file does not fit the data or a committee.
        DataFormatError: The data cannot be read.
        TrainingStopped: A signal came; the state is saved and the same call resumes.
        TrainingError: The loss is not finite, or another run is going on in a folder.
        ModelFileError: A checkpoint cannot be read or written.
    """
    console = console or Console()
    best = []
    for number, member in enumerate(member_configs(config, n_members), start=1):
        say(console, f"member {number} of {n_members}: {member.model_store_dir}")
        last = train_from_config(member, fresh=fresh, console=console)
        files = RunFiles(member.model_store_dir, member.model_name)
        best.append(files.best if files.best.exists() else last)
    if distributed.is_first():
        say(console, *_told_deviation(config, best))
    return best


def held_out_deviation(committee: Committee, frames: Sequence[Frame], output: Path) -> HeldOutDeviation:
    """Evaluate a committee on labelled frames, and write a file as `pwmlff devi` does.

    Args:
        committee: The members.
        frames: None of them was trained on these.
        output: File to write; it appears when it is complete.

    Raises:
        DataFormatError: A model does not know an element.
        ModelFileError: A prediction is not finite.
    """
    summary = HeldOutDeviation()
    squares: list[list[float]] = []  # of each frame with forces: of each member, of their mean
    n_components = 0

    def rows() -> Iterator[tuple[int, Mapping[str, float]]]:
        nonlocal n_components
        for step, frame in enumerate(frames):
            results = committee.predict(frame)
            deviation = deviation_of(results)
            summary.max_devi_f.append(deviation["max_devi_f"])
            if frame.forces is not None:
                members = np.stack([result.forces for result in results])
                everyone = [*members, members.mean(axis=0)]
                squares.append([float(np.square(forces - frame.forces).sum()) for forces in everyone])
                n_components += frame.forces.size
            yield step, deviation

    with replacing(output) as partial:
        for _ in write_table(partial, rows(), COLUMNS["dpgen"]):
            pass
    if squares:
        *summary.member_errors, summary.mean_error = np.sqrt(np.sum(squares, axis=0) / n_components).tolist()
    return summary


def _told_deviation(config: RunConfig, models: Sequence[Path]) -> list[str]:
    frames = read_run_frames(config, ReadReport(needs_labels=True)).valid
    if len(frames) == 0:
        return ["no frame is held out (`valid_ratio` is 0): `pwmlff devi` tells the deviation on others"]
    committee = Committee.load(models, choose_device(config.device))
    output = config.model_store_dir / DEVIATION_FILE
    lines = held_out_deviation(committee, frames, output).lines()
    return [*lines, f"models {' '.join(map(str, models))}, deviation in {output}"]
