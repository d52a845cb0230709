"""What a folder of n2p2 (or RuNNer) says, and its texts.

    input.nn            elements, symmetry functions, nets and energies of atoms, a keyword a line
    scaling.data        smallest, largest, mean and standard deviation of each symmetry function
    weights.NNN.data    the net of the element with atomic number NNN, a number a line

Elements may be listed in any order, which is that of our types; n2p2 takes them in the order of their atomic numbers.
The symmetry functions of an element are in an order of n2p2's own, see `order_of`. These orders decide which line of
scaling.data and which rows of the first layer belong to which. The net of an
element, from layer to layer, has first the weights (those of one node below to all nodes above, one node below after
the other), then the biases.

No file tells its units. We write Å and eV and say so in a comment, `# units angstrom ev`, that n2p2 skips.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pwmlff.elements import atomic_number_of
from pwmlff.models.bp.functions import SymmetryFunction

INPUT, SCALING = "input.nn", "scaling.data"
LETTERS: Mapping[str, str] = {
    "l": "linear",
    "t": "tanh",
    "s": "sigmoid",
    "p": "softplus",
    "r": "relu",
    "g": "gaussian",
    "c": "cos",
    "S": "revlogistic",
    "e": "exp",
    "h": "harmonic",
}
UNITS = "units angstrom ev"
SMALLEST_AND_LARGEST, MEAN, SIGMA = (0, 1), 2, 3  # columns of scaling.data behind those of its numbers


def weights_name(element: str) -> str:
    """Return the name of the file with the net of an element."""
    return f"weights.{atomic_number_of(element):03d}.data"


@dataclass(frozen=True, kw_only=True)
class Scaling:
    """What a net sees of a function G:  low + (high - low) (G - shift) / width,  or G - shift where there is no width.

    Attributes:
        shift: Column of scaling.data that is subtracted; None for none.
        width: Column that it is divided by, or two columns whose difference it is; None for no width.
        low: Of the bounds.
        high: Of the bounds.
    """

    shift: int | None = None
    width: tuple[int, ...] | None = None
    low: float = 0.0
    high: float = 1.0

    def applied(self, statistics: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return shift and factor [n, 2] of functions, of which the net sees (G - shift) factor.

        Args:
            statistics: [n, 4], columns of scaling.data.
        """
        shift = np.zeros(len(statistics)) if self.shift is None else statistics[:, self.shift]
        if self.width is None:
            return np.stack([shift, np.ones_like(shift)], axis=1)
        factor = (self.high - self.low) / self.widths(statistics)
        return np.stack([shift - self.low / factor if self.low else shift, factor], axis=1)

    def widths(self, statistics: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what the functions are divided by, [n]."""
        assert self.width is not None
        return np.diff(statistics[:, self.width]).ravel() if len(self.width) > 1 else statistics[:, self.width[0]]


BY_SIGMA = Scaling(shift=MEAN, width=(SIGMA,))


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One layer of a net.

    Attributes:
        weight: [out, in].
        bias: [out].
    """

    weight: NDArray[np.float64]
    bias: NDArray[np.float64]

    def times(self, factor: float) -> Layer:
        """Return one that gives this one's numbers, before the activation, times a factor."""
        return Layer(weight=self.weight * factor, bias=self.bias * factor)


@dataclass(frozen=True, kw_only=True)
class ElementNet:
    """What belongs to the atoms of an element; functions and inputs of the net in n2p2's order.

    Attributes:
        energy: That is added to the output of the net, eV.
        functions: In Å, with the element as `central`.
        statistics: [functions, 4]: smallest, largest, mean, standard deviation.
        layers: Of the net, whose output is in eV.
    """

    energy: float
    functions: tuple[SymmetryFunction, ...]
    statistics: NDArray[np.float64]
    layers: tuple[Layer, ...]


@dataclass(frozen=True, kw_only=True)
class N2p2Files:
    """The content of a folder, in Å and eV.

    Attributes:
        nets: By element, in the order in which input.nn lists them.
        cutoff_type: Number of the cutoff function.
        inner_fraction: Of the cutoff, below which the cutoff function is 1.
        activations: Letter of each layer.
        scaling: Of all functions; by standard deviations in what is written.
    """

    nets: Mapping[str, ElementNet]
    cutoff_type: int
    inner_fraction: float
    activations: tuple[str, ...]
    scaling: Scaling = BY_SIGMA

    def texts(self) -> dict[str, str]:
        """Return the text of each file by its name."""
        assert self.scaling == BY_SIGMA
        texts = {INPUT: "\n".join(self._input()) + "\n", SCALING: "\n".join(self._scaling()) + "\n"}
        return texts | {weights_name(element): "\n".join(_weights(net)) + "\n" for element, net in self.nets.items()}

    def _input(self) -> Iterator[str]:
        yield f"# Model of pwmlff. {UNITS.capitalize()} are those of this and of all files here:"
        yield f"# {UNITS}"
        yield f"number_of_elements {len(self.nets)}"
        yield f"elements {' '.join(self.nets)}"
        for element, net in self.nets.items():
            yield f"atom_energy {element} {net.energy!r}"
        yield f"cutoff_type {self.cutoff_type} {self.inner_fraction!r}"
        yield from ("scale_symmetry_functions_sigma", "scale_min_short 0.0", "scale_max_short 1.0")
        widths = {element: [len(layer.bias) for layer in net.layers[:-1]] for element, net in self.nets.items()}
        first = next(iter(widths.values()))
        yield f"global_hidden_layers_short {len(first)}"
        yield f"global_nodes_short {' '.join(map(str, first))}"
        yield f"global_activation_short {' '.join(self.activations)}"
        for element, own in widths.items():
            for place, (width, common) in enumerate(zip(own, first, strict=True), start=1):
                if width != common:
                    yield f"element_nodes_short {element} {place} {width}"
        for element, net in self.nets.items():
            yield f"# {element}: {len(net.functions)} functions"
            yield from map(_function_line, net.functions)

    def _scaling(self) -> Iterator[str]:
        yield "# element, function, smallest, largest, mean, standard deviation"
        for number, element in enumerate(sorted(self.nets, key=atomic_number_of), start=1):
            net = self.nets[element]
            for place, row in enumerate(net.statistics.tolist(), start=1):
                yield f"{number:4d} {place:4d}" + "".join(f" {value:24.16E}" for value in row)


def n2p2_type(function: SymmetryFunction) -> int | None:
    """Return n2p2's number of a function in element-resolved or weighted form; None where it has none.

    Args:
        function: With neighbours, or weighted by atomic numbers.
    """
    numbers = {"G2": 2, "G4": 3, "G5": 9} if function.neighbors is not None else {"G2": 12, "G4": 13}
    is_weighted = function.neighbors is None and function.weights == "Z"
    return numbers.get(function.type) if function.neighbors is not None or is_weighted else None


def order_of(function: SymmetryFunction) -> tuple[float, ...]:
    """Return what n2p2 sorts the functions of an element by."""
    number = n2p2_type(function)
    assert number is not None
    angular = () if function.is_radial else (function.zeta or 0.0, function.lambda_ or 0.0)
    neighbors = sorted(map(atomic_number_of, function.neighbors or ()))
    return (number, function.reach, function.eta or 0.0, function.r_s or 0.0, *angular, *neighbors)


def _function_line(function: SymmetryFunction) -> str:
    number = n2p2_type(function)
    eta, r_s, cutoff = repr(function.eta), repr(function.r_s or 0.0), repr(function.cutoff)
    angle = [repr(function.lambda_), repr(function.zeta)]
    neighbors = sorted(function.neighbors or (), key=atomic_number_of)
    if number in (2, 12):
        words = [*neighbors, eta, r_s, cutoff]
    elif number == 13:
        words = [eta, r_s, *angle, cutoff]
    else:
        words = [*neighbors, eta, *angle, cutoff, r_s]
    return f"symfunction_short {function.central} {number} {' '.join(words)}"


def _weights(net: ElementNet) -> Iterator[str]:
    yield "# number, weight (a) or bias (b), its place, layers and nodes that it joins"
    place = 0
    for number, layer in enumerate(net.layers, start=1):
        for below, row in enumerate(layer.weight.T.tolist(), start=1):
            for above, value in enumerate(row, start=1):
                place += 1
                yield f"{value:24.16E} a {place:9d} {number - 1:5d} {below:5d} {number:5d} {above:5d}"
        for node, value in enumerate(layer.bias.tolist(), start=1):
            place += 1
            yield f"{value:24.16E} b {place:9d} {number:5d} {node:5d}"
