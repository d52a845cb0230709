"""Seconds of one pass over validation frames: by automatic differentiation, and as validation and `pwmlff test` do it.

    python tests/benchmarks/validation_pass.py --data DIR [--frames 40] [--threads 2] [--size large] [--rounds 5]

The frames are water (extxyz/deepmd_water/test.xyz of DIR, 192 atoms, 6 Å), the model an untrained Deep Potential with
the statistics of the frames. Both passes give energies, forces and virials and sum their errors, in turns, from
neighbour lists that are in memory. The roofline is what the arithmetic of energies and forces takes (`dp_cost.py`): its
products at the rate of a large matrix product, and each tanh once, both rates measured in the same process.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch
from bench_tools import Spread, describe_machine, pin_to_cores, print_table, say
from dp_cost import md_step_cost, measure_gemm_rate, measure_tanh_rate
from step_profile import SIZES

from pwmlff.data.batch import Batch
from pwmlff.data.dataset import FrameDataset, iterate_batches
from pwmlff.data.readers import read_frames
from pwmlff.models import DTYPES, MODELS, Potential, Prediction, build_potential, predict
from pwmlff.models.base import differentiate
from pwmlff.models.derivatives import forces_from_gradients, virial_from_gradients
from pwmlff.optim.loss import sum_errors

ELEMENTS = ["O", "H"]
N_AXIS = 16


def make_model(size: str, data: FrameDataset, precision: str) -> Potential:
    embedding, fitting = SIZES[size]
    section = {
        "descriptor": {"Rmax": 6.0, "Rmin": 0.5, "M2": N_AXIS, "network_size": embedding},
        "fitting_net": {"network_size": fitting},
    }
    torch.manual_seed(1)
    potential = build_potential("DP", MODELS["DP"].Config.model_validate(section), ELEMENTS, precision)
    potential.collect_statistics(iterate_batches(data, 4))
    return potential


def predict_by_differentiation(potential: Potential, batch: Batch) -> Prediction:
    energies, gradients = differentiate(potential, *batch.pairs)
    return Prediction(
        energy=torch.zeros_like(batch.energy).index_add(0, batch.atom_frame, energies),
        atomic_energies=energies,
        forces=forces_from_gradients(gradients, batch),
        virial=virial_from_gradients(gradients, batch),
    )


def roofline(batches: list[Batch], size: str, dtype: torch.dtype) -> float:
    embedding, fitting = SIZES[size]
    n_atoms, n_pairs = (sum(len(getattr(b, name)) for b in batches) for name in ("atom_types", "pair_types"))
    flops = n_atoms * md_step_cost(n_pairs / n_atoms, embedding, N_AXIS, fitting).flops
    activations = n_pairs * sum(embedding) + n_atoms * sum(fitting[:-1])
    return flops / measure_gemm_rate(dtype) + activations / measure_tanh_rate(dtype)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with extxyz/deepmd_water")
    parser.add_argument("--frames", type=int, default=40)
    parser.add_argument("--size", choices=list(SIZES), nargs="+", default=list(SIZES))
    parser.add_argument("--precision", choices=list(DTYPES), default="float64")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    pin_to_cores(options.threads)
    torch.set_num_threads(options.threads)
    frames = read_frames([options.data / "extxyz/deepmd_water/test.xyz"])[: options.frames]
    data = FrameDataset(frames, ELEMENTS, 6.0)
    batches = [data.batch([index]) for index in range(len(data))]
    rows, notes = [], [describe_machine()]
    for size in options.size:
        potential = make_model(size, data, options.precision)
        seconds: dict[str, list[float]] = {"differentiated": [], "kernels": []}
        for number in range(options.rounds + 1):  # the first one warms up
            for name, method in (("differentiated", predict_by_differentiation), ("kernels", predict)):
                start = time.perf_counter()
                sum(sum_errors(method(potential, batch), batch).detached().values for batch in batches)
                if number > 0:
                    seconds[name].append(time.perf_counter() - start)
            say(f"{size}: round {number} of {options.rounds}")
        before, after = (Spread.of(seconds[name]) for name in ("differentiated", "kernels"))
        least = roofline(batches, size, DTYPES[options.precision])
        embedding, fitting = SIZES[size]
        rows.append(
            (
                f"{embedding}, {fitting[:-1]}",
                f"{before.median:.2f} ({before.p10:.2f} - {before.p90:.2f})",
                f"{after.median:.2f} ({after.p10:.2f} - {after.p90:.2f})",
                f"{after.median / before.median:.2f}",
                f"{least:.2f}",
            )
        )
        forces = [method(potential, batches[0]).forces for method in (predict_by_differentiation, predict)]
        largest = float((forces[0] - forces[1]).abs().max())
        notes.append(f"{size}: forces of the first frame differ by up to {largest:.1e} eV/Å")
    print_table(
        f"a pass over {len(frames)} frames of water, {options.precision}, {options.threads} threads",
        ("nets", "differentiated s (p10 - p90)", "kernels s (p10 - p90)", "ratio", "roofline s"),
        rows,
        notes,
    )


if __name__ == "__main__":
    main()
