"""Which launcher started this process, and where it stands among its siblings.

`torchrun` says everything in environment variables. Under `mpirun` or `srun`, mpi4py gives rank and size, and rank 0
opens a store on a port that the system picks, so that no port has to be free by luck. MPI is touched only there: a
process that was started alone, or by `torchrun`, never initialises it.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch.distributed as dist

from pwmlff.errors import TrainingError

TIMEOUT = timedelta(hours=1)  # rank 0 may read a large data set while the others wait
_LOOPBACK = "127.0.0.1"
_TORCHRUN = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
# how many processes there are on this machine, and in all
_MPI_LOCAL_SIZES = (("MPI_LOCALNRANKS", "PMI_SIZE"), ("OMPI_COMM_WORLD_LOCAL_SIZE", "OMPI_COMM_WORLD_SIZE"))
_INTERFACES = ("GLOO_SOCKET_IFNAME", "UCX_NET_DEVICES")  # on which gloo listens, and the network library of MPICH
_MPI_SIZES = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MV2_COMM_WORLD_SIZE")


@dataclass(frozen=True)
class Launch:
    """One of several processes that work together.

    Attributes:
        rank: Number of this process, from 0.
        size: Number of processes.
        local_rank: Number of this process on its machine.
        local_size: Processes on its machine.
        store: Key-value store that all processes reach.
        is_host: Whether the store lives in this process and ends with it.
    """

    rank: int
    size: int
    local_rank: int
    local_size: int
    store: dist.Store
    is_host: bool


def find_launch() -> Launch | None:
    """Return the place of this process; None when it works alone.

    Raises:
        TrainingError: MPI started several processes, but mpi4py is not there to connect them.
    """
    if all(name in os.environ for name in _TORCHRUN):
        return _from_torchrun() if int(os.environ["WORLD_SIZE"]) > 1 else None
    return _from_mpi() if _n_mpi_processes() > 1 else None


def is_restart() -> bool:
    """Return whether `torchrun` started this process in place of one that failed."""
    return _n_restarts() > 0


def _n_restarts() -> int:
    return int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"))


def _from_torchrun() -> Launch:
    store, rank, size = next(dist.rendezvous("env://", timeout=TIMEOUT))
    # the store outlives a restart, and with it the addresses and the failure of the attempt before
    store = dist.PrefixStore(f"pwmlff/{_n_restarts()}/{size}", store)
    local_rank, local_size = int(os.environ.get("LOCAL_RANK", rank)), int(os.environ.get("LOCAL_WORLD_SIZE", size))
    if local_size == size:
        _keep_inside()
    is_host = rank == 0 and os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True"
    return Launch(rank, size, local_rank, local_size, store, is_host)


def _n_mpi_processes() -> int:
    """Return how many processes an MPI launcher says it started; 1 without a launcher."""
    names = [name for name in _MPI_SIZES if name in os.environ]
    if not names and "PMIX_RANK" in os.environ:
        names = [name for name in ("SLURM_STEP_NUM_TASKS",) if name in os.environ]
    return int(os.environ[names[0]]) if names else 1


def _from_mpi() -> Launch:
    if any(os.environ.get(local, "") == os.environ.get(size) for local, size in _MPI_LOCAL_SIZES):
        _keep_inside()
    mpi = _import_mpi()
    world = mpi.COMM_WORLD
    rank, size = world.Get_rank(), world.Get_size()
    if size == 1:
        raise TrainingError(
            f"the launcher started {_n_mpi_processes()} processes, but MPI sees only this one: mpi4py uses another "
            "MPI than the launcher; start with the mpirun of that MPI, or with torchrun"
        )
    node = world.Split_type(mpi.COMM_TYPE_SHARED)
    local_rank, local_size = node.Get_rank(), node.Get_size()
    is_one_machine = local_size == size
    host = _LOOPBACK if is_one_machine else world.bcast(socket.getfqdn())
    port, store = 0, None
    if rank == 0:
        store = _opened_store(host, size, is_one_machine=is_one_machine)
        port = store.port
    port = world.bcast(port)
    store = store or dist.TCPStore(host, port, size, False, timeout=TIMEOUT, wait_for_workers=False)
    if is_one_machine:  # not every launcher says so beforehand
        _keep_inside()
    return Launch(rank, size, local_rank, local_size, store, is_host=rank == 0)


def _opened_store(host: str, size: int, *, is_one_machine: bool) -> dist.TCPStore:
    """Open the store on a free port: to this machine alone if all processes are on it, otherwise on all addresses."""
    if not is_one_machine:
        return dist.TCPStore(host, 0, size, True, timeout=TIMEOUT, wait_for_workers=False)
    listener = socket.create_server((host, 0), backlog=size)
    port = listener.getsockname()[1]
    return dist.TCPStore(
        host, port, size, True, timeout=TIMEOUT, wait_for_workers=False, master_listen_fd=listener.detach()
    )


def _keep_inside() -> None:
    """Let libraries listen to this machine alone, unless the user names an interface."""
    loopback = next((name for _, name in socket.if_nameindex() if name in ("lo", "lo0")), None)
    if loopback is not None:
        for name in _INTERFACES:
            os.environ.setdefault(name, loopback)


def _import_mpi() -> Any:
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        raise TrainingError(
            f"several processes were started by mpirun, but mpi4py cannot be used ({error}); "
            "install it (pip install 'pwmlff[mpi]') or start with torchrun"
        ) from error
    return MPI
