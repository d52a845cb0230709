"""Several processes working on one run: who is who, and sums over all of them.

With one process there is no process group, and every function here returns at once. With several, `session` joins
them: gloo for tensors on the CPU, NCCL on GPUs (gloo where processes share a GPU). All processes must call the
functions below in the same order; what a process computes in between is its own business.

A process that fails says why and ends. The others, who wait for it in vain, notice that the connection is gone and
end without a word, so a run has one error message. Who speaks is decided by a counter in the store of the launcher.
"""

from __future__ import annotations

import atexit
import importlib
import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from pwmlff.errors import TrainingError
from pwmlff.launch import TIMEOUT, Launch, find_launch

T = TypeVar("T")
_FAILURES, _GPU = "pwmlff/failures", "pwmlff/gpu"  # keys of the store
_GRACE = 1.0  # s for the message of the one that speaks: a launcher kills the rest when the first process ends
_PATIENCE = 10.0  # s that the owner of the store waits for others to end
_launch: Launch | None = None


class ProcessLostError(TrainingError):
    """Another process of the run ended before its time."""


def rank() -> int:
    """Return the number of this process, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def size() -> int:
    """Return the number of processes."""
    return dist.get_world_size() if dist.is_initialized() else 1


def is_first() -> bool:
    """Return whether this is the process that prints and writes files."""
    return rank() == 0


def local_rank() -> int:
    """Return the number of this process on its machine."""
    return 0 if _launch is None else _launch.local_rank


def local_size() -> int:
    """Return the number of processes on this machine."""
    return 1 if _launch is None else _launch.local_size


def gpu_index() -> int:
    """Return the number of this process's GPU among those it sees; there must be one."""
    return local_rank() % torch.cuda.device_count()


def sum_(tensor: Tensor) -> Tensor:
    """Add a tensor up over all processes, in place.

    Args:
        tensor: Contiguous and without a graph; the same shape and type everywhere.

    Returns:
        The same tensor. All processes get the same bits.

    Raises:
        ProcessLostError: Another process has ended.
    """
    if size() > 1:
        with _named_losses():
            dist.all_reduce(tensor)
    return tensor


def broadcast_(tensor: Tensor, source: int = 0) -> Tensor:
    """Overwrite a tensor with that of one process; see `sum_`."""
    if size() > 1:
        with _named_losses():
            dist.broadcast(tensor, source)
    return tensor


def gather(value: T) -> list[T]:
    """Return the values of all processes, by rank; anything that can be pickled."""
    if size() == 1:
        return [value]
    values: list[Any] = [None] * size()
    with _named_losses():
        dist.all_gather_object(values, value)
    return values


def from_first(function: Callable[[], T]) -> T:
    """Call a function in the first process only and return its result in all of them."""
    if size() == 1:
        return function()
    values: list[Any] = [function() if is_first() else None]
    with _named_losses():
        dist.broadcast_object_list(values, 0)
    return values[0]


@contextmanager
def session() -> Iterator[None]:
    """Join the processes that a launcher started, for the length of a `with` block.

    An exception that leaves the block ends the run. It goes on in the process that raised one first; in the others it
    turns into `SystemExit(1)`.

    Raises:
        TrainingError: The processes cannot be joined.
    """
    global _launch
    with _named_losses():
        _launch = find_launch()
    if _launch is None:
        yield
        return
    # its functions keep the group that exists when they are first imported (by torch.optim, for instance) as a default
    # argument; threads of a group that outlives the interpreter abort the process
    importlib.import_module("torch.distributed.nn.functional")
    with _named_losses():
        dist.init_process_group(
            _backend(_launch), store=_launch.store, rank=_launch.rank, world_size=_launch.size, timeout=TIMEOUT
        )
    try:
        yield
        gather(None)  # whoever is done waits: the others may still fail
    except BaseException:
        if not _speaks(_launch):
            time.sleep(_GRACE)
            raise SystemExit(1) from None
        if _launch.is_host:
            # after the message is out; the store must outlive those that ask it who speaks
            atexit.register(_wait_for_others, _launch)
        raise
    dist.destroy_process_group()
    _launch = None


def _backend(launch: Launch) -> str:
    """Return gloo, and NCCL for GPUs if each process has one of its own; all processes decide alike."""
    gpu = "none"
    if torch.cuda.is_available() and dist.is_nccl_available():
        torch.cuda.set_device(gpu_index())
        # batch systems may show each process only its own GPU, which then has number 0 in all of them
        gpu = f"{socket.gethostname()} {torch.cuda.get_device_properties(gpu_index()).uuid}"
    launch.store.set(f"{_GPU}/{launch.rank}", gpu)
    gpus = {launch.store.get(f"{_GPU}/{number}") for number in range(launch.size)}
    return "cpu:gloo,cuda:nccl" if len(gpus) == launch.size and b"none" not in gpus else "gloo"


def _speaks(launch: Launch) -> bool:
    """Return whether this process is the first to fail, which is the one that says why."""
    try:
        return launch.store.add(_FAILURES, 1) == 1
    except RuntimeError:  # the store went down with rank 0
        return launch.rank == 1


def _wait_for_others(launch: Launch) -> None:
    dist.destroy_process_group()  # which tells them
    end = time.monotonic() + _PATIENCE
    while launch.store.add(_FAILURES, 0) < launch.size and time.monotonic() < end:
        time.sleep(0.05)


@contextmanager
def _named_losses() -> Iterator[None]:
    """Say in plain words what an error of the communication library means."""
    try:
        yield
    except RuntimeError as error:
        # without the place in the library's source before it and the advice after it
        reason = re.sub(r"^(\[\S*\] )?", "", " ".join(str(error).split())).split(". ")[0]
        raise ProcessLostError(
            f"another process of this run ended or cannot be reached ({reason}); "
            "the last checkpoint is intact, run the same command to go on from it"
        ) from error
