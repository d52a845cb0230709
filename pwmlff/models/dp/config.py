"""The `model` section of a Deep Potential in the run file."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from pwmlff.descriptors.properties import DEFAULT_PROPERTIES
from pwmlff.models.base import NetworkConfig

WIDEST_LAYER = 2**20
MOST_LAYERS = 100

Activation = Literal["tanh", "sigmoid"]


class TypeEmbeddingConfig(BaseModel):
    """Section `type_embedding` of the descriptor."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    physical_property: tuple[str, ...] = Field(
        default=DEFAULT_PROPERTIES, min_length=1, description="properties of the neighbour's element fed to the net"
    )


class DPDescriptorConfig(BaseModel):
    """Section `descriptor` of a Deep Potential."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    Rmax: float = Field(default=6.0, gt=0, le=20, description="cutoff, Å")
    Rmin: float = Field(default=0.5, ge=0, description="distance where the switch to zero begins, Å")
    M2: int = Field(default=16, ge=1, description="number of axis features")
    network_size: tuple[int, ...] = Field(
        default=(25, 25, 25), min_length=1, description="widths of the embedding net's layers"
    )
    bias: bool = Field(default=True, description="whether the embedding layers have a bias")
    resnet_dt: bool = Field(default=False, description="whether residual layers scale their activation")
    activation: Activation = Field(default="tanh", description="activation of the embedding net")
    type_embedding: TypeEmbeddingConfig = Field(
        default_factory=TypeEmbeddingConfig, description="used when the model has type embedding"
    )

    @field_validator("network_size")
    @classmethod
    def _positive(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        return _positive_widths(value)

    @model_validator(mode="after")
    def _consistent(self) -> DPDescriptorConfig:
        if self.Rmin >= self.Rmax:
            raise ValueError(f"`Rmin` ({self.Rmin} Å) must be smaller than `Rmax` ({self.Rmax} Å)")
        if self.network_size[-1] < self.M2:
            raise ValueError(f"`M2` ({self.M2}) exceeds the last width of `network_size` ({self.network_size[-1]})")
        return self


class FittingNetConfig(BaseModel):
    """Section `fitting_net`; the output layer of width 1 may be written or left out."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    network_size: tuple[int, ...] = Field(
        default=(50, 50, 50, 1), min_length=1, description="widths of the fitting net's layers"
    )
    bias: bool = Field(default=True, description="whether the hidden layers have a bias")
    resnet_dt: bool = Field(default=True, description="whether residual layers scale their activation")
    activation: Activation = Field(default="tanh", description="activation of the fitting net")

    @field_validator("network_size")
    @classmethod
    def _ends_in_one(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        value = _positive_widths(value)
        value = value if value[-1] == 1 else (*value, 1)
        if len(value) < 2:
            raise ValueError("needs at least one hidden layer before the output of width 1")
        return value


class DPConfig(NetworkConfig):
    """Section `model` of a Deep Potential."""

    descriptor: DPDescriptorConfig = Field(default_factory=DPDescriptorConfig, description="what an atom sees")
    fitting_net: FittingNetConfig = Field(default_factory=FittingNetConfig, description="from descriptor to energy")


def _positive_widths(value: tuple[int, ...]) -> tuple[int, ...]:
    if any(width < 1 for width in value):
        raise ValueError(f"layer widths must be positive, got {list(value)}")
    if max(value) > WIDEST_LAYER:
        raise ValueError(f"layer widths must be at most {WIDEST_LAYER}, got {max(value)}")
    if len(value) > MOST_LAYERS:
        raise ValueError(f"expected at most {MOST_LAYERS} layers, got {len(value)}")
    return value
