"""A network with everything that is common to all models.

These are the energy shift, the short-range repulsion, the shortest distances of the training data, and float64 sums.

Letters: `T` types.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pwmlff.elements import atomic_number_of, nearest_relative
from pwmlff.errors import ConfigError, ModelFileError
from pwmlff.models.base import Network, differentiate
from pwmlff.models.distances import watch_shortest
from pwmlff.models.evaluation import Evaluation
from pwmlff.models.zbl import ZBL, ZBLConfig
from pwmlff.ops import StoredModel
from pwmlff.ops.descriptors import DESCRIPTORS, describe
from pwmlff.ops.reference import count_nearer

if TYPE_CHECKING:
    from pwmlff.data.batch import Batch


class Potential(nn.Module):
    """Atomic energies of a trained or untrained model.

    Args:
        network: The model proper.
        elements: Symbols in type order.
        zbl: Range of the short-range repulsion; None for none.

    Attributes:
        energy_shift: [T] eV.
        shortest: [T, T] Å, shortest distance of each pair of elements in the training data; the cutoff where they did
            not meet, 0 where that is not known.
    """

    __jit_ignored_attributes__ = ("_n_nearer",)
    __jit_unused_properties__ = ("type_of", "device")
    if TYPE_CHECKING:  # TorchScript would try to read these annotations
        network: Network
        repulsion: Any
        energy_shift: Tensor
        shortest: Tensor

    def __init__(self, network: Network, elements: Sequence[str], zbl: ZBLConfig | None = None) -> None:
        super().__init__()
        self.network = network
        self.elements = list(elements)
        self.cutoff = float(network.cutoff)
        # a list of zero or one, which TorchScript can loop over
        self.repulsion = nn.ModuleList([] if zbl is None else [ZBL(zbl, elements)])
        n_types = len(self.elements)
        self.register_buffer("energy_shift", torch.zeros(n_types, dtype=torch.float64))
        self.register_buffer("shortest", torch.zeros(n_types, n_types, dtype=torch.float64))
        self._n_nearer = 0

    @property
    def type_of(self) -> dict[int, int]:
        """Type index of each atomic number."""
        return {atomic_number_of(symbol): index for index, symbol in enumerate(self.elements)}

    @property
    def device(self) -> torch.device:
        """Where batches have to be."""
        return self.energy_shift.device

    def places_of(self, elements: Sequence[str]) -> list[int]:
        """Return the type index of each of these elements; of one that is not known here, that of its relative."""
        return [self.elements.index(self.relative_of(symbol)) for symbol in elements]

    def relative_of(self, element: str) -> str:
        """Return the element itself, or the one known here that is nearest to it in the periodic table."""
        return element if element in self.elements else nearest_relative(element, self.elements)

    def start_from(self, start: Potential) -> None:
        """Take weights, constants and energies of a trained potential, which may know more elements than this one.

        Elements that it does not know start as copies of their nearest relatives; what it says of the others stays.

        Raises:
            ModelFileError: It does not fit.
        """
        types = start.places_of(self.elements)
        self.network.start_from(start.network, types)
        self.energy_shift.copy_(start.energy_shift[types])
        self.shortest.copy_(start.shortest[types][:, types])
        new = [place for place, symbol in enumerate(self.elements) if symbol not in start.elements]
        if start.knows_shortest():  # nobody has met a new element yet
            self.shortest[new] = self.shortest[:, new] = self.cutoff

    def hold(self, parts: Sequence[str]) -> int:
        """Take parts of the network out of training.

        Args:
            parts: Names of `Network.parts`; `embedding` is the descriptor, `fitting` are hidden layers and output.

        Returns:
            Number of weights that are held.

        Raises:
            ConfigError: There is no such part, or nothing is left to train.
        """
        own = self.network.parts()
        others = {"embedding": ("descriptor",), "fitting": ("hidden", "output")}
        for name in dict.fromkeys(each for part in parts for each in others.get(part, (part,))):
            if not own.get(name):
                there = ", ".join(part for part, weights in own.items() if weights) or "none"
                raise ConfigError(f"`freeze` names {name}, which this model has not; its trained parts are: {there}")
            for weight in own[name]:
                weight.requires_grad_(False)
        held = sum(weight.numel() for weight in self.parameters() if not weight.requires_grad)
        if parts and held == sum(weight.numel() for weight in self.parameters()):
            raise ConfigError(f"`freeze` names {', '.join(parts)}, which leaves nothing to train")
        return held

    def set_energy_shift(self, shift: NDArray[np.float64]) -> None:
        """Set the energy per atom of each element, [T] eV; the network may keep some of it."""
        self.energy_shift.copy_(self.network.take_energy_shift(torch.as_tensor(shift, dtype=torch.float64)))

    def collect_statistics(self, batches: Iterable[Batch]) -> None:
        """Set the shortest distances and the network's normalising constants in one pass over the training frames."""
        self.shortest.fill_(self.cutoff)
        watched = watch_shortest(batches, self.shortest)
        self.network.collect_statistics(watched)
        for _ in watched:  # what a network without such constants has left
            pass

    def extend_shortest(self, batches: Iterable[Batch]) -> None:
        """Lower the shortest distances to those of further training frames; what is not known stays unknown."""
        if self.knows_shortest():
            for _ in watch_shortest(batches, self.shortest):
                pass
            self.network.take_shortest(self.shortest)

    def forward(self, pair_vectors: Tensor, pair_start: Tensor, pair_types: Tensor, atom_types: Tensor) -> Tensor:
        """Return atomic energies [N] in eV, float64; arguments as in `Network.forward`."""
        energies = self.network(pair_vectors, pair_start, pair_types, atom_types).to(torch.float64)
        energies = energies + self.energy_shift.index_select(0, atom_types)
        for repulsion in self.repulsion:
            energies = energies + repulsion(pair_vectors, pair_start, pair_types, atom_types)
        return energies

    def energies_and_gradients(self, *pairs: Tensor, differentiable: bool = False) -> tuple[Tensor, Tensor]:
        """Return atomic energies [N] in eV and pair gradients [E, 3] in eV/Å, see `Network.energies_and_gradients`."""
        energies, gradients = self.network.energies_and_gradients(*pairs, differentiable=differentiable)
        if not differentiable and not self.network.holds_potential:
            self._n_nearer += int(count_nearer(self.shortest, *pairs))
        own_energies, own_gradients = self.without_weights(*pairs)
        energies = energies.to(torch.float64) + own_energies
        return energies, gradients if own_gradients is None else gradients + own_gradients

    def without_weights(self, *pairs: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return what is added to the network, energy shift and repulsion: energies [N] and pair gradients [E, 3].

        The gradients are None where there are none.
        """
        energies, gradients = self.energy_shift.index_select(0, pairs[3]), None
        for repulsion in self.repulsion:
            more_energies, gradients = differentiate(repulsion, *pairs)
            energies = energies + more_energies
        return energies, gradients

    def evaluate_parts(self, *pairs: Tensor, part_start: Tensor, gradients: bool = True) -> Evaluation:
        """Evaluate for sums that will be differentiated by the weights, see `Network.evaluate_parts`."""
        network = self.network.evaluate_parts(*pairs, part_start=part_start, gradients=gradients)
        energies, own_gradients = self.without_weights(*pairs)
        by_vectors = network.gradients
        if by_vectors is not None and own_gradients is not None:
            by_vectors = by_vectors + own_gradients
        return Evaluation(network.energies + energies, by_vectors, network.weight_gradients)

    def descriptors(self, *pairs: Tensor) -> Tensor:
        """Return what the nets of a model with kernels see of each atom, [N, D] float64.

        Deep Potentials: `A^T A_<` flattened; NEP: the scaled descriptor; networks of Behler and Parrinello: the scaled
        symmetry functions, with zeros where an element has fewer than another.

        Args:
            pairs: The four tensors that `forward` takes.

        Raises:
            ModelFileError: The model has none that are known here.
        """
        stored = self.network.stored()
        if stored is None or stored.family not in DESCRIPTORS:
            raise ModelFileError(
                f"descriptors are wanted, but a {type(self.network).__name__} tells none; they are known of "
                "DP, NEP and NN models with kernels"
            )
        arrays = {name: array.to(self.device) for name, array in stored.arrays.items()}
        return describe(stored.family, arrays, *pairs)

    def stored(self, geometry: torch.dtype = torch.float64) -> StoredModel | None:
        """Return the whole potential as arrays for the kernels, see `Network.stored`."""
        stored = self.network.stored(geometry)
        if stored is None:
            return None
        common = {"energy_shift": self.energy_shift}
        if self.knows_shortest():
            common["shortest"] = self.shortest
        for repulsion in self.repulsion:
            common |= repulsion.arrays()
        return StoredModel(stored.family, {**stored.arrays, **common})

    def knows_shortest(self) -> bool:
        """Return whether the shortest distances of the training data are known; older files do not tell them."""
        return bool(self.shortest.any())

    def overflows(self) -> tuple[int, int]:
        """Count the pairs met so far, outside of training steps, that the model was not made for.

        Returns:
            Pairs nearer than any of these elements in the training data; where that is not known, than any the tables
            of a compressed model were made for. And those of them beyond the tables. Each (i, j) counts once per
            evaluation.
        """
        nearer, beyond = self.network.overflows()
        counts_here = self.knows_shortest() and not self.network.holds_potential
        return self._n_nearer if counts_here else nearer, beyond

    def frozen(self) -> Potential:
        """Make this potential one for evaluation only, and return it: its weights ask for no gradients any more."""
        self.eval().requires_grad_(False)
        self.network.freeze()
        return self

    def with_network(self, network: Network) -> Potential:
        """Return a potential of another network with a copy of all else."""
        new = Potential(network, self.elements)
        new.repulsion = copy.deepcopy(self.repulsion)
        new.energy_shift.copy_(self.energy_shift)
        new.shortest.copy_(self.shortest)
        return new.to(self.device)
