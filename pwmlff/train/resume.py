"""Whether the checkpoint found in the run's folder is this run, interrupted, or another one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pwmlff.models.files import ModelFile

# keys that may change between the parts of one run
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
_OPTIMIZER = "optimizer.optimizer"
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
    changes = _differences(checkpoint.config, config)
    forbidden = {key: change for key, change in changes.items() if key not in _MAY_CHANGE}
    if _OPTIMIZER in forbidden:
        before, after = forbidden[_OPTIMIZER]
        others = {key: change for key, change in forbidden.items() if not key.startswith("optimizer.")}
        lines = [
            f"the checkpoint found is of a run with {before}, this one is with {after}, which cannot go on from the "
            "state of another optimizer; `model_load_file` starts from the weights"
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
    lines = [f"  {key}: {before!r} -> {after!r}" for key, (before, after) in changes.items()]
    n_more = len(lines) - _N_SHOWN
    return lines if n_more <= 0 else [*lines[:_N_SHOWN], f"  and {n_more} more"]
