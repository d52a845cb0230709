"""What fine-tuning is worth with few frames, and what replay keeps.

    python tests/benchmarks/finetune.py DATA WORK

DATA holds `mlearn_Cu` and `pwmat_Cu` (`train.xyz` and `test.xyz` of each), WORK is a folder for the runs; models that
are there are not trained again. A small Deep Potential, one thread. Two tables:

1. From EMT to DFT: a model of the mlearn frames with energies and forces of ASE's EMT goes on with a few DFT frames.
   Beside it, models that know nothing train on the same frames for as many epochs, and for more.
2. From one DFT code to another: a model of mlearn_Cu (VASP, many kinds of structures) goes on with a few frames of
   pwmat_Cu (PWmat, a hot crystal), with and without old frames. Errors of energies are about their mean.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from ase.calculators.emt import EMT
from bench_tools import print_table

import pwmlff
from pwmlff.data.atoms import atoms_of
from pwmlff.data.frame import Frame
from pwmlff.data.writers import write_extxyz
from pwmlff.train.finetune import FineTuning, finetune_settings

MODEL = {
    "descriptor": {"Rmax": 6.0, "Rmin": 2.0, "M2": 8, "network_size": [10, 20]},
    "fitting_net": {"network_size": [30, 30, 1]},
}
SIZES, DRAWS, EPOCHS, LONG = (5, 10, 20), (0, 1), 30, 100
N_NEW = 10


def trained(folder: Path, data: Path, epochs: int, **top: Any) -> tuple[Path, float]:
    """Train from scratch with LKF unless the model is there; return it and the CPU time."""
    started = time.process_time()
    run = pwmlff.train(
        {
            "model_type": "DP",
            "atom_type": ["Cu"],
            "train_data": [str(data)],
            "threads": 1,
            "model": MODEL,
            "model_store_dir": str(folder),
            "optimizer": {"optimizer": "LKF", "epochs": epochs},
            **top,
        },
        quiet=True,
    )
    return run.best, time.process_time() - started


def tuned(folder: Path, start: Path, data: Path, **how: Any) -> tuple[Path, float]:
    """Fine-tune as the command does; return the last model and the CPU time."""
    settings = finetune_settings(FineTuning(model=start, data=[data], folder=folder, **how))
    settings |= {"valid_ratio": 0.0, "threads": 1}
    settings["optimizer"]["train_virial"] = False
    started = time.process_time()
    return pwmlff.train(settings, quiet=True).last, time.process_time() - started


def errors(model: Path, frames: Sequence[Frame]) -> list[str]:
    """Return errors of energies about their mean, meV/atom, and of force components, eV/Å."""
    results = pwmlff.load(model).predict(list(frames))
    energies = np.array([(r.energy - (r.frame.energy or 0.0)) / len(r.frame) for r in results])
    squares = [np.square(r.forces - r.frame.forces).ravel() for r in results]
    return [f"{1e3 * energies.std():.1f}", f"{np.sqrt(np.concatenate(squares).mean()):.4f}"]


def with_emt(frame: Frame) -> Frame:
    """Return a frame with the labels of EMT."""
    atoms = atoms_of(frame)
    atoms.calc = EMT()
    return replace(frame, energy=atoms.get_potential_energy(), forces=atoms.get_forces(), virial=None)


def few(frames: Sequence[Frame], number: int, draw: int, path: Path) -> Path:
    """Write some frames drawn at random."""
    chosen = np.random.default_rng(draw).permutation(len(frames))[:number]
    write_extxyz(path, [replace(frames[i], virial=None) for i in chosen])
    return path


def level_of_theory(data: Path, work: Path) -> None:
    """Print the first table."""
    train, test = (list(pwmlff.read_frames(data / "mlearn_Cu" / f"{part}.xyz")) for part in ("train", "test"))
    write_extxyz(work / "emt.xyz", [with_emt(frame) for frame in train])
    base, _ = trained(work / "emt", work / "emt.xyz", EPOCHS)
    rows = [["0", "", "EMT model as it is", "", *errors(base, test)]]
    for number in SIZES:
        for draw in DRAWS:
            name = f"dft_{number}_{draw}"
            frames = few(train, number, draw, work / f"{name}.xyz")
            for label, (model, seconds) in {
                f"from scratch, {EPOCHS} epochs": trained(work / f"{name}_s", frames, EPOCHS, valid_ratio=0.0),
                f"from scratch, {LONG} epochs": trained(work / f"{name}_l", frames, LONG, valid_ratio=0.0),
                "fine-tuned": tuned(work / f"{name}_f", base, frames),
            }.items():
                rows.append([str(number), str(draw), label, f"{seconds:.1f}", *errors(model, test)])
                print(*rows[-1], flush=True)
    columns = ("frames", "draw", "model", "CPU s", "meV/atom", "eV/Å")
    print_table("Copper, from EMT to DFT, mlearn test frames", columns, rows)


def forgetting(data: Path, work: Path) -> None:
    """Print the second table."""
    old_test, new_test = (list(pwmlff.read_frames(data / name / "test.xyz")) for name in ("mlearn_Cu", "pwmat_Cu"))
    old_train = data / "mlearn_Cu" / "train.xyz"
    base, _ = trained(work / "vasp", old_train, EPOCHS)
    new = few(list(pwmlff.read_frames(data / "pwmat_Cu" / "train.xyz")), N_NEW, 0, work / "pwmat.xyz")
    rows = [["as it is", "", *errors(base, new_test), *errors(base, old_test)]]
    for label, how in {
        "fine-tuned": {},
        "replay 0.2": {"replay": [old_train], "replay_fraction": 0.2},
        "replay 0.5": {"replay": [old_train], "replay_fraction": 0.5},
        "replay 0.8": {"replay": [old_train], "replay_fraction": 0.8},
        "frozen descriptor": {"freeze": ["descriptor"]},
        "10 epochs": {"epochs": 10},
        "ADAM": {"optimizer": "ADAM"},
        "ADAM, replay 0.5": {"optimizer": "ADAM", "replay": [old_train], "replay_fraction": 0.5},
    }.items():
        model, seconds = tuned(work / label.replace(" ", "_"), base, new, **how)
        rows.append([label, f"{seconds:.1f}", *errors(model, new_test), *errors(model, old_test)])
        print(*rows[-1], flush=True)
    columns = ("", "CPU s", "new meV/atom", "new eV/Å", "old meV/atom", "old eV/Å")
    print_table(f"Copper, {N_NEW} PWmat frames after a VASP model", columns, rows)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    forgetting(arguments.data, arguments.work)
    level_of_theory(arguments.data, arguments.work)


if __name__ == "__main__":
    main()
