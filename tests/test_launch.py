"""Who started this process, as told by environment variables; and what one process alone does."""

from __future__ import annotations

import os
import sys

import pytest
import torch

from pwmlff import distributed
from pwmlff.errors import TrainingError
from pwmlff.launch import find_launch, is_restart


@pytest.fixture(autouse=True)
def _no_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("TORCHELASTIC_", "OMPI_", "PMI_", "PMIX_", "MV2_", "RANK", "WORLD_SIZE", "MASTER_")):
            monkeypatch.delenv(name)


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"PMI_SIZE": "1", "PMI_RANK": "0"},
        {"OMPI_COMM_WORLD_SIZE": "1"},
        {"PMIX_RANK": "0"},
        {"RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"},
        # torchrun inside of mpirun: the inner one counts
        {"RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1", "PMI_SIZE": "2"},
        # a batch job may set one of them for its own use
        {"RANK": "3"},
    ],
)
def test_alone(variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setitem(sys.modules, "mpi4py", None)  # whoever imports it fails
    assert find_launch() is None
    with distributed.session():
        assert not torch.distributed.is_initialized()


@pytest.mark.parametrize(
    "variables", [{"PMI_SIZE": "2"}, {"OMPI_COMM_WORLD_SIZE": "2"}, {"PMIX_RANK": "1", "SLURM_STEP_NUM_TASKS": "2"}]
)
def test_mpirun_without_mpi4py(variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    with pytest.raises(TrainingError, match=r"mpi4py cannot be used .* start with torchrun"):
        find_launch()


def test_restart(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not is_restart()
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "0")
    assert not is_restart()
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "2")
    assert is_restart()


def test_one_process_is_its_own_sum() -> None:
    tensor = torch.arange(3.0)
    assert distributed.sum_(tensor) is tensor
    assert distributed.broadcast_(tensor) is tensor
    assert tensor.tolist() == [0, 1, 2]
    assert (distributed.rank(), distributed.size(), distributed.local_rank(), distributed.local_size()) == (0, 1, 0, 1)
    assert distributed.is_first()
    assert distributed.gather("x") == ["x"]
    assert distributed.from_first(lambda: 5) == 5
