"""The one contract: a model is a function from neighbour vectors to atomic energies.

A new model is a folder of `pwmlff/models` with a `Network` and its configuration, and one row in
`pwmlff.models.MODELS`. Forces, virials, energy shifts, short-range repulsion, training and export are common code.
What is special to a family (keys of the run file, tables, statistics, kernels) is asked of its class here.

Letters: `N` atoms, `E` directed pairs i -> j, `T` types.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from pwmlff.errors import ModelFileError
from pwmlff.models.evaluation import Evaluation, evaluate_by_autograd, trained_weights
from pwmlff.models.run_file import RunFileHooks
from pwmlff.models.tables import Order, TableSummary

if TYPE_CHECKING:
    from pwmlff.data.batch import Batch
    from pwmlff.ops import StoredEvaluator, StoredModel

_LONGEST_VALUE = 80  # characters of a setting in a message
DTYPES = {"float64": torch.float64, "float32": torch.float32}


class NetworkConfig(BaseModel):
    """Base of the `model` section of each model: unknown keys are errors, nothing changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Network(nn.Module):
    """What the author of a model writes: `from_config` and `forward`; all else has defaults.

    Attributes:
        Config: Class of its configuration, the `model` section of the input file.
        RunFile: What else it says about its input file: keys, translations, checks.
        cutoff: Å; pairs at or beyond it have no influence.
        config: What it was built of, set by `build_potential`; None where that is not known.
        untrainable: What a network is called that cannot be trained, such as "a compressed model"; empty for others.
        has_kernels: Whether they give energies and pair gradients in one pass, so that energies alone are no cheaper.
        is_flat_at_cutoff: Whether second derivatives are continuous at the cutoff too, for checks of the model.
        holds_potential: Whether it is a whole potential, which counts near pairs itself; see `overflows`.
    """

    if TYPE_CHECKING:  # TorchScript would try to read these annotations
        Config: ClassVar[type[NetworkConfig]]
        RunFile: ClassVar[type[RunFileHooks]] = RunFileHooks
        cutoff: float
        config: Any
        untrainable: ClassVar[str]
        has_kernels: ClassVar[bool]
        is_flat_at_cutoff: bool
        holds_potential: bool
    else:
        RunFile = RunFileHooks
        config = None
        untrainable = ""
        has_kernels = False
        is_flat_at_cutoff = True
        holds_potential = False

    @classmethod
    def from_config(cls, config: Any, elements: Sequence[str], dtype: torch.dtype) -> Network:
        """Build an untrained network; weights are drawn from torch's global generator.

        Args:
            config: An instance of `cls.Config`.
            elements: Symbols in type order.
            dtype: Of the weights; geometry and sums stay float64.
        """
        raise NotImplementedError

    def forward(self, pair_vectors: Tensor, pair_start: Tensor, pair_types: Tensor, atom_types: Tensor) -> Tensor:
        """Return atomic energies [N] in eV, without the energy shift.

        The result can be differentiated by the pair vectors, twice, and by the weights. A network that has no stored
        form is exported as TorchScript, so its `forward` has to be such.

        Args:
            pair_vectors: [E, 3] float64, Å, r_j - r_i.
            pair_start: [N + 1] int64, CSR offsets of the pairs of each atom.
            pair_types: [E] int64, type of j.
            atom_types: [N] int64, type of i.
        """
        raise NotImplementedError

    def energies_and_gradients(self, *pairs: Tensor, differentiable: bool = False) -> tuple[Tensor, Tensor]:
        """Return atomic energies [N] in eV and their derivatives by pair vector [E, 3] in eV/Å.

        Everything goes through this call: training, validation, testing, ASE, export. Here it differentiates `forward`
        automatically; a family with kernels overrides it.

        Args:
            pairs: The four tensors that `forward` takes.
            differentiable: Whether the results will be differentiated once more, by the weights, as training does. A
                family whose kernels cannot do that leaves such a call to this default.
        """
        return differentiate(self, *pairs, differentiable=differentiable)

    def evaluate_parts(self, *pairs: Tensor, part_start: Tensor, gradients: bool = True) -> Evaluation:
        """Evaluate for many sums that will be differentiated by the weights, see `Evaluation`; one optimizer step.

        Args:
            pairs: The four tensors that `forward` takes.
            part_start: [F + 1] int64, atoms of part f, which has its own rows, are `part_start[f]:part_start[f + 1]`.
            gradients: Whether pair gradients are wanted.
        """

        def recorded(*part: Tensor) -> tuple[Tensor, Tensor | None]:
            return self.energies_and_gradients(*part, differentiable=True) if gradients else (self(*part), None)

        return evaluate_by_autograd(recorded, trained_weights(self), pairs, part_start)

    def native_evaluator(self, device: torch.device) -> StoredEvaluator | None:
        """Return what evaluates the present weights by native kernels on a device, to be kept while these change.

        None where there are no such kernels.
        """
        return None

    def freeze(self) -> None:
        """Be told that the weights stay as they are, so that what is prepared from them can be kept."""

    def collect_statistics(self, batches: Iterable[Batch]) -> None:
        """Set normalising constants from one pass over all training frames."""

    def take_energy_shift(self, shift: Tensor) -> Tensor:
        """Take into the weights what the family keeps of the energies per atom there, and return the rest.

        A family whose file has no place for such energies beside its net, for instance, adds them to its biases.

        Args:
            shift: [T] eV, fitted to the training data.

        Returns:
            [T] eV that the potential adds to the energies of the network; here all of it.
        """
        return shift

    def take_shortest(self, shortest: Tensor) -> None:
        """Be told the shortest distances [T, T] of each pair of elements, Å, when those of further frames are known."""

    def parts(self) -> dict[str, list[nn.Parameter]]:
        """Return the weights by the parts that a run can hold as they are.

        The names are those of all families, as far as they have them: `descriptor`, `hidden` for the hidden layers of
        the nets that give energies, `output` for the last layer of these.
        """
        return {}

    def types_of_weights(self) -> dict[nn.Parameter, Tensor]:
        """Return the type of atoms that each weight is for; weights that are for several types are not named, or -1.

        Returns:
            int64 by parameter, of its shape or of one that expands to it.
        """
        return {}

    def file_order(self) -> dict[nn.Parameter, Tensor] | None:
        """Return the place, from 0, of each weight among the numbers of a text file that other programs have for it.

        Returns:
            int64 by parameter, of its shape; None where there is no such file.
        """
        return None

    def start_from(self, other: Network, types: Sequence[int]) -> None:
        """Take weights and constants of a trained network, to go on from there.

        Args:
            other: Of any family.
            types: The place of each type of this network among those of the other, which may have more; that of a
                relative for a type that the other does not have. A family that can take some of them, in another order
                or one of them several times, overrides this.

        Raises:
            ModelFileError: The network does not fit this one.
        """
        if len(set(types)) < len(types):
            raise ModelFileError(
                f"the start model lacks some elements of `atom_type`, and a {type(self).__name__} cannot take new ones"
            )
        if list(types) != sorted(types):
            raise ModelFileError(
                "the start model has its elements in another order; list them in `atom_type` as it does"
            )
        if type(other) is not type(self):
            raise ModelFileError(
                f"the start model is a {type(other).__name__}, the run file asks for a {type(self).__name__}; give "
                "`model_type` and `type_embedding` as it was trained with"
            )
        try:
            self.load_state_dict(other.state_dict())
        except RuntimeError as error:
            differences = _differences(self.config, other.config)
            raise ModelFileError(
                "the start model does not fit the `model` section of the run file: "
                f"{'; '.join(differences) or 'it has weights of other shapes'}; what is left out of the section is as "
                "there"
            ) from error

    def stored(self, geometry: torch.dtype = torch.float64) -> StoredModel | None:
        """Return the network as arrays for the kernels of its family; None where the family has no kernels.

        Args:
            geometry: Precision of distances and of sums over neighbours.
        """
        return None

    def overflows(self) -> tuple[int, int]:
        """Count the pairs met so far that the tables were not made for, see `TableSummary`; here there are none.

        Returns:
            Pairs nearer than any the tables' fine part covers, and those of them beyond the tables; each (i, j) counts
            once per evaluation. Of a whole potential what `Potential.overflows` returns.
        """
        return 0, 0

    def tabulation(self) -> Tabulation:
        """Return what `pwmlff compress` needs to put tables in the place of functions of one number.

        Raises:
            ModelFileError: There is nothing that tables could replace.
        """
        raise ModelFileError(f"a {type(self).__name__} has nothing that tables could replace")

    def table_summary(self) -> TableSummary | None:
        """Describe the tables that `pwmlff compress` made; None of a network without."""
        return None


class Tabulation(Protocol):
    """Functions of one number in a trained network that tables can replace: what `pwmlff compress` asks for.

    Letters: `T` types.

    Attributes:
        shortest: [T] shortest distance of an atom of each type to a neighbour in the training data, Å; the cutoff where
            the network has not seen any. None where tables are for all distances.
        n_neighbors: Number of neighbours of an atom in the training data; 0 where that is not known.
        spacing: Width of a fine interval where none is asked for.
    """

    @property
    def shortest(self) -> Tensor | None: ...  # noqa: D102 - see the class

    @property
    def n_neighbors(self) -> float: ...  # noqa: D102

    @property
    def spacing(self) -> float: ...  # noqa: D102

    def tabulated(self, dx: float, order: Order, shortest: Tensor | None = None) -> Network:
        """Return a copy of the network with tables.

        Args:
            dx: Width of a fine interval, in units of the functions' argument.
            order: Degree of the polynomials.
            shortest: [T] shortest distance an atom of each type will have, Å; that of the training data when None. It
                means nothing where tables are for all distances.

        Raises:
            ModelFileError: Order or dx make no sense.
        """


def differentiate(
    energies_of: Callable[..., Tensor], *pairs: Tensor, differentiable: bool = False
) -> tuple[Tensor, Tensor]:
    """Return atomic energies [N] and their derivatives by pair vector [E, 3], by automatic differentiation.

    Args:
        energies_of: Called as `Network.forward` is.
        pairs: The four tensors that it takes.
        differentiable: Whether the results keep their graph.
    """
    with torch.enable_grad():  # a caller's `no_grad` would make all derivatives zero
        vectors = pairs[0].detach().requires_grad_(True)
        energies = energies_of(vectors, *pairs[1:])
        if energies.requires_grad:
            (gradients,) = torch.autograd.grad(
                energies.sum(), vectors, create_graph=differentiable, allow_unused=True, materialize_grads=True
            )
        else:  # no atom has a neighbour, or the model is constant
            gradients = torch.zeros_like(vectors)
    return (energies, gradients) if differentiable else (energies.detach(), gradients)


def types_by_module(modules: Iterable[nn.Module]) -> dict[nn.Parameter, Tensor]:
    """Return `Network.types_of_weights` of a family that has a module for each type, in their order."""
    return {weight: torch.tensor(place) for place, module in enumerate(modules) for weight in module.parameters()}


def network_dtype(network: Network) -> torch.dtype:
    """Return the dtype of the weights."""
    return next((parameter.dtype for parameter in network.parameters()), torch.float64)


def _differences(own: Any, other: Any, prefix: str = "") -> list[str]:
    """Say which settings of two sections differ, in words."""
    if not isinstance(own, BaseModel) or type(own) is not type(other):
        return []
    lines = []
    for name in type(own).model_fields:
        value, others = getattr(own, name), getattr(other, name)
        if isinstance(value, BaseModel):
            lines += _differences(value, others, f"{prefix}{name}.")
        elif value != others:
            lines.append(f"{prefix}{name} is {_shown(value)} here and {_shown(others)} there")
    return lines


def _shown(value: Any) -> str:
    text = str(list(value) if isinstance(value, tuple) else value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]} ..."
