"""One run per folder: who is refused, what a kill leaves behind, and a folder that vanishes."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from pwmlff.config import RunConfig
from pwmlff.data.batch import Batch
from pwmlff.errors import DataFormatError, TrainingError
from pwmlff.optim import ErrorSums
from pwmlff.optim.gradient import GradientUpdate
from pwmlff.train import train_from_config
from pwmlff.train.lock import LOCK_NAME, RunLock

RunFactory = Callable[..., RunConfig]
# takes the lock of the folder given, says so, and waits to be killed
_HOLDER = """
import sys, time
from pathlib import Path
from pwmlff.train.lock import RunLock
with RunLock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def test_second_run_is_refused_and_touches_nothing(make_run: RunFactory, tmp_path: Path) -> None:
    config = make_run()
    train_from_config(config, console=Console(quiet=True))
    before = {path: path.read_bytes() for path in config.model_store_dir.rglob("*") if path.is_file()}
    other = make_run(seed=7)
    with RunLock(config.model_store_dir), pytest.raises(TrainingError) as error:
        train_from_config(other, console=Console(quiet=True))
    assert f"process {os.getpid()} on {socket.gethostname()}, since 2" in str(error.value)
    assert "`model_store_dir`" in str(error.value)
    assert {path: path.read_bytes() for path in config.model_store_dir.rglob("*") if path.is_file()} == before


def test_command_names_the_holder_and_goes_on_after_a_kill(tmp_path: Path) -> None:
    lock = tmp_path / "run" / LOCK_NAME
    with subprocess.Popen([sys.executable, "-c", _HOLDER, "run"], cwd=tmp_path, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        (tmp_path / "run.json").write_text('{"model_type": "DP", "atom_type": [29], "model_store_dir": "run"}')
        command = [sys.executable, "-m", "pwmlff", "train", "run.json"]
        result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert (result.returncode, result.stdout) == (1, "")
        assert result.stderr.startswith(f"pwmlff: error: a run is going on in 'run' (process {holder.pid} on ")
        assert len(result.stderr.splitlines()) == 1
        holder.kill()
    assert list(lock.parent.iterdir()) == [lock]
    lines: list[str] = []
    with RunLock(lock.parent, say=lines.append):
        pass
    assert lines == []
    assert list(lock.parent.iterdir()) == []


def test_lock_left_on_another_host_is_told(tmp_path: Path) -> None:
    (tmp_path / LOCK_NAME).write_text("node17.cluster 4711 123 2026-01-02 03:04:05\n")
    lines: list[str] = []
    with RunLock(tmp_path, say=lines.append):
        pass
    (line,) = lines
    assert "process 4711 on node17.cluster, since 2026-01-02 03:04:05" in line


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("", False),
        ("what is this", False),
        ("node17 4711 123 2026-01-02 03:04:05\n", True),
        (f"{socket.gethostname()} 99999999999999 123 2026-01-02 03:04:05\n", False),
        (f"{socket.gethostname()} {os.getpid()} 1 2026-01-02 03:04:05\n", False),  # its number was given anew
    ],
    ids=["empty", "other words", "another host", "a process that has ended", "a process with the number of another"],
)
def test_file_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, refused: bool) -> None:
    def no_locks(file: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    (tmp_path / LOCK_NAME).write_text(text)
    if refused:
        with pytest.raises(TrainingError, match=rf"if that process has ended, delete '.*{LOCK_NAME}'"):
            RunLock(tmp_path).__enter__()
        (tmp_path / LOCK_NAME).unlink()
    with RunLock(tmp_path), pytest.raises(TrainingError, match=f"process {os.getpid()} on"):
        RunLock(tmp_path).__enter__()


def test_run_that_fails_at_once_leaves_no_folder(make_run: RunFactory, tmp_path: Path) -> None:
    config = make_run(model_store_dir=str(tmp_path / "deep" / "run"), train_data=["gone"])
    with pytest.raises(DataFormatError, match="gone does not exist"):
        train_from_config(config, console=Console(quiet=True))
    assert not (tmp_path / "deep").exists()


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(TrainingError, match=r"cannot write in the folder '.*/file/run' .*`model_store_dir`"):
        RunLock(tmp_path / "file" / "run").__enter__()


@pytest.mark.parametrize("replaced", [False, True])
def test_folder_that_vanishes_ends_the_run(
    make_run: RunFactory, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, replaced: bool
) -> None:
    config = make_run()
    folder = config.model_store_dir
    step = GradientUpdate.step

    def vanishing(self: GradientUpdate, batch: Batch) -> ErrorSums:
        if self.n_steps == 5:
            shutil.move(folder, tmp_path / "moved")
            if replaced:
                folder.mkdir()
                (folder / LOCK_NAME).write_text("node17 4711 123 2026-01-02 03:04:05\n")
        return step(self, batch)

    monkeypatch.setattr(GradientUpdate, "step", vanishing)
    with pytest.raises(TrainingError, match=r"was deleted or moved while it ran") as error:
        train_from_config(config, console=Console(quiet=True))
    assert ("process 4711 on node17" in str(error.value)) == replaced
    assert folder.exists() == replaced
    assert (tmp_path / "moved" / config.model_name).exists()
