"""Neuroevolution potential, NEP (Fan et al., PRB 104, 104309, 2021; JCP 157, 114801, 2022), versions 3 to 5.

    E_i = w1 . tanh(w0 (scaler * q_i) - b0) - b1

with the descriptor q_i of `ops/reference/nep.py`, whose coefficients c_nk by (central, neighbour) type are trained like
the weights of the net. Version 3 has one net for all elements, version 4 one for each and a common b1, version 5 one
for each with its own b1.

Letters: `N` atoms, `T` types, `D` length of the descriptor, `H` neurons.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from pwmlff.errors import ModelFileError
from pwmlff.models.base import Network, types_by_module
from pwmlff.models.evaluation import trained_weights
from pwmlff.models.nep.base import NEPBase
from pwmlff.models.nep.config import NEPConfig
from pwmlff.models.nep.run_file import NEPRunFile
from pwmlff.models.nep.tabulate import FunctionTabulation
from pwmlff.ops.reference import nep

if TYPE_CHECKING:
    from pwmlff.data.batch import Batch

_RADIAL_RANGE, _ANGULAR_RANGE = 5.0, 0.3  # of the scaled descriptor over the training data, at a start for gradients
_SMALLEST_OUTPUT = 0.1  # of w1 as GPUMD draws it


class Net(nn.Module):
    """Weights of one net.

    Args:
        config: The `model` section.
        dtype: Of the weights.
    """

    b1: Any

    def __init__(self, config: NEPConfig, dtype: torch.dtype) -> None:
        super().__init__()
        neurons, width = config.fitting_net.neurons, config.descriptor.width
        spread = (3 / width) ** 0.5 if config.start == "scaled" else 1.0
        self.w0 = nn.Parameter(torch.empty(neurons, width, dtype=dtype).uniform_(-spread, spread))
        self.b0 = nn.Parameter(torch.empty(neurons, dtype=dtype).uniform_(-1.0, 1.0))
        self.w1 = nn.Parameter(torch.empty(neurons, dtype=dtype).uniform_(-1.0, 1.0))
        self.b1 = nn.Parameter(torch.zeros(1, dtype=dtype)) if config.version == 5 else None


class Coefficients(nn.Module):
    """c_nk of the radial functions around one type of atoms.

    Args:
        config: The `model` section.
        n_types: T.
        dtype: Of the weights.
    """

    def __init__(self, config: NEPConfig, n_types: int, dtype: torch.dtype) -> None:
        super().__init__()
        (n_radial, n_angular), (k_radial, k_angular) = config.descriptor.n_max, config.descriptor.basis_size
        self.radial = nn.Parameter(torch.empty(n_types, n_radial + 1, k_radial + 1, dtype=dtype).uniform_(-1.0, 1.0))
        self.angular = nn.Parameter(torch.empty(n_types, n_angular + 1, k_angular + 1, dtype=dtype).uniform_(-1.0, 1.0))


class CentralType(nn.Module):
    """What belongs to the atoms of one type; arguments as in `Coefficients`.

    The largest tensor comes first, so that the blocks of a Kalman filter, which tensors fill in order, begin with a
    type.
    """

    net: Net | None

    def __init__(self, config: NEPConfig, n_types: int, dtype: torch.dtype) -> None:
        super().__init__()
        self.net = Net(config, dtype) if config.version > 3 else None
        self.coefficients = Coefficients(config, n_types, dtype)


class NEP(NEPBase):
    """Neuroevolution potential.

    Args:
        config: The `model` section.
        n_types: Number of elements.
        dtype: Of the weights.

    Attributes:
        neighbors: [2] most neighbours of an atom in the training data, within radial and angular cutoff; 0 where
            they are not known.
    """

    RunFile = NEPRunFile
    trained_by_kernels_on = ("cpu", "cuda")
    central: Any
    neighbors: Tensor

    def __init__(self, config: NEPConfig, n_types: int, dtype: torch.dtype) -> None:
        super().__init__(config, n_types, dtype)
        self.register_buffer("neighbors", torch.zeros(2, dtype=torch.int64))
        self.shared_net = Net(config, dtype) if config.version == 3 else None
        self.central = nn.ModuleList(CentralType(config, n_types, dtype) for _ in range(n_types))
        self.shared_b1 = nn.Parameter(torch.zeros(1, dtype=dtype)) if config.version < 5 else None
        self._fix(config)

    @classmethod
    def from_config(cls, config: NEPConfig, elements: Sequence[str], dtype: torch.dtype) -> NEP:
        """Build an untrained network."""
        return cls(config, len(elements), dtype)

    @property
    def nets(self) -> list[Net]:
        """By central type; one several times where it is shared."""
        return [central.net if self.shared_net is None else self.shared_net for central in self.central]

    @property
    def b1(self) -> list[nn.Parameter]:
        """By central type, [1] each; one several times where it is shared."""
        return [net.b1 if self.shared_b1 is None else self.shared_b1 for net in self.nets]

    def _fix(self, config: NEPConfig) -> None:
        """Take the weights that stay as they are out of training."""
        fitting = config.fitting_net
        fixed = {"descriptor": fitting.fix_cij, "hidden": fitting.fix_hiddenlayer, "output": fitting.fix_outlayer}
        for name, weights in self.parts().items():
            for weight in weights:
                weight.requires_grad_(not fixed[name])

    def parts(self) -> dict[str, list[nn.Parameter]]:
        """See `Network.parts`."""
        nets = list(dict.fromkeys(self.nets))
        return {
            "descriptor": [weight for central in self.central for weight in central.coefficients.parameters()],
            "hidden": [weight for net in nets for weight in (net.w0, net.b0)],
            "output": [*(net.w1 for net in nets), *dict.fromkeys(self.b1)],
        }

    def types_of_weights(self) -> dict[nn.Parameter, Tensor]:
        """See `Network.types_of_weights`; coefficients are for the central atom, as in GPUMD."""
        return types_by_module(self.central)

    def file_order(self) -> dict[nn.Parameter, Tensor]:
        """See `Network.file_order`: that of nep.txt, in whose version 5 a common bias follows those of the types."""
        places: dict[nn.Parameter, Tensor] = {}
        first = 0

        def take(weight: nn.Parameter) -> None:
            nonlocal first
            places[weight] = torch.arange(first, first + weight.numel()).view(weight.shape)
            first += weight.numel()

        for net in dict.fromkeys(self.nets):
            for weight in (net.w0, net.b0, net.w1, *([] if net.b1 is None else [net.b1])):
                take(weight)
        if self.shared_b1 is None:
            first += 1
        else:
            take(self.shared_b1)
        n_types = len(self.central)
        for name in ("radial", "angular"):
            own = [getattr(central.coefficients, name) for central in self.central]  # each [T, n, k], by neighbour
            n, k = own[0].shape[1:]
            block = torch.arange(first, first + n * k * n_types**2).view(n, k, n_types, n_types)
            places |= dict(zip(own, block.permute(2, 3, 0, 1).contiguous().unbind(), strict=True))
            first += block.numel()
        return places

    def weights(self) -> dict[str, Tensor]:
        """See the base."""
        rows = [torch.cat([net.w0.flatten(), net.b0, net.w1, b1]) for net, b1 in zip(self.nets, self.b1, strict=True)]
        return {
            "radial": torch.stack([central.coefficients.radial for central in self.central]),
            "angular": torch.stack([central.coefficients.angular for central in self.central]),
            "net": torch.stack(rows),
        }

    @torch.no_grad()
    def take_arrays(self, arrays: Mapping[str, Tensor]) -> None:
        """Take weights and scaling from arrays as `arrays` returns them, the reverse of that.

        Raises:
            ValueError: They are of other sizes or cutoffs, or differ between types where these share them.
        """
        for name, own in self.arrays().items():
            given = arrays[name]
            if given.shape != own.shape:
                raise ValueError(f"{name} of the shape {list(given.shape)}, expected {list(own.shape)}")
            if name in ("cutoff", "l_max", "extras") and not torch.equal(given, own):
                raise ValueError(f"{name} {given.tolist()}, expected {own.tolist()}")
        n_hidden, n_output = self.nets[0].w0.numel() + self.nets[0].b0.numel(), self.nets[0].w1.numel()
        hidden, bias = arrays["net"].split([n_hidden + n_output, 1], 1)
        for what, rows, shared in (("net", hidden, self.shared_net), ("b1", bias, self.shared_b1)):
            if shared is not None and not torch.equal(rows, rows[:1].expand_as(rows)):
                raise ValueError(f"a {what} for each type, expected one for all (version {self.config.version})")
        self.scaler.copy_(arrays["scaler"])
        for place, (central, net, b1) in enumerate(zip(self.central, self.nets, self.b1, strict=True)):
            central.coefficients.radial.copy_(arrays["radial"][place])
            central.coefficients.angular.copy_(arrays["angular"][place])
            w0, b0, w1 = hidden[place].split([net.w0.numel(), net.b0.numel(), net.w1.numel()])
            net.w0.copy_(w0.view_as(net.w0))
            net.b0.copy_(b0)
            net.w1.copy_(w1)
            b1.copy_(bias[place])

    def start_from(self, other: Network, types: Sequence[int]) -> None:
        """See the base; some of many types, their order, and one for several can be chosen."""
        if not isinstance(other, NEP):
            super().start_from(other, types)
            return
        chosen = torch.tensor(types)
        arrays = other.arrays()
        arrays |= {name: arrays[name].detach()[chosen] for name in ("cutoff", "radial", "angular", "net")}
        arrays |= {name: arrays[name][:, chosen] for name in ("radial", "angular")}
        self.neighbors.copy_(other.neighbors)
        try:
            self.take_arrays(arrays)
        except ValueError as error:
            raise ModelFileError(f"the start model has {error}, as the `model` section of the run file says") from error

    def by_parameters(self, by_weights: Tensor) -> Tensor:
        """See `KernelNetwork.by_parameters`; the kernels order them as the arrays radial, angular and net."""
        arrays = self.arrays()
        sizes = [arrays[name].numel() for name in ("radial", "angular", "net")]
        parts = (part.unflatten(-1, (len(self.central), -1)).unbind(-2) for part in by_weights.split(sizes, -1))
        gradients: dict[Tensor, Tensor] = {}
        for central, net, b1, radial, angular, row in zip(self.central, self.nets, self.b1, *parts, strict=True):
            weights = (net.w0, net.b0, net.w1, b1)
            of_net = zip(weights, row.split([weight.numel() for weight in weights], -1), strict=True)
            own = ((central.coefficients.radial, radial), (central.coefficients.angular, angular), *of_net)
            for weight, gradient in own:  # several types may share one
                gradients[weight] = gradients[weight] + gradient if weight in gradients else gradient
        return torch.cat([gradients[weight] for weight in trained_weights(self)], -1)

    def tabulation(self) -> FunctionTabulation:
        """See `Network.tabulation`."""
        return FunctionTabulation(self, int(self.neighbors[0]))

    @torch.no_grad()
    def collect_statistics(self, batches: Iterable[Batch]) -> None:
        """Scale each number of the descriptor by its range over all atoms, at the start of training.

        GPUMD takes the range with all coefficients 1. Otherwise it is that with the coefficients as they are, radial
        numbers are made larger than angular ones, so that what two-body terms explain is learned first, the biases
        b0 move so that the neurons see the descriptors of their element around zero, and w1 gets the scale of the
        forces where they are small: what a net has at random beyond the data is as deep as w1 is large.
        """
        arrays, is_scaled = self.arrays(), self.config.start == "scaled"
        if not is_scaled:
            arrays |= {name: torch.ones_like(arrays[name]) for name in ("radial", "angular")}
        n_types, width = len(self.central), len(self.scaler)
        lowest = torch.full((width,), torch.inf, dtype=torch.float64)
        highest, sums = -lowest, torch.zeros(n_types, width, dtype=torch.float64)
        counts = torch.zeros(n_types, dtype=torch.int64)
        self.neighbors.zero_()
        squares, n_components = 0.0, 0
        for batch in batches:
            descriptors = nep.descriptors(arrays, *batch.pairs)  # [N, D]
            if len(descriptors) > 0:
                lowest = torch.minimum(lowest, descriptors.amin(0))
                highest = torch.maximum(highest, descriptors.amax(0))
            sums.index_add_(0, batch.atom_types, descriptors)
            neighbors = nep.neighbor_counts(self.cutoffs, *batch.pairs)
            self.neighbors.copy_(torch.cat([self.neighbors.unsqueeze(0), neighbors]).amax(0))
            counts += torch.bincount(batch.atom_types, minlength=n_types)
            forces = batch.forces[batch.has_forces[batch.atom_frame]]
            squares, n_components = squares + float(forces.square().sum()), n_components + forces.numel()
        ranges = highest - lowest
        self.scaler.copy_(torch.where(ranges > 0, 1 / ranges, 1.0))
        if is_scaled:
            n_radial = self.config.descriptor.n_max[0] + 1
            self.scaler[:n_radial] *= _RADIAL_RANGE
            self.scaler[n_radial:] *= _ANGULAR_RANGE
            self._center(sums, counts)
            if n_components:
                self._scale_output((squares / n_components) ** 0.5)

    def _scale_output(self, force: float) -> None:
        """Multiply w1, in eV, by the root mean square of the forces in eV/Å, between a tenth and 1; a rule of ours."""
        for net in dict.fromkeys(self.nets):
            net.w1.mul_(min(max(force, _SMALLEST_OUTPUT), 1.0))

    def _center(self, sums: Tensor, counts: Tensor) -> None:
        """Move b0 by what the mean descriptor gives; sums [T, D] over the atoms of each type, which are so many [T]."""
        if self.shared_net is not None:
            sums, counts = sums.sum(0, keepdim=True), counts.sum(0, keepdim=True)
        means = sums / counts.clamp(min=1).unsqueeze(1) * self.scaler
        for net, mean in zip(dict.fromkeys(self.nets), means, strict=True):
            net.b0.add_(net.w0 @ mean.to(net.w0.dtype))
