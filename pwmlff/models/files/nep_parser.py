"""Reads the text of a `nep.txt`, strictly: whatever is not as it should be ends in one line that names its line.

`nep_file.py` describes the text. Read as well are files of GPUMD 3.2, which do not tell numbers of neighbours, and of
GPUMD 3.9.5, which may have three more numbers on the line `cutoff`: factors of the sums of covalent radii, up to which
cutoffs and repulsion of two elements reach where that is nearer than what the file says for all; 0 and below for none.
Such a repulsion begins to fall at half of its range.

`lammps_plugin/nep_parser.cpp` reads and refuses the same, in the same words.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from pwmlff.elements import COVALENT_RADII, SYMBOLS, covalent_radius
from pwmlff.models.files.metadata import LARGEST_CUTOFF
from pwmlff.models.files.nep_file import NepFile
from pwmlff.models.zbl import ZBLConfig
from pwmlff.ops.reference import UNIVERSAL_SCREENING
from pwmlff.ops.reference.invariants import EXTRAS

LARGEST_ORDER = 19  # n_max and basis_size
LARGEST_L = 8
WIDEST_LAYER = 16384  # neurons
_ROW = 2 + len(UNIVERSAL_SCREENING)  # numbers of a pair of elements
_NUMBER = re.compile(rb"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")
_INTEGER = re.compile(rb"[0-9]{1,9}")
_LONGEST_QUOTE = 60
_KINDS = "nep3, nep4 or nep5, with or without _zbl"
_FOREIGN = (  # suffixes of models that are something else
    ("charge_vdw", "with charges and van der Waals terms"),
    ("charge", "with charges"),
    ("vdw", "with van der Waals terms"),
    ("dipole", "of dipoles"),
    ("polarizability", "of polarizabilities"),
    ("temperature", "that depends on temperature"),
    ("spin", "with spins"),
)


class NepTextError(ValueError):
    """A line is not what it should be; the message begins with its number."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(f"line {line}: {problem}")


def parse_nep(content: bytes) -> NepFile:
    """Read the content of a `nep.txt`.

    Raises:
        NepTextError: One line that says what was expected and found.
    """
    return _Parser(content).parse()


class _Parser:
    def __init__(self, content: bytes) -> None:
        self._lines = content.split(b"\n")
        while self._lines and not self._lines[-1].strip():  # an end of the last line is no line
            del self._lines[-1]
        self._number = 0  # of the line that was read last
        self._elements: tuple[str, ...] = ()

    def parse(self) -> NepFile:
        """Read all lines."""
        version, has_zbl = self._first_line()
        n_types = len(self._elements)
        zbl_line = self._number + 1
        zbl, is_flexible = self._zbl() if has_zbl else (None, False)
        cutoffs, neighbors, zbl = self._cutoff(zbl)
        n_max, basis_size = self._orders("n_max"), self._orders("basis_size")
        l_max, extras = self._l_max()
        neurons = self._neurons()

        (n_radial, n_angular), (k_radial, k_angular) = ((n + 1 for n in pair) for pair in (n_max, basis_size))
        width = n_radial + n_angular * (l_max + sum(extras))
        size = neurons * (width + 2)
        blocks = {"the net": size} if version == 3 else {f"the net of {e}": size + version - 4 for e in self._elements}
        n_nets = len(blocks)
        blocks |= {"the common bias": 1, "radial c_nk": n_radial * k_radial * n_types**2}
        blocks |= {"angular c_nk": n_angular * k_angular * n_types**2, "q_scaler": width}
        if is_flexible:
            blocks["the repulsion"] = _ROW * n_types * (n_types + 1) // 2
        first = self._number + 1
        numbers = self._numbers(blocks)
        nets = np.array([next(numbers) for _ in range(n_nets)])
        common_bias = float(next(numbers)[0])
        radial, angular = (
            next(numbers).reshape(n, k, n_types, n_types).transpose(2, 3, 0, 1)
            for n, k in ((n_radial, k_radial), (n_angular, k_angular))
        )
        scaler, rows = next(numbers), next(numbers, np.empty(0)).reshape(-1, _ROW)
        self._expect_end()
        first += nets.size + 1 + radial.size + angular.size
        if (scaler < 0).any():
            place = int(np.argmax(scaler < 0))
            raise NepTextError(first + place, f"expected a q_scaler from 0 on, got {scaler[place]:g}")
        if is_flexible:
            zbl = _flexible(rows, first + width)
        if zbl is not None:
            self._check_reach(zbl, cutoffs, zbl_line)
        return NepFile(
            version=version,
            elements=self._elements,
            zbl=zbl,
            cutoffs=cutoffs,
            neighbors=neighbors,
            n_max=n_max,
            basis_size=basis_size,
            l_max=l_max,
            extras=extras,
            neurons=neurons,
            nets=nets[:, :size],
            biases=nets[:, size:].flatten(),
            common_bias=common_bias,
            radial=radial.copy(),
            angular=angular.copy(),
            scaler=scaler,
        )

    def _first_line(self) -> tuple[int, bool]:
        """Read version and elements; return the version and whether there is a repulsion."""
        words = self._words(f"{_KINDS}, and the elements")
        kind = _text(words[0]) if words else ""
        foreign = next((meaning for mark, meaning in _FOREIGN if _is_foreign(kind, mark)), None)
        if re.fullmatch(r"nep[12]?(_zbl)?", kind):
            foreign = "of an older version"
        if foreign is not None:
            raise NepTextError(1, f"`{kind}` is a NEP {foreign}, which pwmlff does not read; it reads {_KINDS}")
        match = re.fullmatch(r"nep([345])(_zbl)?", kind)
        if match is None:
            raise self._error(_KINDS)
        symbols = [_text(word) for word in words[2:]]
        if not symbols or _integer(words[1]) != len(symbols):
            raise self._error(f"`{kind}`, the number of elements, and their symbols")
        for index, symbol in enumerate(symbols):
            if symbol not in SYMBOLS:
                raise NepTextError(1, f"`{symbol}` is no element")
            if symbol in symbols[:index]:
                raise NepTextError(1, f"{symbol} is there twice")
        self._elements = tuple(symbols)
        return int(match[1]), match[2] is not None

    def _zbl(self) -> tuple[ZBLConfig | None, bool]:
        """Return the repulsion, or that the ranges of pairs are at the end."""
        expected = "`zbl` with an inner and a larger outer radius in Å and perhaps a factor above 0, or `zbl 0 0`"
        values = self._values("zbl", expected, (2, 3))
        if values == [0.0, 0.0]:
            return None, True
        inner, outer, *factor = values
        if not (0 <= inner < outer and all(value > 0 for value in factor)):
            raise self._error(expected)
        if factor:
            self._covalent_radii()
        return ZBLConfig(inner=inner, outer=outer, typewise_factor=factor[0] if factor else None), False

    def _cutoff(self, zbl: ZBLConfig | None) -> tuple[NDArray[np.float64], tuple[int, int] | None, ZBLConfig | None]:
        """Return cutoffs, numbers of neighbours, and the repulsion, whose range may be bounded here."""
        n_types = len(self._elements)
        both = "a radial and an angular cutoff in Å" + (f", or both {n_types} times," if n_types > 1 else "")
        expected = f"`cutoff` with {both} and two numbers of neighbours"
        values = self._values("cutoff", expected, {2, 4, 7, 2 * n_types + 2})
        n_cutoffs = 2 * n_types if len(values) == 2 * n_types + 2 else 2
        words = self._line.split()[1 + n_cutoffs : 3 + n_cutoffs]
        counts = [count for count in map(_integer, words) if count is not None]
        if len(counts) < len(words):
            raise self._error(expected)
        cutoffs = np.resize(np.array(values[:n_cutoffs]), (n_types, 2))
        for radial, angular in cutoffs:
            if not 0 < angular <= radial <= LARGEST_CUTOFF:
                limits = f"{LARGEST_CUTOFF:g} >= radial cutoff >= angular cutoff > 0 in Å"
                raise NepTextError(self._number, f"expected {limits}, got {radial:g} and {angular:g}")
        if len(values) == 7:
            *factors, zbl_factor = values[4:]
            if factors[0] > 0:
                bounded = [self._bounded(*pair) for pair in zip(values[:2], factors, strict=True)]
                cutoffs = np.stack(bounded, axis=1)
            if zbl is not None and zbl_factor > 0:
                zbl = self._bounded_repulsion(zbl.outer, zbl_factor)
        return cutoffs, (counts[0], counts[1]) if counts else None, zbl

    def _bounded(self, cutoff: float, factor: float) -> NDArray[np.float64]:
        """Return cutoffs [T] whose means are  min(cutoff, factor (R_i + R_j))  with covalent radii R."""
        radii = self._covalent_radii()
        sums = factor * (radii[:, None] + radii)
        if (sums >= cutoff).all():
            return np.full(len(radii), cutoff)
        if (sums <= cutoff).all() and factor > 0:
            return 2 * factor * radii
        reason = "covalent radii bound the cutoffs of some pairs of elements only, which pwmlff does not read"
        raise NepTextError(self._number, reason)

    def _bounded_repulsion(self, outer: float, factor: float) -> ZBLConfig:
        """Return that which ends at  min(outer, factor (R_i + R_j))  and begins to fall at half of it."""
        radii = self._covalent_radii()
        first, second = np.triu_indices(len(radii))
        ends = np.minimum(factor * (radii[first] + radii[second]), outer).tolist()
        return ZBLConfig(flexible=tuple((end / 2, end, *UNIVERSAL_SCREENING) for end in ends))

    def _orders(self, keyword: str) -> tuple[int, int]:
        expected = f"`{keyword}` with two integers from 0 to {LARGEST_ORDER}"
        first, second = self._integers(keyword, expected, (2,))
        if max(first, second) > LARGEST_ORDER:
            raise self._error(expected)
        return first, second

    def _l_max(self) -> tuple[int, tuple[int, ...]]:
        expected = f"`l_max` with an integer from 0 to {LARGEST_L}, then 0 or 2 (or 1), then one to five times 0 or 1"
        largest, *switches = self._integers("l_max", expected, range(3, 2 + len(EXTRAS)))
        if largest > LARGEST_L or switches[0] > 2 or any(switch > 1 for switch in switches[1:]):
            raise self._error(expected)
        extras = [int(switch > 0) for switch in switches] + [0] * (len(EXTRAS) - len(switches))
        for extra, switch in zip(EXTRAS, extras, strict=True):
            if switch and extra.l_max > largest:
                reason = f"the invariant {extra.name} needs l up to {extra.l_max}, got {largest}"
                raise NepTextError(self._number, reason)
        return largest, tuple(extras)

    def _neurons(self) -> int:
        expected = f"`ANN` with 1 to {WIDEST_LAYER} neurons, and 0"
        first, second = self._integers("ANN", expected, (2,))
        if not (1 <= first <= WIDEST_LAYER and second == 0):
            raise self._error(expected)
        return first

    def _check_reach(self, zbl: ZBLConfig, cutoffs: NDArray[np.float64], line: int) -> None:
        """GPUMD takes the neighbours within the angular cutoff, where a farther repulsion would end in a step."""
        reaches = zbl.pair_rows(self._elements)[:, :, 1].numpy()
        angular = (cutoffs[:, None, 1] + cutoffs[:, 1]) / 2
        for i, j in np.argwhere(reaches > angular * (1 + 1e-9))[:1]:
            pair, limit = f"{self._elements[i]} and {self._elements[j]}", f"their angular cutoff {angular[i, j]:g} Å"
            reason = f"the repulsion of {pair} reaches to {reaches[i, j]:g} Å, expected at most {limit}"
            raise NepTextError(line, reason)

    def _covalent_radii(self) -> NDArray[np.float64]:
        for element in self._elements:
            if element not in SYMBOLS[: len(COVALENT_RADII)]:
                raise NepTextError(self._number, f"no covalent radius of {element} is known")
        return np.array([covalent_radius(element) for element in self._elements])

    @property
    def _line(self) -> bytes:
        """The one that was read last."""
        return self._lines[self._number - 1]

    def _words(self, expected: str) -> list[bytes]:
        """Read a line; what it should be is told if there is none."""
        self._number += 1
        if self._number > len(self._lines):
            raise NepTextError(self._number, f"expected {expected}, but the file ends here")
        return self._line.split()

    def _values(self, keyword: str, expected: str, counts: Collection[int]) -> list[float]:
        """Read a line of a keyword and one of these counts of numbers."""
        words = self._words(expected)
        values = [_finite(word) for word in words[1:]]
        numbers = [value for value in values if value is not None]
        if words[:1] != [keyword.encode()] or len(numbers) < len(values) or len(values) not in counts:
            raise self._error(expected)
        return numbers

    def _integers(self, keyword: str, expected: str, counts: Collection[int]) -> list[int]:
        words = self._words(expected)
        values = [_integer(word) for word in words[1:]]
        numbers = [value for value in values if value is not None]
        if words[:1] != [keyword.encode()] or len(numbers) < len(values) or len(values) not in counts:
            raise self._error(expected)
        return numbers

    def _numbers(self, blocks: Mapping[str, int]) -> Iterator[NDArray[np.float64]]:
        """Read the numbers of each block, one a line."""
        missing = sum(blocks.values()) - (len(self._lines) - self._number)
        for name, count in blocks.items():
            block = np.empty(count)
            for place in range(count):
                self._number += 1
                if self._number > len(self._lines):
                    numbers = f"{missing} more number{'s' if missing > 1 else ''}"
                    raise NepTextError(self._number, f"expected {numbers} from {name} on, but the file ends here")
                number = _finite(self._line.strip())
                if number is None:
                    raise self._error(f"one number of {name}")
                block[place] = number
            yield block

    def _expect_end(self) -> None:
        if self._number < len(self._lines):
            self._number += 1
            raise self._error("the end of the file")

    def _error(self, expected: str) -> NepTextError:
        """Say that the line that was read last is something else."""
        text = _text(self._line.strip())
        return NepTextError(self._number, f"expected {expected}, got " + (f"`{text}`" if text else "an empty line"))


def _flexible(rows: NDArray[np.float64], first: int) -> ZBLConfig:
    """Return the repulsion of the rows of pairs of elements, the first of which begins in this line."""
    for index, (inner, outer) in enumerate(rows[:, :2].tolist()):
        if not (0 <= inner < outer or inner == outer == 0):
            reason = f"expected a repulsion from an inner to a larger outer radius, got {inner:g} and {outer:g}"
            raise NepTextError(first + index * _ROW, reason)
    return ZBLConfig(flexible=tuple(tuple(row) for row in rows.tolist()))


def _is_foreign(kind: str, mark: str) -> bool:
    return re.fullmatch(rf"nep[0-9](_zbl)?_{mark}[0-9]*", kind) is not None


def _finite(word: bytes) -> float | None:
    """Return the number that a word is; None where it is none, or not finite."""
    number = float(word) if _NUMBER.fullmatch(word) else math.nan
    return number if math.isfinite(number) else None


def _integer(word: bytes) -> int | None:
    return int(word) if _INTEGER.fullmatch(word) else None


def _text(line: bytes) -> str:
    """Return what can be shown of a line."""
    shown = "".join(chr(byte) if 32 <= byte < 127 else "?" for byte in line[:_LONGEST_QUOTE])
    return shown + "..." if len(line) > _LONGEST_QUOTE else shown
