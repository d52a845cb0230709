"""What a generation of SNES takes, how much of it the kernels, and how much of a core's peak that is.

    python tests/benchmarks/snes_generation.py --data DIR [--population 50] [--rounds 20] [--frames 25 5 1]

A NEP of GPUMD's sizes for `nep_PbTe25` (8 and 4 Å, two elements, 30 neurons, no virials) on so many of its 25 frames
of 250 atoms, and the net of Behler and Parrinello that `pwmlff init nn` writes for the lithium and the lithium hydride
of examples/data, on all frames. One thread; times are those of the processor, the least of all rounds: what another
process takes of the core is not of interest. "kernels" is the evaluation of as many candidates as a generation has, and
of the mean, one after the other on all frames: energies and pair gradients; "forces" is their sum over pairs. A
generation makes them frame by frame, so that both together may take less, and what no weight changes once for all
candidates. Floating-point operations of the NEP are those of `nep_cost.py`.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import torch
from bench_tools import describe_machine, pin_to_cores, print_table, say
from fma_peak import core_fma_peak
from nep_cost import PBTE
from pydantic import BaseModel

from pwmlff.data.batch import Batch
from pwmlff.data.dataset import FrameDataset
from pwmlff.data.frame import Frame
from pwmlff.data.readers import read_frames
from pwmlff.models import MODELS, Potential, build_potential
from pwmlff.models.derivatives import forces_from_gradients
from pwmlff.ops import library, make_evaluator
from pwmlff.optim.snes import SnesConfig, SnesUpdate

SHIPPED = Path(__file__).resolve().parents[2] / "examples" / "data"
MODEL = {
    "version": 4,
    "descriptor": {"cutoff": [8, 4], "n_max": [6, 6], "basis_size": [6, 6], "l_max": [4, 2, 0]},
    "fitting_net": {"network_size": 30},
    "start": "gpumd",
}


def least(work: Callable[[], object], rounds: int) -> float:
    """Return the least time of the processor, s."""
    times = []
    for _ in range(rounds):
        started = time.thread_time()
        work()
        times.append(time.thread_time() - started)
    return min(times)


def prepared(
    model: str, config: BaseModel, elements: list[str], frames: list[Frame], precision: str
) -> tuple[Potential, Batch]:
    """Return an untrained potential and all frames as a batch."""
    torch.manual_seed(1)
    potential = build_potential(model, config, elements, dtype=precision)
    batch = FrameDataset(frames, elements, potential.cutoff).batch(range(len(frames)))
    potential.collect_statistics([batch])
    return potential, batch


def as_init_writes(name: str, elements: list[str], precision: str) -> tuple[Potential, Batch]:
    """Return an untrained net of Behler and Parrinello and all frames of a shipped set as a batch."""
    frames, family = list(read_frames(SHIPPED / f"{name}_train.xyz")), MODELS["NN"]
    config = family.RunFile.suggested(family.Config(), elements, frames).config
    return prepared("NN", config, elements, frames, precision)


class Measured:
    """Rows of the table."""

    def __init__(self, population: int, rounds: int) -> None:
        self.population, self.rounds = population, rounds
        self.rows: list[list[str]] = []
        self.peaks = core_fma_peak()

    def add(self, name: str, precision: str, potential: Potential, batch: Batch, flops: float | None = None) -> None:
        """Measure generations on a batch, whose evaluation takes so many operations where they are known."""
        update = SnesUpdate(potential, SnesConfig(population=self.population), steps_per_epoch=1)
        evaluator = make_evaluator(potential.network.stored())
        _, gradients = evaluator(*batch.pairs)
        n_evaluations = self.population + 1
        parts = [
            n_evaluations * least(lambda: evaluator(*batch.pairs), self.rounds * n_evaluations),
            n_evaluations * least(lambda: forces_from_gradients(gradients, batch), self.rounds * n_evaluations),
        ]
        total = least(lambda: update.step(batch), self.rounds)
        cells = [f"{1 / total:.2f}", f"{3600 / total:.0f}", *(f"{100 * part / total:.0f} %" for part in parts)]
        if flops is not None:
            rate = n_evaluations * flops / total
            cells += [f"{n_evaluations * flops / 1e9:.2f}", f"{rate / 1e9:.1f}"]
            cells.append(f"{100 * rate / self.peaks[precision]:.0f} %" if self.peaks else "")
        self.rows.append([name, precision, str(batch.n_frames), *cells, *[""] * (7 - len(cells))])
        say(f"{name}, {precision}, {batch.n_frames} frames: {total:.3f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--population", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--frames", type=int, nargs="+", default=[25, 5, 1])
    options = parser.parse_args()
    if not library.load():
        raise SystemExit(f"no native library: {library.status().error}")
    pin_to_cores(1)
    torch.set_num_threads(1)
    every = list(read_frames(options.data / "nep_PbTe25" / "train.xyz"))
    measured = Measured(options.population, options.rounds)
    for precision in ("float64", "float32"):
        for n_frames in options.frames:
            config = MODELS["NEP"].Config.model_validate(MODEL)
            potential, batch = prepared("NEP", config, ["Te", "Pb"], every[:n_frames], precision)
            distances = batch.pair_vectors.norm(dim=1)
            n_atoms = len(batch.atom_types)
            flops = PBTE.flops(*(float((distances < cutoff).sum()) / n_atoms for cutoff in PBTE.cutoffs)) * n_atoms
            measured.add("NEP, PbTe", precision, potential, batch, flops)
        for name, elements in {"li27": ["Li"], "lih": ["Li", "H"]}.items():
            measured.add(f"NN, {name}", precision, *as_init_writes(name, elements, precision))
    columns = ["model", "network", "frames", "generations/s", "in an hour", "kernels", "forces", "GFLOP", "GFLOP/s"]
    notes = [describe_machine(), '"of peak": of the multiply-adds of one core in registers']
    title = f"SNES, population {options.population}, one thread"
    print_table(title, [*columns, "of peak"], measured.rows, notes)


if __name__ == "__main__":
    main()
