"""What the benchmarks share: fixed cores, child processes, percentiles, the state of the machine, tables."""

from __future__ import annotations

import json
import os
import platform
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

_BUSY = 1.3  # load average per core above which a reader should distrust the figures
STOPPED = 75  # exit code of a training that was told to end
_LOOKS = 1.0  # s between looks at a run's time
_OUTPUT_TAIL = 3000  # characters shown of a child that failed


@dataclass(frozen=True)
class Spread:
    """Median and tenth and ninetieth percentile of a sample."""

    median: float
    p10: float
    p90: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        low, middle, high = np.percentile(values, [10, 50, 90])
        return cls(float(middle), float(low), float(high))

    def scaled(self, factor: float) -> Spread:
        return Spread(self.median * factor, self.p10 * factor, self.p90 * factor)


def pin_to_cores(n_cores: int) -> list[int]:
    """Bind this process and all it starts to the first cores it may use, so that all contenders get the same ones."""
    allowed = sorted(os.sched_getaffinity(0))
    if n_cores > len(allowed):
        raise SystemExit(f"{n_cores} cores are asked for, this process may use {len(allowed)}")
    os.sched_setaffinity(0, allowed[:n_cores])
    return allowed[:n_cores]


def thread_environment(threads: int) -> dict[str, str]:
    """Return the environment of a child that computes on this many threads."""
    return {
        **os.environ,
        "OMP_NUM_THREADS": str(threads),
        "DP_INTRA_OP_PARALLELISM_THREADS": str(threads),
        "DP_INTER_OP_PARALLELISM_THREADS": "1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }


def run_child(
    command: Sequence[object], environment: Mapping[str, str], folder: Path, *, with_errors: bool = False
) -> str:
    """Run a program to its end and return what it wrote; stop with the tail of it if the program fails.

    Args:
        command: Program and arguments.
        environment: Of the program.
        folder: Where it runs.
        with_errors: Return standard error too, after standard output.
    """
    words = [str(word) for word in command]
    finished = subprocess.run(words, env=dict(environment), cwd=folder, capture_output=True, text=True, check=False)
    if finished.returncode != 0:
        said = (finished.stdout + finished.stderr)[-_OUTPUT_TAIL:]
        raise SystemExit(f"{' '.join(words)}\nfailed with exit code {finished.returncode}:\n{said}")
    return finished.stdout + finished.stderr if with_errors else finished.stdout


def train_in(folder: Path, seconds: float = float("inf")) -> tuple[int, float]:
    """Run `pwmlff train config.json` on one thread, its output in `log`; return its exit code and its time, s.

    Args:
        folder: Holds the run file.
        seconds: Of the processor, after which the run is told to save its state and end: STOPPED.
    """
    command = [sys.executable, "-m", "pwmlff", "train", "config.json"]
    before = _time_of_children()
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, env=thread_environment(1), stdout=log, stderr=log)
    try:
        while process.poll() is None and _time_of(process.pid) < seconds:
            time.sleep(_LOOKS)
        process.send_signal(signal.SIGTERM)  # nothing, if it has ended
        return process.wait(), _time_of_children() - before
    except BaseException:
        process.kill()
        raise


def _time_of(pid: int) -> float:
    """Return what a process has spent so far, s: user and system in /proc/PID/stat, see proc(5)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(float(ticks) for ticks in fields[11:13]) / os.sysconf("SC_CLK_TCK")


def _time_of_children() -> float:
    """Return what the children that have ended spent, s."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def merged(config: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a run file with some keys changed, in its sections as well."""
    both = {key: merged(config.get(key, {}), value) for key, value in changes.items() if isinstance(value, dict)}
    return {**config, **changes, **both}


def with_keys(config: dict[str, Any], entries: Iterable[str]) -> dict[str, Any]:
    """Return a run file with keys set as in "optimizer.epochs=30": a dotted path, and a value in JSON."""
    for entry in entries:
        path, value = entry.split("=", 1)
        change = json.loads(value)
        for name in reversed(path.split(".")):
            change = {name: change}
        config = merged(config, change)
    return config


def describe_machine() -> str:
    """Return processor, cores, load average and Python: what a reader needs to judge a figure."""
    model = platform.processor() or platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    n_cores, load = os.cpu_count() or 1, os.getloadavg()
    text = f"{model}, {n_cores} cores, load average {load[0]:.2f} {load[1]:.2f} {load[2]:.2f}, "
    text += f"Python {platform.python_version()}"
    if load[0] > _BUSY * n_cores:
        text += "\nthe machine is busy: only ratios of one run mean something, and they are uncertain"
    return text


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], notes: Iterable[str] = ()) -> None:
    """Print a table whose first column is text and whose others are figures, and lines below it."""
    console = Console(soft_wrap=True, highlight=False, width=None if sys.stdout.isatty() else 140)
    table = Table(title=title, title_justify="left")
    for index, name in enumerate(columns):
        table.add_column(name, justify="left" if index == 0 else "right")
    for row in rows:
        table.add_row(*row)
    console.print(table)
    for note in notes:
        console.print(note, markup=False)


def say(text: str) -> None:
    """Print progress at once, also into a pipe."""
    print(text, file=sys.stderr, flush=True)
