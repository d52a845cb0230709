"""All keys without meaning that some run file may hold; the schema and the reference page list them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from pydantic import BaseModel

from pwmlff.config.compat import ignored_keys
from pwmlff.config.fields import class_at
from pwmlff.config.run import run_class
from pwmlff.models import MODELS, Network
from pwmlff.optim import OPTIMIZERS


class IgnoredKey(NamedTuple):
    """A key without meaning.

    Attributes:
        section: Path of its section, `()` for the top level.
        owner: Class of that section, which does not know the key.
        name: The key.
        reason: Why it is not used.
    """

    section: tuple[str, ...]
    owner: type[BaseModel]
    name: str
    reason: str


def all_ignored_keys() -> Iterator[IgnoredKey]:
    """Yield the keys that each model and optimizer ignores; a key that several ignore comes several times."""
    for row in MODELS.values():
        for section, reasons in ignored_keys(row.RunFile).items():
            owners = _owners(section, row)
            for name, reason in reasons.items():
                yield from (
                    IgnoredKey(section, owner, name, reason) for owner in owners if name not in owner.model_fields
                )


def _owners(section: tuple[str, ...], row: type[Network]) -> list[type[BaseModel]]:
    if not section:
        return [run_class(row)]
    optimizers = [optimizer.Config for optimizer in OPTIMIZERS.values()]
    roots: list[type[BaseModel]] = [row.Config] if section[0] == "model" else [*optimizers]
    return [owner for owner in (class_at(root, section[1:]) for root in roots) if owner is not None]
