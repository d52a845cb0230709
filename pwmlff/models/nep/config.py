"""The `model` section of a NEP in the run file."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from pwmlff.models.base import NetworkConfig
from pwmlff.ops.reference.invariants import EXTRAS

WIDEST_LAYER = 2**20

Order = Annotated[int, Field(ge=0, le=19)]


class NEPDescriptorConfig(BaseModel):
    """Section `descriptor` of a NEP."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cutoff: tuple[float, ...] = Field(
        default=(8.0, 4.0),
        min_length=2,
        description="radial and angular cutoff, Å; or both for each element in turn, then those of a pair are means",
    )
    n_max: tuple[Order, Order] = Field(
        default=(4, 4), description="radial and angular: one less than the number of functions g_n"
    )
    basis_size: tuple[Order, Order] = Field(
        default=(8, 8), description="radial and angular: one less than the number of Chebyshev functions in each g_n"
    )
    l_max: tuple[int, ...] = Field(
        default=(4, 2, 1),
        min_length=1,
        max_length=1 + len(EXTRAS),
        description="largest l (0 to 8); then 1 (for 222 also 2, as in GPUMD) to switch on a further invariant, or 0, "
        f"in the order {', '.join(extra.name for extra in EXTRAS)}",
    )

    @field_validator("cutoff")
    @classmethod
    def _ordered(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if len(value) % 2:
            raise ValueError(f"expected a radial and an angular cutoff for each element, got {len(value)} numbers")
        for radial, angular in zip(value[::2], value[1::2], strict=True):
            if not 0 < angular <= radial <= 20:
                raise ValueError(
                    f"expected 20 >= radial cutoff >= angular cutoff > 0 in Å, got {radial:g} and {angular:g}"
                )
        return value

    @field_validator("l_max")
    @classmethod
    def _known(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        largest, *switches = value
        if not 0 <= largest <= 8:
            raise ValueError(f"expected the first number, the largest l, from 0 to 8, got {largest}")
        for place, (extra, switch) in enumerate(zip(EXTRAS, switches, strict=False)):
            if switch not in ((0, 1, 2) if place == 0 else (0, 1)):
                raise ValueError(f"expected 0 or 1 for the invariant {extra.name}, got {switch}")
            if switch and extra.l_max > largest:
                raise ValueError(f"the invariant {extra.name} needs l up to {extra.l_max}, got {largest}")
        return value

    @property
    def extras(self) -> list[int]:
        """1 for each row of `EXTRAS` that is on."""
        switches = [int(switch > 0) for switch in self.l_max[1:]]
        return switches + [0] * (len(EXTRAS) - len(switches))

    @property
    def width(self) -> int:
        """Length of the descriptor."""
        radial, angular = (n + 1 for n in self.n_max)
        return radial + angular * (self.l_max[0] + sum(self.extras))


class NEPFittingNetConfig(BaseModel):
    """Section `fitting_net` of a NEP."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    network_size: int | tuple[int, ...] = Field(
        default=40, description="neurons of the hidden layer; as a list too, with or without the output of width 1"
    )
    fix_cij: bool = Field(default=False, description="keep the coefficients of the radial functions as they start")
    fix_hiddenlayer: bool = Field(default=False, description="keep weights and biases of the hidden layer")
    fix_outlayer: bool = Field(default=False, description="keep weights and biases of the output")

    @field_validator("network_size")
    @classmethod
    def _one_layer(cls, value: int | tuple[int, ...]) -> int:
        widths = [value] if isinstance(value, int) else list(value)
        hidden = widths[:-1] if len(widths) > 1 and widths[-1] == 1 else widths
        if len(hidden) != 1:
            raise ValueError(f"a NEP has one hidden layer, expected its number of neurons, got {widths}")
        if not 1 <= hidden[0] <= WIDEST_LAYER:
            raise ValueError(f"expected 1 to {WIDEST_LAYER} neurons, got {hidden[0]}")
        return hidden[0]

    @property
    def neurons(self) -> int:
        """Of the hidden layer."""
        assert isinstance(self.network_size, int)
        return self.network_size

    @model_validator(mode="after")
    def _trains_something(self) -> NEPFittingNetConfig:
        if self.fix_cij and self.fix_hiddenlayer and self.fix_outlayer:
            raise ValueError("`fix_cij`, `fix_hiddenlayer` and `fix_outlayer` together leave nothing to train")
        return self


class NEPConfig(NetworkConfig):
    """Section `model` of a NEP."""

    version: Literal[3, 4, 5] = Field(
        default=5,
        description="3: one net for all elements; 4: one for each, and one bias for all; 5: one for each with its bias",
    )
    descriptor: NEPDescriptorConfig = Field(default_factory=NEPDescriptorConfig, description="what an atom sees")
    fitting_net: NEPFittingNetConfig = Field(
        default_factory=NEPFittingNetConfig, description="from descriptor to energy"
    )
    start: Literal["scaled", "gpumd"] = Field(
        default="scaled",
        description="weights and scaling of the descriptor to start with: made for gradients, or as GPUMD draws them",
    )


def repulsion(outer: Any, factor: Any = None) -> dict[str, Any]:
    """Return the section `zbl` of a run file for what GPUMD and MatPL say of it.

    Args:
        outer: Where it ends, Å; it begins to fall at half of that. May be no number, which is then told of the section.
        factor: Two elements repel up to this times the sum of their covalent radii; None: all up to the same distance.
    """
    section = {"inner": outer / 2 if isinstance(outer, (int, float)) else 0.0, "outer": outer}
    return section if factor is None else {**section, "typewise_factor": factor}
