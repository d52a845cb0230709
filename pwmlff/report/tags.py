"""What frames are called and how hot they are, from what their files say beside the labels.

| file | read |
|---|---|
| extended XYZ | `config_type`, `temperature` or `T` of the comment line; else a config_type such as `AIMD_300K` |
| MOVEMENT | the kinetic energy of the frame |
| OUTCAR | `TEBEG`, where `IBRION = 0` |
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from pwmlff.data.frame import Frame

BOLTZMANN = 8.617333262e-5  # eV/K
_QUOTED = r"""=\s*("[^"]*"|'[^']*'|[^\s"']+)"""
_CONFIG_TYPE = re.compile(r"(?<!\w)config_type" + _QUOTED)
_TEMPERATURE = re.compile(r"(?<!\w)(?:temperature|temp|T)\s*=\s*\"?([0-9.]+(?:[eE][+-]?[0-9]+)?)", re.IGNORECASE)
_KELVIN = re.compile(r"(?<![A-Za-z0-9.])([0-9]+(?:\.[0-9]+)?)\s*K(?![A-Za-z])")
_KINETIC = re.compile(r"Etot,Ep,Ek[^=]*=\s*\S+\s+\S+\s+([0-9.Ee+-]+)")
_OUTCAR_HEAD = 20_000  # lines


@dataclass(frozen=True)
class Tag:
    """What a file says of a frame.

    Attributes:
        config_type: Its kind; empty where the file does not tell.
        temperature: K; None where the file does not tell.
    """

    config_type: str = ""
    temperature: float | None = None


def tags_of(frames: Sequence[Frame]) -> list[Tag]:
    """Return the tag of each frame; files that cannot be read again give empty ones."""
    tags = [Tag()] * len(frames)
    for source in {frame.source for frame in frames if frame.source and frame.line is not None}:
        places = [place for place, frame in enumerate(frames) if frame.source == source]
        for place, tag in zip(places, _tags_of_file(Path(source), [frames[p] for p in places]), strict=True):
            tags[place] = tag
    return tags


def _tags_of_file(path: Path, frames: Sequence[Frame]) -> list[Tag]:
    wanted = {line for frame in frames if frame.line is not None for line in (frame.line, frame.line + 1)}
    try:
        with path.open(errors="replace") as file:
            lines = {number: line for number, line in enumerate(file, start=1) if number in wanted}
    except OSError:
        return [Tag()] * len(frames)
    run = _temperature_of_run(path)
    return [_tag(frame, lines, run) for frame in frames]


def _tag(frame: Frame, lines: dict[int, str], run: float | None) -> Tag:
    first = lines.get(frame.line or 0, "")
    kinetic = _KINETIC.search(first)
    if kinetic is not None:
        return Tag(temperature=2 * float(kinetic[1]) / (3 * len(frame) * BOLTZMANN) or None)
    if not first.strip().isdigit():
        return Tag(temperature=run)
    return tag_of_comment(lines.get((frame.line or 0) + 1, ""))


def tag_of_comment(comment: str) -> Tag:
    """Return what the comment line of extended XYZ tells."""
    found = _CONFIG_TYPE.search(comment)
    config_type = found[1].strip("\"'") if found else ""
    told = _TEMPERATURE.search(_CONFIG_TYPE.sub("", comment))
    if told is None:
        told = _KELVIN.search(config_type.replace("_", " ").replace("-", " "))
    return Tag(config_type, (float(told[1]) or None) if told else None)


def _temperature_of_run(path: Path) -> float | None:
    """Return TEBEG of an OUTCAR of molecular dynamics; None of other files."""
    with path.open(errors="replace") as file:
        head = "".join(line for line in islice(file, _OUTCAR_HEAD) if "TEBEG" in line or "IBRION" in line)
    begin = re.search(r"TEBEG\s*=\s*([0-9.]+)", head)
    is_dynamics = re.search(r"IBRION\s*=\s*0\b", head) is not None
    return float(begin[1]) if begin and is_dynamics and float(begin[1]) > 0 else None
