"""Accuracy of what `pwmlff init` writes on published data, over time, for NEP with TorchNEP's beside it.

    python tests/benchmarks/nep_accuracy.py --data DIR [--only SET ...] [--minutes N] [--threads 2] [--seed 1]
        [--model nep] [--set KEY=VALUE ...] [--epochs N] [--keep FOLDER] [--peer WORK]

Each set is trained by `pwmlff train` from what `pwmlff init nep --data train.xyz` writes, with the test frames as
validation frames, until its minutes are over, when SIGTERM ends the run; what else differs is told in CASES, and by
--set model.descriptor.l_max=[4,1,1,1,1,1], for instance. --model nn trains networks of Behler and Parrinello. The last
model, not the best on anything, is tested by `pwmlff test`. Trained are energies and forces alone, without a
short-range repulsion. That the test frames are looked at after each epoch changes nothing but the time it takes; from
that it is told when a published error was reached.

With --peer, a folder in which TorchNEP 1.0.7 is installed (WORK/nep/venv), TorchNEP is then trained on the same frames
for the same time on the same cores: its defaults (two stages, batch 4, virials), the same cutoffs and sizes, as
many epochs as fit; its best model is tested by `pwmlff test` on the same frames.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
from ase import Atoms
from bench_tools import (
    STOPPED,
    describe_machine,
    pin_to_cores,
    print_table,
    run_child,
    say,
    thread_environment,
    with_keys,
)
from numpy.typing import NDArray

from pwmlff.config.jsonc import read_json

COMMAND = [sys.executable, "-m", "pwmlff"]
ENDLESS = 1_000_000  # epochs
TRIALS = (4, 12)  # epochs of the two runs that tell how long one of TorchNEP's takes
HELD_OUT_SEED = 0
PEER_RUN = """
import sys
import torch
from torchnep import train_nep
torch.set_num_threads(int(sys.argv[1]))
train_nep("nep.in", "train.xyz", output_dir="torchnep", device="cpu", print_interval=50, prediction_interval=0,
          run_seed=1, use_compile=False)
"""

Errors = tuple[float, float]  # meV/atom, eV/Å


@dataclass(frozen=True)
class Case:
    """One data set.

    Attributes:
        elements: In type order.
        folder: Below the folder of the data; holds train.xyz.
        minutes: Wall time of the training.
        references: (whose, meV/atom, eV/Å).
        test: File of the frames to test on; the training file itself says that errors are those of training.
        n_held_out: Frames of the training file drawn to test on instead.
        descriptor: Changes of the section `model.descriptor`.
        neurons: Of the hidden layer, where not the default.
    """

    elements: tuple[str, ...]
    folder: str
    minutes: float
    references: tuple[tuple[str, float, float], ...]
    test: str = "test.xyz"
    n_held_out: int = 0
    descriptor: tuple[tuple[str, tuple[float, ...]], ...] = ()
    neurons: int | None = None

    def frames(self, data: Path) -> tuple[list[Atoms], list[Atoms]]:
        """Return training and test frames."""
        train = ase.io.read(data / self.folder / "train.xyz", ":")
        if self.n_held_out == 0:
            return train, ase.io.read(data / self.folder / self.test, ":")
        order = np.random.default_rng(HELD_OUT_SEED).permutation(len(train))
        held_out = set(order[: self.n_held_out].tolist())
        return (
            [frame for k, frame in enumerate(train) if k not in held_out],
            [frame for k, frame in enumerate(train) if k in held_out],
        )


GPUMDS = (("cutoff", (8.0, 4.0)), ("n_max", (6, 6)), ("basis_size", (6, 6)), ("l_max", (4, 2, 0)))
CASES = {
    "PbTe of GPUMD's sizes": Case(
        ("Te", "Pb"),
        "nep_PbTe25",
        3,
        (("GPUMD, 20000 generations of SNES", 0.41, 0.0399),),
        test="train.xyz",
        descriptor=GPUMDS,
        neurons=30,
    ),
    "PbTe, 5 held out": Case(
        ("Te", "Pb"),
        "nep_PbTe25",
        3,
        (("TorchNEP, 800 epochs in 11 min, 200 other frames", 0.49, 0.0379), ("target there", 0.45, 0.036)),
        n_held_out=5,
    ),
    "mlearn_Cu": Case(
        ("Cu",),
        "extxyz/mlearn_Cu",
        15,
        (
            ("target", 0.8, 0.018),
            ("moment tensor potential, published model", 0.52, 0.0135),
            ("our Deep Potential, 18 min", 0.60, 0.0227),
            ("TorchNEP, 150 epochs in 11 min", 6.2, 0.0693),
        ),
    ),
    "mlearn_Si": Case(
        ("Si",),
        "extxyz/mlearn_Si",
        15,
        (("target", 3.5, 0.10), ("moment tensor potential, published model", 3.03, 0.088)),
    ),
    "deepmd_water": Case(("O", "H"), "extxyz/deepmd_water", 10, (("our Deep Potential, 10 min", 0.45, 0.0448),)),
    "vasp_HfO2": Case(
        ("Hf", "O"), "extxyz/vasp_HfO2", 60, (("MatPL's NEP after 10 epochs, its split", 0.271, 0.0276),)
    ),
}


def write_run_file(case: Case, options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Write config.json and return its section `model`."""
    environment = thread_environment(options.threads)
    run_child([*COMMAND, "init", options.model, "--data", "train.xyz", "-o", "init.json"], environment, folder)
    config = read_json(folder / "init.json")
    config |= {"atom_type": list(case.elements), "valid_data": ["test.xyz"], "seed": options.seed}
    config |= {"threads": options.threads, "zbl": None}
    config["optimizer"]["train_virial"] = False
    config["optimizer"]["epochs"] = options.epochs or ENDLESS
    if options.model == "nep":
        config["model"]["descriptor"] |= dict(case.descriptor)
        if case.neurons is not None:
            config["model"]["fitting_net"]["network_size"] = case.neurons
    config = with_keys(config, options.set)
    (folder / "config.json").write_text(json.dumps(config, indent=1))
    model: dict[str, Any] = config["model"]
    return model


def train(minutes: float, threads: int, folder: Path) -> NDArray[np.float64]:
    """Train a NEP in the time allowed; returns [epochs, 3]: s since the start, meV/atom, eV/Å on the test frames."""
    end = time.monotonic() + 60 * minutes
    start, rows = time.monotonic(), []
    table = folder / "model_record" / "epoch_valid.dat"
    with (folder / "train.log").open("w") as log:
        process = subprocess.Popen(
            [*COMMAND, "train", "config.json"], cwd=folder, env=thread_environment(threads), stdout=log, stderr=log
        )
        try:
            while process.poll() is None and time.monotonic() < end:
                time.sleep(0.2)
                errors = read_curve(table)
                rows += [(time.monotonic() - start, *pair) for pair in errors[len(rows) :]]
            process.send_signal(signal.SIGTERM)
            code = process.wait()
        except BaseException:
            process.kill()
            raise
    if code not in (0, STOPPED):
        raise SystemExit(f"training failed with exit code {code}:\n{(folder / 'train.log').read_text()[-3000:]}")
    return np.array(rows).reshape(-1, 3)


def read_curve(table: Path) -> list[Errors]:
    """Return the errors of the epochs so far; the file has units in its header."""
    if not table.exists():
        return []
    header, *lines = table.read_text(encoding="utf-8").splitlines()
    energy, force = (
        next(k for k, name in enumerate(header.split()) if name.startswith(quantity))
        for quantity in ("RMSE_Etot", "RMSE_F")
    )
    cells = [line.split() for line in lines if len(line.split()) == len(header.split())]
    return [(1e3 * float(row[energy]), float(row[force])) for row in cells]


def test(model: str, frames: str, threads: int, folder: Path) -> Errors:
    """Test a model file of the folder on frames of the folder."""
    command = [*COMMAND, "test", model, frames, "-o", "errors", "--no-plots", "--device", "cpu"]
    run_child(command, thread_environment(threads), folder)
    summary = json.loads((folder / "errors" / "summary.json").read_text())
    shutil.rmtree(folder / "errors")
    return 1e3 * summary["energy_rmse_per_atom"], summary["force_rmse"]


def train_peer(
    case: Case, model: dict[str, Any], minutes: float, threads: int, peer: Path, folder: Path
) -> tuple[str, float]:
    """Train TorchNEP in the time allowed; returns what was run and its time in s."""
    descriptor = model["descriptor"]
    lines = [f"type {len(case.elements)} {' '.join(case.elements)}", "version 4"]
    lines += [
        f"{key} {' '.join(f'{value:g}' for value in descriptor[key])}"
        for key in ("cutoff", "n_max", "basis_size", "l_max")
    ]
    lines += [f"neuron {model['fitting_net']['network_size']}", "batch 4", "stage2 1"]
    python = peer.absolute() / "nep" / "venv" / "bin" / "python"

    def seconds(n_epochs: int) -> float:
        shutil.rmtree(folder / "torchnep", ignore_errors=True)
        (folder / "nep.in").write_text("\n".join([*lines, f"epoch {n_epochs}"]) + "\n")
        start = time.monotonic()
        run_child([python, "-c", PEER_RUN, threads], thread_environment(threads), folder)
        return time.monotonic() - start

    short, long = (seconds(n) for n in TRIALS)
    n_epochs = max(1, TRIALS[1] + round((60 * minutes - long) / (long - short) * (TRIALS[1] - TRIALS[0])))
    say(f"TorchNEP: {n_epochs} epochs")
    spent = seconds(n_epochs)
    return f"TorchNEP, {n_epochs} epochs, in this run", spent


def run(name: str, options: argparse.Namespace, folder: Path) -> None:
    """Train, test and report one set."""
    case = CASES[name]
    minutes = case.minutes if options.minutes is None else options.minutes
    for frames, file in zip(case.frames(options.data), ("train.xyz", "test.xyz"), strict=True):
        ase.io.write(folder / file, frames)
    say(f"{name}: training in {folder} for {minutes:g} min")
    model = write_run_file(case, options, folder)
    curve = train(minutes, options.threads, folder)
    checkpoint = f"model_record/{options.model}_model.ckpt"
    reached = {
        entry: next((f"{row[0]:.0f}" for row in curve if row[1] <= entry[1] and row[2] <= entry[2]), "not")
        for entry in case.references
    }
    rows = []
    for file in ("test.xyz", "train.xyz"):
        energy, force = test(checkpoint, file, options.threads, folder)
        rows.append([f"pwmlff, {file.removesuffix('.xyz')}, {len(curve)} epochs", f"{energy:.2f}", f"{force:.4f}", "-"])
    if options.peer is not None:
        label, seconds = train_peer(case, model, minutes, options.threads, options.peer, folder)
        energy, force = test("torchnep/nep_best.txt", "test.xyz", options.threads, folder)
        at = next((f"{row[0]:.0f}" for row in curve if row[1] <= energy and row[2] <= force), "not")
        rows.append([f"{label}, {seconds / 60:.1f} min", f"{energy:.2f}", f"{force:.4f}", at])
    rows += [[entry[0], f"{entry[1]:.2f}", f"{entry[2]:.4f}", reached[entry]] for entry in case.references]
    told = {key: value for key, value in model["descriptor"].items() if key != "functions" and value is not None}
    sizes = ", ".join([options.model, *(f"{key} {value}" for key, value in told.items()), *options.set])
    print_table(
        f"{name}, {minutes:g} min on {options.threads} threads",
        ["", "meV/atom", "eV/Å", "reached by pwmlff after s"],
        rows,
        [f"{sizes}, seed {options.seed}; the time holds start-up and reading", describe_machine()],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds nep_PbTe25/ and extxyz/")
    parser.add_argument("--only", nargs="+", choices=list(CASES), default=list(CASES), metavar="SET")
    parser.add_argument("--minutes", type=float, help="wall time of each training, instead of the set's own")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--model", choices=["nep", "nn"], default="nep")
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", help="further keys of the run file")
    parser.add_argument("--epochs", type=int, help="end after so many, if time does not end before")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--peer", type=Path, help="train TorchNEP as well")
    parser.add_argument("--keep", type=Path, help="new folder for models and logs; otherwise they are deleted")
    options = parser.parse_args()
    if options.peer is not None and options.model != "nep":
        parser.error("--peer is for --model nep")
    pin_to_cores(options.threads)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that no training is left behind
    for name in options.only:
        with tempfile.TemporaryDirectory(prefix="pwmlff-nep-") as temporary:
            folder = Path(temporary) if options.keep is None else options.keep.absolute() / name
            folder.mkdir(parents=True, exist_ok=options.keep is None)
            run(name, options, folder)


if __name__ == "__main__":
    main()
