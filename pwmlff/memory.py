"""How much memory there is, to refuse in one line what would be killed without a word."""

from __future__ import annotations

import os
from pathlib import Path

_MEMINFO = Path("/proc/meminfo")
_CGROUP = Path("/sys/fs/cgroup")  # of a container, or of the batch system where it is mounted there


def available() -> int:
    """Return the bytes that this process can still take without anything being swapped out or killed."""
    free = [_of_machine()]
    limit, used = _number(_CGROUP / "memory.max"), _number(_CGROUP / "memory.current")
    if limit is not None and used is not None:
        free.append(limit - used)
    return max(0, min(free))


def gigabytes(n_bytes: float) -> str:
    """Return a size for a message."""
    return f"{n_bytes / 1e9:.3g} GB"


def _of_machine() -> int:
    try:
        for line in _MEMINFO.read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return 1024 * int(line.split()[1])
    except OSError:
        pass
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):  # "max" is no limit
        return None
