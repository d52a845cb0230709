"""Makes the pictures of the README and the documentation, from real runs on the lithium data of `examples/data`.

    python .ci/site/pictures.py WORK            # accuracy.png, training.svg; some ten minutes on one core
    python .ci/site/pictures.py WORK --site     # site.png, of what `make docs` has built, by Chromium

WORK is a folder for the runs; a run that is there is not repeated.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import resource
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).parents[2]
DATA = ROOT / "examples" / "data"
IMAGES = ROOT / "pwmlff" / "docs" / "images"


class Contender(NamedTuple):
    """A model with an optimizer; `options` are those of `pwmlff init`."""

    name: str
    label: str
    options: tuple[str, ...]
    epochs: int


CONTENDERS = (
    Contender("nep", "NEP, LKF", ("nep",), 40),
    Contender("dp", "Deep Potential, LKF", ("dp",), 60),
    Contender("adam", "Deep Potential, Adam", ("dp", "--optimizer", "ADAM"), 120),
)


def run(folder: Path, *words: str) -> None:
    """Run `pwmlff` in a folder on one thread."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-m", "pwmlff", *words], cwd=folder, env=environment, check=True)


def train(contender: Contender, work: Path) -> Path:
    """Train and test one; return its folder, with the seconds of the processor in `seconds.txt`."""
    folder = work / contender.name
    if (folder / "seconds.txt").exists():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    run(folder, "init", *contender.options, "--data", str(DATA / "li27_train.xyz"), "-o", "run.json")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run(folder, "train", "run.json", "--epochs", str(contender.epochs))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    (best,) = (folder / "model_record").glob("*_best.ckpt")
    run(folder, "test", str(best), str(DATA / "li27_test.xyz"))
    (folder / "seconds.txt").write_text(f"{after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime}\n")
    return folder


def curve(folder: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return minutes of the processor and force errors (eV/Å) of the validation frames after each epoch."""
    lines = (folder / "model_record" / "epoch_valid.dat").read_text().splitlines()
    column = lines[0].split().index("RMSE_F(eV/Å)")
    table = np.array([[float(word) for word in line.split()] for line in lines[1:]])
    share = np.cumsum(table[:, -1]) / table[:, -1].sum()
    return share * float((folder / "seconds.txt").read_text()) / 60.0, table[:, column]


def draw_accuracy(folders: list[Path], path: Path) -> None:
    """Draw the force errors over time, and the forces of the first model beside those of DFT."""
    from matplotlib.figure import Figure

    from pwmlff.plots.style import COLORS, label_in_plain_numbers, plot_style

    with plot_style():
        figure = Figure(figsize=(8.4, 3.5), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=[1.35, 1.0])
        for contender, folder, color in zip(CONTENDERS, folders, COLORS, strict=False):
            left.plot(*curve(folder), color=color, label=contender.label)
        left.set(yscale="log", xlabel="minutes on one core", ylabel="force error (eV/Å)")
        left.set_title("training on 144 DFT frames of lithium", loc="left")
        left.set_xlim(left=0.0)
        label_in_plain_numbers(left.yaxis)
        left.legend()
        result = folders[0] / "test_result"
        forces = [np.loadtxt(result / f"{name}_force.txt").ravel() for name in ("dft", "inference")]
        error = np.sqrt(np.mean((forces[1] - forces[0]) ** 2))
        right.plot([-0.7, 0.7], [-0.7, 0.7], color="#444444", linewidth=0.8, linestyle="--")
        right.scatter(*forces, s=5, color=COLORS[0], linewidths=0, alpha=0.6)
        ticks = [-0.6, -0.3, 0.0, 0.3, 0.6]
        right.set(xlim=(-0.7, 0.7), ylim=(-0.7, 0.7), xticks=ticks, yticks=ticks, aspect="equal")
        right.set(xlabel="DFT force (eV/Å)", ylabel="NEP force (eV/Å)")
        right.set_title(f"40 unseen frames: {error:.4f} eV/Å", loc="left")
        figure.savefig(path, dpi=130)


def draw_training(work: Path, path: Path) -> None:
    """Record a training as the terminal shows it."""
    from rich.console import Console
    from rich.terminal_theme import MONOKAI

    from pwmlff.config import load_config
    from pwmlff.train import train_from_config

    console = Console(record=True, width=200, file=open(os.devnull, "w"))  # noqa: SIM115
    folder = work / "recorded"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shutil.copy(DATA / "li27_train.xyz", folder / "train.xyz")
    with contextlib.chdir(folder):
        run(folder, "init", "--data", "train.xyz")
        console.print("$ pwmlff train nep.json", highlight=False)
        settings = load_config(Path("nep.json"))
        optimizer = settings.optimizer.model_copy(update={"epochs": 12})
        train_from_config(settings.model_copy(update={"optimizer": optimizer}), console=console)
    terminal = Console(record=True, width=88, file=open(os.devnull, "w"))  # noqa: SIM115
    terminal.print(console.export_text(), highlight=False, markup=False)
    picture = terminal.export_svg(title="pwmlff train", theme=MONOKAI, unique_id="terminal")
    # a page needs no network
    path.write_text(re.sub(r"@font-face \{.*?\}", "", picture, flags=re.DOTALL), encoding="utf-8")


def photograph_site(work: Path, path: Path) -> None:
    """Show the first page of the site as a browser does."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        sys.exit("no Chromium: apt-get install chromium")
    page = ROOT / "build" / "site" / "pwmlff" / "docs" / "index.html"
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=1280,860"]
    subprocess.run([chromium, *options, f"--screenshot={work / 'site.png'}", page.as_uri()], check=True)
    from PIL import Image

    with Image.open(work / "site.png") as picture:
        picture.convert("RGB").quantize(128).save(path, optimize=True)


def main() -> None:
    """Make what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("--site", action="store_true")
    arguments = parser.parse_args()
    work = arguments.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    IMAGES.mkdir(exist_ok=True)
    if arguments.site:
        photograph_site(work, IMAGES / "site.png")
        return
    draw_accuracy([train(contender, work) for contender in CONTENDERS], IMAGES / "accuracy.png")
    draw_training(work, IMAGES / "training.svg")


if __name__ == "__main__":
    main()
