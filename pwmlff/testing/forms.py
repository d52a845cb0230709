"""The forms in which a potential is used, as functions from structures to results.

eager      training: automatic differentiation, or operations whose backward goes to the weights
native     evaluation: the family's kernels, where it has some
exported   the file of `pwmlff export`, in Python
lammps     the same file, in LAMMPS
"""

from __future__ import annotations

import atexit
import copy
import functools
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pwmlff.data.batch import Batch, collate, make_sample
from pwmlff.data.frame import Frame
from pwmlff.elements import atomic_number_of
from pwmlff.export import export_potential
from pwmlff.export.precision import choose_precision
from pwmlff.models import Potential
from pwmlff.models.derivatives import forces_from_gradients, virial_from_gradients
from pwmlff.models.files import read_model
from pwmlff.testing.lammps import LammpsForm
from pwmlff.testing.subject import TOLERANCES, Differentiable, Form, Result, Subject

# the contract's four tensors -> atomic energies [N] eV, pair gradients [E, 3] eV/Å
PairFunction = Callable[[Tensor, Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class PairForm:
    """A form of a function that obeys the contract; all structures of a call make one batch.

    Attributes:
        function: From the contract's four tensors to atomic energies and pair gradients.
        elements: Symbols in type order.
        cutoff: Å.
    """

    function: PairFunction
    elements: Sequence[str]
    cutoff: float

    def __call__(self, frames: Sequence[Frame]) -> list[Result]:
        """Evaluate structures.

        Raises:
            AssertionError: The function returns other shapes or another dtype than the contract says.
        """
        type_of = {atomic_number_of(symbol): index for index, symbol in enumerate(self.elements)}
        batch = collate([make_sample(frame, type_of, self.cutoff) for frame in frames])
        energies, gradients = (tensor.detach() for tensor in self.function(*batch.pairs))
        _expect("atomic energies", energies, tuple(batch.atom_types.shape))
        _expect("pair gradients", gradients, tuple(batch.pair_vectors.shape))
        return _split(batch, energies, gradients)


def _expect(what: str, tensor: Tensor, shape: tuple[int, ...]) -> None:
    if tuple(tensor.shape) != shape or tensor.dtype != torch.float64:
        raise AssertionError(f"{what}: {tuple(tensor.shape)} {tensor.dtype}, expected {shape} torch.float64")


def _split(batch: Batch, energies: Tensor, gradients: Tensor) -> list[Result]:
    totals = torch.zeros(batch.n_frames, dtype=torch.float64).index_add(0, batch.atom_frame, energies)
    forces, virials = forces_from_gradients(gradients, batch), virial_from_gradients(gradients, batch)
    bounds = batch.frame_start.tolist()
    return [
        Result(float(totals[k]), energies[i:j].numpy(), forces[i:j].numpy(), virials[k].numpy())
        for k, (i, j) in enumerate(zip(bounds, bounds[1:], strict=False))
    ]


def eager(potential: Potential) -> PairForm:
    """Return the form that training differentiates."""
    function = functools.partial(potential.energies_and_gradients, differentiable=True)
    return PairForm(function, potential.elements, potential.cutoff)


def native(potential: Potential) -> PairForm:
    """Return the form of evaluation, with the present weights, prepared once for all calls."""
    frozen = copy.deepcopy(potential).frozen()
    return PairForm(frozen.energies_and_gradients, potential.elements, potential.cutoff)


def exported(path: Path | str, trust: bool = False) -> PairForm:
    """Return the form of an exported model in Python; `trust` as in `read_model`."""
    potential = read_model(path, trust).potential
    return PairForm(potential.energies_and_gradients, potential.elements, potential.cutoff)


def _folder_until_exit() -> str:
    folder = tempfile.mkdtemp(prefix="pwmlff-testing-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


FORMS = ("eager", "native", "exported", "lammps")


def subject_of(
    potential: Potential,
    form: str = "eager",
    *,
    dtype: str | None = None,
    folder: Path | str | None = None,
    ranks: int = 1,
    **known: Any,
) -> Subject:
    """Return a form of a potential ready to be checked, the eager form its reference.

    Args:
        potential: The model, its weights float64 or float32.
        form: One of `FORMS`.
        dtype: Of the exported file, a key of `TOLERANCES`; by default that of the weights.
        folder: Where the exported file goes; when not given, a folder that is removed when Python ends.
        ranks: Processes of LAMMPS.
        known: Further attributes of `Subject`.

    Raises:
        ValueError: There is no such form.
        ModelFileError: The potential cannot be exported.
    """
    if form not in FORMS:
        raise ValueError(f"form '{form}' is unknown, expected one of {', '.join(FORMS)}")
    dtype = choose_precision(potential, dtype)
    settings = {
        "elements": potential.elements,
        "cutoff": potential.cutoff,
        "tolerance": TOLERANCES[dtype],
        "reference": None if form == "eager" else eager(potential),
        "is_flat_at_cutoff": potential.network.is_flat_at_cutoff,
        **known,
    }
    if form == "eager":
        if dtype == "float64":
            function = eager(potential).function
            settings.setdefault("differentiable", Differentiable(potential, function, list(potential.parameters())))
        return Subject(form=eager(potential), **settings)
    if form == "native":
        return Subject(form=native(potential), **settings)
    path = export_potential(potential, Path(folder or _folder_until_exit()) / f"{dtype}.pt", dtype)
    of_file: Form
    if form == "exported":
        of_file = exported(path, trust=True)
    else:
        of_file = LammpsForm(path, potential.elements, ranks=ranks, arguments="trust yes")
    return Subject(form=of_file, **settings)
