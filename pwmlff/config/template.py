"""A commented run file to start from, written from the fields of the configuration classes."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
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

USUAL_OPTIMIZER = "LKF"  # tens of epochs, no learning rate
_TOP_KEYS = ("train_data", "valid_data", "valid_ratio", "precision", "seed", "zbl")
# those of them that the optimizer has
_OPTIMIZER_KEYS = (
    "optimizer",
    "epochs",
    "train_energy",
    "train_force",
    "train_virial",
    "learning_rate",
    "stop_lr",
    "pre_fac_force",
    "pre_fac_etot",
    "pre_fac_virial",
    "start_pre_fac_force",
    "start_pre_fac_etot",
    "start_pre_fac_virial",
    "weight_decay",
)
_INDENT = "    "
_Values = Mapping[str, Any]
_NOTHING: _Values = MappingProxyType({})


def starting_file(
    model: str,
    elements: Sequence[str],
    data: Sequence[str],
    *,
    optimizer: str = USUAL_OPTIMIZER,
    values: _Values = _NOTHING,
    reasons: Mapping[str, str] = _NOTHING,
    remarks: Sequence[str] = (),
) -> str:
    """Return the text of a run file that `load_config` accepts.

    Args:
        model: A name in `MODELS`, upper or lower case.
        elements: Symbols in type order.
        data: Files or folders to train on.
        optimizer: A name in `OPTIMIZERS`, likewise.
        values: What differs from the defaults, as JSON: nested like the run file; `model` is whole where it is given.
        reasons: Comments in place of the description of a key, by its dotted path.
        remarks: Lines above the section `model`.

    Raises:
        ConfigError: There is no such model or optimizer.
    """
    key, optimizer = _row_name(model, MODELS, "model"), _row_name(optimizer, OPTIMIZERS, "optimizer")
    row = MODELS[key]
    fields = run_class(row).model_fields
    choice = {name: value for name, value in chosen_by(key).items() if value != default_of(fields[name])}
    top = {"model_type": choice.pop("model_type"), "atom_type": list(elements), **choice, "train_data": list(data)}
    top |= {name: value for name, value in values.items() if name not in ("model", "optimizer")}
    names = dict.fromkeys((*top, *_TOP_KEYS))
    lines = [_member(name, top.get(name, default_of(fields[name])), fields[name], reasons.get(name)) for name in names]
    writer = _Sections(reasons)
    skipped = [f"model.{path}" for path in row.RunFile.unused]
    text, comment = writer.section(
        "model", row.Config, values.get("model"), skipped=skipped, description=fields["model"].description
    )
    lines.append(("".join(f"// {remark}\n{_INDENT}" for remark in remarks) + text, comment))
    config = OPTIMIZERS[optimizer].Config
    chosen = {"optimizer": optimizer, **values.get("optimizer", {})}
    given = {name: chosen.get(name, default_of(field)) for name, field in config.model_fields.items()}
    skipped = [f"optimizer.{name}" for name in given if name not in _OPTIMIZER_KEYS and name not in chosen]
    lines.append(
        writer.section("optimizer", config, given, skipped=skipped, description=fields["optimizer"].description)
    )
    head = "// Input of `pwmlff train`. All keys: `pwmlff schema --markdown`. Text after // is a comment.\n"
    return head + "{\n" + _joined(lines, depth=1) + "}\n"


def _row_name(name: str, rows: Mapping[str, Any], kind: str) -> str:
    key = name.strip().upper().replace("-", "_")
    if key not in rows:
        raise ConfigError(f"there is no {kind} '{name}'; {did_you_mean(key, rows)}")
    return key


class _Sections:
    """Writes sections with a comment behind every value."""

    def __init__(self, reasons: Mapping[str, str]) -> None:
        self._reasons = reasons

    def section(
        self,
        path: str,
        section: type[BaseModel],
        given: _Values | None,
        *,
        skipped: Collection[str] = (),
        description: str | None = None,
    ) -> tuple[str, str]:
        """Return a section with its comment.

        Args:
            path: Dotted, of the section.
            section: Its class.
            given: Its values; None for the defaults.
            skipped: Dotted paths that are left out.
            description: Of the section.
        """
        depth = path.count(".") + 1
        members = []
        for key, field in section.model_fields.items():
            below = f"{path}.{key}"
            value = default_of(field) if given is None else given[key]
            if below in skipped or value is PydanticUndefined:
                continue
            nested = section_class(field.annotation)
            if nested is not None and isinstance(value, list):
                members.append(_list(key, value, field, depth + 1))
            elif nested is not None and value is not None:
                values = None if given is None else value
                members.append(self.section(below, nested, values, skipped=skipped, description=field.description))
            else:
                members.append(_member(key, value, field, self._reasons.get(below)))
        comment = f"  // {description}" if description else ""
        body = _joined(members, depth=depth + 1)
        return f'"{path.rpartition(".")[2]}": {{{comment}\n{body}{_INDENT * depth}}}', ""


def _list(name: str, sections: Sequence[Any], field: FieldInfo, depth: int) -> tuple[str, str]:
    """Return a list of sections, each in a line."""
    comment = f"  // {field.description}" if field.description else ""
    rows = [f"{_INDENT * (depth + 1)}{json.dumps(section, ensure_ascii=False)}" for section in sections]
    body = ",\n".join(rows)
    return f"{json.dumps(name)}: [{comment}\n{body}\n{_INDENT * depth}]", ""


def _member(name: str, value: Any, field: FieldInfo, reason: str | None = None) -> tuple[str, str]:
    """Return `"name": value` and the comment behind it."""
    bounds = bounds_words(field)
    comment = reason or (field.description or "") + (f" ({bounds})" if bounds else "")
    return f"{json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}", comment


def _joined(members: Sequence[tuple[str, str]], depth: int) -> str:
    text = ""
    for position, (member, comment) in enumerate(members):
        comma = "," if position + 1 < len(members) else ""
        text += f"{_INDENT * depth}{member}{comma}" + (f"  // {comment}" if comment else "") + "\n"
    return text
