"""Walking the fields of nested configuration classes; errors, schema, documentation and template all read them here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

_WORDS = {int: "integer", float: "number", bool: "true or false", str: "text", type(None): "null"}

_LARGEST_COUNT = 2**63 - 1  # nobody gets there by choice


def section_class(annotation: Any) -> type[BaseModel] | None:
    """Return the configuration class in an annotation such as `X | None` or `SerializeAsAny[X]`, if there is one."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for part in get_args(annotation):
        section = section_class(part)
        if section is not None:
            return section
    return None


def class_at(root: type[BaseModel], path: tuple[str, ...]) -> type[BaseModel] | None:
    """Return the configuration class of the section `path` below `root`; None when there is no such section.

    A section in a list has its number in the path.
    """
    current: type[BaseModel] | None = root
    for key in path:
        if key.isdigit() and current is not None and key not in current.model_fields:
            continue
        field = current.model_fields.get(key) if current is not None else None
        current = section_class(field.annotation) if field is not None else None
    return current


def walk(root: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Yield (dotted path, field) of every field below `root`, sections before their members."""
    for name, field in root.model_fields.items():
        name = key_of(name, field)
        yield prefix + name, field
        nested = section_class(field.annotation)
        if nested is not None:
            yield from walk(nested, f"{prefix}{name}.")


def key_of(name: str, field: FieldInfo) -> str:
    """Return the key of a field in a file: its name, or its alias where that is no name in Python."""
    return field.alias or name


def default_of(field: FieldInfo) -> Any:
    """Return the default of a field as JSON-like data; `PydanticUndefined` when the field is required."""
    value = field.get_default(call_default_factory=True) if not field.is_required() else PydanticUndefined
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else value


def type_words(annotation: Any) -> str:
    """Return a type in words a user knows: `tuple[int, ...]` is "list of integer"."""
    if annotation in _WORDS:
        return _WORDS[annotation]
    origin, arguments = get_origin(annotation), get_args(annotation)
    if section_class(annotation) is not None:
        either = arguments if _is_union(origin) else (annotation,)
        words = ["list of sections" if get_origin(each) in (tuple, list) else "section" for each in either]
        words = [_WORDS.get(each, word) for each, word in zip(either, words, strict=True)]
        return " or ".join(words)
    if origin is Annotated:
        return type_words(arguments[0])
    if origin is Literal:
        return " or ".join(json.dumps(choice) for choice in arguments)
    if origin is dict:
        return "section"
    if origin in (tuple, list):
        return f"list of {type_words(arguments[0])}"
    if _is_union(origin):
        return " or ".join(type_words(argument) for argument in arguments)
    return "path" if getattr(annotation, "__name__", "") == "Path" else str(getattr(annotation, "__name__", annotation))


def _is_union(origin: Any) -> bool:
    return origin is Union or str(origin) == "<class 'types.UnionType'>"


def bounds_words(field: FieldInfo) -> str:
    """Return the bounds of a number such as "> 0, <= 20"; empty without any that says something."""
    words = []
    for rule in field.metadata:
        for kind, sign, attribute in ((Gt, ">", "gt"), (Ge, ">=", "ge"), (Lt, "<", "lt"), (Le, "<=", "le")):
            if isinstance(rule, kind) and getattr(rule, attribute) < _LARGEST_COUNT:
                words.append(f"{sign} {getattr(rule, attribute):g}")
    return ", ".join(words)
