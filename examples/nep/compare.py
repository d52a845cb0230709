"""A NEP beside a Deep Potential that had the same data and the same time: errors on unseen frames, time of a step.

    python compare.py          # after the commands of run.sh

Trains a Deep Potential with what `pwmlff init dp` writes until its epochs have taken as long as those of the NEP in
work/nep did, tests both on ../data/lih_test.xyz, compresses the Deep Potential, exports both in float64 and mixed
precision, and runs each in LAMMPS (`in.lammps`, one core). Prints a table and draws work/cost.svg.
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
from rich.console import Console
from rich.table import Table

mpl.use("svg")
import matplotlib.pyplot as plt

HERE = Path(__file__).resolve().parent
TRAIN, TEST = (HERE.parent / "data" / name for name in ("lih_train.xyz", "lih_test.xyz"))
NEP, DP = HERE / "work" / "nep", HERE / "work" / "dp"
STOPPED = 75  # exit code of a training that was stopped and saved
STEPS = 100  # of molecular dynamics
STARTS = 3  # of LAMMPS for each model, in turns


@dataclass
class Form:
    """What LAMMPS runs.

    Attributes:
        name: How it is called.
        file: The model.
        times: µs per atom and step of one core.
    """

    name: str
    file: Path
    times: list[float]


def run(*words: object, folder: Path) -> str:
    """Run a command and return what it wrote."""
    command = [str(word) for word in words]
    finished = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if finished.returncode != 0:
        raise SystemExit(f"{' '.join(command)} failed:\n{finished.stdout[-3000:]}{finished.stderr[-3000:]}")
    return finished.stdout


def seconds_of_epochs(folder: Path) -> float:
    """Return how long the epochs of a run have taken so far."""
    table = folder / "model_record" / "epoch_train.dat"
    rows = table.read_text().split("\n")[1:-1] if table.exists() else []  # between the header and a row being written
    return sum(float(row.split()[-1]) for row in rows)


def train_deep_potential(seconds: float) -> None:
    """Train until that time is over; every start begins anew."""
    DP.mkdir(parents=True, exist_ok=True)
    for old in (DP / "model_record").glob("epoch_*.dat"):
        old.unlink()
    run("pwmlff", "init", "dp", "--data", TRAIN, "-o", "train.json", "--force", folder=DP)
    command = ["pwmlff", "train", "train.json", "--fresh", "--epochs", "100000"]
    with (DP / "train.log").open("w") as log:
        process = subprocess.Popen(command, cwd=DP, stdout=log, stderr=subprocess.STDOUT)
        while process.poll() is None and seconds_of_epochs(DP) < seconds:
            time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
        if process.wait() != STOPPED:
            raise SystemExit(f"the training failed, see {DP / 'train.log'}")


def errors(folder: Path, model: str) -> tuple[float, float]:
    """Return the errors on unseen frames, of energies in meV/atom and of forces in eV/Å."""
    run("pwmlff", "test", f"model_record/{model}", TEST, "--no-plots", folder=folder)
    summary = json.loads((folder / "test_result" / "summary.json").read_text())
    return 1000 * summary["energy_rmse_per_atom"], summary["force_rmse"]


def forms() -> dict[Path, list[Form]]:
    """Export the models; returns what there is of each."""
    run("pwmlff", "export", "nep.txt", "-o", "nep-mixed.pt", "--dtype", "mixed", folder=NEP)
    run("pwmlff", "compress", "model_record/dp_model_best.ckpt", "-s", "tables.ckpt", folder=DP)
    result = {NEP: [Form("NEP, float64", NEP / "nep.txt", []), Form("NEP, mixed", NEP / "nep-mixed.pt", [])], DP: []}
    for name, model in (("Deep Potential", "model_record/dp_model_best.ckpt"), ("compressed", "tables.ckpt")):
        for dtype in ("float64", "mixed"):
            file = DP / f"{Path(model).stem}-{dtype}.pt"
            run("pwmlff", "export", model, "-o", file, "--dtype", dtype, folder=DP)
            result[DP].append(Form(f"{name}, {dtype}", file, []))
    return result


def microseconds(model: Path) -> float:
    """Return the processor time per atom and step on one core."""
    settings = ["-var", "model", model, "-var", "steps", STEPS, "-log", "none", "-nocite"]
    output = run("env", "OMP_NUM_THREADS=1", "lmp", "-in", "in.lammps", *settings, folder=HERE)
    seconds, steps, atoms = re.findall(r"Loop time of (\S+) on 1 procs for (\d+) steps with (\d+) atoms", output)[0]
    (used,) = re.findall(r"(\S+)% CPU use", output)  # the rest went to other programs
    return 1e4 * float(used) * float(seconds) / int(steps) / int(atoms)


def draw(measured: dict[Path, tuple[float, float]], by_model: dict[Path, list[Form]], path: Path) -> None:
    """Draw force error against time."""
    figure, axes = plt.subplots(figsize=(6, 3.6), layout="constrained")
    for folder, color, marker in ((NEP, "tab:blue", "o"), (DP, "tab:orange", "s")):
        force = 1000 * measured[folder][1]
        for form in by_model[folder]:
            at = float(np.median(form.times)), force
            axes.plot(*at, marker, color=color, markersize=8, fillstyle="none" if "mixed" in form.name else "full")
            above = 10 if "mixed" in form.name else -16
            axes.annotate(form.name, at, (0, above), textcoords="offset points", ha="center", fontsize=8)
    axes.set(xscale="log", xlabel="µs per atom and step, one core", ylabel="force error, meV/Å")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter("{x:g}")
    axes.set_ylim(0, 1.3 * max(1000 * force for _, force in measured.values()))
    axes.margins(x=0.25)
    figure.savefig(path)


def main() -> None:
    if not (NEP / "nep.txt").exists():
        raise SystemExit(f"no {NEP / 'nep.txt'}; the commands of run.sh make it")
    seconds = seconds_of_epochs(NEP)
    print(f"training a Deep Potential for {seconds:.0f} s, as the NEP was", flush=True)
    train_deep_potential(seconds)
    measured = {NEP: errors(NEP, "nep_model_best.ckpt"), DP: errors(DP, "dp_model_best.ckpt")}
    by_model = forms()
    for _ in range(STARTS):
        for form in (*by_model[NEP], *by_model[DP]):
            form.times.append(microseconds(form.file))
    table = Table(title=f"LiH, both trained for {seconds:.0f} s; errors on unseen frames")
    for column in ("in LAMMPS", "energy meV/atom", "force eV/Å", "µs/atom/step"):
        table.add_column(column, justify="left" if column == "in LAMMPS" else "right")
    for folder, (energy, force) in measured.items():
        for form in by_model[folder]:
            table.add_row(form.name, f"{energy:.2f}", f"{force:.4f}", f"{np.median(form.times):.1f}")
    Console().print(table)
    draw(measured, by_model, HERE / "work" / "cost.svg")
    print(f"the picture is {HERE / 'work' / 'cost.svg'}")


if __name__ == "__main__":
    main()
