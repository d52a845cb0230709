"""Reads the texts of a folder of n2p2, strictly: whatever is not as it should be ends in one line with file and line.

`n2p2_file.py` describes the texts, `n2p2_input.py` reads the first. A model that was trained on normalised data has
`mean_energy`, `conv_energy` and `conv_length`: the energy of an atom is what its net gives / conv_energy + mean_energy.
Its symmetry functions are the same numbers in both units. Where `normalize_nodes` is given, the sum that enters a node
is divided by the number of nodes below; weights and biases are returned divided.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from pwmlff.models.files.n2p2_file import (
    INPUT,
    MEAN,
    SCALING,
    SIGMA,
    ElementNet,
    Layer,
    N2p2Files,
    Scaling,
    weights_name,
)
from pwmlff.models.files.n2p2_input import InputFile
from pwmlff.models.files.n2p2_words import Line, N2p2TextError, lines_of

_N_STATISTICS = 4


def parse_n2p2(read: Callable[[str], bytes]) -> N2p2Files:
    """Read a folder.

    Args:
        read: Returns the content of a file by its name.

    Raises:
        N2p2TextError: One line that says what was expected and found.
    """
    head = InputFile(read(INPUT))
    counts = [len(own) for own in head.functions]
    statistics = _statistics(lines_of(SCALING, read(SCALING), "#"), counts, head.scaling)
    nets = {}
    for place, element in enumerate(head.elements):
        widths = (counts[place], *head.hidden[place], 1)
        name = weights_name(element)
        layers = _layers(lines_of(name, read(name), "#"), name, widths, head.is_normalised)
        nets[element] = ElementNet(
            energy=head.energies[place],
            functions=tuple(head.functions[place]),
            statistics=statistics[place],
            layers=(*layers[:-1], layers[-1].times(head.output)),
        )
    return N2p2Files(
        nets={element: nets[element] for element in head.listed},
        cutoff_type=head.cutoff_type,
        inner_fraction=head.inner_fraction,
        activations=head.activations,
        scaling=head.scaling,
    )


def _statistics(lines: Sequence[Line], counts: Sequence[int], scaling: Scaling) -> list[NDArray[np.float64]]:
    """Return the columns of scaling.data [functions, 4] of each element."""
    rows = iter(lines)
    tables = []
    for element, count in enumerate(counts, start=1):
        table = np.zeros((count, _N_STATISTICS))
        for place in range(count):
            line = next(rows, None)
            what = f"element {element} and function {place + 1}, then smallest, largest, mean and standard deviation"
            if line is None:
                raise N2p2TextError(SCALING, None, f"expected {what}, but the file ends before")
            table[place] = _row(line, [element, place + 1], what, SIGMA in (scaling.width or ()))
            if scaling.width is not None and not scaling.widths(table[place : place + 1]) > 0:
                problem = "no standard deviation above 0" if len(scaling.width) == 1 else "no range above 0"
                raise line.error(f"the function has {problem}, by which it is scaled")
        tables.append(table)
    rest = list(rows)
    if len(rest) == 1 and len(rest[0].words) == 2:  # RuNNer: smallest and largest energy of an atom
        rest[0].numbers(0, "two energies")
        rest = []
    if rest:
        raise rest[0].expected("the end of the file")
    return tables


def _row(line: Line, places: list[int], what: str, needs_sigma: bool) -> list[float]:
    """Return the statistics of a function; the last of them may be absent where it is not used."""
    columns = line.numbers(2, what)
    n_least = _N_STATISTICS - (not needs_sigma)
    if line.words[:2] != list(map(str, places)) or not n_least <= len(columns) <= _N_STATISTICS:
        raise line.expected(what)
    smallest, largest, mean = columns[: MEAN + 1]
    if not smallest <= largest:
        raise line.error(f"the smallest value {smallest:g} is above the largest {largest:g}")
    return columns if len(columns) == _N_STATISTICS else [*columns, 0.0]


def _layers(lines: Sequence[Line], name: str, widths: Sequence[int], is_normalised: bool) -> list[Layer]:
    """Read a net with these widths, from that of the input to that of the output."""
    n_numbers = sum((below + 1) * above for below, above in zip(widths, widths[1:], strict=False))
    if len(lines) < n_numbers:
        raise N2p2TextError(name, None, f"expected {n_numbers} numbers of a net {_shape(widths)}, found {len(lines)}")
    rows = iter(lines)
    place = 0
    layers = []
    for number, (below, above) in enumerate(zip(widths, widths[1:], strict=False), start=1):
        weight, bias = np.empty((above, below)), np.empty(above)
        for node in range(below):
            for target in range(above):
                place += 1
                joins: list[int | str] = ["a", place, number - 1, node + 1, number, target + 1]
                weight[target, node] = _number(next(rows), joins)
        for target in range(above):
            place += 1
            bias[target] = _number(next(rows), ["b", place, number, target + 1])
        layer = Layer(weight=weight, bias=bias)
        layers.append(layer.times(1 / below) if is_normalised else layer)
    rest = next(rows, None)
    if rest is not None:
        raise rest.expected(f"the end of the file after the {n_numbers} numbers of a net {_shape(widths)}")
    return layers


def _number(line: Line, joins: list[int | str]) -> float:
    """Return the number of a line, which may tell its place as well."""
    what = f"a number, or it and `{' '.join(map(str, joins))}`"
    words = [word.lstrip("0") or "0" if word.isdigit() else word for word in line.words[1:]]
    values = Line(line.file, line.number, line.words[:1]).numbers(0, what)
    if words and words != list(map(str, joins)):
        raise line.expected(what)
    return values[0]


def _shape(widths: Sequence[int]) -> str:
    return "-".join(map(str, widths))
