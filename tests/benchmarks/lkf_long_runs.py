"""LKF left alone to its end: errors on training and unseen frames by epoch, and whether a run was ever lost.

    python tests/benchmarks/lkf_long_runs.py --data DIR --results FILE [--sets Si Cu ...] [--only NAME ...]
        [--epochs 100] [--minutes 10] [--seeds 1 2] [--set KEY=VALUE ...] [--keep FOLDER]

Each run is `pwmlff train` on one thread until its epochs or its time of the processor are over, whatever comes first.
The frames it is tested on are its validation frames, which here choose nothing: what is told is the state at the end.
Results are kept in FILE, a line of JSON per run; runs found there are not repeated. The table gives the errors after 40
epochs and at the end, the lowest force error on the tested frames and when it was reached, how often the guard went
back and how many single steps it took back, and whether an error trebled from one epoch to the next and did not fall
again within five. "Adam", for comparison, does five times the epochs. --keep is for the models of the end, such as for
`md_holds.py`.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
from ase import Atoms
from bench_tools import STOPPED, describe_machine, merged, print_table, say, train_in, with_keys
from numpy.typing import NDArray

from pwmlff.models.files.checkpoint import load_checkpoint

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "data"
SETTINGS = Path(__file__).resolve().parent / "mlearn_cu.json"
ADAMS = 5  # epochs of Adam for each of LKF: its schedule has to end in the time allowed
EARLY = 40  # epochs of the table's first errors


@dataclass(frozen=True)
class DataSet:
    """Training and test frames: two files, or a random part of the training file.

    Attributes:
        elements: In type order.
        train: Below the folder of the data, or of the examples where it begins with "examples/".
        test: Likewise; None: frames of the training file that are not drawn.
        n_train: Number of frames drawn for training, or below 1 the fraction of them; None: all.
        n_test: Most frames tested.
    """

    elements: tuple[str, ...]
    train: str
    test: str | None = None
    n_train: float | None = None
    n_test: int = 10_000

    def frames(self, data: Path, seed: int) -> tuple[list[Atoms], list[Atoms]]:
        """Return training and test frames; the seed draws."""
        train = _read(data, self.train)
        test = [] if self.test is None else _read(data, self.test)
        if self.n_train is not None:
            n = round(self.n_train * len(train)) if self.n_train < 1 else int(self.n_train)
            order = np.random.default_rng(1000 + seed).permutation(len(train))
            train, others = [train[k] for k in order[:n]], [train[k] for k in order[n:]]
            test = others if self.test is None else test
        return train, test[: self.n_test]


SETS = {
    "Si": DataSet(("Si",), "extxyz/mlearn_Si/train.xyz", "extxyz/mlearn_Si/test.xyz"),
    "Cu": DataSet(("Cu",), "extxyz/mlearn_Cu/train.xyz", "extxyz/mlearn_Cu/test.xyz"),
    "Li27": DataSet(("Li",), "examples/li27_train.xyz", "examples/li27_test.xyz"),
    "LiH": DataSet(("Li", "H"), "examples/lih_train.xyz", "examples/lih_test.xyz"),
    "water": DataSet(("O", "H"), "extxyz/deepmd_water/train.xyz", "extxyz/deepmd_water/test.xyz"),
    "HfO2": DataSet(("Hf", "O"), "extxyz/vasp_HfO2/train.xyz", "extxyz/vasp_HfO2/test.xyz"),
    "pwmat_Cu": DataSet(("Cu",), "extxyz/pwmat_Cu/train.xyz", "extxyz/pwmat_Cu/test.xyz"),
    "Si fifth": DataSet(("Si",), "extxyz/mlearn_Si/train.xyz", n_train=0.8),
    "Cu fifth": DataSet(("Cu",), "extxyz/mlearn_Cu/train.xyz", n_train=0.8),
    "Li27 of 40": DataSet(("Li",), "examples/li27_train.xyz", "examples/li27_test.xyz", n_train=40),
    "water of 40": DataSet(("O", "H"), "extxyz/deepmd_water/train.xyz", "extxyz/deepmd_water/test.xyz", n_train=40),
}
_FROM_SETTINGS = json.loads(SETTINGS.read_text(encoding="utf-8"))
# name -> changes of a run file that says nothing but the data
VARIANTS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "settings": {key: _FROM_SETTINGS[key] for key in ("ema_decay", "model", "optimizer")},
    "p_max 1e4": {"optimizer": {"p_max": 1e4}},
    "batch 1": {"optimizer": {"batch_size": 1}},
    "batch 32": {"optimizer": {"batch_size": 32}},
    "float32 network": {"precision": "float32"},
    "no weight decay": {"optimizer": {"weight_decay": 0}},
    "virials": {"optimizer": {"train_virial": True}},
    "Adam": {"optimizer": {"optimizer": "ADAM"}, "ema_decay": 0.999},
}


def _read(data: Path, name: str) -> list[Atoms]:
    path = EXAMPLES / name.removeprefix("examples/") if name.startswith("examples/") else data / name
    return ase.io.read(path, ":")


def run_file(data_set: DataSet, seed: int, **others: Any) -> dict[str, Any]:
    """Return a run file on one thread, for frames that lie beside it, with other keys."""
    return {
        "atom_type": list(data_set.elements),
        "train_data": ["train.xyz"],
        "valid_data": ["test.xyz"],
        "format": "extxyz",
        "seed": seed,
        "threads": 1,
        "device": "cpu",
        **others,
    }


def run_config(data_set: DataSet, variant: str, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """Return the run file of a variant."""
    config = run_file(data_set, seed, model_type="DP", optimizer={"optimizer": "LKF"})
    config = with_keys(merged(config, VARIANTS[variant]), options.set)
    epochs = ADAMS * options.epochs if variant == "Adam" else options.epochs
    return merged(config, {"optimizer": {"epochs": epochs}})


def train(name: str, variant: str, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """Run one variant to its end and return its curves."""
    with tempfile.TemporaryDirectory(prefix="pwmlff-lkf-") as temporary:
        folder = Path(temporary)
        for frames, file in zip(SETS[name].frames(options.data, seed), ("train.xyz", "test.xyz"), strict=True):
            ase.io.write(folder / file, frames)
        (folder / "config.json").write_text(json.dumps(run_config(SETS[name], variant, seed, options)))
        code, _ = train_in(folder, 60 * options.minutes)
        said = (folder / "log").read_text(encoding="utf-8", errors="replace")
        record = folder / "model_record"
        if not (record / "epoch_valid.dat").exists():
            raise SystemExit(f"{name}, {variant}:\n{said[-2000:]}")
        (model,) = record.glob("*_model.ckpt")
        guard = load_checkpoint(model).state["optimizer"].get("guard", {})  # Adam has none
        if options.keep:
            shutil.copy(model, options.keep / f"{name} {variant} {seed}.ckpt".replace(" ", "-"))
        return {
            "set": name,
            "variant": variant,
            "set_keys": options.set,
            "seed": seed,
            "exit": code,
            "went_back": said.count("back to the last good weights"),
            "taken_back": guard.get("n_taken_back", 0),
            "train": _curve(record / "epoch_train.dat").tolist(),
            "test": _curve(record / "epoch_valid.dat").tolist(),
            "seconds": _columns(record / "epoch_train.dat", "time").sum(axis=1).tolist(),
        }


def _curve(path: Path) -> NDArray[np.float64]:
    """Return energy in meV/atom, forces in eV/Å by epoch, [epochs, 2]."""
    return _columns(path, "RMSE_Etot", "RMSE_F") * [1e3, 1.0]


def _columns(path: Path, *names: str) -> NDArray[np.float64]:
    """Return the columns of a table whose titles begin with these names, [epochs, names]."""
    header, *lines = path.read_text(encoding="utf-8").splitlines()
    columns = [header.split().index(title) for name in names for title in header.split() if title.startswith(name)]
    rows = [[float(line.split()[column]) for column in columns] for line in lines]
    return np.array(rows).reshape(-1, len(names))


def trebled_for_good(errors: NDArray[np.float64]) -> bool:
    """Return whether an error trebled from one epoch to the next and did not fall again within five."""
    return any(errors[n : n + 5].min() > 3 * errors[n - 1] for n in range(1, len(errors)))


def table_row(run: dict[str, Any]) -> list[str]:
    """Return what the table says of a run."""
    trained, tested = np.array(run["train"]), np.array(run["test"])
    lost = any(trebled_for_good(errors) for curve in (trained, tested) for errors in curve.T)

    def errors(curve: NDArray[np.float64], epoch: int) -> str:
        return f"{curve[epoch - 1, 0]:.2f}, {curve[epoch - 1, 1]:.4f}" if 0 < epoch <= len(curve) else "-"

    name = " ".join([run["variant"], *run["set_keys"]])
    best = int(tested[:, 1].argmin())
    seconds = sum(run["seconds"][: best + 1]) if "seconds" in run else np.nan
    return [
        run["set"],
        name,
        str(run["seed"]),
        str(len(tested)),
        errors(tested, EARLY),
        errors(tested, len(tested)),
        errors(trained, len(trained)),
        f"{tested[best, 1]:.4f}, {seconds:.0f} s",
        f"{run['went_back']}, {run.get('taken_back', '-')}",
        "yes" if lost or run["exit"] not in (0, STOPPED) else "no",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds extxyz/")
    parser.add_argument("--results", type=Path, required=True, help="file of results, made or added to")
    parser.add_argument("--sets", nargs="+", choices=list(SETS), default=["Si", "Cu", "Li27", "LiH"], metavar="SET")
    parser.add_argument("--only", nargs="+", choices=list(VARIANTS), default=list(VARIANTS)[:6], metavar="NAME")
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--minutes", type=float, default=10.0, help="of the processor, for each run")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", help="further keys, such as ema_decay=0")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="an existing folder for the models")
    options = parser.parse_args()
    lines = options.results.read_text(encoding="utf-8").splitlines() if options.results.exists() else []
    runs = [json.loads(line) for line in lines]
    for seed in options.seeds:
        for name in options.sets:
            for variant in options.only:
                key = (name, variant, seed, options.set)
                if any((run["set"], run["variant"], run["seed"], run["set_keys"]) == key for run in runs):
                    continue
                runs.append(train(name, variant, seed, options))
                with options.results.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(runs[-1]) + "\n")
                say(" | ".join(table_row(runs[-1])))
    shown = [run for run in runs if run["set"] in options.sets and run["variant"] in options.only]
    heads = ["set", "", "seed", "epochs", f"test after {EARLY}: meV/atom, eV/Å", "test at the end", "training"]
    heads += ["lowest test eV/Å", "back", "lost"]
    print_table("LKF left alone", heads, [table_row(run) for run in shown], [describe_machine()])


if __name__ == "__main__":
    main()
