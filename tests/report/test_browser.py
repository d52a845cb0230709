"""The page in a real browser, and what a report says of a sound model and of one made to be bad."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
DATA = ROOT / "examples" / "data"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
TIME_LIMIT = 900  # s
pytestmark = pytest.mark.slow

RUN_FILE: dict[str, Any] = {
    "model_type": "DP",
    "atom_type": ["Li"],
    "format": "extxyz",
    "seed": 2023,
    "model": {"descriptor": {"Rmax": 6.0, "Rmin": 1.5, "M2": 8}},
}


def pwmlff(*words: str | Path, folder: Path) -> str:
    command = [sys.executable, "-m", "pwmlff", *(str(word) for word in words)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=TIME_LIMIT, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def report_on(folder: Path, config: dict[str, Any], *words: str | Path) -> dict[str, Any]:
    (folder / "train.json").write_text(json.dumps({**RUN_FILE, **config}))
    pwmlff("train", "train.json", folder=folder)
    pwmlff("report", "model_record/dp_model.ckpt", *words, "--quick", folder=folder)
    content: dict[str, Any] = json.loads((folder / "report.json").read_text())
    return content


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """Deep Potential of 160 frames with energies, forces and virials."""
    folder = tmp_path_factory.mktemp("sound")
    config = {
        "train_data": [str(DATA / "li27_train.xyz")],
        "valid_data": [str(DATA / "li27_test.xyz")],
        "optimizer": {"optimizer": "LKF", "epochs": 25, "train_virial": True},
    }
    # the data were drawn from a solid at all temperatures; lithium melts at 454 K
    return folder, report_on(folder, config, "--temperature", "300")


def test_a_sound_model_is_green(sound: tuple[Path, dict[str, Any]]) -> None:
    _, content = sound
    assert content["verdict"]["grade"] == "green", [section["words"] for section in content["sections"]]


def test_a_model_of_few_frames_and_many_epochs_is_red(tmp_path: Path) -> None:
    import ase.io

    ase.io.write(tmp_path / "few.xyz", ase.io.read(DATA / "li27_train.xyz", "::20"), format="extxyz")
    config = {
        "train_data": ["few.xyz"],
        "valid_ratio": 0.0,
        "optimizer": {"optimizer": "LKF", "epochs": 150, "train_virial": False},
    }
    content = report_on(tmp_path, config, DATA / "li27_test.xyz")
    assert content["verdict"]["grade"] == "red", [section["words"] for section in content["sections"]]
    grades = {section["key"]: section["grade"] for section in content["sections"]}
    assert grades["errors"] == "red"  # its forces are fine, its stresses are not
    assert grades["crystals"] == "red"
    assert grades["stability"] in ("amber", "red")


@pytest.mark.parametrize("width", [1200, 400])
def test_in_a_browser(sound: tuple[Path, dict[str, Any]], tmp_path: Path, width: int) -> None:
    browser = next((path for path in map(shutil.which, BROWSERS) if path), None)
    if browser is None:
        pytest.skip("no browser")
    folder, content = sound
    command = [
        browser,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--enable-logging=stderr",
        "--host-resolver-rules=MAP * ~NOTFOUND",
        f"--user-data-dir={tmp_path / 'profile'}",
        f"--window-size={width},900",
    ]
    page = (folder / "report.html").as_uri()
    done = subprocess.run([*command, "--dump-dom", page], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert "CONSOLE" not in done.stderr, re.findall(r".*CONSOLE.*", done.stderr)
    assert done.stdout.count("<section ") == len(content["sections"])
    assert done.stdout.count("<svg ") >= 7
    picture = tmp_path / "page.png"
    shot = [*command, f"--screenshot={picture}", page]
    subprocess.run(shot, capture_output=True, timeout=300, check=True)
    assert picture.stat().st_size > 10_000
