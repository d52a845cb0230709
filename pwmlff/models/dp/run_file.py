"""Run files of the Deep Potential: `type_embedding`, wherever PWMLFF and MatPL have it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, ClassVar

from pydantic import Field

from pwmlff.data.frame import Frame
from pwmlff.data.radial import reach_of_neighbors
from pwmlff.descriptors.properties import check_properties
from pwmlff.errors import ConfigError
from pwmlff.models.dp.config import DPConfig, TypeEmbeddingConfig
from pwmlff.models.run_file import RunFileHooks, Suggestion, TopLevelKeys, section_at

# what `pwmlff init` takes
_N_NEIGHBORS = 90
_CUTOFFS = 6.0, 8.0  # least and largest, Å
_STEP = 0.5  # Å
_KEYS_OF_NEP = ("n_max", "basis_size", "l_max", "type_weight", "train_2b")  # in MatPL's descriptor too
_NO_TYPE_NET = "element properties enter the embedding net directly, there is no separate type net"


class DeepPotentialKeys(TopLevelKeys):
    """Top-level keys of a Deep Potential."""

    type_embedding: bool = Field(
        default=False,
        description="one embedding net fed with element properties instead of one net per pair of types",
    )


class DeepPotentialRunFile(RunFileHooks):
    """Run files of the Deep Potential with one net per pair of types, and what both kinds share."""

    TopLevel = DeepPotentialKeys
    chosen_by = {"model_type": "DP", "type_embedding": False}
    ignored = {
        ("model", "descriptor"): dict.fromkeys(_KEYS_OF_NEP, "it is a setting of NEP"),
        ("model", "descriptor", "type_embedding"): dict.fromkeys(
            ("network_size", "bias", "resnet_dt", "activation"), _NO_TYPE_NET
        ),
    }
    sections = {"type_embedding": TypeEmbeddingConfig}
    unused: ClassVar[Collection[str]] = ("descriptor.type_embedding",)

    @classmethod
    def translate(cls, values: dict[str, Any]) -> list[str]:
        """Accept the section `type_embedding` at the top, in `model` and in `descriptor`; the last is its place.

        A section without a word at the top level switches type embedding on, as in MatPL.
        """
        for place in (values, values.get("model", {})):
            if isinstance(place, dict) and isinstance(place.get("type_embedding"), dict):
                section = place.pop("type_embedding")
                model = values.setdefault("model", {})
                descriptor = model.setdefault("descriptor", {}) if isinstance(model, dict) else None
                if isinstance(descriptor, dict):
                    descriptor.setdefault("type_embedding", section)
                values.setdefault("type_embedding", True)
        if "type_embedding" not in values and section_at(values, ("model", "descriptor", "type_embedding")):
            values["type_embedding"] = True
        return []

    @classmethod
    def suggested(cls, config: DPConfig, elements: Sequence[str], frames: Sequence[Frame]) -> Suggestion:
        """See the base; the cutoff by the number of neighbours."""
        least, farthest = _CUTOFFS
        (reach,) = reach_of_neighbors(frames, elements, [_N_NEIGHBORS], farthest)
        cutoff = min(max(_STEP * round(reach / _STEP), least), farthest)
        descriptor = config.descriptor.model_copy(update={"Rmax": cutoff})
        reason = f"cutoff, Å: about {_N_NEIGHBORS} neighbours where that is possible, {least:g} to {farthest:g} Å"
        return Suggestion(config.model_copy(update={"descriptor": descriptor}), {"descriptor.Rmax": reason})


class TypeEmbeddingRunFile(DeepPotentialRunFile):
    """Run files of the Deep Potential with type embedding."""

    chosen_by = {"model_type": "DP", "type_embedding": True}
    unused = ()

    @classmethod
    def element_problems(cls, config: DPConfig, elements: Sequence[str]) -> list[str]:
        """Return what is wrong with the properties fed to the embedding net: unknown, or undefined for an element."""
        try:
            check_properties(elements, config.descriptor.type_embedding.physical_property)
        except ConfigError as error:
            return [f"descriptor.type_embedding.{error}"]
        return []
