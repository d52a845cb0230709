"""Symmetry functions as data: what a network of Behler and Parrinello sees of an atom's neighbourhood.

For central atom i, neighbours j and k, and the cutoff function f_c (`ops/reference/cutoffs.py`):

    G1     = sum_j f_c
    G2     = sum_j exp(-eta (r - r_s)^2) f_c
    G3     = sum_j cos(kappa r) f_c
    piece  = sum_j p(r; c, h)                    p = [1 + cos(pi (r - c) / h)] / 2 where |r - c| < h, else 0
    G4     = 2^(1 - zeta) sum_{j<k} (1 + lambda cos theta)^zeta
             exp(-eta [(r_ij - r_s)^2 + (r_ik - r_s)^2 + (r_jk - r_s)^2]) f_c(ij) f_c(ik) f_c(jk)
    G5     = the same without the terms of r_jk
    triple = sum over ordered pairs (j, k) of p(r_ij; c_1, h_1) p(r_ik; c_2, h_2) p(r_jk; c_3, h_3)

(Behler, J. Chem. Phys. 134, 074106, 2011; piece and triple are features 1 and 2 of PWMLFF). Each term has a weight by
the elements of j, or of j and k, and each sum a constant `factor`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any, ClassVar, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_serializer, model_validator
from pydantic.functional_serializers import SerializerFunctionWrapHandler

from pwmlff.elements import atomic_number_of, symbol_of
from pwmlff.errors import ConfigError

LARGEST_CUTOFF = 20.0  # Å
MOST_FUNCTIONS = 2**16


class Kind(NamedTuple):
    """What a type of function has.

    Attributes:
        number: Of the kind in the stored arrays.
        n_neighbors: 1 for radial functions, 2 for angular ones.
        parameters: Keys, in the order of the stored arrays after the cutoff.
    """

    number: int
    n_neighbors: int
    parameters: tuple[str, ...]


KINDS: Mapping[str, Kind] = {
    "G1": Kind(1, 1, ()),
    "G2": Kind(2, 1, ("eta", "r_s")),
    "G3": Kind(3, 1, ("kappa",)),
    "G4": Kind(4, 2, ("eta", "r_s", "lambda", "zeta")),
    "G5": Kind(5, 2, ("eta", "r_s", "lambda", "zeta")),
    "piece": Kind(6, 1, ("centers", "half_widths")),
    "triple": Kind(7, 2, ("centers", "half_widths")),
}
_PIECEWISE = ("piece", "triple")
_OPTIONAL = ("r_s",)


class SymmetryFunction(BaseModel):
    """One symmetry function, or the same one for every element.

    It is hashable, and `model_dump(mode="json")` is what a run file holds.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, allow_inf_nan=False)

    type: Literal["G1", "G2", "G3", "G4", "G5", "piece", "triple"] = Field(description="which formula")
    central: str | None = Field(default=None, description="element of the atoms it describes; null: every element")
    neighbors: tuple[str, ...] | None = Field(
        default=None, description="element of the neighbour, or of both neighbours of an angular one; null: all"
    )
    weights: Literal["one", "Z"] = Field(
        default="one", description="how neighbours count when they may be of all elements: once, or by atomic number"
    )
    factor: float = Field(default=1.0, description="multiplies the sum")
    cutoff: float | None = Field(
        default=None, gt=0, le=LARGEST_CUTOFF, description="Å; that of a piece or triple follows from its pieces"
    )
    eta: float | None = Field(default=None, ge=0, description="1/Å²; of G2, G4, G5")
    r_s: float | None = Field(default=None, description="centre of the Gaussians, Å; 0 where it is not given")
    kappa: float | None = Field(default=None, description="1/Å; of G3")
    lambda_: float | None = Field(
        default=None, alias="lambda", ge=-1, le=1, description="sign of the cosine, 1 or -1; of G4, G5"
    )
    zeta: float | None = Field(default=None, ge=1, description="exponent of the angular term; of G4, G5")
    centers: tuple[float, ...] | None = Field(
        default=None, description="centres of the pieces, Å: one, or three of a triple (to j, to k, between j and k)"
    )
    half_widths: tuple[float, ...] | None = Field(default=None, description="half widths of the pieces, Å")

    _KEYS: ClassVar[tuple[str, ...]] = ("cutoff", "eta", "r_s", "kappa", "lambda", "zeta", "centers", "half_widths")

    @field_validator("central", mode="before")
    @classmethod
    def _symbol(cls, value: Any) -> Any:
        return None if value is None else _symbol_of(value)

    @field_validator("neighbors", mode="before")
    @classmethod
    def _symbols(cls, value: Any) -> Any:
        if value is None:
            return None
        entries = [value] if isinstance(value, (str, int)) else value
        if not isinstance(entries, (list, tuple)):
            raise ValueError(f'expected a list of elements such as ["O"], got {value!r}')
        return tuple(_symbol_of(entry) for entry in entries)

    @model_validator(mode="after")
    def _fits_its_type(self) -> SymmetryFunction:
        kind, name = KINDS[self.type], f"a {self.type}"
        known = kind.parameters if self.type in _PIECEWISE else ("cutoff", *kind.parameters)
        for key in self._KEYS:
            value = self.parameter(key)
            if value is None and key in known and key not in _OPTIONAL:
                raise ValueError(f"{name} needs `{key}`")
            if value is not None and key not in known:
                raise ValueError(f"`{key}` is no parameter of {name}, which has {', '.join(known)}")
        if self.neighbors is not None:
            if len(self.neighbors) != kind.n_neighbors:
                count = "1 element" if kind.n_neighbors == 1 else "2 elements"
                raise ValueError(f"`neighbors` of {name}: expected {count}, got {' '.join(self.neighbors) or 'none'}")
            if self.weights != "one":
                raise ValueError("`weights` is for functions of all neighbours; leave out `neighbors`, or `weights`")
        if self.type in _PIECEWISE:
            self._check_pieces()
        return self

    def _check_pieces(self) -> None:
        expected = 1 if self.type == "piece" else 3
        for key in ("centers", "half_widths"):
            given = getattr(self, key)
            if len(given) != expected:
                raise ValueError(f"`{key}` of a {self.type}: expected {expected} numbers, got {len(given)}")
        if min(self.half_widths or ()) <= 0:
            raise ValueError(f"`half_widths`: expected numbers > 0, got {min(self.half_widths or ())}")
        if not 0 < self.reach <= LARGEST_CUTOFF:
            raise ValueError(f"its pieces end at {self.reach:g} Å, expected more than 0 and up to {LARGEST_CUTOFF:g} Å")

    @model_serializer(mode="wrap")
    def _without_nothing(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out what has its default, and call `lambda` by its name."""
        defaults = {name: field.default for name, field in type(self).model_fields.items()}
        values = {name: value for name, value in handler(self).items() if value != defaults.get(name)}
        return {{"lambda_": "lambda"}.get(name, name): value for name, value in values.items()}

    def parameter(self, key: str) -> Any:
        """Return a parameter by its key in the run file; None where it was not given."""
        return getattr(self, "lambda_" if key == "lambda" else key)

    @property
    def is_radial(self) -> bool:
        """Whether it is a sum over neighbours, not over pairs of them."""
        return KINDS[self.type].n_neighbors == 1

    @property
    def reach(self) -> float:
        """The distance from which on a neighbour has no influence, Å."""
        if self.cutoff is not None:
            return self.cutoff
        assert self.centers is not None
        assert self.half_widths is not None
        # the third piece of a triple is between the neighbours
        ends = [center + half for center, half in zip(self.centers[:2], self.half_widths[:2], strict=True)]
        return max(ends)

    @property
    def row(self) -> tuple[float, ...]:
        """The reach and the parameters in the order of the stored arrays."""
        values: list[float] = [self.reach]
        for key in KINDS[self.type].parameters:
            value = self.parameter(key)
            values += value if isinstance(value, tuple) else [0.0 if value is None else value]
        return tuple(values)

    def is_for(self, element: str) -> bool:
        """Whether it describes atoms of an element."""
        return self.central in (None, element)

    def __str__(self) -> str:
        """Return it in one line."""
        around = "each element" if self.central is None else self.central
        seen = f"all by {self.weights}" if self.neighbors is None else " ".join(self.neighbors)
        numbers = ((key, self.parameter(key)) for key in self._KEYS)
        words = [f"{key} {_number(value)}" for key, value in numbers if value is not None]
        return f"{self.type} of {around} with {seen}: {', '.join(words)}"


def functions_of(functions: Sequence[SymmetryFunction], element: str) -> list[SymmetryFunction]:
    """Return those of the atoms of an element, radial before angular, otherwise in their order: that of its inputs."""
    own = [function for function in functions if function.is_for(element)]
    return [f for f in own if f.is_radial] + [f for f in own if not f.is_radial]


def copies(function: SymmetryFunction, descendants: Mapping[str, Sequence[str]]) -> list[SymmetryFunction]:
    """Return a function with its elements replaced in every way, those of the same meaning once.

    Args:
        function: Of any elements.
        descendants: What may stand for each element, itself included; a function of another element has no copy.
    """
    centers = [None] if function.central is None else descendants.get(function.central, ())
    slots = [descendants.get(symbol, ()) for symbol in function.neighbors or ()]
    neighbors: dict[tuple[str, ...], tuple[str, ...]] = {}
    for symbols in product(*slots):
        neighbors.setdefault(symbols if function.type == "triple" else tuple(sorted(symbols)), symbols)
    return [
        function.model_copy(update={"central": central, "neighbors": symbols if function.neighbors else None})
        for central in centers
        for symbols in neighbors.values()
    ]


def neighbor_weights(function: SymmetryFunction, elements: Sequence[str]) -> list[float]:
    """Return the weights of a radial function by the type of the neighbour, its factor included.

    Args:
        function: With neighbours among these elements.
        elements: Symbols in type order.
    """
    if function.neighbors is not None:
        return [function.factor * (element == function.neighbors[0]) for element in elements]
    return [function.factor * each for each in _counts(function, elements)]


def pair_weights(function: SymmetryFunction, elements: Sequence[str]) -> list[list[float]]:
    """Return the weights of an angular function by the types of j and k; arguments as in `neighbor_weights`.

    They are symmetric, but for a triple: its first two pieces belong to j and k in this order.
    """
    if function.neighbors is None:
        counts = _counts(function, elements)
        return [[function.factor * a * b for b in counts] for a in counts]
    first, second = function.neighbors
    orders = {(first, second)} if function.type == "triple" else {(first, second), (second, first)}
    return [[function.factor * ((a, b) in orders) for b in elements] for a in elements]


def element_problems(functions: Sequence[SymmetryFunction], elements: Sequence[str]) -> list[str]:
    """Return one line per problem that functions have with these elements, given as symbols in type order.

    Each begins with the place of its key, `functions` or one of them.
    """
    problems = []
    for place, function in enumerate(functions):
        for symbol in dict.fromkeys((function.central, *(function.neighbors or ()))):
            if symbol is not None and symbol not in elements:
                problems.append(f"functions.{place}: {symbol} is none of the elements {' '.join(elements)}")
    for element in elements:
        if not functions_of(functions, element):
            problems.append(f"functions: none describes {element}; add one with it as `central`, or without `central`")
    return problems


def _counts(function: SymmetryFunction, elements: Sequence[str]) -> list[float]:
    return [float(atomic_number_of(element)) if function.weights == "Z" else 1.0 for element in elements]


def _symbol_of(value: Any) -> str:
    try:
        return symbol_of(atomic_number_of(value))
    except ConfigError as error:
        raise ValueError(str(error)) from None


def _number(value: Any) -> str:
    return " ".join(f"{each:g}" for each in value) if isinstance(value, tuple) else f"{value:g}"
