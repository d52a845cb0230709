"""The device a run computes on."""

from __future__ import annotations

import torch

from pwmlff.errors import ConfigError


def choose_device(name: str) -> torch.device:
    """Turn `auto`, `cpu`, `cuda` or `cuda:1` into a device.

    Raises:
        ConfigError: No such device on this machine.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ConfigError(f"unknown device '{name}', expected auto, cpu, cuda or cuda:<number>") from error
    if device.type == "cuda" and not (torch.cuda.is_available() and (device.index or 0) < torch.cuda.device_count()):
        raise ConfigError(f"device '{name}' is not there: torch sees {torch.cuda.device_count()} CUDA devices; use cpu")
    return device
