"""Deep Potential (smooth edition), plain and with type embedding.

For atom i with environment rows R_j and embedding features G_j (Zhang et al., NeurIPS 2018):

    A = sum_j R_j (x) G_j / n        [4, M]
    D = A^T A_<                      [M, M2], A_< the first M2 columns of A
    E_i = fitting_{t_i}(D)

Plain: one embedding net per (central, neighbour) type, fed with the standardised s of the pair.
Type embedding: one net for all pairs, fed with s and physical properties of the neighbour's element (PWMLFF).
Deviations from the paper are told in `descriptors/environment.py`.

Letters: `N` atoms, `E` pairs, `T` types, `M` features, `M2` axis features.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from pwmlff.descriptors.properties import normalized_properties
from pwmlff.errors import ModelFileError
from pwmlff.models.base import Network, types_by_module
from pwmlff.models.dp.base import DeepPotentialBase, sort_by_kind, split_by_kind
from pwmlff.models.dp.config import DPConfig
from pwmlff.models.dp.run_file import DeepPotentialRunFile, TypeEmbeddingRunFile
from pwmlff.models.dp.stored import stored_nets
from pwmlff.models.dp.tabulate import NetTabulation
from pwmlff.models.evaluation import trained_weights
from pwmlff.models.networks import EmbeddingNet
from pwmlff.ops import StoredModel
from pwmlff.ops.pairs import pair_centers


class NetDeepPotential(DeepPotentialBase):
    """Deep Potential on embedding nets.

    Attributes:
        has_net_per_pair: Whether there is a net per (central, neighbour) type, otherwise per neighbour type.
    """

    trained_by_kernels_on = ("cpu",)
    has_net_per_pair: bool
    embedding: Any

    def embedding_nets(self) -> list[tuple[EmbeddingNet, Tensor]]:
        """Return the embedding nets with the constants they see, in the order of the native operation."""
        raise NotImplementedError

    def stored(self, geometry: torch.dtype = torch.float64) -> StoredModel:
        """See `Network.stored`."""
        with torch.no_grad():
            return stored_nets(self, self.embedding_nets(), geometry)

    def by_parameters(self, by_weights: Tensor) -> Tensor:
        """See `KernelNetwork.by_parameters`; the kernels order them as all embedding nets, then all fitting nets."""
        nets = self.embedding_nets()
        by_nets = by_weights.split([net.n_flat for net, _ in nets] + [fitting.n_flat for fitting in self.fitting], -1)
        gradients: dict[Tensor, Tensor] = {}
        for (net, constants), by_net in zip(nets, by_nets, strict=False):
            for parameter, gradient in net.spread_gradient(by_net, constants):
                gradients[parameter] = gradients[parameter] + gradient if parameter in gradients else gradient
        for fitting, by_net in zip(self.fitting, by_nets[len(nets) :], strict=True):
            gradients.update(fitting.spread_gradient(by_net))
        return torch.cat([gradients[parameter] for parameter in trained_weights(self)], -1)

    def parts(self) -> dict[str, list[nn.Parameter]]:
        """See `Network.parts`."""
        output = [weight for net in self.fitting for weight in (net.output, net.output_bias)]
        hidden = [weight for net in self.fitting for weight in net.layers.parameters()]
        return {"descriptor": list(self.embedding.parameters()), "hidden": hidden, "output": output}

    def types_of_weights(self) -> dict[nn.Parameter, Tensor]:
        """See `Network.types_of_weights`; an embedding net for one pair of types is for the central one."""
        own = types_by_module(self.embedding) if self.has_net_per_pair else {}
        return {**own, **types_by_module(self.fitting)}

    def start_from(self, other: Network, types: Sequence[int]) -> None:
        """See the base; some of many types, their order, and one for several can be chosen."""
        if type(other) is not type(self):
            super().start_from(other, types)
            return
        try:
            self.environment.start_from(other.environment, types)
            self._start_embedding(other, types)
            for fitting, place in zip(self.fitting, types, strict=True):
                fitting.load_state_dict(other.fitting[place].state_dict())
        except RuntimeError as error:
            raise ModelFileError(
                f"the start model does not fit the `model` section of the run file: {error}"
            ) from error

    def _start_embedding(self, other: Any, types: Sequence[int]) -> None:
        """Take the embedding nets of a network of this class; arguments as in `start_from`."""
        raise NotImplementedError

    def tabulation(self) -> NetTabulation:
        """See `Network.tabulation`."""
        return NetTabulation(self, self.embedding_nets(), is_per_pair=self.has_net_per_pair)


class DeepPotential(NetDeepPotential):
    """Deep Potential with one embedding net per (central, neighbour) type pair."""

    RunFile = DeepPotentialRunFile
    has_net_per_pair = True
    embedding: Any

    def __init__(self, config: DPConfig, n_types: int, dtype: torch.dtype) -> None:
        super().__init__(config, n_types, dtype)
        self.embedding = nn.ModuleList(
            nn.ModuleList(_embedding_net(0, config, dtype) for _ in range(n_types)) for _ in range(n_types)
        )

    @classmethod
    def from_config(cls, config: DPConfig, elements: Sequence[str], dtype: torch.dtype) -> DeepPotential:
        """Build an untrained network."""
        return cls(config, len(elements), dtype)

    def embedding_nets(self) -> list[tuple[EmbeddingNet, Tensor]]:
        """See the base; by (central, neighbour) type."""
        nothing = torch.zeros(0, dtype=self.environment.dtype)
        return [(net, nothing) for nets in self.embedding for net in nets]

    def _start_embedding(self, other: Any, types: Sequence[int]) -> None:
        for nets, central in zip(self.embedding, types, strict=True):
            for net, neighbor in zip(nets, types, strict=True):
                net.load_state_dict(other.embedding[central][neighbor].state_dict())

    def forward(self, pair_vectors: Tensor, pair_start: Tensor, pair_types: Tensor, atom_types: Tensor) -> Tensor:
        """Return atomic energies [N]; see `Network.forward`."""
        centers = pair_centers(pair_start)  # [E]
        center_types = atom_types.index_select(0, centers)  # [E]
        order, counts = sort_by_kind(center_types * self.n_types + pair_types, self.n_types * self.n_types)
        s, rows = self.environment(pair_vectors, center_types, order)  # [E], [E, 4]
        parts = split_by_kind(s, rows, centers.index_select(0, order), counts)
        energies = torch.zeros_like(atom_types, dtype=s.dtype)
        constants = torch.zeros([0], dtype=s.dtype, device=s.device)
        kind = 0
        for central, (embeddings, fitting) in enumerate(zip(self.embedding, self.fitting, strict=True)):
            atoms = torch.nonzero(atom_types == central).squeeze(-1)  # [n]
            sums = torch.zeros([atoms.shape[0], 4, self.n_features], dtype=s.dtype, device=s.device)
            for embedding in embeddings:
                s_part, rows_part, centers_part = parts[kind]
                kind += 1
                if s_part.shape[0] > 0:
                    sums = sums + embedding(s_part, rows_part, _start_of(centers_part, atoms), constants)
            if atoms.shape[0] > 0:
                energies = energies.index_copy(0, atoms, fitting(self.descriptor(sums)))
        return energies


class TypeEmbeddingDeepPotential(NetDeepPotential):
    """Deep Potential with one embedding net for all pairs, which also sees properties of the neighbour's element."""

    RunFile = TypeEmbeddingRunFile
    has_net_per_pair = False
    properties: Tensor

    def __init__(self, config: DPConfig, elements: Sequence[str], dtype: torch.dtype) -> None:
        super().__init__(config, len(elements), dtype)
        names = config.descriptor.type_embedding.physical_property
        self.register_buffer("properties", torch.from_numpy(normalized_properties(elements, names)).to(dtype))  # [T, k]
        self.embedding = _embedding_net(len(names), config, dtype)

    @classmethod
    def from_config(cls, config: DPConfig, elements: Sequence[str], dtype: torch.dtype) -> TypeEmbeddingDeepPotential:
        """Build an untrained network."""
        return cls(config, elements, dtype)

    def embedding_nets(self) -> list[tuple[EmbeddingNet, Tensor]]:
        """See the base; by neighbour type."""
        return [(self.embedding, properties) for properties in self.properties]

    def _start_embedding(self, other: Any, types: Sequence[int]) -> None:
        self.embedding.load_state_dict(other.embedding.state_dict())  # sees a new element by its properties

    def forward(self, pair_vectors: Tensor, pair_start: Tensor, pair_types: Tensor, atom_types: Tensor) -> Tensor:
        """Return atomic energies [N]; see `Network.forward`."""
        centers = pair_centers(pair_start)  # [E]
        order, counts = sort_by_kind(pair_types, self.n_types)
        s, rows = self.environment(pair_vectors, atom_types.index_select(0, centers), order)  # [E], [E, 4]
        parts = split_by_kind(s, rows, centers.index_select(0, order), counts)
        everyone = torch.arange(atom_types.shape[0], device=atom_types.device)
        sums = torch.zeros([atom_types.shape[0], 4, self.n_features], dtype=s.dtype, device=s.device)
        for neighbor, (s_part, rows_part, centers_part) in enumerate(parts):
            if s_part.shape[0] > 0:
                start = _start_of(centers_part, everyone)  # [N + 1]
                sums = sums + self.embedding(s_part, rows_part, start, self.properties[neighbor])
        return self.energies_of(sums, atom_types)


def _embedding_net(n_constants: int, config: DPConfig, dtype: torch.dtype) -> EmbeddingNet:
    descriptor = config.descriptor
    return EmbeddingNet(
        1 + n_constants,
        descriptor.network_size,
        has_bias=descriptor.bias,
        timestep=1.0 if descriptor.resnet_dt else None,
        activation=descriptor.activation,
        dtype=dtype,
    )


def _start_of(centers: Tensor, atoms: Tensor) -> Tensor:
    """Return CSR offsets [n + 1] of ascending centers [e] for these ascending atoms [n]."""
    return torch.cat(
        [torch.searchsorted(centers, atoms), torch.full([1], centers.shape[0], dtype=torch.int64, device=atoms.device)]
    )
