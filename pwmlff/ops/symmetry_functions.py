"""Values of symmetry functions, by the native kernels on the processor.

A net that is linear in them has them as its derivatives by its weights, which the kernels give for every atom.
"""

from __future__ import annotations

import torch
from torch import Tensor

from pwmlff.ops import library
from pwmlff.ops.reference import bp
from pwmlff.ops.reference.bp import TypeFunctions
from pwmlff.ops.reference.nets import ACTIVATIONS
from pwmlff.ops.stored_model import StoredEvaluator, StoredModel, make_evaluator


def symmetry_functions(arrays: bp.Arrays, *pairs: Tensor) -> list[TypeFunctions]:
    """Return the symmetry functions of the atoms of each type, before shift and factor; see `bp.symmetry_functions`.

    Args:
        arrays: Those of a model, whose nets do not count.
        pairs: The four tensors of `bp.atomic_energies`.
    """
    pair_vectors, _, _, atom_types = pairs
    if pair_vectors.device.type != "cpu" or not library.load():
        return bp.symmetry_functions(arrays, *pairs)
    evaluator, widths = _linear(arrays)
    n_atoms = len(atom_types)
    rows = evaluator.weight_gradients(
        pairs,
        evaluator.evaluate_keeping(pairs)[2],
        part_start=torch.arange(n_atoms + 1),
        by_energies=torch.ones(1, n_atoms, dtype=torch.float64),
        by_gradients=torch.zeros(0, len(pair_vectors), 3, dtype=torch.float64),
    ).squeeze(1)  # [N, n], for each type those of its weights and of its bias
    of_types = enumerate(rows.split([width + 1 for width in widths], dim=1))
    atoms_of = [torch.nonzero(atom_types == central).squeeze(-1) for central in range(len(widths))]
    return [TypeFunctions(atoms_of[central], own[atoms_of[central], :-1]) for central, own in of_types]


def descriptors(arrays: bp.Arrays, *pairs: Tensor) -> Tensor:
    """Return what the nets see, [N, D]; see `bp.descriptors`."""
    return bp.scaled(arrays, symmetry_functions(arrays, *pairs), len(pairs[3]))


def _linear(arrays: bp.Arrays) -> tuple[StoredEvaluator, list[int]]:
    """Return an evaluator of the same functions with linear nets in float64, and the width of each."""
    widths = (arrays["radial_start"] + arrays["angular_start"]).diff().tolist()
    functions = {name: array for name, array in arrays.items() if name.startswith(("radial", "angular"))}
    nets = {}
    for central, width in enumerate(widths):
        nets[f"net.{central}.0.weight"] = torch.zeros(1, width, dtype=torch.float64)
        nets[f"net.{central}.0.bias"] = torch.zeros(1, dtype=torch.float64)
    linear = {
        "cutoff_function": arrays["cutoff_function"],
        "inner_fraction": arrays["inner_fraction"],
        **{name: array.double() if array.is_floating_point() else array for name, array in functions.items()},
        "scaling": torch.tensor([[0.0, 1.0]], dtype=torch.float64).repeat(sum(widths), 1),
        "activations": torch.tensor([ACTIVATIONS.index("linear")]),
        **nets,
    }
    return make_evaluator(StoredModel.from_arrays("bp", linear, torch.float64)), widths
