"""Networks of symmetry functions in the files of n2p2 and RuNNer, both ways; `n2p2_file.py` describes their texts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from pwmlff.errors import ModelFileError
from pwmlff.models import Potential, build_potential, name_of
from pwmlff.models.bp import BehlerParrinello, BPConfig, SymmetryFunction
from pwmlff.models.bp.functions import functions_of
from pwmlff.models.files.metadata import one_line
from pwmlff.models.files.model_file import ModelFile
from pwmlff.models.files.n2p2_file import (
    INPUT,
    LETTERS,
    SMALLEST_AND_LARGEST,
    ElementNet,
    Layer,
    N2p2Files,
    n2p2_type,
    order_of,
)
from pwmlff.models.files.n2p2_parser import parse_n2p2
from pwmlff.models.files.n2p2_words import N2p2TextError
from pwmlff.ops.reference.cutoffs import CUTOFF_FUNCTIONS, WITHOUT_INNER_RADIUS


def is_n2p2(path: Path) -> bool:
    """Whether a path is a folder of n2p2."""
    return path.is_dir() and (path / INPUT).is_file()


def load_n2p2(path: Path) -> ModelFile:
    """Read a folder of n2p2; its model can be trained further.

    Raises:
        ModelFileError: A file of it cannot be read, is damaged, or of a model that is something else.
    """
    try:
        files = parse_n2p2(lambda name: (path / name).read_bytes())
    except OSError as error:
        raise ModelFileError(f"'{error.filename}' cannot be read: {error.strerror}") from error
    except N2p2TextError as error:
        raise ModelFileError(f"'{path}' {error}") from error
    elements = list(files.nets)
    config = _config(files)
    with torch.random.fork_rng(devices=[]):  # the weights drawn here are replaced at once
        potential = build_potential("NN", config, elements)
    network = potential.network
    assert isinstance(network, BehlerParrinello)
    scaling, ranges = [], []
    with torch.no_grad():
        for element, net in zip(files.nets, network.nets, strict=True):
            given = files.nets[element]
            places = _places(given.functions, functions_of(network.functions, element))
            scaling.append(files.scaling.applied(given.statistics)[places])
            ranges.append(given.statistics[places][:, SMALLEST_AND_LARGEST])
            for depth, (layer, values) in enumerate(zip(net.layers, given.layers, strict=True)):
                weight = values.weight[:, places] if depth == 0 else values.weight
                layer.weight.copy_(torch.from_numpy(weight))
                layer.bias.copy_(torch.from_numpy(values.bias))
    network.scaling.copy_(torch.from_numpy(np.concatenate(scaling)))
    network.ranges.copy_(torch.from_numpy(np.concatenate(ranges)))
    potential.energy_shift.copy_(torch.tensor([net.energy for net in files.nets.values()], dtype=torch.float64))
    return ModelFile(
        potential, {"model_type": "NN", "atom_type": elements, "model": config.model_dump(mode="json"), "zbl": None}
    )


def _config(files: N2p2Files) -> BPConfig:
    cutoff_function = CUTOFF_FUNCTIONS[files.cutoff_type]
    return BPConfig.model_validate(
        {
            "descriptor": {
                "functions": [function for net in files.nets.values() for function in net.functions],
                "cutoff_function": cutoff_function,
                "inner_fraction": 0.0 if cutoff_function in WITHOUT_INNER_RADIUS else files.inner_fraction,
                "normalization": "standard",
            },
            "fitting_net": {
                "network_size": {e: [len(layer.bias) for layer in net.layers] for e, net in files.nets.items()},
                "activation": [LETTERS[letter] for letter in files.activations[:-1]],
            },
        }
    )


def write_n2p2(path: Path, potential: Potential) -> str:
    """Write a network of Behler and Parrinello.

    Args:
        path: Folder to make, or to put the files in.
        potential: The model.

    Returns:
        What the folder is, in words.

    Raises:
        ModelFileError: Such files cannot hold the model.
        OSError: They cannot be written.
    """
    network = potential.network
    if not isinstance(network, BehlerParrinello):
        raise ModelFileError(
            f"files of n2p2 hold a network of symmetry functions, not a model of the type {name_of(network)}"
        )
    if len(potential.repulsion):
        raise ModelFileError(
            "files of n2p2 cannot hold the model: it has a short-range repulsion (`zbl`), n2p2 has none"
        )
    texts = _files(potential, network).texts()
    try:
        parse_n2p2(lambda name: texts[name].encode())
    except N2p2TextError as error:
        raise ModelFileError(f"files of n2p2 cannot hold the model: {one_line(error)}") from error
    path.mkdir(exist_ok=True)
    for name, text in texts.items():
        (path / name).write_text(text)
    return f"files of n2p2 ({', '.join(sorted(texts))}) in Å and eV"


def _files(potential: Potential, network: BehlerParrinello) -> N2p2Files:
    letters = {name: letter for letter, name in LETTERS.items()}
    descriptor = network.config.descriptor
    by_element = zip(
        potential.elements,
        network.nets,
        _numbers(network.scaling).split(network.widths),
        _numbers(network.ranges).split(network.widths),
        potential.energy_shift.tolist(),
        strict=True,
    )
    nets = {}
    for element, net, scaling, ranges, energy in by_element:
        own = functions_of(network.functions, element)
        functions = [_in_n2p2(function, element, potential.elements) for function in own]
        places = sorted(range(len(own)), key=lambda place: order_of(functions[place]))
        factors = np.array([function.factor for function in own])
        layers = [
            Layer(weight=_numbers(layer.weight).numpy(), bias=_numbers(layer.bias).numpy()) for layer in net.layers
        ]
        statistics, is_seen = _statistics(scaling.numpy(), ranges.numpy(), factors)
        layers[0] = Layer(weight=(layers[0].weight * is_seen)[:, places], bias=layers[0].bias)
        nets[element] = ElementNet(
            energy=energy,
            functions=tuple(functions[place] for place in places),
            statistics=statistics[places],
            layers=tuple(layers),
        )
    return N2p2Files(
        nets=nets,
        cutoff_type=CUTOFF_FUNCTIONS.index(descriptor.cutoff_function),
        inner_fraction=descriptor.inner_fraction,
        activations=tuple(letters[name] for name in network.config.fitting_net.activations),
    )


def _in_n2p2(function: SymmetryFunction, element: str, elements: list[str]) -> SymmetryFunction:
    """Return a function of an element as n2p2 has it, without its factor.

    Raises:
        ModelFileError: It has none like it.
    """
    update: dict[str, object] = {"central": element, "factor": 1.0}
    if function.type == "G1":
        update |= {"type": "G2", "eta": 0.0}
    if function.neighbors is None and function.weights == "one" and len(elements) == 1:
        update["neighbors"] = (element,) * (1 if function.is_radial else 2)
    own = function.model_copy(update=update)
    if n2p2_type(own) is None:
        raise ModelFileError(f"files of n2p2 cannot hold the model: n2p2 has no function like {function}")
    return own


def _statistics(
    scaling: NDArray[np.float64], ranges: NDArray[np.float64], factors: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the columns of scaling.data [F, 4], and 0 where the net does not see the function, else 1 [F].

    Args:
        scaling: [F, 2] shift and factor of what the net sees.
        ranges: [F, 2] smallest and largest value; both 0 where they are not known.
        factors: [F] by which our functions are larger than n2p2's.
    """
    shift, factor = scaling.T
    is_seen = factor != 0.0
    width = 1.0 / np.where(is_seen, factor, 1.0)
    columns = np.column_stack([ranges, shift, width]) / factors[:, None]
    columns[:, SMALLEST_AND_LARGEST] = np.sort(columns[:, SMALLEST_AND_LARGEST], axis=1)
    is_negative = columns[:, -1] < 0
    columns[is_negative, -1] *= -1
    return columns, np.where(is_negative, -1.0, 1.0) * is_seen


def _places(functions: tuple[SymmetryFunction, ...], order: list[SymmetryFunction]) -> list[int]:
    """Return where the functions of the network stand among those of the file."""
    return [functions.index(function) for function in order]


def _numbers(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.detach().cpu().to(torch.float64)
