"""Real processes under torchrun and mpirun: the same weights as one process, one voice, one end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from families import FAMILIES, small_section
from rich.console import Console

from pwmlff.config import load_config
from pwmlff.data.frame import Frame
from pwmlff.data.writers import write_extxyz
from pwmlff.models.files import ModelFile
from pwmlff.models.files.checkpoint import load_checkpoint
from pwmlff.ops import library
from pwmlff.train import EXIT_STOPPED, train_from_config

_SNES = {"optimizer": "SNES", "population": 6, "output_interval": 3, "train_virial": True}

pytestmark = pytest.mark.skipif(not torch.distributed.is_available(), reason="this torch has no torch.distributed")

RELATIVE = 1e-12  # float64 sums in another order
_TIMEOUT = 240
_LAUNCHER_VARIABLES = ("TORCHELASTIC", "PMI_", "OMPI_", "PMIX_", "MPI", "RANK", "WORLD_SIZE", "LOCAL_", "MASTER_")
MPIRUN = Path(sys.executable).with_name("mpirun")
needs_mpi = pytest.mark.skipif(
    not (MPIRUN.exists() and find_spec("mpi4py")), reason="no mpirun beside this Python, or no mpi4py"
)

# `pwmlff` without pictures, which take longer than the training here, and with a deed before one step of one process
_PROGRAM = """
import os, signal
from pwmlff import distributed
from pwmlff.cli.main import main
from pwmlff.errors import TrainingError
from pwmlff.optim.gradient import GradientUpdate
from pwmlff.train import stages

stages.optional_records = lambda files, quantities: ([], [])
step = GradientUpdate.step

def sabotaged(self, batch):
    if self.n_steps == 5 and distributed.rank() == 1:
        {deed}
    return step(self, batch)

GradientUpdate.step = sabotaged
main()
"""


@pytest.fixture(scope="module")
def alloy_file(two_element_frames: list[Frame], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copper-gold frames of 4 to 16 atoms: shares of a batch are never equal."""
    path = tmp_path_factory.mktemp("alloy") / "cuau.xyz"
    write_extxyz(path, two_element_frames)
    return path


@pytest.fixture
def write_run(tmp_path: Path, alloy_file: Path) -> Callable[..., Path]:
    """Return a function that writes a run file; its folder has the same name."""

    def write(name: str, *, model_type: str = "DP", data: Path = alloy_file, **optimizer: Any) -> Path:
        run = {
            "model_type": model_type,
            "atom_type": ["Cu", "Au"],
            "train_data": [str(data)],
            "valid_ratio": 0.34,
            "ema_decay": 0.9,
            "threads": 1,
            "device": "cpu",
            "model_store_dir": str(tmp_path / name),
            "model": small_section(model_type, 4.5),
            "optimizer": {"optimizer": "ADAM", "epochs": 4, "batch_size": 3, "stop_step": 12, **optimizer},
        }
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(run), encoding="utf-8")
        return path

    return write


def _command(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    alone = {key: value for key, value in os.environ.items() if not key.startswith(_LAUNCHER_VARIABLES)}
    return subprocess.run(
        command,
        cwd=folder,
        env={**alone, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_TIMEOUT,
        check=False,
    )


def _one(run: Path) -> ModelFile:
    train_from_config(load_config(run), console=Console(quiet=True))
    return _last(run)


def _torchrun(run: Path, *program: str, options: tuple[str, ...] = (), arguments: tuple[str, ...] = ()) -> Any:
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", *options]
    return _command([*launcher, *program, "train", run.name, *arguments], run.parent)


def _mpirun(run: Path, *program: str, n: int = 2) -> Any:
    return _command([str(MPIRUN), "-np", str(n), sys.executable, *program, "train", run.name], run.parent)


def _last(run: Path) -> ModelFile:
    config = load_config(run)
    return load_checkpoint(config.model_store_dir / config.model_name)


def _program(folder: Path, deed: str = "pass") -> str:
    (folder / "program.py").write_text(_PROGRAM.format(deed=deed), encoding="utf-8")
    return "program.py"


def _assert_same(one: ModelFile, other: ModelFile, tolerance: float = RELATIVE) -> None:
    assert (one.state["epoch"], one.state["batch"]) == (other.state["epoch"], other.state["batch"])
    first, second = (
        {**c.potential.state_dict(), **{k: v for k, v in c.tensors.items() if k.startswith(("optimizer/", "trained/"))}}
        for c in (one, other)
    )
    assert first.keys() == second.keys()
    for name, value in first.items():
        scale = float(value.nan_to_num(posinf=0.0).abs().max())
        torch.testing.assert_close(second[name], value, rtol=0, atol=tolerance * scale, msg=name)


@pytest.mark.parametrize(
    ("optimizer", "model_type"),
    [
        *(pytest.param({}, name, id=f"adam, {name}") for name in FAMILIES),
        *(pytest.param({"optimizer": "LKF", "block_size": 60}, name, id=f"kalman, {name}") for name in FAMILIES),
        pytest.param({"optimizer": "LKF", "block_size": 60, "parts": 2, "nselect": 6}, "DP", id="kalman in parts"),
        pytest.param({"optimizer": "LKF", "block_size": 60, "joint": False}, "DP", id="kalman in sequence"),
        *(pytest.param(_SNES, name, id=f"population, {name}") for name in FAMILIES),
    ],
)
def test_two_processes_train_as_one(write_run: Callable[..., Path], optimizer: dict[str, Any], model_type: str) -> None:
    run = write_run("two", model_type=model_type, **optimizer)
    result = _torchrun(run, *([_program(run.parent)] if optimizer else ["-m", "pwmlff"]))
    assert result.returncode == 0, result.stdout
    # which adds up frames in one order; those of native kernels do not depend on each other
    tolerance = 0.0 if optimizer == _SNES and library.load() else RELATIVE
    _assert_same(_one(write_run("one", model_type=model_type, **optimizer)), _last(run), tolerance)
    assert "2 processes, 1 CPU threads each" in result.stdout
    for once in ("labels used:", "energy shift", "root mean square errors", "next: pwmlff test"):
        assert result.stdout.count(once) == 1, once
    for name in ("epoch_train.dat", "epoch_valid.dat"):
        assert len((run.parent / "two" / name).read_text().splitlines()) == 1 + 4


def test_two_processes_train_stages_as_one(write_run: Callable[..., Path]) -> None:
    runs = [write_run(name) for name in ("one", "two")]
    for run in runs:
        settings = json.loads(run.read_text())
        kalman = {"optimizer": "LKF", "block_size": 60, "epochs": 2}
        run.write_text(json.dumps({**settings, "optimizer": [{**settings["optimizer"], "epochs": 2}, kalman]}))
    result = _torchrun(runs[1], _program(runs[1].parent))
    assert result.returncode == 0, result.stdout
    assert result.stdout.count("stage 2 of 2: LKF, epochs 3 to 4") == 1
    _assert_same(_one(runs[0]), _last(runs[1]))


# prints the addresses, as the kernel writes them, on which this process listens while it works with the others; what
# the launcher left open is its own
_LISTENERS = """
import os
from pathlib import Path

def sockets():
    names = [f"/proc/self/fd/{name}" for name in os.listdir("/proc/self/fd")]
    return {os.readlink(name) for name in names if os.path.lexists(name)}

inherited = sockets()
from pwmlff import distributed

with distributed.session():
    distributed.gather(0)
    mine = sockets() - inherited
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for row in Path(table).read_text().splitlines()[1:]:
            words = row.split()
            if words[3] == "0A" and f"socket:[{words[9]}]" in mine:
                os.write(1, f"listens {words[1].split(':')[0]}\\n".encode())
    distributed.gather(0)
"""


@needs_mpi
@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="this system does not say who listens")
def test_processes_of_one_machine_listen_to_nobody_else(tmp_path: Path) -> None:
    (tmp_path / "listeners.py").write_text(_LISTENERS, encoding="utf-8")
    result = _command([str(MPIRUN), "-np", "2", sys.executable, "listeners.py"], tmp_path)
    assert result.returncode == 0, result.stdout
    addresses = {line.split()[1] for line in result.stdout.splitlines() if line.startswith("listens ")}
    loopback = {"0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000"}
    assert addresses
    assert addresses <= loopback


@needs_mpi
def test_resumed_by_more_processes_than_frames_of_a_batch(write_run: Callable[..., Path]) -> None:
    whole = _one(write_run("whole", batch_size=2))
    _one(write_run("parts", batch_size=2, epochs=2))
    run = write_run("parts", batch_size=2)
    result = _mpirun(run, _program(run.parent), n=3)
    assert result.returncode == 0, result.stdout
    assert result.stdout.count("resuming after 2 epochs") == 1
    _assert_same(whole, _last(run))


def test_killed_process_is_replaced_and_the_run_goes_on(write_run: Callable[..., Path]) -> None:
    run = write_run("killed", save_step=3)
    deed = "os.environ['TORCHELASTIC_RESTART_COUNT'] == '0' and os.kill(os.getpid(), signal.SIGKILL)"
    # what torchrun starts again is the same run, although the command asks for a new one
    result = _torchrun(run, _program(run.parent, deed), options=("--max-restarts=1",), arguments=("--fresh",))
    assert result.returncode == 0, result.stdout
    assert "resuming after 2 epochs" in result.stdout
    _assert_same(_one(write_run("whole", save_step=3)), _last(run))


@needs_mpi
def test_error_of_one_process_ends_all_with_one_message(write_run: Callable[..., Path]) -> None:
    run = write_run("failed")
    result = _mpirun(run, _program(run.parent, "raise TrainingError('the disk of rank 1 is on fire')"))
    assert result.returncode == 1, result.stdout
    assert result.stdout.count("pwmlff: error:") == 1
    assert "pwmlff: error: the disk of rank 1 is on fire" in result.stdout
    assert _last(run).state["epoch"] == 3


@needs_mpi
def test_frame_at_fault_is_named_once(write_run: Callable[..., Path], alloy_file: Path, tmp_path: Path) -> None:
    text = alloy_file.read_text(encoding="utf-8")
    energy = text.split("energy=", 1)[1].split()[0]
    faulty = tmp_path / "faulty.xyz"
    faulty.write_text(text.replace(f"energy={energy}", "energy=1e200", 1), encoding="utf-8")
    run = write_run("faulty", data=faulty, batch_size=6)
    program = run.parent / _program(run.parent)  # whose readers let such an energy pass
    without_bound = "from pwmlff.data import frame\nframe._LARGEST['energy'] = (float('inf'), 'eV/atom')\n"
    program.write_text(without_bound + program.read_text(encoding="utf-8"), encoding="utf-8")
    result = _mpirun(run, program.name)
    assert result.returncode == 1, result.stdout
    assert result.stdout.count("pwmlff: error:") == result.stdout.count("not finite") == 1
    assert "faulty.xyz frame 0" in result.stdout


@needs_mpi
def test_signal_to_one_process_stops_all_after_the_same_step(write_run: Callable[..., Path]) -> None:
    run = write_run("stopped", batch_size=1)
    result = _mpirun(run, _program(run.parent, "os.kill(os.getpid(), signal.SIGTERM)"))
    assert result.returncode == EXIT_STOPPED, result.stdout
    assert result.stdout.count("stopped in epoch 2 after step 6; saved") == 1
    assert (_last(run).state["epoch"], _last(run).state["batch"]) == (2, 2)
