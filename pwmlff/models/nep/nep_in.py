"""GPUMD's `nep.in` as a run file: a keyword and its values a line, `#` begins a comment.

A keyword that a NEP of ours has is translated, one that means nothing to our optimizers leaves a line that says so, and
what cannot be trained here is refused. What the file leaves out is as in GPUMD 5. As there, it trains on `train.xyz` in
its folder and looks at `test.xyz` if that is there; with `prediction 1` it is to test `nep.txt` there on `train.xyz`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from pwmlff.elements import atomic_number_of, symbol_of
from pwmlff.errors import ConfigError, did_you_mean, in_one_line
from pwmlff.models.nep.config import NEPConfig, NEPDescriptorConfig, NEPFittingNetConfig, repulsion

_SNES = "it is a setting of GPUMD's evolution strategy"
_DECAY = "it bounds weights in GPUMD's evolution strategy; LKF has `weight_decay`"
_CHARGES = "the model has no charges"
_IGNORED = {
    "type_weight": "the forces of all elements count the same",
    "lambda_1": _DECAY,
    "lambda_2": _DECAY,
    "lambda_q": _CHARGES,
    "lambda_z": _CHARGES,
    "lambda_shear": "all components of the virial count the same",
    "force_delta": "small and large forces count the same",
    "batch": "LKF takes few frames a step, however many there are",
    "population": _SNES,
    "generation": "LKF trains for some epochs; `pwmlff train nep.in --epochs N` says how many",
    "save_potential": "the last and the best checkpoint are kept",
    "output_interval": "errors are written after each epoch",
    "output_descriptor": "descriptors are not written",
    "import_q_scaler": "a start model brings its scaling along",
}
_ONLY_ZERO = {
    "model_type": "energies, forces and virials are trained, no dipoles or polarizabilities",
    "charge_mode": "models with charges are not trained",
    "atomic_v": "virials of single atoms are not trained",
}
_ZBL_ROW = 10  # numbers of a pair of elements in zbl.in
# key of `lambda_`, what it weighs, our prefactor where it has GPUMD's default, and that
_WEIGHTS = {
    "lambda_e": ("energy", "pre_fac_etot", 200.0, 1.0),
    "lambda_f": ("force", "pre_fac_force", 60.0, 1.0),
    "lambda_v": ("virial", "pre_fac_virial", 6.0, 0.1),
}


@dataclass(frozen=True)
class _Line:
    """A keyword with its values, and where it stands."""

    where: str
    keyword: str
    values: Sequence[str]

    def error(self, problem: str) -> ConfigError:
        """Return what to raise."""
        return ConfigError(in_one_line(f"{self.where}: {problem}"))

    def numbers(self, kind: Callable[[str], Any], expected: str, counts: Sequence[int] = ()) -> list[Any]:
        """Return the values as numbers of a kind; there is one, or as many as a count says that is not empty.

        Args:
            kind: `int` or `float`.
            expected: In words.
            counts: How many there may be.
        """
        try:
            numbers = [kind(value) for value in self.values]
        except ValueError:
            numbers = []
        if len(numbers) not in (counts or (1,)):
            given = " ".join((self.keyword, *self.values))
            raise self.error(f"expected `{self.keyword}` and {expected}, got `{given}`")
        return numbers

    def checked(self, section: type[BaseModel], key: str, value: Any) -> Any:
        """Return a value after our own check of a key."""
        try:
            section.model_validate({key: value})
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            raise self.error(f"`{self.keyword}`: {first.get('ctx', {}).get('error', first['msg'])}") from error
        return value


class _NepIn:
    """A run file that grows line by line.

    Args:
        folder: Where the file lies.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.notices: list[str] = []
        self.descriptor: dict[str, Any] = {"cutoff": [8, 4], "n_max": [6, 6], "basis_size": [6, 6], "l_max": [4, 1]}
        self.model: dict[str, Any] = {"version": 4, "descriptor": self.descriptor, "fitting_net": {"network_size": 30}}
        self.values: dict[str, Any] = {"model_type": "NEP", "model": self.model}
        self.optimizer: dict[str, Any] = {"optimizer": "LKF", "train_virial": True}
        self.zbl: tuple[float | None, float | None] = (None, None)  # outer distance, factor of covalent radii
        self.is_prediction = False

    def take(self, line: _Line) -> None:
        """Read one line."""
        if line.keyword in _ONLY_ZERO:
            if line.numbers(int, "one integer") != [0]:
                raise line.error(f"`{' '.join((line.keyword, *line.values))}`: {_ONLY_ZERO[line.keyword]}, expected 0")
        elif line.keyword in _IGNORED:
            self.notices.append(f"{line.where}: `{line.keyword}` is ignored: {_IGNORED[line.keyword]}")
        elif line.keyword in _TRANSLATED:
            _TRANSLATED[line.keyword](self, line)
        else:
            known = [*_TRANSLATED, *_ONLY_ZERO, *_IGNORED]
            raise line.error(f"there is no keyword `{line.keyword}`; {did_you_mean(line.keyword, known)}")

    def take_type(self, line: _Line) -> None:
        """`type N El1 El2 ...`."""
        count, *names = line.values or [""]
        if count != str(len(names)) or not names:
            given = " ".join((line.keyword, *line.values))
            raise line.error(f"expected `type`, the number of elements, and their symbols, got `{given}`")
        try:
            symbols = [symbol_of(atomic_number_of(name)) for name in names]
        except ConfigError as error:
            raise line.error(str(error)) from error
        twice = [symbol for symbol in symbols if symbols.count(symbol) > 1]
        if twice:
            raise line.error(f"{twice[0]} is given twice")
        self.values["atom_type"] = symbols

    def take_version(self, line: _Line) -> None:
        """`version V`."""
        (version,) = line.numbers(int, "3, 4 or 5")
        self.model["version"] = line.checked(NEPConfig, "version", version)

    def take_neuron(self, line: _Line) -> None:
        """`neuron H`."""
        (neurons,) = line.numbers(int, "one integer")
        self.model["fitting_net"] = {"network_size": line.checked(NEPFittingNetConfig, "network_size", neurons)}

    def take_descriptor(self, line: _Line) -> None:
        """`cutoff`, `n_max`, `basis_size` and `l_max`, which are keys of ours."""
        if line.keyword == "cutoff":
            numbers = line.numbers(float, "two numbers, or two for each element", range(2, 1000, 2))
        elif line.keyword == "l_max":
            numbers = line.numbers(int, "one to seven integers", range(1, 8))
        else:
            numbers = line.numbers(int, "two integers", (2,))
        self.descriptor[line.keyword] = line.checked(NEPDescriptorConfig, line.keyword, numbers)

    def take_zbl(self, line: _Line) -> None:
        """`zbl OUTER`."""
        (outer,) = line.numbers(float, "one number")
        if not 0 < outer < float("inf"):
            raise line.error(f"`zbl`: expected an outer distance above 0 Å, got {outer:g}")
        self.zbl = (outer, self.zbl[1])

    def take_typewise_zbl(self, line: _Line) -> None:
        """`use_typewise_cutoff_zbl [FACTOR]`."""
        (factor,) = line.numbers(float, "at most one number", (0, 1)) or [0.7]
        if not 0 < factor < float("inf"):
            raise line.error(f"`{line.keyword}`: expected a factor above 0, got {factor:g}")
        self.zbl = (self.zbl[0], factor)

    def take_weight(self, line: _Line) -> None:
        """`lambda_e`, `lambda_f` and `lambda_v`."""
        (weight,) = line.numbers(float, "one number")
        if not 0 <= weight < float("inf"):
            raise line.error(f"`{line.keyword}`: expected a weight from 0 on, got {weight:g}")
        quantity, key, ours, usual = _WEIGHTS[line.keyword]
        self.optimizer |= {f"train_{quantity}": weight > 0, key: ours * weight / usual}

    def take_prediction(self, line: _Line) -> None:
        """`prediction 0` or `1`."""
        (mode,) = line.numbers(int, "0 or 1")
        if mode not in (0, 1):
            raise line.error(f"`prediction`: expected 0 or 1, got {mode}")
        self.is_prediction = mode == 1
        if self.is_prediction:
            self.notices.append(f"{line.where}: `prediction 1` trains nothing; the command for it is `pwmlff test`")

    def take_start(self, line: _Line) -> None:
        """`fine_tune MODEL RESTART`; the restart file belongs to the evolution strategy."""
        if len(line.values) not in (1, 2):
            raise line.error("expected `fine_tune`, a model and a restart file")
        self.values["model_load_file"] = str(self.folder / line.values[0])

    def take_seed(self, line: _Line) -> None:
        """`seed N`."""
        (seed,) = line.numbers(int, "one integer")
        if not 0 <= seed < 2**63:
            raise line.error(f"`seed`: expected an integer from 0 to 2^63 - 1, got {seed}")
        self.values["seed"] = seed

    def refuse_typewise(self, line: _Line) -> None:
        """`use_typewise_cutoff`, of old versions."""
        raise line.error("`use_typewise_cutoff` is not known; list the cutoffs of each element after `cutoff`")

    def run_file(self) -> dict[str, Any]:
        """Return all keys; a file `zbl.in` gives each pair of elements a repulsion of its own."""
        rows, (outer, factor) = self.folder / "zbl.in", self.zbl
        if outer is not None:
            self.values["zbl"] = {"flexible": _read_rows(rows)} if rows.exists() else repulsion(outer, factor)
        train, test = self.folder / "train.xyz", self.folder / "test.xyz"
        if self.is_prediction:
            model = {"model_load_file": str(self.folder / "nep.txt"), "test_data": [str(train)]}
            return {**self.values, **model, "format": "extxyz"}
        data: dict[str, Any] = {"train_data": [str(train)], "format": "extxyz"}
        data |= {"valid_data": [str(test)]} if test.exists() else {"valid_ratio": 0.0}
        return {**self.values, **data, "optimizer": self.optimizer}


_TRANSLATED: dict[str, Callable[[_NepIn, _Line], None]] = {
    "type": _NepIn.take_type,
    "version": _NepIn.take_version,
    "neuron": _NepIn.take_neuron,
    **dict.fromkeys(("cutoff", "n_max", "basis_size", "l_max"), _NepIn.take_descriptor),
    "zbl": _NepIn.take_zbl,
    "use_typewise_cutoff_zbl": _NepIn.take_typewise_zbl,
    **dict.fromkeys(_WEIGHTS, _NepIn.take_weight),
    "prediction": _NepIn.take_prediction,
    "fine_tune": _NepIn.take_start,
    "seed": _NepIn.take_seed,
    "use_typewise_cutoff": _NepIn.refuse_typewise,
}


def read_nep_in(path: Path) -> tuple[dict[str, Any], list[str]]:
    """Return a `nep.in` as a run file of ours, and one line for the user for each keyword that is not used.

    Raises:
        ConfigError: One line that names file and line, and says what was expected.
    """
    run_file, numbers = _NepIn(path.parent), dict[str, int]()
    for number, words in _words(path):
        line = _Line(f"'{path}' line {number}", words[0], words[1:])
        if line.keyword in numbers:
            raise line.error(f"`{line.keyword}` stands in line {numbers[line.keyword]} already; keep one")
        numbers[line.keyword] = number
        run_file.take(line)
    if "type" not in numbers:
        raise ConfigError(f"'{path}' lacks the line `type`, expected one such as `type 2 Te Pb`")
    if "use_typewise_cutoff_zbl" in numbers and "zbl" not in numbers:
        number = numbers["use_typewise_cutoff_zbl"]
        raise ConfigError(f"'{path}' line {number}: `use_typewise_cutoff_zbl` needs a line `zbl` too")
    n_cutoffs, n_types = len(run_file.descriptor["cutoff"]), len(run_file.values["atom_type"])
    if n_cutoffs not in (2, 2 * n_types):
        raise ConfigError(
            f"'{path}' line {numbers['cutoff']}: `cutoff`: expected 2 numbers, or 2 for each of {n_types} elements, "
            f"got {n_cutoffs}"
        )
    return run_file.run_file(), run_file.notices


def _read_rows(path: Path) -> list[list[float]]:
    """Return the rows of a `zbl.in`, one for each pair of elements."""
    rows = []
    for number, words in _words(path):
        try:
            rows.append([float(word) for word in words])
        except ValueError:
            rows.append([])
        if len(rows[-1]) != _ZBL_ROW:
            raise ConfigError(
                in_one_line(f"'{path}' line {number}: expected {_ZBL_ROW} numbers, got {' '.join(words)}")
            )
    return rows


def _words(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield number and words of each line that has some, without comments."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(f"cannot read '{path}': {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"'{path}' is no text file, expected UTF-8 (byte {error.start})") from error
    for number, content in enumerate(text.splitlines(), start=1):
        words = content.split("#", 1)[0].split()
        if words:
            yield number, words
