"""The unit tests in C++, plain and with sanitizers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SOURCES = Path(__file__).parent
HEADERS = [Path(folder) for folder in ("/usr/include", "/usr/local/include")]


@pytest.mark.parametrize("sanitize", ["OFF", pytest.param("ON", marks=pytest.mark.slow)])
def test_cpp(tmp_path: Path, sanitize: str) -> None:
    if shutil.which("cmake") is None or not any((folder / "doctest" / "doctest.h").is_file() for folder in HEADERS):
        pytest.skip("needs cmake and doctest: apt-get install cmake doctest-dev")
    options = [f"-DSANITIZE={sanitize}", f"-DPython_EXECUTABLE={sys.executable}"]
    jobs = str(os.cpu_count() or 1)
    for command in (
        ["cmake", "-S", str(SOURCES), "-B", str(tmp_path), *options],
        ["cmake", "--build", str(tmp_path), "-j", jobs],
        [str(tmp_path / "unit_tests")],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
    assert "Status: SUCCESS" in done.stdout
