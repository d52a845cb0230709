"""What Deep Potentials on nets and on tables share: environment matrix, descriptor, fitting nets.

Letters: `N` atoms, `E` pairs, `T` types, `M` features, `M2` axis features.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn

from pwmlff.descriptors.environment import EnvironmentMatrix
from pwmlff.models.base import NetworkConfig
from pwmlff.models.dp.config import DPConfig, FittingNetConfig
from pwmlff.models.native import KernelNetwork
from pwmlff.models.networks import FittingNet

if TYPE_CHECKING:
    from pwmlff.data.batch import Batch


class DeepPotentialBase(KernelNetwork):
    """Environment matrix, descriptor and fitting nets; a subclass makes the embedding features.

    Args:
        config: The `model` section.
        n_types: Number of elements.
        dtype: Of the weights.
    """

    Config: ClassVar[type[NetworkConfig]] = DPConfig
    fitting: Any

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

    def collect_statistics(self, batches: Iterable[Batch]) -> None:
        """Set the normalisation of the environment matrix from all frames."""
        self.environment.collect_statistics(batches)

    def take_shortest(self, shortest: Tensor) -> None:
        """See `Network.take_shortest`; tables reach that far."""
        self.environment.shortest.copy_(torch.minimum(self.environment.shortest, shortest.amin(dim=1)))

    def energies_of(self, sums: Tensor, atom_types: Tensor) -> Tensor:
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


def _fitting_net(n_in: int, config: FittingNetConfig, dtype: torch.dtype) -> FittingNet:
    return FittingNet(
        n_in,
        config.network_size[:-1],
        has_bias=config.bias,
        timestep=0.1 if config.resnet_dt else None,
        activation=config.activation,
        dtype=dtype,
    )


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
