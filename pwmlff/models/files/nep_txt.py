"""NEP models in GPUMD's own file, both ways; `nep_file.py` describes its text."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch

from pwmlff.errors import ModelFileError
from pwmlff.models import Potential, build_potential, name_of
from pwmlff.models.files.metadata import one_line
from pwmlff.models.files.model_file import ModelFile
from pwmlff.models.files.nep_file import NepFile
from pwmlff.models.files.nep_parser import NepTextError, parse_nep
from pwmlff.models.nep import NEP, NEPConfig
from pwmlff.ops.reference.invariants import EXTRAS

_FIRST_LETTERS = b"nep"
_MOST_NEIGHBORS = 819  # that GPUMD takes
_OLD_EXTRAS = 2  # of `EXTRAS`, which all programs know
_CLOSEST = 2.0  # Å, distance of atoms where the training data are not known


def is_nep_txt(path: Path) -> bool:
    """Whether a file begins as a `nep.txt` does."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(_FIRST_LETTERS)) == _FIRST_LETTERS


def load_nep_txt(path: Path) -> ModelFile:
    """Read a `nep.txt`; its model can be trained further.

    Raises:
        ModelFileError: It cannot be read, is damaged, or of a model that is something else.
    """
    try:
        file = parse_nep(path.read_bytes())
    except OSError as error:
        raise ModelFileError(f"'{path}' cannot be read: {error.strerror}") from error
    except NepTextError as error:
        raise ModelFileError(f"'{path}' {error}") from error
    cutoffs = file.cutoffs[:1] if (file.cutoffs == file.cutoffs[0]).all() else file.cutoffs
    config = NEPConfig.model_validate(
        {
            "version": file.version,
            "descriptor": {
                "cutoff": cutoffs.flatten().tolist(),
                "n_max": file.n_max,
                "basis_size": file.basis_size,
                "l_max": [file.l_max, *file.extras],
            },
            "fitting_net": {"network_size": file.neurons},
        }
    )
    with torch.random.fork_rng(devices=[]):  # the weights drawn here are replaced at once
        potential = build_potential("NEP", config, file.elements, zbl=file.zbl)
    network = potential.network
    assert isinstance(network, NEP)
    n_types = len(file.elements)
    has_own = file.version == 5  # biases; then the common one stays apart, to be written as it is
    rows = np.empty((n_types, file.nets.shape[1] + 1))
    rows[:, :-1] = file.nets
    rows[:, -1] = file.biases if has_own else file.common_bias
    potential.energy_shift.fill_(0.0 - file.common_bias if has_own else 0.0)
    values = {"radial": file.radial, "angular": file.angular, "net": rows, "scaler": file.scaler}
    network.take_arrays({**network.arrays(), **{name: torch.from_numpy(value) for name, value in values.items()}})
    network.neighbors.copy_(torch.tensor(file.neighbors or (0, 0)))
    sections = {"model": config.model_dump(mode="json"), "zbl": file.zbl and file.zbl.model_dump(mode="json")}
    return ModelFile(potential, {"model_type": "NEP", "atom_type": list(file.elements), **sections})


def write_nep_txt(path: Path, potential: Potential) -> str:
    """Write a NEP.

    Args:
        path: File to make or replace.
        potential: The model.

    Returns:
        What the file is, and why, in words.

    Raises:
        ModelFileError: Such a file cannot hold the model.
        OSError: It cannot be written.
    """
    network = potential.network
    if not isinstance(network, NEP):
        raise ModelFileError(f"a nep.txt holds a NEP, not a model of the type {name_of(network)}")
    file = _nep_file(potential, network)
    text = file.text()
    try:
        parse_nep(text.encode())
    except NepTextError as error:
        raise ModelFileError(f"a nep.txt cannot hold the model: {one_line(error)}") from error
    path.write_text(text)
    reason = ""
    if file.version > network.config.version:
        reason = f", since a nep{network.config.version} has no energies of elements"
    newer = [extra.name for extra, is_on in zip(EXTRAS[_OLD_EXTRAS:], file.extras[_OLD_EXTRAS:], strict=True) if is_on]
    if newer:
        reason += f"; older programs (NEP_CPU, nep-adapters) overlook the invariants {', '.join(newer)} and go wrong"
    return f"nep{file.version}{reason}"


def _nep_file(potential: Potential, network: NEP) -> NepFile:
    """Return the numbers of a file, of the network's own version unless elements have energies of their own."""
    config = network.config
    arrays = {name: array.detach().cpu().numpy() for name, array in network.arrays().items()}
    rows, shift = arrays["net"].astype(np.float64), potential.energy_shift.cpu().numpy()
    has_one_shift = bool((shift == shift[0]).all())
    version = config.version if has_one_shift else 5
    biases = rows[:, -1] if has_one_shift else rows[:, -1] - shift
    common_bias = 0.0 - float(shift[0]) if has_one_shift else 0.0
    if version < 5:
        biases, common_bias = biases[:0], biases[0] + common_bias
    return NepFile(
        version=version,
        elements=tuple(potential.elements),
        zbl=potential.repulsion[0].config if len(potential.repulsion) else None,
        cutoffs=arrays["cutoff"],
        neighbors=_neighbors(network),
        n_max=config.descriptor.n_max,
        basis_size=config.descriptor.basis_size,
        l_max=config.descriptor.l_max[0],
        extras=tuple(config.descriptor.extras),
        neurons=config.fitting_net.neurons,
        nets=rows[: 1 if version == 3 else None, :-1],
        biases=biases,
        common_bias=common_bias,
        radial=arrays["radial"].astype(np.float64),
        angular=arrays["angular"].astype(np.float64),
        scaler=arrays["scaler"].astype(np.float64),
    )


def _neighbors(network: NEP) -> tuple[int, int]:
    """Return the largest numbers of neighbours in the training data; otherwise those of a close packing."""
    known = tuple(network.neighbors.tolist())
    if all(known):
        return known
    radial, angular = network.cutoffs.amax(0).tolist()
    per_volume = math.sqrt(2) / _CLOSEST**3
    packed = (math.ceil(4 / 3 * math.pi * cutoff**3 * per_volume) for cutoff in (radial, angular))
    return min(next(packed), _MOST_NEIGHBORS), min(next(packed), _MOST_NEIGHBORS)
