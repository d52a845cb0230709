"""In a clone, whose sources Python finds first, the installed package runs: it has the compiled libraries."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import pwmlff
from pwmlff.lammps import PLUGIN_NAME, library_directory

SOURCES = Path(__file__).parents[1] / "pwmlff"


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sources of the package, without libraries and commands, as git checks them out."""
    if not (library_directory() / PLUGIN_NAME).is_file():
        pytest.skip("the plugin is not compiled")
    folder = tmp_path_factory.mktemp("clone")
    shutil.copytree(SOURCES, folder / "pwmlff", ignore=shutil.ignore_patterns("lib", "cli", "csrc", "docs", "*.pyc"))
    return folder


def output_of(clone: Path, *arguments: str) -> str:
    command = [sys.executable, *arguments]
    run = subprocess.run(command, cwd=clone, capture_output=True, text=True, check=False, timeout=120)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def test_version(clone: Path) -> None:
    assert output_of(clone, "-m", "pwmlff", "--version") == f"pwmlff {pwmlff.__version__}\n"


def test_libraries_and_plugin_are_found(clone: Path) -> None:
    facts = output_of(clone, "-m", "pwmlff", "info")
    assert str(clone) not in facts
    assert "libpwmlff_ops.so" in facts
    assert "available, no `plugin load` needed" in facts


def test_lammps_that_is_started_by_python(clone: Path) -> None:
    code = "import os, lammps.executable; print(os.environ['LAMMPS_PLUGIN_PATH'])"
    folders = output_of(clone, "-c", code).strip().split(":")
    assert any(Path(folder).samefile(library_directory()) for folder in folders)


def test_under_torchrun(clone: Path) -> None:
    code = "from pwmlff.ops import library; print(library.status().is_loaded)"
    (clone / "loads.py").write_text(code)
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "1", "-m"]
    assert output_of(clone, *launcher, "loads").strip() == "True"


def test_sources_stay_where_nothing_is_installed(clone: Path) -> None:
    code = "import pwmlff, pwmlff.lammps as p; print(pwmlff.__path__[0], p.plugin_directory())"
    package = clone / "pwmlff"
    # -S: without site-packages
    assert output_of(clone, "-S", "-c", code).split() == [str(package), str(package / "lib")]
