"""What a generation of SNES takes, how much of it the kernels, and how much of a core's peak that is.

    python tests/benchmarks/snes_generation.py --data DIR [--population 50] [--rounds 20] [--frames 25 5 1]

A NEP of GPUMD's sizes for `nep_PbTe25` (8 and 4 Å, two elements, 30 neurons, no virials) on so many of its 25 frames
of 250 atoms, one thread. Times are those of the processor, the least of all rounds: what another process takes of the
core is not of interest. "kernels" is the evaluation of as many candidates as a generation has, and of the mean, one
after the other on all frames: energies and pair gradients; "forces" is their sum over pairs. A generation makes them
frame by frame, so that both together may take less. Floating-point operations are those of `nep_cost.py`.
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

from pwmlff.data.batch import Batch
from pwmlff.data.dataset import FrameDataset
from pwmlff.data.readers import read_frames
from pwmlff.models import MODELS, Potential, build_potential
from pwmlff.models.derivatives import forces_from_gradients
from pwmlff.ops import library, make_evaluator
from pwmlff.optim.snes import SnesConfig, SnesUpdate

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


def set_up(frames: list, precision: str) -> tuple[Potential, Batch]:
    """Return an untrained NEP and all frames as a batch."""
    torch.manual_seed(1)
    config = MODELS["NEP"].Config.model_validate(MODEL)
    potential = build_potential("NEP", config, ["Te", "Pb"], dtype=precision)
    batch = FrameDataset(frames, ["Te", "Pb"], potential.cutoff).batch(range(len(frames)))
    potential.collect_statistics([batch])
    return potential, batch


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
    peaks, rows = core_fma_peak(), []
    for precision in ("float64", "float32"):
        for n_frames in options.frames:
            potential, batch = set_up(every[:n_frames], precision)
            distances = batch.pair_vectors.norm(dim=1)
            n_atoms = len(batch.atom_types)
            flops = PBTE.flops(*(float((distances < cutoff).sum()) / n_atoms for cutoff in PBTE.cutoffs)) * n_atoms
            update = SnesUpdate(potential, SnesConfig(population=options.population), steps_per_epoch=1)
            evaluator = make_evaluator(potential.network.stored())
            _, gradients = evaluator(*batch.pairs)
            n_evaluations = options.population + 1
            rounds = options.rounds * n_evaluations
            parts = [
                n_evaluations * least(lambda evaluator=evaluator, batch=batch: evaluator(*batch.pairs), rounds),
                n_evaluations * least(lambda g=gradients, batch=batch: forces_from_gradients(g, batch), rounds),
            ]
            total = least(lambda update=update, batch=batch: update.step(batch), options.rounds)
            rate = n_evaluations * flops / total
            peak = peaks[precision] if peaks else float("nan")
            shares = [f"{100 * part / total:.0f} %" for part in parts]
            cells = [f"{1 / total:.2f}", f"{3600 / total:.0f}", *shares, f"{n_evaluations * flops / 1e9:.2f}"]
            rows.append([precision, str(n_frames), *cells, f"{rate / 1e9:.1f}", f"{100 * rate / peak:.0f} %"])
            say(f"{precision}, {n_frames} frames: {total:.3f} s")
    columns = ["network", "frames", "generations/s", "in an hour", "kernels", "forces", "GFLOP", "GFLOP/s", "of peak"]
    notes = [describe_machine(), '"of peak": of the multiply-adds of one core in registers']
    print_table(f"SNES, population {options.population}, one thread", columns, rows, notes)


if __name__ == "__main__":
    main()
