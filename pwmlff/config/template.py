"""A commented run file to start from, written from the fields of the configuration classes."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from pwmlff.config.choice import chosen_by
from pwmlff.config.fields import bounds_words, default_of, section_class
from pwmlff.config.run import run_class
from pwmlff.errors import ConfigError, did_you_mean
from pwmlff.models import MODELS
from pwmlff.optim import OPTIMIZERS

_TOP_KEYS = ("train_data", "valid_data", "valid_ratio", "precision", "seed", "zbl")
_OPTIMIZER = "LKF"  # tens of epochs, no learning rate
_OPTIMIZER_KEYS = (
    "optimizer",
    "epochs",
    "train_energy",
    "train_force",
    "train_virial",
    "pre_fac_force",
    "pre_fac_etot",
    "weight_decay",
)
_OVERRIDES = {"epochs": 60}  # the errors on other frames have settled by then, see `docs/training.md`
_INDENT = "    "


def starting_file(
    model: str,
    elements: Sequence[str],
    data: Sequence[str],
    settings: BaseModel | None = None,
    remarks: Sequence[str] = (),
) -> str:
    """Return the text of a run file that `load_config` accepts.

    Args:
        model: A name in `MODELS`, upper or lower case.
        elements: Symbols in type order.
        data: Files or folders to train on.
        settings: The `model` section, an instance of the model's `Config`; None for its defaults.
        remarks: Lines about it.

    Raises:
        ConfigError: There is no such model.
    """
    key = model.strip().upper().replace("-", "_")
    if key not in MODELS:
        raise ConfigError(f"there is no model '{model}'; {did_you_mean(key, MODELS)}")
    row = MODELS[key]
    fields = run_class(row).model_fields
    choice = {name: value for name, value in chosen_by(key).items() if value != default_of(fields[name])}
    values = {"model_type": choice.pop("model_type"), "atom_type": list(elements), **choice, "train_data": list(data)}
    names = dict.fromkeys((*values, *_TOP_KEYS))
    lines = [_member(name, values.get(name, default_of(fields[name])), fields[name]) for name in names]
    description = fields["model"].description
    given = None if settings is None else settings.model_dump(mode="json")
    text, comment = _section(
        "model", row.Config, depth=1, skipped=row.RunFile.unused, description=description, given=given
    )
    lines.append(("".join(f"// {remark}\n{_INDENT}" for remark in remarks) + text, comment))
    optimizer = OPTIMIZERS[_OPTIMIZER].Config
    description = fields["optimizer"].description
    lines.append(_section("optimizer", optimizer, _OPTIMIZER_KEYS, depth=1, description=description))
    head = "// Input of `pwmlff train`. All keys: `pwmlff schema --markdown`. Text after // is a comment.\n"
    return head + "{\n" + _joined(lines, depth=1) + "}\n"


def _section(
    name: str,
    section: type[BaseModel],
    keys: Sequence[str] = (),
    *,
    depth: int,
    skipped: Collection[str] = (),
    description: str | None = None,
    given: Mapping[str, Any] | None = None,
) -> tuple[str, str]:
    """Return a section with its comment; `keys` limits it to these keys, without any it holds all but `skipped`.

    A key of a section below this one is `skipped` by its dotted path. `given` are its values; None for the defaults.
    """
    members = []
    for key, field in section.model_fields.items():
        if key in skipped or (keys and key not in keys):
            continue
        value = _OVERRIDES.get(key, default_of(field)) if given is None else given[key]
        nested = section_class(field.annotation)
        if nested is not None and isinstance(value, list):
            members.append(_list(key, value, field, depth + 1))
        elif nested is not None and value is not None:
            below = [path.removeprefix(f"{key}.") for path in skipped if path.startswith(f"{key}.")]
            members.append(
                _section(
                    key,
                    nested,
                    depth=depth + 1,
                    skipped=below,
                    description=field.description,
                    given=None if given is None else value,
                )
            )
        elif value is not PydanticUndefined:
            members.append(_member(key, value, field))
    comment = f"  // {description}" if description else ""
    body = _joined(members, depth=depth + 1)
    return f'"{name}": {{{comment}\n{body}{_INDENT * depth}}}', ""


def _list(name: str, sections: Sequence[Any], field: FieldInfo, depth: int) -> tuple[str, str]:
    """Return a list of sections, each in a line."""
    comment = f"  // {field.description}" if field.description else ""
    rows = [f"{_INDENT * (depth + 1)}{json.dumps(section, ensure_ascii=False)}" for section in sections]
    body = ",\n".join(rows)
    return f"{json.dumps(name)}: [{comment}\n{body}\n{_INDENT * depth}]", ""


def _member(name: str, value: Any, field: FieldInfo) -> tuple[str, str]:
    """Return `"name": value` and the comment behind it."""
    bounds = bounds_words(field)
    comment = (field.description or "") + (f" ({bounds})" if bounds else "")
    return f"{json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}", comment


def _joined(members: Sequence[tuple[str, str]], depth: int) -> str:
    text = ""
    for position, (member, comment) in enumerate(members):
        comma = "," if position + 1 < len(members) else ""
        text += f"{_INDENT * depth}{member}{comma}" + (f"  // {comment}" if comment else "") + "\n"
    return text
