"""A sound pair model, and forms of it each of which breaks one law of physics or of the contract."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from pwmlff.data.frame import Frame
from pwmlff.testing import Differentiable, Form, PairForm, Result, Subject

CUTOFF = 4.5
ELEMENTS = ("Cu", "Au")
Energy = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
STRENGTH = torch.tensor([[1.0, 0.6], [0.6, 1.3]], dtype=torch.float64, requires_grad=True)


def density(vectors: Tensor, start: Tensor, types: Tensor, atom_types: Tensor) -> Tensor:
    """Sum over neighbours of a smooth function of the distance, that depends on both types; [N]."""
    centers = centers_of(start)
    distances = vectors.square().sum(1).sqrt()
    weights = 0.05 * (CUTOFF - distances).clamp(min=0.0) ** 4 * STRENGTH[atom_types[centers], types]
    return torch.zeros(len(start) - 1, dtype=torch.float64).index_add(0, centers, weights)


def centers_of(start: Tensor) -> Tensor:
    return torch.repeat_interleave(torch.arange(len(start) - 1), start[1:] - start[:-1])


def sound(vectors: Tensor, start: Tensor, types: Tensor, atom_types: Tensor) -> Tensor:
    """Many-body and smooth, with an energy of the free atom."""
    return -(density(vectors, start, types, atom_types) + 1.0).sqrt() - 2.0 - atom_types


def over_neighbors(term: Callable[[Tensor], Tensor]) -> Energy:
    """Add a function of the pair vectors that fades at the cutoff."""

    def energy(vectors: Tensor, start: Tensor, types: Tensor, atom_types: Tensor) -> Tensor:
        fade = (CUTOFF - vectors.square().sum(1).sqrt()).clamp(min=0.0) ** 4
        energies = sound(vectors, start, types, atom_types)
        return energies.index_add(0, centers_of(start), 0.001 * fade * term(vectors))

    return energy


def handed(vectors: Tensor, start: Tensor, types: Tensor, atom_types: Tensor) -> Tensor:
    """Turns with the structure, but not in a mirror: a triple product of three weighted sums of neighbours."""
    centers, distances = centers_of(start), vectors.square().sum(1, keepdim=True).sqrt()
    fade = (CUTOFF - distances).clamp(min=0.0) ** 4
    sums = [
        torch.zeros(len(start) - 1, 3, dtype=torch.float64).index_add(0, centers, fade * distances**power * vectors)
        for power in range(3)
    ]
    volume = (torch.linalg.cross(sums[0], sums[1]) * sums[2]).sum(1)
    return sound(vectors, start, types, atom_types) + 0.1 * torch.tanh(1e-3 * volume)


def numbered(vectors: Tensor, start: Tensor, types: Tensor, atom_types: Tensor) -> Tensor:
    return sound(vectors, start, types, atom_types) * (1.0 + 0.01 * torch.arange(len(atom_types)))


def crowded(vectors: Tensor, start: Tensor, types: Tensor, atom_types: Tensor) -> Tensor:
    """Depends on how many atoms are evaluated at once."""
    return sound(vectors, start, types, atom_types) * (1.0 + 0.01 * len(atom_types))


def diluted(vectors: Tensor, start: Tensor, types: Tensor, atom_types: Tensor) -> Tensor:
    """Depends on the number of elements at hand, as with a normalisation by composition."""
    return sound(vectors, start, types, atom_types) * (1.0 + 0.01 * len(atom_types.unique()))


def cut(vectors: Tensor, start: Tensor, types: Tensor, atom_types: Tensor) -> Tensor:
    """Counts neighbours without fading them."""
    counts = (start[1:] - start[:-1]).to(torch.float64)
    return sound(vectors, start, types, atom_types) + 0.01 * counts


def kinked(vectors: Tensor, start: Tensor, types: Tensor, atom_types: Tensor) -> Tensor:
    """Continuous at the cutoff, its forces are not."""
    fade = (CUTOFF - vectors.square().sum(1).sqrt()).clamp(min=0.0)
    return sound(vectors, start, types, atom_types).index_add(0, centers_of(start), 0.01 * fade)


def singular(vectors: Tensor, start: Tensor, types: Tensor, atom_types: Tensor) -> Tensor:
    """No number for atoms closer than 0.3 Å."""
    gap = vectors.square().sum(1).sqrt() - 0.3
    return sound(vectors, start, types, atom_types).index_add(0, centers_of(start), 0.0 * gap.log())


def averaged(vectors: Tensor, start: Tensor, types: Tensor, atom_types: Tensor) -> Tensor:
    """A mean over the neighbours, of which a free atom has none."""
    counts = (start[1:] - start[:-1]).to(torch.float64)
    return sound(vectors, start, types, atom_types) + 0.0 * density(vectors, start, types, atom_types) / counts


def constant(vectors: Tensor, start: Tensor, types: Tensor, atom_types: Tensor) -> Tensor:
    return -2.0 - atom_types.to(torch.float64)


def gradients_of(energy: Energy) -> Callable[..., tuple[Tensor, Tensor]]:
    def function(vectors: Tensor, *rows: Tensor) -> tuple[Tensor, Tensor]:
        leaf = vectors.detach().requires_grad_()
        energies = energy(leaf, *rows)
        if not energies.requires_grad:
            return energies, torch.zeros_like(vectors)
        (gradients,) = torch.autograd.grad(
            energies.sum(), leaf, create_graph=True, allow_unused=True, materialize_grads=True
        )
        return energies, gradients

    return function


def subject(energy: Energy = sound) -> Subject:
    """Return the form of an energy by automatic differentiation; its reference is the sound model."""
    return Subject(
        form=PairForm(gradients_of(energy), ELEMENTS, CUTOFF),
        elements=ELEMENTS,
        cutoff=CUTOFF,
        reference=PairForm(gradients_of(sound), ELEMENTS, CUTOFF),
        differentiable=Differentiable(energy, gradients_of(energy), [STRENGTH]),
    )


def one_by_one(energy: Energy) -> Subject:
    """Evaluate each structure on its own."""
    made = subject(energy)
    form = made.form
    return replace(made, form=lambda frames: [form([frame])[0] for frame in frames])


def with_gradients(change: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]) -> Subject:
    """Change what the sound model gives for pairs."""

    def function(*tensors: Tensor) -> tuple[Tensor, Tensor]:
        return change(*gradients_of(sound)(*tensors))

    made = subject()
    return replace(
        made,
        form=PairForm(function, ELEMENTS, CUTOFF),
        differentiable=Differentiable(sound, function, [STRENGTH]),
    )


def with_results(change: Callable[[Frame, Result], Result]) -> Subject:
    """Change what the sound model says of a structure."""
    made = subject()

    def form(frames: Sequence[Frame]) -> list[Result]:
        return [change(frame, result) for frame, result in zip(frames, made.form(frames), strict=True)]

    return replace(made, form=form)


def with_frames(change: Callable[[Frame], Frame]) -> Subject:
    """Show the sound model another structure than the one asked for."""
    made = subject()
    form: Form = made.form
    return replace(made, form=lambda frames: form([change(frame) for frame in frames]))


class WrongSecond(torch.autograd.Function):
    """The square, whose derivative cannot be differentiated again: what a kernel without a second backward gives."""

    @staticmethod
    def forward(context: object, x: Tensor) -> Tensor:
        context.save_for_backward(x)  # type: ignore[attr-defined]
        return x.square()

    @staticmethod
    def backward(context: object, factor: Tensor) -> Tensor:
        (x,) = context.saved_tensors  # type: ignore[attr-defined]
        return 2 * x.detach() * factor


def stiff(vectors: Tensor, start: Tensor, types: Tensor, atom_types: Tensor) -> Tensor:
    """Right in energies and forces, wrong in what is differentiated again."""
    return WrongSecond.apply((density(vectors, start, types, atom_types) + 1.0).sqrt())


def placed(frame: Frame, result: Result) -> Result:
    """Feels where the origin is."""
    return replace(result, energy=result.energy + 0.01 * float(frame.positions.sum()))


def surrounded(frame: Frame) -> Frame:
    """Takes every structure for periodic."""
    return replace(frame, pbc=frame.cell.any(axis=1))


BROKEN: dict[str, tuple[Callable[[], Subject], set[str]]] = {
    # name -> (how it is made, checks of which each has to notice)
    "feels the x direction": (lambda: subject(over_neighbors(lambda r: r[:, 0] ** 2)), {"rotation", "inversion"}),
    "feels the sign of x": (lambda: subject(over_neighbors(lambda r: r[:, 0])), {"rotation", "inversion"}),
    "is handed": (lambda: subject(handed), {"inversion"}),
    "feels the origin": (lambda: with_results(placed), {"translation", "forces", "energy_sum"}),
    "feels the order of atoms": (lambda: subject(numbered), {"permutation", "batch"}),
    "feels what else is evaluated": (lambda: subject(crowded), {"batch"}),
    "feels the number of atoms": (lambda: one_by_one(crowded), {"supercell", "fragments", "surroundings"}),
    "feels the composition": (lambda: one_by_one(diluted), {"surroundings", "fragments"}),
    "cuts off": (lambda: subject(cut), {"cutoff"}),
    "has a kink at the cutoff": (lambda: subject(kinked), {"cutoff"}),
    "takes logarithms of small distances": (lambda: subject(singular), {"close_contact"}),
    "divides by the number of neighbours": (lambda: subject(averaged), {"isolated_atom", "fragments"}),
    "says nothing": (lambda: subject(constant), {"translation", "forces", "cutoff", "second_derivatives", "newton"}),
    "has forces of another energy": (lambda: with_gradients(lambda e, g: (e, 1.001 * g)), {"forces", "virial"}),
    "forgets the gradient's graph": (lambda: with_gradients(lambda e, g: (e, g.detach())), {"parameter_derivatives"}),
    "cannot be differentiated twice": (lambda: subject(stiff), {"second_derivatives", "parameter_derivatives"}),
    "computes in float32": (
        lambda: with_gradients(lambda e, g: (e.float().double(), g.float().double())),
        {"rotation", "reference", "forces"},
    ),
    "returns float32": (lambda: with_gradients(lambda e, g: (e.float(), g)), {"translation", "no_frames"}),
    "fails without atoms": (
        lambda: with_gradients(lambda e, g: (e if len(e) else e.new_zeros(1), g)),
        {"no_frames"},
    ),
    "has a wrong virial": (
        lambda: with_results(lambda _, r: replace(r, virial=1.001 * r.virial)),
        {"virial", "reference"},
    ),
    "has half a virial": (lambda: with_results(lambda _, r: replace(r, virial=np.triu(r.virial))), {"newton"}),
    "is pushed": (lambda: with_results(lambda _, r: replace(r, forces=r.forces + [1e-3, 0, 0])), {"newton", "forces"}),
    "loses energy": (lambda: with_results(lambda _, r: replace(r, energy=0.999 * r.energy)), {"energy_sum"}),
    "sees periodic images everywhere": (lambda: with_frames(surrounded), {"open_boundaries", "reference"}),
    "sees no periodic images": (
        lambda: with_frames(lambda frame: replace(frame, pbc=np.zeros(3, bool))),
        {"supercell", "translation", "open_boundaries"},
    ),
    "is another model": (lambda: replace(subject(), form=subject(kinked).form), {"reference"}),
}
