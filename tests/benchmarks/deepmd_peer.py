"""deepmd-kit as the peer of the benchmarks: how it is installed, its inputs, its environment.

    python tests/benchmarks/deepmd_peer.py WORK --data DIR      # once; about 12 GB of disk, 15 minutes

makes WORK/venv with deepmd-kit 3.2.0 (PyTorch and TensorFlow, with its LAMMPS plugin), and for water and copper, with
the standard and the small net, WORK/<system>[-small]/pt.pth and tf.pb: the model after a short training, and its
TensorFlow copy (for timing only), and both compressed: pt-compressed.pth and tf-compressed.pb.
`nvidia-cuda-runtime-cu12` is installed because the plugin wants libcudart.so.12, also where there is no GPU.
DIR holds `raw/deepmd_water/data_0` to `data_2` (deepmd npy).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from bench_tools import run_child, say, thread_environment

PACKAGES = ("deepmd-kit[torch,cpu,lmp]==3.2.0", "nvidia-cuda-runtime-cu12")
ELEMENTS = {"water": ["O", "H"], "copper": ["Cu"]}
SELECTION = {"water": [46, 92], "copper": [140]}  # deepmd's padded neighbour counts
MODEL_FILES = {
    "pt": "pt.pth",
    "tf": "tf.pb",
    "pt-compressed": "pt-compressed.pth",
    "tf-compressed": "tf-compressed.pb",
}
PEER_TABLE_ORDER = 5  # of the polynomials of its compressed models
# keeps big blocks in the process instead of returning them to the kernel at each step
TUNED_MALLOC = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(1 << 36),
    "MALLOC_TOP_PAD_": str(1 << 28),
}
_SHORT_TRAINING = 100  # steps


@dataclass(frozen=True)
class NetSizes:
    """Widths of the nets of a Deep Potential; the last layer of the fitting net, of width 1, is not in `fitting`."""

    embedding: list[int]
    n_axis: int  # M2
    fitting: list[int]


NETS = {
    "standard": NetSizes([25, 50, 100], 16, [240, 240, 240]),
    "small": NetSizes([25, 25, 25], 16, [50, 50, 50]),  # what PWMLFF takes when its input names no sizes
}


def model_folder(work: Path, system: str, net: str) -> Path:
    """Return where the models of a system and net lie."""
    return work / (system if net == "standard" else f"{system}-{net}")


def water_folders(data: Path) -> list[Path]:
    """Return the training systems of the water set."""
    folders = [data.resolve() / "raw" / "deepmd_water" / f"data_{index}" for index in range(3)]
    missing = [folder for folder in folders if not folder.is_dir()]
    if missing:
        raise SystemExit(f"no water data in '{missing[0]}'; --data takes the folder that holds raw/deepmd_water")
    return folders


def training_input(
    system: str, folders: Sequence[Path], n_steps: int, precision: str = "float64", net: str = "standard"
) -> dict[str, Any]:
    """Return deepmd-kit's input of the model that the benchmarks compare: se_e2_a, 6 Å, one of `NETS`."""
    sizes = NETS[net]
    descriptor = {
        "type": "se_e2_a",
        "rcut": 6.0,
        "rcut_smth": 0.5,
        "sel": SELECTION[system],
        "neuron": sizes.embedding,
        "axis_neuron": sizes.n_axis,
        "resnet_dt": False,
        "type_one_side": True,
        "precision": precision,
        "seed": 1,
    }
    fitting = {"neuron": sizes.fitting, "resnet_dt": True, "precision": precision, "seed": 1}
    prefactors = {"start_pref_e": 0.02, "limit_pref_e": 1, "start_pref_f": 1000, "limit_pref_f": 1}
    return {
        "model": {"type_map": ELEMENTS[system], "descriptor": descriptor, "fitting_net": fitting},
        "learning_rate": {"type": "exp", "start_lr": 1e-3, "stop_lr": 1e-5, "decay_steps": max(1, n_steps // 20)},
        "loss": {"type": "ener", "start_pref_v": 0, "limit_pref_v": 0, **prefactors},
        "training": {
            "training_data": {"systems": [str(folder) for folder in folders], "batch_size": 1},
            "numb_steps": n_steps,
            "seed": 10,
            "disp_freq": n_steps,
            "save_freq": n_steps,
        },
    }


def peer_python(work: Path) -> Path:
    """Return the interpreter of the peer's environment."""
    python = work / "venv" / "bin" / "python"
    if not python.exists():
        raise SystemExit(f"no '{python}'; make it with: python tests/benchmarks/deepmd_peer.py {work} --data DIR")
    return python


def preload_torch(environment: dict[str, str], work: Path) -> dict[str, str]:
    """Put torch's BLAS before the slow `dgemm_` that liblammps.so exports; deepmd's PyTorch models need it."""
    library = next((work / "venv").glob("lib/python3*/site-packages/torch/lib/libtorch_cpu.so"))
    present = environment.get("LD_PRELOAD", "")
    return {**environment, "LD_PRELOAD": ":".join(filter(None, [str(library), present]))}


def write_copper(folder: Path) -> None:
    """Write perturbed fcc copper labelled by EMT as deepmd npy."""
    from ase.build import bulk
    from ase.calculators.emt import EMT

    labels: dict[str, list[Any]] = {"energy": [], "force": [], "coord": [], "box": []}
    for seed in range(20):
        atoms = bulk("Cu", "fcc", a=3.615, cubic=True) * (2, 2, 2)
        atoms.rattle(0.1, seed=seed)
        atoms.calc = EMT()
        labels["energy"].append(atoms.get_potential_energy())
        labels["force"].append(atoms.get_forces().ravel())
        labels["coord"].append(atoms.positions.ravel())
        labels["box"].append(atoms.cell.array.ravel())
    (folder / "set.000").mkdir(parents=True, exist_ok=True)
    for name, values in labels.items():
        np.save(folder / "set.000" / f"{name}.npy", np.array(values))
    (folder / "type.raw").write_text("0\n" * 32)
    (folder / "type_map.raw").write_text("Cu\n")


def make_models(work: Path, data: Path) -> None:
    """Make all models of all systems; what is there is kept."""
    copper = work / "copper_emt"
    write_copper(copper)
    for net in NETS:
        for system, folders in {"water": water_folders(data), "copper": [copper]}.items():
            folder = model_folder(work, system, net)
            folder.mkdir(exist_ok=True)
            given = training_input(system, folders, _SHORT_TRAINING, net=net)
            (folder / "input.json").write_text(json.dumps(given, indent=1))
            _make_models_in(folder, work / "venv" / "bin" / "dp")


def _make_models_in(folder: Path, dp: Path) -> None:
    """Train briefly, freeze, convert to TensorFlow, and compress both."""
    compress = ["compress", "-t", "input.json", "-i"]
    commands = {
        "model.ckpt.pt": [dp, "--pt", "train", "input.json", "--skip-neighbor-stat"],
        "pt.pth": [dp, "--pt", "freeze", "-o", "pt.pth"],
        "tf.pb": [dp, "convert-backend", "pt.pth", "tf.pb"],
        "pt-compressed.pth": [dp, "--pt", *compress, "pt.pth", "-o", "pt-compressed.pth"],
        "tf-compressed.pb": [dp, "--tf", *compress, "tf.pb", "-o", "tf-compressed.pb"],
    }
    for name, command in commands.items():
        if not (folder / name).exists():
            say(f"{folder.name}: {name}")
            run_child(command, thread_environment(2), folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path, help="folder to make")
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    options = parser.parse_args()
    work = options.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    water_folders(options.data)
    if not (work / "venv" / "bin" / "dp").exists():
        say("installing deepmd-kit")
        subprocess.run([sys.executable, "-m", "venv", str(work / "venv")], check=True)
        subprocess.run([str(work / "venv" / "bin" / "pip"), "install", "-q", *PACKAGES], check=True)
    make_models(work, options.data)


if __name__ == "__main__":
    main()
