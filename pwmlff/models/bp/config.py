"""The `model` section of a network of Behler and Parrinello in the run file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, field_validator, model_validator

from pwmlff.models.base import NetworkConfig
from pwmlff.models.bp.functions import MOST_FUNCTIONS, SymmetryFunction
from pwmlff.ops.reference.cutoffs import WITHOUT_INNER_RADIUS

WIDEST_LAYER = 2**20
MOST_LAYERS = 100
N_ZETA = 20  # powers of `zeta` in feature 4 of PWMLFF

Activation = Literal["tanh", "sigmoid", "softplus", "relu", "gaussian", "cos", "revlogistic", "exp", "harmonic"]
CutoffName = Literal["hard", "cos", "tanhu", "tanh", "exp", "poly1", "poly2", "poly3", "poly4"]

FEATURE_TYPES = ((1, 2), (3, 4))
# what to use instead of the other features of PWMLFF
_INSTEAD = {
    5: "moment tensors; `model_type` NEP has invariants of this kind, and trains their radial functions",
    6: "the bispectrum of SNAP; `model_type` NEP has invariants of this kind, and trains their radial functions",
    7: "Chebyshev functions in the form of the Deep Potential; use `model_type` DP, which trains them",
    8: "Gaussians in the form of the Deep Potential; use `model_type` DP, which trains them",
}


class GridConfig(BaseModel):
    """What features 1 and 2 of PWMLFF share."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    iflag_grid: Literal[1, 2, 3] = Field(
        default=3,
        description="where the pieces are: 1 geometric from `Rmin`, 2 by the distances in the training data, "
        "3 geometric with one width",
    )
    fact_base: float = Field(default=0.2, ge=0, description="of `iflag_grid` 2: part of the mean density that is added")
    dR1: float = Field(default=0.5, gt=0, description="of `iflag_grid` 2: width over which the density is smeared, Å")
    iflag_ftype: Literal[1, 2, 3] = Field(
        default=3,
        description="which pieces: 1 between second next points of the grid, 2 between third next, 3 all alike",
    )

    @model_validator(mode="after")
    def _go_together(self) -> GridConfig:
        if (self.iflag_grid == 3) != (self.iflag_ftype == 3):
            raise ValueError(
                f"`iflag_grid` 3 and `iflag_ftype` 3 go together, got {self.iflag_grid} and {self.iflag_ftype}"
            )
        return self


class Feature1Config(GridConfig):
    """Section `1` of the descriptor: piecewise cosines of the distance."""

    numOf2bfeat: int = Field(default=24, ge=1, le=1000, description="number of pieces")


class Feature2Config(GridConfig):
    """Section `2` of the descriptor: products of three pieces."""

    numOf3bfeat1: int = Field(default=3, ge=1, le=100, description="number of pieces of the distances to neighbours")
    numOf3bfeat2: int = Field(default=3, ge=1, le=100, description="number of pieces of the distance between them")
    dR2: float = Field(default=0.5, gt=0, description="`dR1` of the distance between neighbours, Å")


class Feature3Config(BaseModel):
    """Section `3` of the descriptor: Gaussians of the distance."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    n2b: int = Field(default=6, ge=1, le=1000, description="number of functions: each width around each centre")
    w: tuple[float, ...] = Field(default=(1.0, 1.5, 2.0), min_length=1, description="widths, Å")

    @field_validator("w")
    @classmethod
    def _positive(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        return _all_positive(value)


class Feature4Config(BaseModel):
    """Section `4` of the descriptor: angular functions."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    n3b: int = Field(
        default=20, ge=1, le=1000, description="number of functions, of both signs for each width, then the next `zeta`"
    )
    zeta: float = Field(default=2.0, ge=1, le=100, description="exponents are its powers 0 to 19")
    w: tuple[float, ...] = Field(
        default=(0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0), min_length=1, description="widths, Å"
    )

    @field_validator("w")
    @classmethod
    def _positive(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        return _all_positive(value)

    @model_validator(mode="after")
    def _enough(self) -> Feature4Config:
        most = 2 * len(self.w) * N_ZETA
        if self.n3b > most:
            raise ValueError(f"`n3b`: expected at most {most} for {len(self.w)} widths, got {self.n3b}")
        return self


def _feature(number: int) -> Any:
    """Return the field of the parameters of a feature of PWMLFF, whose section is its number there."""
    return Field(
        default=None,
        validation_alias=AliasChoices(f"feature_{number}", str(number)),
        description=f"parameters of feature {number} of PWMLFF; null: those below",
    )


class BPDescriptorConfig(BaseModel):
    """Section `descriptor` of a network of Behler and Parrinello."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    functions: tuple[SymmetryFunction, ...] | None = Field(
        default=None,
        min_length=1,
        max_length=MOST_FUNCTIONS,
        description="the symmetry functions; null: chosen from the training data, or those of `feature_type`",
    )
    Rmax: float = Field(default=6.0, gt=0, le=20, description="cutoff of functions that are not listed, Å")
    n_radial: int = Field(default=8, ge=0, le=1000, description="radial functions of each element to choose")
    n_angular: int = Field(default=24, ge=0, le=1000, description="angular functions of each element to choose")
    cost: float | None = Field(
        default=None,
        gt=0,
        description="most terms per atom of all functions chosen for an element, instead of `n_radial` and "
        "`n_angular`; a radial function has a term for each neighbour, an angular one for each pair of them",
    )
    neighbor_weights: Literal["resolved", "one", "Z"] = Field(
        default="resolved",
        description="whether each chosen function is for one element of the neighbours, or for all, which count once "
        "or by atomic number",
    )
    cutoff_function: CutoffName = Field(default="cos", description="how the functions end, as in n2p2")
    inner_fraction: float = Field(
        default=0.0, ge=0, lt=1, description="part of the cutoff where the cutoff function begins to fall"
    )
    normalization: Literal["standard", "range", "none"] | None = Field(
        default=None,
        description="inputs of the net: standard: mean 0 and variance 1 over the training data; range: 0 to 1, ranges "
        "below 0.1 less; none: as they are; null: range with `feature_type`, standard otherwise",
    )
    feature_type: tuple[int, ...] | None = Field(
        default=None, description="[1, 2] or [3, 4]: the functions of these features of PWMLFF"
    )
    Rmin: float = Field(default=0.5, gt=0, description="Å; of the geometric grid of features 1 and 2 of PWMLFF")
    feature_1: Feature1Config | None = _feature(1)
    feature_2: Feature2Config | None = _feature(2)
    feature_3: Feature3Config | None = _feature(3)
    feature_4: Feature4Config | None = _feature(4)

    @field_validator("feature_type")
    @classmethod
    def _supported(cls, value: tuple[int, ...] | None) -> tuple[int, ...] | None:
        if value is None or value in FEATURE_TYPES:
            return value
        for number, instead in _INSTEAD.items():
            if number in value:
                raise ValueError(f"feature {number} of PWMLFF is not made here: {instead}")
        raise ValueError(f"expected [1, 2] or [3, 4], got {list(value)}")

    @model_validator(mode="after")
    def _consistent(self) -> BPDescriptorConfig:
        if self.functions is not None and self.feature_type is not None:
            raise ValueError("`functions` and `feature_type` are two ways to say which functions; leave one out")
        if self.inner_fraction > 0 and self.cutoff_function in WITHOUT_INNER_RADIUS:
            raise ValueError(f"`inner_fraction`: the cutoff function {self.cutoff_function} has none, expected 0")
        if self.feature_type is not None and (self.cutoff_function, self.inner_fraction) != ("cos", 0.0):
            raise ValueError("`cutoff_function`: that of PWMLFF's features is cos with `inner_fraction` 0")
        if self.functions is None and self.feature_type is None and self.n_radial + self.n_angular == 0:
            raise ValueError("`n_radial` and `n_angular` are both 0, which leaves nothing to see")
        return self

    @property
    def resolved_normalization(self) -> str:
        """The normalisation, also where it is not told."""
        return self.normalization or ("range" if self.feature_type is not None else "standard")


class BPFittingNetConfig(BaseModel):
    """Section `fitting_net` of a network of Behler and Parrinello."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    network_size: tuple[int, ...] | dict[str, tuple[int, ...]] = Field(
        default=(15, 15, 1),
        description="widths of the layers, with or without the output of width 1; or of each element's, by symbol",
    )
    activation: Activation | tuple[Activation, ...] = Field(
        default="tanh", description="activation of the hidden layers, or of each of them"
    )

    @field_validator("network_size")
    @classmethod
    def _end_in_one(
        cls, value: tuple[int, ...] | dict[str, tuple[int, ...]]
    ) -> tuple[int, ...] | dict[str, tuple[int, ...]]:
        if not isinstance(value, dict):
            return _ending_in_one(value)
        sizes = {element: _ending_in_one(widths) for element, widths in value.items()}
        if len({len(widths) for widths in sizes.values()}) != 1:
            raise ValueError("the nets of all elements need the same number of layers")
        return sizes

    @model_validator(mode="after")
    def _one_for_each_layer(self) -> BPFittingNetConfig:
        if isinstance(self.activation, tuple) and len(self.activation) != self.n_hidden:
            raise ValueError(
                f"`activation`: expected one name or {self.n_hidden}, one for each hidden layer, got "
                f"{len(self.activation)}"
            )
        return self

    @property
    def n_hidden(self) -> int:
        """Number of hidden layers."""
        sizes = self.network_size
        return len(next(iter(sizes.values())) if isinstance(sizes, Mapping) else sizes) - 1

    @property
    def activations(self) -> tuple[str, ...]:
        """Of each layer; the last is linear."""
        hidden = self.activation if isinstance(self.activation, tuple) else (self.activation,) * self.n_hidden
        return (*hidden, "linear")

    def widths_of(self, element: str) -> tuple[int, ...]:
        """Return the widths of the layers of the net of an element."""
        return self.network_size[element] if isinstance(self.network_size, Mapping) else self.network_size


class BPConfig(NetworkConfig):
    """Section `model` of a network of Behler and Parrinello."""

    descriptor: BPDescriptorConfig = Field(default_factory=BPDescriptorConfig, description="what an atom sees")
    fitting_net: BPFittingNetConfig = Field(
        default_factory=BPFittingNetConfig, description="from descriptor to energy, one net for each element"
    )

    def with_functions(self, functions: Sequence[SymmetryFunction], normalization: str | None) -> BPConfig:
        """Return the section with these functions listed and this normalisation, whatever it said of them."""
        descriptor = self.descriptor
        update: dict[str, Any] = {"functions": tuple(functions), "normalization": normalization}
        update |= dict.fromkeys(("feature_type", "feature_1", "feature_2", "feature_3", "feature_4"))
        return self.model_copy(update={"descriptor": descriptor.model_copy(update=update)})


def _all_positive(value: tuple[float, ...]) -> tuple[float, ...]:
    if min(value) <= 0:
        raise ValueError(f"expected widths > 0, got {min(value):g}")
    return value


def _ending_in_one(value: tuple[int, ...]) -> tuple[int, ...]:
    value = value if value[-1:] == (1,) else (*value, 1)
    if len(value) < 2:
        raise ValueError("needs at least one hidden layer before the output of width 1")
    if not 1 <= min(value) <= max(value) <= WIDEST_LAYER:
        raise ValueError(f"layer widths must be from 1 to {WIDEST_LAYER}, got {list(value)}")
    if len(value) > MOST_LAYERS:
        raise ValueError(f"expected at most {MOST_LAYERS} layers, got {len(value)}")
    return value
