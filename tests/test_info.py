"""`pwmlff info` tells what is there, and why something is not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pwmlff import info
from pwmlff.cli.main import app
from pwmlff.lammps import PLUGIN_NAME, plugin_directory
from pwmlff.ops import library


def program(folder: Path, text: str) -> str:
    """Write an executable shell script."""
    path = folder / "lmp"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def test_everything_is_found() -> None:
    if not (Path(plugin_directory()) / PLUGIN_NAME).is_file():
        pytest.skip("the plugin is not compiled")
    facts = list(info.collect())
    # the mpirun that comes first on PATH is the machine's affair
    assert not [fact for fact in facts if fact.is_fault and fact.name != "mpirun on PATH"]
    assert {"versions", "native library", "devices", "MPI", "LAMMPS"} == {fact.section for fact in facts}


def test_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(info, "collect", lambda: iter([info.Fact("MPI", "library", "none", True)]))
    result = CliRunner().invoke(app, ["info"])
    assert result.exit_code == 0
    assert result.output == "MPI\n ! library             none\n"


def test_reason_of_a_missing_library(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = library.NativeLibrary(Path("x.so"), "x.so does not exist")
    monkeypatch.setattr(library, "status", lambda: missing)
    (fact,) = info._native_library()
    assert fact.is_fault
    assert "x.so does not exist" in fact.value


def test_library_is_switched_off_by_the_environment() -> None:
    code = "from pwmlff.ops import library; print(library.load(), library.status().error, library.build_info())"
    environment = {"PWMLFF_NO_NATIVE": "1", "PATH": ""}
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False the environment variable PWMLFF_NO_NATIVE is set {}"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("echo 'ERROR: pair_style pwmlff expects a model file: ...'; exit 1", ""),
        ("echo 'WARNING: pair_style pwmlff is not available: other LAMMPS'; echo 'ERROR: Unrecognized pair style'",
         "not available: other LAMMPS"),
        ("echo \"ERROR: Unrecognized pair style 'pwmlff'\"", "Unrecognized pair style"),
        ("exit 3", "exit code 3"),
    ],
)  # fmt: skip
def test_reason_why_lammps_does_not_know_the_style(tmp_path: Path, text: str, problem: str) -> None:
    reason = info.lammps_problem(program(tmp_path, f"cat > /dev/null\n{text}"))
    assert problem in reason
    assert bool(reason) == bool(problem)


def test_backend_that_cannot_be_loaded(tmp_path: Path) -> None:
    assert "cannot open shared object" in info.library_problem(tmp_path / "none.so")


def test_lammps_that_cannot_start(tmp_path: Path) -> None:
    assert "cannot be started" in info.lammps_problem(str(tmp_path / "none"))


def test_lammps_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(info, "_LAMMPS_TIMEOUT", 0.2)
    assert "did not answer" in info.lammps_problem(program(tmp_path, "exec sleep 20"))


def test_open_mpi_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    launcher = tmp_path / "mpirun"
    launcher.write_text("#!/bin/sh\necho 'mpirun (Open MPI) 4.1.4'\n")
    launcher.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    facts = [fact for fact in info._mpi() if fact.name == "mpirun on PATH"]
    assert "Open MPI" in facts[0].value


def test_entry_point_is_light() -> None:
    """It runs at every start of `lmp`."""
    code = "import sys, pwmlff.lammps as p; p.plugin_directory(); print({'torch', 'numpy'} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"
