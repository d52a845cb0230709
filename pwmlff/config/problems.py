"""Turning what pydantic finds wrong into lines a user can act on: option path, what was expected, what was given."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel, ValidationError

from pwmlff.config.fields import class_at, walk
from pwmlff.errors import ConfigError, did_you_mean, in_one_line

_LONGEST_VALUE = 60  # characters of a wrong value shown

_EXPECTED = {
    "int": "an integer",
    "float": "a number",
    "bool": "true or false",
    "string": "text in quotes",
    "tuple": "a list: [ ... ]",
    "list": "a list: [ ... ]",
    "dict": "a section: { ... }",
    "model": "a section: { ... }",
    "path": "a path in quotes",
    "finite": "a finite number",
}
# what other programs, or the other models, call our keys
_OTHER_NAMES = {
    **dict.fromkeys(("cutoff", "rcut", "r_cut", "Rc", "rc", "Rcut", "r_max", "cutoff_radius"), ("Rmax", "cutoff")),
    **dict.fromkeys(("rcut_smth", "r_min"), ("Rmin",)),
    "Rmax": ("cutoff",),
    "axis_neuron": ("M2",),
    **dict.fromkeys(("neuron", "neurons"), ("network_size",)),
    "activation_function": ("activation",),
    **dict.fromkeys(("start_lr", "lr"), ("learning_rate",)),
    **dict.fromkeys(("n_epochs", "max_num_epochs", "num_epoch"), ("epochs",)),
    **dict.fromkeys(("type_map", "elements"), ("atom_type",)),
}
_BOUNDS = {"greater_than": "gt", "greater_than_equal": "ge", "less_than": "lt", "less_than_equal": "le"}
_SIGNS = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}


def lines_of(
    error: ValidationError, root: type[BaseModel], prefix: tuple[str, ...], places: dict[str, list[str]]
) -> list[str]:
    """Return one line per problem.

    Args:
        error: What pydantic raised when it validated `root`.
        root: The class that was validated.
        prefix: Where the validated section stands in the file.
        places: Sections in which each key is known, see `known_places`.
    """
    lines = []
    for item in error.errors(include_url=False):
        location = tuple(str(part) for part in item["loc"])
        path = ".".join((*prefix, *location)) or "the file"
        if item["type"] == "extra_forbidden":
            owner = class_at(root, location[:-1])
            lines.append(f"{path}: {_unknown(location[-1], owner, (*prefix, *location[:-1]), places)}")
        elif item["type"] == "missing":
            lines.append(f"{path}: missing, and it has no default")
        elif item["type"] == "value_error":
            lines.append(f"{path}: {item['ctx']['error']}")
        else:
            lines.append(f"{path}: expected {_expected(item)}, got {_shown(item['input'])}")
    return lines


def known_places(sections: dict[tuple[str, ...], type[BaseModel]]) -> dict[str, list[str]]:
    """Return for each key the sections (dotted, "" for the top level) it is known in.

    Args:
        sections: Classes by the place of their section in the file.
    """
    places: dict[str, list[str]] = {}
    for prefix, section in sections.items():
        for dotted, _ in walk(section):
            *parents, name = dotted.split(".")
            place = ".".join((*prefix, *parents))
            if place not in places.setdefault(name, []):
                places[name].append(place)
    return places


def raise_all(lines: list[str], where: str) -> None:
    """Raise one `ConfigError` that lists all problems of `where`; do nothing without any."""
    if lines:
        count = "1 problem" if len(lines) == 1 else f"{len(lines)} problems"
        raise ConfigError(f"{where} has {count}:\n" + "\n".join(f"  {in_one_line(line)}" for line in lines))


def _unknown(name: str, owner: type[BaseModel] | None, section: tuple[str, ...], places: dict[str, list[str]]) -> str:
    known = owner.model_fields if owner is not None else {}
    ours = next((key for key in _OTHER_NAMES.get(name, ()) if key in known), None)
    if ours is not None:
        return f"unknown key; use `{ours}` ({known[ours].description})"
    elsewhere = [place for place in places.get(name, []) if place != ".".join(section)]
    if elsewhere:
        names = [f"section '{place}'" if place else "the top level" for place in elsewhere]
        return f"unknown key here; it belongs to {' or '.join(names)}"
    return f"unknown key; {did_you_mean(name, owner.model_fields if owner is not None else places)}"


def _expected(item: Any) -> str:
    kind, context = item["type"], item.get("ctx", {})
    if kind in _BOUNDS:
        bound = _BOUNDS[kind]
        return f"a number {_SIGNS[bound]} {context[bound]}"
    if kind == "literal_error":
        return str(context["expected"])
    if kind == "too_short":
        count = context["min_length"]
        return f"{count} {'entry' if count == 1 else 'entries'} or more"
    return _EXPECTED.get(kind.split("_")[0], item["msg"])


def _shown(value: Any) -> str:
    try:
        text = json.dumps(value)
    except TypeError:
        text = repr(value)
    return text if len(text) <= _LONGEST_VALUE else text[:_LONGEST_VALUE] + " ..."
