"""What a model says about its run file, beyond its `model` section.

A run file is read by common code, which asks the class of the model: `Network.RunFile` is a `RunFileHooks`. A model
without keys, translations or checks of its own needs none of this.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, field_validator

from pwmlff.elements import atomic_number_of, symbol_of
from pwmlff.errors import ConfigError

if TYPE_CHECKING:
    from pwmlff.data.frame import Frame

Reasons = Mapping[str, str]

# path of another program's run file -> the file in our keys, and one line for the user per key without meaning; raises
# ConfigError with file and line
ForeignReader = Callable[[Path], tuple[dict[str, Any], list[str]]]


class TopLevelKeys(BaseModel):
    """Which model for which elements; a family with top-level keys of its own adds them in a subclass.

    The run file of the family then has these keys, and `RunConfig` these attributes. Each has a default and a
    description. In the run file of another family such a key may only have its default, unless that family or the
    common table ignores it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    model_type: str = Field(description="model to train, for instance DP; upper or lower case")
    atom_type: tuple[str, ...] = Field(
        default=(),
        description="elements by symbol or atomic number, in type order; may be left out with `model_load_file`",
    )

    @field_validator("atom_type", mode="before")
    @classmethod
    def _symbols(cls, value: Any) -> tuple[str, ...]:
        entries = [value] if isinstance(value, (str, int)) else value
        if not isinstance(entries, (list, tuple)):
            raise ValueError(f'expected a list of elements such as [29] or ["Cu", "O"], got {value!r}')
        symbols, problems = [], []
        for entry in entries:
            try:
                symbols.append(symbol_of(atomic_number_of(entry)))
            except ConfigError as error:
                problems.append(str(error))
        problems += [f"{symbol} is given twice" for symbol in dict.fromkeys(symbols) if symbols.count(symbol) > 1]
        if problems:
            raise ValueError("; ".join(problems))
        return tuple(symbols)


@dataclass(frozen=True)
class Suggestion:
    """The `model` section of a run file that is right for some data.

    Attributes:
        config: The section, an instance of the model's `Config`.
        reasons: Why a value is what it is, by its dotted path below `model`.
        lines: What else the user should know.
    """

    config: Any
    reasons: Mapping[str, str] = field(default_factory=dict)
    lines: Sequence[str] = ()


@dataclass(frozen=True)
class RadialCurve:
    """How much a neighbour counts by its distance, to be drawn.

    Attributes:
        kind: In words, such as radial.
        neighbors: Elements of the neighbours that count.
        values: At the distances asked for.
    """

    kind: str
    neighbors: tuple[str, ...]
    values: NDArray[np.float64]


class RunFileHooks:
    """What common code asks about the run files of one model, with the answers of a model that has nothing to say.

    Attributes:
        TopLevel: The top-level keys of the family.
        chosen_by: Values of top-level keys by which a run file chooses this row of `MODELS` beside or instead of
            `model_type`, which is the row's name when it is not among them. Rows that share a `model_type` share
            `TopLevel` and `translate` too, and differ in the other values.
        ignored: Reasons of keys that mean nothing to this model, by the path of their section such as
            `("model", "descriptor")`, `()` for the top level; a key that the section knows is not dropped. The keys of
            PWMLFF and MatPL that mean nothing to any model are in `pwmlff.config.compat`.
        sections: Classes of sections that may stand at the top level under one of its keys as well, from where
            `translate` moves them; for the JSON schema.
        unused: Dotted paths below `model` that `Config` has and this row does not use; `pwmlff init` leaves them out.
        readers: Of run files of other programs for such a model that are no JSON, by the suffix of their names.
    """

    TopLevel: ClassVar[type[TopLevelKeys]] = TopLevelKeys
    chosen_by: ClassVar[Mapping[str, Any]] = MappingProxyType({})
    ignored: ClassVar[Mapping[tuple[str, ...], Reasons]] = MappingProxyType({})
    sections: ClassVar[Mapping[str, type[BaseModel]]] = MappingProxyType({})
    unused: ClassVar[Collection[str]] = ()
    readers: ClassVar[Mapping[str, ForeignReader]] = MappingProxyType({})

    @classmethod
    def translate(cls, values: dict[str, Any]) -> list[str]:
        """Turn other programs' keys in a run file of this model into ours, in place.

        Args:
            values: The whole file without comments, before anything is checked: a section may hold any value.

        Returns:
            One line for the user per key that was changed.
        """
        return []

    @classmethod
    def continued(
        cls, config: Any, start: Any, elements: Sequence[str], types: Sequence[int], known: Sequence[str]
    ) -> Any:
        """Return the `model` section of a run that goes on from a trained model: what it does not say is as there.

        Args:
            config: The section, an instance of the model's `Config`.
            start: The same of the trained model.
            elements: Those of the run, in type order.
            types: The place of each of them among those of the trained model; of a new one that of its relative.
            known: Elements of the trained model, in type order.
        """
        return with_unset_from(config, start)

    @classmethod
    def for_frames(cls, config: Any, elements: Sequence[str], frames: Sequence[Frame]) -> tuple[Any, list[str]]:
        """Return the `model` section of a run with what it leaves to the training data, before anything is built.

        Args:
            config: The section, an instance of the model's `Config`.
            elements: Symbols in type order.
            frames: To train on.

        Returns:
            The section, which the checkpoint will hold, and lines for the user.

        Raises:
            ConfigError: The frames do not suffice.
        """
        return config, []

    @classmethod
    def suggested(cls, config: Any, elements: Sequence[str], frames: Sequence[Frame]) -> Suggestion:
        """Return the `model` section that `pwmlff init` writes; the arguments are those of `for_frames`.

        Here a family is free: it need not keep to the defaults of another program's keys.
        """
        config, lines = cls.for_frames(config, elements, frames)
        return Suggestion(config, lines=lines)

    @classmethod
    def for_search(cls, suggestion: Suggestion) -> Suggestion:
        """Return what `pwmlff init` writes where the optimizer draws candidates instead of following a gradient."""
        return suggestion

    @classmethod
    def radial_curves(
        cls, config: Any, elements: Sequence[str], distances: NDArray[np.float64]
    ) -> dict[str, list[RadialCurve]]:
        """Return what the atoms of each element see of the distance to a neighbour; nothing where it is not fixed.

        Args:
            config: The section, an instance of the model's `Config`.
            elements: Symbols in type order.
            distances: [n] Å.
        """
        return {}

    @classmethod
    def element_problems(cls, config: Any, elements: Sequence[str]) -> list[str]:
        """Return what is wrong with the `model` section for these elements.

        Args:
            config: An instance of the model's `Config`.
            elements: Symbols in type order; empty when a model file is to tell them.

        Returns:
            One line per problem, which begins with the path of its key below `model`.
        """
        return []


def section_at(values: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    """Return the section at `path` of a run file, or an empty one where there is none."""
    for key in path:
        values = values.get(key, {})
        if not isinstance(values, dict):
            return {}
    return values


def with_unset_from(section: Any, other: Any) -> Any:
    """Return a section in which what was not given, at any depth, is as in another of the same class."""
    update = {}
    for name in type(section).model_fields:
        own, others = getattr(section, name), getattr(other, name)
        if name not in section.model_fields_set:
            update[name] = others
        elif isinstance(own, BaseModel) and type(own) is type(others):
            update[name] = with_unset_from(own, others)
    return section.model_copy(update=update)
