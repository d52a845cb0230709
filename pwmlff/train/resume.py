"""Whether the checkpoint found in the run's folder is this run, interrupted, or another one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pwmlff.models.files import ModelFile
from pwmlff.train.trainer import place_of

# keys that may change between the parts of one run; of a stage that is done `epochs` may not
_MAY_CHANGE = frozenset(
    {
        "optimizer.epochs",
        "optimizer.print_freq",
        "optimizer.save_step",
        "early_stop",
        "device",
        "threads",
        "format",
        "test_data",
        "test_dir_name",
        "recover_train",
        "model_load_file",
        "model_store_dir",
        "model_name",
        "model_num",
    }
)
_LENGTH = "optimizer.epochs"
_STAGE = re.compile(r"^optimizer(?:\[(\d+)\])?")
_N_SHOWN = 4


@dataclass
class ResumeDecision:
    """What to do with a checkpoint that is there.

    Attributes:
        resume: Go on from it.
        lines: What to tell the user.
    """

    resume: bool
    lines: list[str] = field(default_factory=list)


def decide(checkpoint: ModelFile, config: Mapping[str, Any], fingerprint: str) -> ResumeDecision:
    """Compare a checkpoint with the run that is about to start.

    Args:
        checkpoint: Found in the run's folder.
        config: Resolved configuration of the run.
        fingerprint: Of its training frames.
    """
    if "epoch" not in checkpoint.state:
        return ResumeDecision(False, ["the checkpoint found holds only a model, no state of a run"])
    present = place_of(checkpoint).stage
    n_stages = max(len(_stages(each)) for each in (checkpoint.config, config))
    changes = _differences(_by_stage(checkpoint.config, n_stages), _by_stage(config, n_stages))
    forbidden = {key: change for key, change in changes.items() if not _may_change(key, present)}
    name = _stage_name(present, n_stages)
    if f"{name}.optimizer" in forbidden:
        before, after = forbidden[f"{name}.optimizer"]
        others = {key: change for key, change in forbidden.items() if not key.startswith(f"{name}.")}
        lines = [
            f"the checkpoint found is of a run with {before}, this one is with {after}, which cannot go on from the "
            "state of another optimizer; `model_load_file` starts from the weights, and so does a further stage"
        ]
        return ResumeDecision(False, lines + (["changed besides:", *_list(others)] if others else []))
    if forbidden:
        return ResumeDecision(False, ["the checkpoint found is of another configuration:", *_list(forbidden)])
    if checkpoint.state["data"]["fingerprint"] != fingerprint:
        return ResumeDecision(False, ["the checkpoint found was trained on other frames"])
    epoch, batch = checkpoint.state["epoch"], checkpoint.state["batch"]
    done = f"{epoch - 1} epochs" + (f" and {batch} batches" if batch else "")
    lines = [f"resuming after {done}"]
    if changes:
        lines += ["changed since:", *_list(changes)]
    return ResumeDecision(True, lines)


def _stages(config: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    optimizer = config.get("optimizer", {})
    return [optimizer] if isinstance(optimizer, Mapping) else list(optimizer)


def _stage_name(number: int, n_stages: int) -> str:
    return f"optimizer[{number}]" if n_stages > 1 else "optimizer"


def _by_stage(config: Mapping[str, Any], n_stages: int) -> dict[str, Any]:
    """Return a configuration in which each stage is a section of its own."""
    others = {key: value for key, value in config.items() if key != "optimizer"}
    return others | {_stage_name(number, n_stages): stage for number, stage in enumerate(_stages(config))}


def _may_change(key: str, present: int) -> bool:
    """Return whether a run may go on where a dotted key has changed, in its stage `present`."""
    place = _STAGE.match(key)
    number = int(place.group(1) or 0) if place else present
    if number > present:  # it has not begun
        return True
    key = _STAGE.sub("optimizer", key)
    return key in _MAY_CHANGE and not (number < present and key == _LENGTH)


def _differences(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> dict[str, tuple[Any, Any]]:
    """Return the dotted keys whose values differ, with both values."""
    changes: dict[str, tuple[Any, Any]] = {}
    for key in sorted(old.keys() | new.keys()):
        before, after = old.get(key), new.get(key)
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            changes |= _differences(before, after, f"{prefix}{key}.")
        elif before != after:
            changes[prefix + key] = (before, after)
    return changes


def _list(changes: Mapping[str, tuple[Any, Any]]) -> list[str]:
    lines = [f"  {key}: {_shown(before)} -> {_shown(after)}" for key, (before, after) in changes.items()]
    n_more = len(lines) - _N_SHOWN
    return lines if n_more <= 0 else [*lines[:_N_SHOWN], f"  and {n_more} more"]


def _shown(value: Any) -> str:
    """Return a value; a whole stage by the name of its optimizer."""
    return repr(value["optimizer"] if isinstance(value, Mapping) and "optimizer" in value else value)
