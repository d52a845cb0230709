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

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn

from pwmlff.descriptors.environment import EnvironmentMatrix
from pwmlff.descriptors.properties import normalized_properties
from pwmlff.models.base import Network, NetworkConfig
from pwmlff.models.dp.config import DPConfig, FittingNetConfig
from pwmlff.models.dp.native import NativeDeepPotential
from pwmlff.models.dp.run_file import DeepPotentialRunFile, TypeEmbeddingRunFile
from pwmlff.models.networks import EmbeddingNet, FittingNet

if TYPE_CHECKING:
    from pwmlff.data.batch import Batch


class DeepPotentialBase(Network):
    """What both kinds share: environment matrix, descriptor, fitting nets."""

    if TYPE_CHECKING:  # TorchScript would try to read these annotations
        Config: ClassVar[type[NetworkConfig]] = DPConfig
        fitting: Any
    else:
        Config = DPConfig

    def __init__(self, config: DPConfig, n_types: int, dtype: torch.dtype) -> None:
        super().__init__()
        self.config = config
        descriptor = config.descriptor
        self.cutoff = descriptor.Rmax
        self.n_types = n_types
        self.n_axis = descriptor.M2
        self.n_features = descriptor.network_size[-1]
        self.environment = EnvironmentMatrix(descriptor.Rmin, descriptor.Rmax, n_types, dtype)
        n_in = self.n_features * self.n_axis
        self.fitting = nn.ModuleList(_fitting_net(n_in, config.fitting_net, dtype) for _ in range(n_types))

    def fit_statistics(self, batches: Iterable[Batch]) -> None:
        """Set the normalisation of the environment matrix from all frames."""
        self.environment.fit(batches)

    def inference_form(self, geometry: torch.dtype = torch.float64) -> nn.Module:
        """See the base; does without automatic differentiation where there are native kernels."""
        return NativeDeepPotential.of_nets(self, self.embedding_nets(), geometry)

    def embedding_nets(self) -> list[tuple[EmbeddingNet, Tensor]]:
        """Return the embedding nets with the constants they see, in the order of the native operation."""
        raise NotImplementedError

    def fit(self, sums: Tensor, atom_types: Tensor) -> Tensor:
        """Return the energies [N] of atoms of these types with these sums A [N, 4, M]."""
        energies = torch.zeros_like(atom_types, dtype=sums.dtype)
        for central, fitting in enumerate(self.fitting):
            atoms = torch.nonzero(atom_types == central).squeeze(-1)  # [n]
            if atoms.shape[0] > 0:
                energies = energies.index_copy(0, atoms, fitting(self.descriptor(sums.index_select(0, atoms))))
        return energies

    def descriptor(self, sums: Tensor) -> Tensor:
        """Return `A^T A_<` flattened: [n, 4, M] -> [n, M * M2]."""
        return torch.bmm(sums.transpose(1, 2), sums[:, :, : self.n_axis]).flatten(1)


class DeepPotential(DeepPotentialBase):
    """Deep Potential with one embedding net per (central, neighbour) type pair."""

    if TYPE_CHECKING:  # TorchScript would try to read these annotations
        embedding: Any
    RunFile = DeepPotentialRunFile

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

    def forward(self, pair_vectors: Tensor, pair_start: Tensor, pair_types: Tensor, atom_types: Tensor) -> Tensor:
        """Return atomic energies [N]; see `Network.forward`."""
        centers = centers_of(pair_start)  # [E]
        center_types = atom_types.index_select(0, centers)  # [E]
        order, counts = sort_by_kind(center_types * self.n_types + pair_types, self.n_types * self.n_types)
        s, rows = self.environment(pair_vectors, center_types, order)  # [E], [E, 4]
        parts = split_by_kind(s, rows, centers.index_select(0, order), counts)
        energies = torch.zeros_like(atom_types, dtype=s.dtype)
        constants = torch.zeros([0], dtype=s.dtype, device=s.device)
        kind = 0
        for central, (embeddings, fitting) in enumerate(zip(self.embedding, self.fitting)):  # noqa: B905 (TorchScript)
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


class TypeEmbeddingDeepPotential(DeepPotentialBase):
    """Deep Potential with one embedding net for all pairs, which also sees properties of the neighbour's element."""

    if TYPE_CHECKING:
        properties: Tensor
    RunFile = TypeEmbeddingRunFile

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

    def forward(self, pair_vectors: Tensor, pair_start: Tensor, pair_types: Tensor, atom_types: Tensor) -> Tensor:
        """Return atomic energies [N]; see `Network.forward`."""
        centers = centers_of(pair_start)  # [E]
        order, counts = sort_by_kind(pair_types, self.n_types)
        s, rows = self.environment(pair_vectors, atom_types.index_select(0, centers), order)  # [E], [E, 4]
        parts = split_by_kind(s, rows, centers.index_select(0, order), counts)
        everyone = torch.arange(atom_types.shape[0], device=atom_types.device)
        sums = torch.zeros([atom_types.shape[0], 4, self.n_features], dtype=s.dtype, device=s.device)
        for neighbor, (s_part, rows_part, centers_part) in enumerate(parts):
            if s_part.shape[0] > 0:
                start = _start_of(centers_part, everyone)  # [N + 1]
                sums = sums + self.embedding(s_part, rows_part, start, self.properties[neighbor])
        return self.fit(sums, atom_types)


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


def _fitting_net(n_in: int, config: FittingNetConfig, dtype: torch.dtype) -> FittingNet:
    return FittingNet(
        n_in,
        config.network_size[:-1],
        has_bias=config.bias,
        timestep=0.1 if config.resnet_dt else None,
        activation=config.activation,
        dtype=dtype,
    )


def centers_of(pair_start: Tensor) -> Tensor:
    """Return the central atom of each pair, [E], from the CSR offsets [N + 1]."""
    n_atoms = pair_start.shape[0] - 1
    return torch.repeat_interleave(torch.arange(n_atoms, device=pair_start.device), pair_start[1:] - pair_start[:-1])


def sort_by_kind(kinds: Tensor, n_kinds: int) -> tuple[Tensor, list[int]]:
    """Return the order [E] that sorts pairs by kind, and the number of pairs of each kind.

    The order is stable: the pairs of one kind stay sorted by central atom, so they are a CSR list of their own.
    """
    order = torch.sort(kinds, stable=True)[1]
    counts: list[int] = torch.bincount(kinds, minlength=n_kinds).tolist()
    return order, counts


def split_by_kind(s: Tensor, rows: Tensor, centers: Tensor, counts: list[int]) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Return s, rows and central atoms of the pairs of each kind; all at once, which is quick to differentiate."""
    s_parts, rows_parts, centers_parts = s.split(counts), rows.split(counts), centers.split(counts)
    return [(s_parts[kind], rows_parts[kind], centers_parts[kind]) for kind in range(len(counts))]


def _start_of(centers: Tensor, atoms: Tensor) -> Tensor:
    """Return CSR offsets [n + 1] of ascending centers [e] for these ascending atoms [n]."""
    return torch.cat(
        [torch.searchsorted(centers, atoms), torch.full([1], centers.shape[0], dtype=torch.int64, device=atoms.device)]
    )
