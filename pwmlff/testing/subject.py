"""What is checked: a form of a model, and how closely it may be expected to keep the laws.

Letters: `N` atoms, `E` directed pairs i -> j.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from pwmlff.data.frame import Frame


@dataclass(frozen=True)
class Result:
    """What a form says of one structure.

    Attributes:
        energy: eV.
        atomic_energies: [N] eV.
        forces: [N, 3] eV/Å.
        virial: [3, 3] eV.
    """

    energy: float
    atomic_energies: NDArray[np.float64]
    forces: NDArray[np.float64]
    virial: NDArray[np.float64]


Form = Callable[[Sequence[Frame]], list[Result]]


@dataclass(frozen=True, kw_only=True)
class Tolerance:
    """How far results may be apart that exact arithmetic would make equal.

    Attributes:
        same: eV and eV/Å; the same structure written in another way, so that rounding and order of sums differ.
        few: Likewise for structures of a few atoms.
        virial: eV; a virial sums forces times distances.
        reference: eV and eV/Å; another form of the same model.
        slope: Of a derivative against differences of energies, relative.
        slope_floor: Likewise, absolute, eV/Å and eV.
        step: Å, of the differences: small against the structure, large against rounding.
    """

    same: float
    few: float
    virial: float
    reference: float
    slope: float
    slope_floor: float
    step: float


# by the precision of an exported model; weights in float32 under float64 geometry are "mixed"
TOLERANCES = {
    "float64": Tolerance(same=1e-10, few=1e-11, virial=1e-9, reference=1e-10, slope=1e-7, slope_floor=1e-9, step=1e-3),
    "mixed": Tolerance(same=5e-6, few=5e-6, virial=5e-5, reference=1e-5, slope=2e-3, slope_floor=2e-4, step=3e-2),
    "float32": Tolerance(same=1e-5, few=1e-5, virial=1e-4, reference=2e-5, slope=5e-3, slope_floor=5e-4, step=3e-2),
}


@dataclass(frozen=True)
class Differentiable:
    """What training needs of a model, as functions of the contract's four tensors.

    Attributes:
        energies: Atomic energies [N], twice differentiable by pair vectors.
        energies_and_gradients: Atomic energies [N] and pair gradients [E, 3], differentiable by the parameters.
        parameters: What is trained.
    """

    energies: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
    energies_and_gradients: Callable[[Tensor, Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]
    parameters: Sequence[Tensor]


@dataclass(frozen=True, kw_only=True)
class Subject:
    """One form of one model, ready to be checked.

    Attributes:
        form: The model.
        elements: Symbols in type order.
        cutoff: Å.
        tolerance: Of its precision.
        spacing: Å between neighbours in the structures; the model's forces should be felt there.
        is_flat_at_cutoff: Whether second derivatives are continuous at the cutoff too. A model for which they are not,
            such as one with a cosine switch, may still be continuous with its forces, and is checked for that.
        reference: Another form of the same model that has to say the same.
        differentiable: What the checks of second derivatives use; None for a form that is not trained.
    """

    form: Form
    elements: Sequence[str]
    cutoff: float
    tolerance: Tolerance = TOLERANCES["float64"]
    spacing: float = 2.7
    is_flat_at_cutoff: bool = True
    reference: Form | None = None
    differentiable: Differentiable | None = None
