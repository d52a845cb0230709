"""The example of the Python interface runs as it is, here for a few epochs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "examples" / "python" / "lithium.py"


def test_train_predict_and_run(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, SCRIPT, "2"],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0].startswith("epoch 1 {'energy':")
    model = next(line for line in lines if "NEP of Li" in line)
    assert float(model.split()[-2]) < 0.1  # eV/Å
    temperature, deviation = map(float, lines[-1].split())
    assert 0 < temperature < 1000
    assert deviation == pytest.approx(0.0, abs=0.5)
    code = [line for line in SCRIPT.read_text().split('"""')[-1].splitlines() if line.strip()]
    assert len(code) <= 30
