"""What `pwmlff compress` makes of a NEP: time with tables of its radial functions and without, and errors.

    python tests/benchmarks/nep_tables.py [--models pbte universal] [--files pbte=nep.txt] [--basis 9 13 20]
        [--dtypes float64 mixed float32] [--tables 3:0.05 5:0.2] [--rounds 30]

Models and structures are those of `nep_cost.py`: random weights of the sizes of `nep_PbTe25`, and of a model of 16
elements. `--files NAME=FILE` takes the model of a nep.txt for the structure of that name. `--basis` gives the models
so many Chebyshev functions in each g_n. `--tables ORDER:SPACING` in Å. All forms of a model are timed by turns, block
by block, on one thread; a block's time is the least of all rounds. Errors are the largest deviations of atomic energies
and pair gradients from the uncompressed model in the same precision, in eV and eV/Å; of random weights in units of the
largest pair gradient.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import torch
from ase import Atoms
from bench_tools import describe_machine, pin_to_cores, print_table, say
from nep_cost import DTYPES, MODELS, Pairs, Sizes, blocks_of, structure

from pwmlff.compress import tabulate
from pwmlff.export.precision import in_precision
from pwmlff.models import Potential
from pwmlff.models.files import read_model
from pwmlff.models.nep import NEP, NEPConfig
from pwmlff.models.tables import Order
from pwmlff.ops import StoredEvaluator, library, make_evaluator


@dataclass(frozen=True)
class Model:
    """A model and what it is measured on.

    Attributes:
        name: Of the row.
        potential: In float64.
        atoms: The structure.
        types: Of its atoms in the model.
        is_random: Whether its weights are.
    """

    name: str
    potential: Potential
    atoms: Atoms
    types: list[int]
    is_random: bool


def random_model(name: str, sizes: Sizes) -> Model:
    """Return a model with random weights."""
    config = NEPConfig.model_validate(
        {
            "descriptor": {
                "cutoff": sizes.cutoffs,
                "n_max": [n - 1 for n in sizes.functions],
                "basis_size": [k - 1 for k in sizes.basis],
                "l_max": [sizes.l_max, *sizes.extras],
            },
            "fitting_net": {"network_size": sizes.neurons},
        }
    )
    network = NEP(config, sizes.n_types, torch.float64)
    network.config = config
    network.take_arrays(sizes.stored(torch.float64, 1).arrays)
    atoms, types = structure(name)
    symbols = ("Cu", "Au", "Ag", "Al", "Cr", "Mg", "Mo", "Ni", "Pb", "Pd", "Pt", "Ta", "Ti", "V", "W", "Zr")
    label = f"{name}, {sizes.basis[0]} basis functions"
    return Model(label, Potential(network, symbols[: sizes.n_types]), atoms, types, True)


def model_of_file(name: str, path: str) -> Model:
    """Return the model of a nep.txt on the atoms of a structure."""
    potential, atoms = read_model(path).potential, structure(name)[0]
    return Model(f"{name}, {Path(path).name}", potential, atoms, [potential.type_of[z] for z in atoms.numbers], False)


def least_times(forms: Sequence[StoredEvaluator], blocks: list[Pairs], rounds: int) -> list[float]:
    """Return µs per atom of each form, measured by turns."""
    totals = [0.0] * len(forms)
    for block in blocks:
        least = [float("inf")] * len(forms)
        for _ in range(rounds):
            for place, form in enumerate(forms):
                start = time.perf_counter()
                form(*block)
                least[place] = min(least[place], time.perf_counter() - start)
        totals = [total + seconds for total, seconds in zip(totals, least, strict=True)]
    n_atoms = sum(len(block[3]) for block in blocks)
    return [1e6 * total / n_atoms for total in totals]


def errors(form: StoredEvaluator, original: StoredEvaluator, blocks: list[Pairs]) -> tuple[float, float, float]:
    """Return the largest deviations of energies and pair gradients, and the largest pair gradient."""
    of_energy = of_gradient = largest = 0.0
    for block in blocks:
        (a, b), (c, d) = form(*block), original(*block)
        of_energy = max(of_energy, float((a - c).abs().max()))
        of_gradient = max(of_gradient, float((b - d).abs().max()))
        largest = max(largest, float(d.abs().max()))
    return of_energy, of_gradient, largest


def rows_of(model: Model, dtype: str, tables: list[tuple[Order, float]], rounds: int) -> list[list[str]]:
    """Measure a model in one precision."""
    geometry = torch.float64 if DTYPES[dtype][1] else torch.float32
    plain = in_precision(model.potential, dtype)
    compressed = [in_precision(tabulate(model.potential, dx, order), dtype) for order, dx in tables]
    stored = [potential.network.stored(geometry) for potential in (plain, *compressed)]
    forms = [make_evaluator(arrays) for arrays in stored if arrays is not None]
    blocks = blocks_of(model.atoms, model.types, model.potential.cutoff)
    times = least_times(forms, blocks, rounds)
    rows = [[f"{model.name}, {dtype}", "-", "-", f"{times[0]:.2f}", "1", "", ""]]
    for (order, dx), potential, form, taken in zip(tables, compressed, forms[1:], times[1:], strict=True):
        summary = potential.network.table_summary()
        assert summary is not None
        energy, gradient, largest = errors(form, forms[0], blocks)
        scale = largest if model.is_random else 1.0
        cells = [f"{order}, {dx:g} Å", f"{summary.size / 1e6:.2f}", f"{taken:.2f}", f"{times[0] / taken:.2f}"]
        rows.append(["", *cells, f"{energy / scale:.0e}", f"{gradient / scale:.0e}"])
    say(f"{model.name}, {dtype}: " + " ".join(f"{taken:.2f}" for taken in times))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="*", choices=list(MODELS), default=list(MODELS))
    parser.add_argument("--files", nargs="*", default=[], metavar="NAME=FILE")
    parser.add_argument("--basis", nargs="*", type=int, default=[])
    parser.add_argument("--dtypes", nargs="+", choices=list(DTYPES), default=list(DTYPES))
    parser.add_argument("--tables", nargs="+", default=["3:0.05", "3:0.01", "5:0.2"], metavar="ORDER:SPACING")
    parser.add_argument("--rounds", type=int, default=30)
    options = parser.parse_args()
    if not library.load():
        raise SystemExit(f"no native library: {library.status().error}")
    pin_to_cores(1)
    torch.set_num_threads(1)
    models = [model_of_file(*name_and_path.split("=", 1)) for name_and_path in options.files]
    for name in options.models:
        all_sizes = [replace(MODELS[name], basis=(n, n)) for n in options.basis] or [MODELS[name]]
        models += [random_model(name, sizes) for sizes in all_sizes]
    tables = [(cast("Order", int(order)), float(dx)) for order, dx in (text.split(":") for text in options.tables)]
    rows = [
        row for model in models for dtype in options.dtypes for row in rows_of(model, dtype, tables, options.rounds)
    ]
    columns = ["", "order, spacing", "MB", "µs/atom", "times as fast", "energy", "force"]
    print_table("NEP with tables, energies and forces, one thread", columns, rows, [describe_machine()])


if __name__ == "__main__":
    main()
