"""High-dimensional neural network potential of Behler and Parrinello (PRL 98, 146401, 2007).

    E_i = net_{t_i}(factor * (G_i - shift))

with the symmetry functions G of `functions.py`, a plain net for each element, and shift and factor from the training
data. The functions may be listed, those of PWMLFF's features, or chosen from the training data (`resolve.py`).

Letters: `N` atoms, `T` types, `F` functions of all types, `F_t` those of one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from pwmlff.errors import ModelFileError
from pwmlff.models.base import Network, types_by_module
from pwmlff.models.bp.config import BPConfig
from pwmlff.models.bp.functions import SymmetryFunction, functions_of
from pwmlff.models.bp.resolve import resolved_functions
from pwmlff.models.bp.run_file import BPRunFile
from pwmlff.models.bp.scaling import FunctionStatistics
from pwmlff.models.bp.stored import FAMILY, function_arrays
from pwmlff.models.native import KernelNetwork
from pwmlff.ops import StoredModel
from pwmlff.ops.reference import bp
from pwmlff.ops.reference.cutoffs import CUTOFF_FUNCTIONS, FLAT_AT_CUTOFF
from pwmlff.ops.reference.nets import ACTIVATIONS
from pwmlff.ops.symmetry_functions import symmetry_functions

if TYPE_CHECKING:
    from pwmlff.data.batch import Batch


class PlainLayer(nn.Module):
    """Weights of one layer.

    Args:
        n_in: Width of the input.
        n_out: Width of the output.
        dtype: Of the weights.
    """

    def __init__(self, n_in: int, n_out: int, dtype: torch.dtype) -> None:
        super().__init__()
        spread = (n_in + n_out) ** -0.5
        self.weight = nn.Parameter(torch.empty(n_out, n_in, dtype=dtype).normal_(0.0, spread * 2**0.5))
        self.bias = nn.Parameter(torch.zeros(n_out, dtype=dtype))


class PlainNet(nn.Module):
    """Weights of the net of one element.

    Args:
        n_in: Number of symmetry functions.
        widths: Of the layers, the last is 1.
        dtype: Of the weights.
    """

    layers: Any

    def __init__(self, n_in: int, widths: Sequence[int], dtype: torch.dtype) -> None:
        super().__init__()
        sizes = zip([n_in, *widths[:-1]], widths, strict=True)
        self.layers = nn.ModuleList(PlainLayer(n_from, n_to, dtype) for n_from, n_to in sizes)


class BehlerParrinello(KernelNetwork):
    """Potential of Behler and Parrinello.

    Args:
        config: The `model` section; it lists the functions, or they follow from it alone.
        elements: Symbols in type order.
        dtype: Of the weights.

    Attributes:
        elements: As given.
        functions: Of all elements.
        scaling: [F, 2] shift and factor of each function, in the order of `models/bp/stored.py`.
        ranges: [F, 2] smallest and largest value of each function in the training data; 0 and 0 where not known.
    """

    Config = BPConfig
    RunFile = BPRunFile
    trained_by_kernels_on = ("cpu",)
    nets: Any
    scaling: Tensor
    ranges: Tensor

    def __init__(self, config: BPConfig, elements: Sequence[str], dtype: torch.dtype) -> None:
        super().__init__()
        self.config = config
        self.elements = list(elements)
        self.functions = resolved_functions(config.descriptor, elements)
        self.cutoff = max(function.reach for function in self.functions)
        is_smooth = config.descriptor.cutoff_function in FLAT_AT_CUTOFF
        self.is_flat_at_cutoff = is_smooth and all(function.cutoff is not None for function in self.functions)
        constants = {
            **function_arrays(self.functions, elements, dtype),
            "cutoff_function": torch.tensor(CUTOFF_FUNCTIONS.index(config.descriptor.cutoff_function)),
            "inner_fraction": torch.tensor(config.descriptor.inner_fraction, dtype=torch.float64),
            "activations": torch.tensor([ACTIVATIONS.index(name) for name in config.fitting_net.activations]),
        }
        self._constants = list(constants)
        for name, array in constants.items():
            self.register_buffer(name, array, persistent=False)
        self.register_buffer("scaling", torch.tensor([[0.0, 1.0]], dtype=dtype).repeat(sum(self.widths), 1))
        self.register_buffer("ranges", torch.zeros(sum(self.widths), 2, dtype=torch.float64))
        self.nets = nn.ModuleList(
            PlainNet(n_in, config.fitting_net.widths_of(element), dtype)
            for n_in, element in zip(self.widths, self.elements, strict=True)
        )

    @classmethod
    def from_config(cls, config: BPConfig, elements: Sequence[str], dtype: torch.dtype) -> BehlerParrinello:
        """Build an untrained network."""
        return cls(config, elements, dtype)

    @property
    def widths(self) -> list[int]:
        """F_t of each type."""
        return [len(functions_of(self.functions, element)) for element in self.elements]

    def parts(self) -> dict[str, list[nn.Parameter]]:
        """See `Network.parts`; its descriptor has no weights."""
        hidden = [weight for net in self.nets for layer in net.layers[:-1] for weight in layer.parameters()]
        return {"hidden": hidden, "output": [weight for net in self.nets for weight in net.layers[-1].parameters()]}

    def types_of_weights(self) -> dict[nn.Parameter, Tensor]:
        """See `Network.types_of_weights`."""
        return types_by_module(self.nets)

    def arrays(self) -> dict[str, Tensor]:
        """Return the arrays of `models/bp/stored.py`, functions of the weights."""
        arrays: dict[str, Tensor] = {name: getattr(self, name) for name in self._constants}
        arrays["scaling"] = self.scaling
        for central, net in enumerate(self.nets):
            for place, layer in enumerate(net.layers):
                arrays[f"net.{central}.{place}.weight"] = layer.weight
                arrays[f"net.{central}.{place}.bias"] = layer.bias
        return arrays

    def stored(self, geometry: torch.dtype = torch.float64) -> StoredModel:
        """See `Network.stored`."""
        with torch.no_grad():
            return StoredModel.from_arrays(FAMILY, self.arrays(), geometry)

    def by_parameters(self, by_weights: Tensor) -> Tensor:
        """See `KernelNetwork.by_parameters`; the kernels have the order of the parameters."""
        weights = list(self.parameters())
        parts = by_weights.split([weight.numel() for weight in weights], -1)
        trained = [part for weight, part in zip(weights, parts, strict=True) if weight.requires_grad]
        return torch.cat(trained, -1)

    def forward(self, pair_vectors: Tensor, pair_start: Tensor, pair_types: Tensor, atom_types: Tensor) -> Tensor:
        """Return atomic energies [N]; see `Network.forward`."""
        overflows = torch.zeros(2, dtype=torch.int64)  # there are none
        return bp.atomic_energies(self.arrays(), pair_vectors, pair_start, pair_types, atom_types, overflows)

    @torch.no_grad()
    def collect_statistics(self, batches: Iterable[Batch]) -> None:
        """Set shift and factor of each function from its values around all atoms of its type."""
        statistics = [FunctionStatistics(n_functions) for n_functions in self.widths]
        arrays = self.arrays()
        for batch in batches:
            for own, (_, values) in zip(statistics, symmetry_functions(arrays, *batch.pairs), strict=True):
                own.add(values)
        normalization = self.config.descriptor.resolved_normalization
        self.scaling.copy_(torch.cat([own.scaling(normalization) for own in statistics]))
        self.ranges.copy_(torch.cat([own.ranges for own in statistics]))

    @torch.no_grad()
    def start_from(self, other: Network, types: Sequence[int]) -> None:
        """See the base; some of many types, their order, and one for several can be chosen.

        Functions of elements that this network does not have are zero here: they join the biases. Those of elements
        that the other does not have are as much part of a sum as those of the relatives: they have the same weights,
        and no shift, so that all is as before where there is no such element.
        """
        if not isinstance(other, BehlerParrinello):
            super().start_from(other, types)
            return
        own_settings, others_settings = self.config.descriptor, other.config.descriptor
        for key in ("cutoff_function", "inner_fraction"):
            if getattr(own_settings, key) != getattr(others_settings, key):
                raise _other_model(f"descriptor.{key}", getattr(others_settings, key), getattr(own_settings, key))
        activations, others_activations = (config.fitting_net.activations for config in (self.config, other.config))
        if activations != others_activations:
            raise _other_model("fitting_net.activation", list(others_activations[:-1]), list(activations[:-1]))
        own_scaling, others_scaling = self.scaling.split(self.widths), other.scaling.split(other.widths)
        own_ranges, others_ranges = self.ranges.split(self.widths), other.ranges.split(other.widths)
        for central, place in enumerate(types):
            sources, is_new, absent = self._places(central, place, types, other)
            own_scaling[central].copy_(others_scaling[place][sources])
            own_scaling[central][is_new, 0] = 0.0
            own_ranges[central].copy_(others_ranges[place][sources])
            own_ranges[central][is_new] = 0.0
            shift, factor = others_scaling[place][absent].unbind(1)
            for depth, (layer, start) in enumerate(
                zip(self.nets[central].layers, other.nets[place].layers, strict=True)
            ):
                weight, bias = start.weight, start.bias
                if depth == 0:
                    weight, bias = weight[:, sources], bias - weight[:, absent] @ (shift * factor)
                if weight.shape != layer.weight.shape:
                    shapes = [list(matrix.shape) for matrix in (weight, layer.weight)]
                    raise _other_model("fitting_net.network_size", f"a layer of {shapes[0]}", shapes[1])
                layer.weight.copy_(weight)
                layer.bias.copy_(bias)

    def _places(
        self, central: int, place: int, types: Sequence[int], other: BehlerParrinello
    ) -> tuple[list[int], list[bool], list[int]]:
        """Say where the functions of a type are among those of a start model.

        Args:
            central: The type.
            place: Its place in the start model.
            types: Those of all types.
            other: The start model.

        Returns:
            The place of each function, whether it is of a neighbour that the start model does not know, and the places
            of those that are zero here.

        Raises:
            ModelFileError: The start model has other functions.
        """
        known = {symbol: other.elements[each] for symbol, each in zip(self.elements, types, strict=True)}
        is_new = {symbol: symbol != start for symbol, start in known.items()}
        others = [_meaning(function, {}) for function in functions_of(other.functions, other.elements[place])]
        own = functions_of(self.functions, self.elements[central])
        meanings = [_meaning(function, known) for function in own]
        has_new = [any(is_new[symbol] for symbol in function.neighbors or ()) for function in own]
        kept = [meaning for meaning, is_new_one in zip(meanings, has_new, strict=True) if not is_new_one]
        is_met = [set(meaning.neighbors or ()) <= set(self.elements) for meaning in others]
        if [meaning for meaning, met in zip(others, is_met, strict=True) if met] != kept or not set(meanings) <= set(
            others
        ):
            raise ModelFileError(
                f"the start model has other symmetry functions for {self.elements[central]} than the run file; leave "
                "them out of `model.descriptor` to go on with those of the start model"
            )
        absent = [number for number, met in enumerate(is_met) if not met]
        return [others.index(meaning) for meaning in meanings], has_new, absent


def _meaning(function: SymmetryFunction, known: Mapping[str, str]) -> SymmetryFunction:
    """Return a function around any atom, its neighbours called as a start model calls them, in one order."""
    neighbors = function.neighbors
    if neighbors is not None:
        neighbors = tuple(known.get(symbol, symbol) for symbol in neighbors)
        neighbors = neighbors if function.type == "triple" else tuple(sorted(neighbors))
    return function.model_copy(update={"central": None, "neighbors": neighbors})


def _other_model(key: str, start: Any, own: Any) -> ModelFileError:
    return ModelFileError(f"the start model has {key} {start}, but the run file says {own}; leave it out of `model`")
