"""Forms of a model for inference: atomic energies together with their derivatives by pair vector.

`AutogradInference` serves any model; a network with a native kernel for both at once offers its own form through
`Network.inference_form`. All forms are TorchScript.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Tuple  # noqa: UP035 - TorchScript does not read `tuple[...]`

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from pwmlff.models.potential import Potential


class AutogradInference(nn.Module):
    """Energies and pair gradients of a module that maps pair vectors to atomic energies, by automatic differentiation.

    Args:
        module: Called as `Network.forward` is.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(
        self, pair_vectors: Tensor, pair_start: Tensor, pair_types: Tensor, atom_types: Tensor
    ) -> Tuple[Tensor, Tensor]:  # noqa: UP006
        """Return atomic energies [N] and pair gradients [E, 3], float64; arguments as in `Network.forward`."""
        vectors = pair_vectors.detach().requires_grad_(True)
        energies = self.module(vectors, pair_start, pair_types, atom_types)
        gradients = torch.zeros_like(pair_vectors)
        if energies.requires_grad:  # not so when no atom has a neighbour
            found = torch.autograd.grad([energies.sum()], [vectors], allow_unused=True)[0]
            if found is not None:
                gradients = found
        return energies.detach().to(torch.float64), gradients


class PotentialInference(nn.Module):
    """A whole potential: network, energy shift, short-range repulsion.

    Args:
        potential: The model.
        geometry: Precision of the network's geometry, see `Network.inference_form`.
    """

    if TYPE_CHECKING:  # TorchScript would try to read these annotations
        energy_shift: Tensor
        repulsion: Any

    def __init__(self, potential: Potential, geometry: torch.dtype = torch.float64) -> None:
        super().__init__()
        self.network = potential.network.inference_form(geometry)
        self.repulsion = nn.ModuleList(AutogradInference(repulsion) for repulsion in potential.repulsion)
        self.register_buffer("energy_shift", potential.energy_shift.detach().clone())  # [T] eV

    def forward(
        self, pair_vectors: Tensor, pair_start: Tensor, pair_types: Tensor, atom_types: Tensor
    ) -> Tuple[Tensor, Tensor]:  # noqa: UP006
        """Return atomic energies [N] in eV and pair gradients [E, 3] in eV/Å; arguments as in `Network.forward`."""
        energies, gradients = self.network(pair_vectors, pair_start, pair_types, atom_types)
        energies = energies + self.energy_shift.index_select(0, atom_types)
        for repulsion in self.repulsion:
            more_energies, more_gradients = repulsion(pair_vectors, pair_start, pair_types, atom_types)
            energies, gradients = energies + more_energies, gradients + more_gradients
        return energies, gradients


def table_overflows(module: nn.Module) -> tuple[int, int]:
    """Count the distances, met since a module was made, that its tables were not made for.

    Args:
        module: An inference form or an exported model.

    Returns:
        Pairs nearer than any the tables' fine part covers, and those of them beyond the tables; each (i, j) counts
        once per evaluation. Zero for a model without tables.
    """
    counts = [value for name, value in module.named_buffers() if name.endswith("table_overflows")]
    if not counts:
        return 0, 0
    nearer, beyond = torch.stack(counts).sum(dim=0).tolist()
    return int(nearer), int(beyond)
