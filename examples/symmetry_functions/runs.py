"""The trainings of the study: each in a folder of its own, several at a time, none of them twice."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from settings import BASE, Setting

from pwmlff.config import RunConfig
from pwmlff.data.frame import Frame
from pwmlff.data.readers import read_frames
from pwmlff.evaluate import predict_frames
from pwmlff.evaluate.loading import load_model
from pwmlff.train import EXIT_STOPPED, TrainingStopped, train_from_config

TRAIN, TEST = (Path(__file__).resolve().parent.parent / "data" / f"li27_{part}.xyz" for part in ("train", "test"))


@dataclass(frozen=True)
class Run:
    """One training.

    Attributes:
        setting: What is trained.
        seed: Of weights and order of frames.
        n_epochs: With all frames; with fewer there are more epochs, so that steps are as many.
        n_frames: Of which the network may have its part.
        n_tests: Unseen frames.
        folder: Where it runs.
    """

    setting: Setting
    seed: int
    n_epochs: int
    n_frames: int
    n_tests: int
    folder: Path

    @property
    def config(self) -> dict[str, Any]:
        """The content of the run file."""
        part = self.setting.n_frames / BASE.n_frames
        return {
            "model_type": "NN",
            "atom_type": ["Li"],
            "train_data": [str(self.folder / "train.xyz")],
            "valid_ratio": 0,
            "format": "extxyz",
            "device": "cpu",
            "threads": 1,
            "seed": self.seed,
            "model_store_dir": str(self.folder / "model_record"),
            "model": {
                "descriptor": self.setting.descriptor,
                "fitting_net": {"network_size": [*self.setting.neurons, 1]},
            },
            "optimizer": {"optimizer": "LKF", "batch_size": 4, "epochs": round(self.n_epochs / part)},
        }

    @property
    def wanted(self) -> dict[str, Any]:
        """What the result must be of, as JSON has it: all but the seed and places."""
        numbers = {"n_frames": self.n_frames, "n_tests": self.n_tests}
        sections = {key: self.config[key] for key in ("model", "optimizer")}
        whole: dict[str, Any] = json.loads(json.dumps({**sections, **numbers}))
        return whole

    def result(self) -> Result | None:
        """Return what was reached, or None if it is not done."""
        path = self.folder / "result.json"
        if not path.exists():
            return None
        content = json.loads(path.read_text())
        if content["of"] != self.wanted:
            raise SystemExit(f"{self.folder} holds a run with other settings; name a new folder with --work")
        return Result(**content["result"])


@dataclass(frozen=True)
class Result:
    """What a run reached on unseen frames.

    Attributes:
        energy: RMSE, meV/atom.
        force: RMSE, meV/Å.
        seconds: Of the processor, for training.
        reference: Energies of the frames, eV/atom.
        predicted: Those of the network.
    """

    energy: float
    force: float
    seconds: float
    reference: list[float]
    predicted: list[float]


def spread(frames: int, number: int) -> NDArray[np.int64]:
    """Return the places of so many frames, evenly spread."""
    return np.linspace(0, frames - 1, min(number, frames)).round().astype(np.int64)


def part_of(setting: Setting, n_frames: int) -> int:
    """Return on how many frames a network is trained where others have so many."""
    return max(2, round(n_frames * setting.n_frames / BASE.n_frames))


def train(run: Run) -> None:
    """Train and test; a process of its own does nothing else."""
    torch.set_num_threads(1)
    run.folder.mkdir(parents=True, exist_ok=True)
    frames = ase.io.read(TRAIN, ":")
    frames = [frames[place] for place in spread(len(frames), run.n_frames)]
    places = spread(len(frames), part_of(run.setting, run.n_frames))
    ase.io.write(run.folder / "train.xyz", [frames[place] for place in places])
    (run.folder / "config.json").write_text(json.dumps(run.config, indent=1))
    start = time.process_time()
    with (run.folder / "log").open("a", encoding="utf-8") as log:
        try:
            model = train_from_config(RunConfig.model_validate(run.config), console=Console(file=log, width=110))
        except TrainingStopped:
            os._exit(EXIT_STOPPED)  # its state is saved
    seconds = time.process_time() - start
    unseen = read_frames([TEST])
    result = evaluate(model, [unseen[place] for place in spread(len(unseen), run.n_tests)], seconds)
    path = run.folder / "result.json"
    path.with_suffix(".part").write_text(json.dumps({"of": run.wanted, "result": asdict(result)}))
    os.replace(path.with_suffix(".part"), path)


def evaluate(model: Path, frames: Sequence[Frame], seconds: float) -> Result:
    """Compare a model with frames."""
    results = list(predict_frames(load_model(model, torch.device("cpu")), frames))
    n_atoms = np.array([len(result.frame) for result in results])
    reference = np.array([result.frame.energy for result in results], dtype=float) / n_atoms
    predicted = np.array([result.energy for result in results]) / n_atoms
    differences = np.concatenate([(result.forces - result.frame.forces).ravel() for result in results])
    rmse = [1e3 * float(np.sqrt(np.mean(np.square(each)))) for each in (predicted - reference, differences)]
    return Result(rmse[0], rmse[1], seconds, reference.tolist(), predicted.tolist())


def follow_parent() -> None:
    """Let a process that trains be stopped when the one that started it is gone."""

    def wait() -> None:
        parent = multiprocessing.parent_process()
        assert parent is not None
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, daemon=True).start()


def train_all(runs: Sequence[Run], n_jobs: int) -> Iterator[Run]:
    """Train, so many at a time, and yield each when it is done."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(n_jobs, mp_context=context, initializer=follow_parent) as pool:
        try:
            futures = {pool.submit(train, run): run for run in runs}
            for future in as_completed(futures):
                future.result()
                yield futures[future]
        except BaseException as error:
            for process in multiprocessing.active_children():
                process.terminate()
            if isinstance(error, BrokenProcessPool):
                raise SystemExit("a training was stopped; the same command goes on") from None
            raise
