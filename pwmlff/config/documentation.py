"""The reference page of the run file, generated from the configuration classes.

`pwmlff schema --markdown -o pwmlff/docs/configuration.md` writes it anew; a test says when that is due.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from pwmlff.config.compat import RENAMED_KEYS
from pwmlff.config.fields import bounds_words, default_of, key_of, section_class, type_words
from pwmlff.config.ignored import all_ignored_keys
from pwmlff.config.run import run_class
from pwmlff.models import MODELS
from pwmlff.optim import OPTIMIZERS

_INTRODUCTION = """# The run file

<!-- Written by `pwmlff schema --markdown`; change the configuration classes, not this page. -->

`pwmlff train` and `pwmlff test` read one JSON object with the keys of PWMLFF and MatPL. `//` begins a comment, and so
does a key with a leading underscore. Model types and optimizer names may be in upper or lower case; elements are
symbols or atomic numbers. Every problem of a file is reported at once, with the path of its key. Lengths are in Å,
energies in eV. Relative paths start in the folder the command is run in.

`pwmlff init dp` (or `nep`, `nn`) writes a commented file to start from, `pwmlff schema` the JSON schema for an editor.

A shortest file:

```json
{"model_type": "DP", "atom_type": ["Cu"], "train_data": ["MOVEMENT"]}
```
"""
_IGNORED = """They are accepted, and one line says why each is not used. In a section, a key is ignored only where the
chosen model or optimizer has no key of that name.
"""
_HEADER = "| key | type | default | meaning |\n|---|---|---|---|\n"


def configuration_page() -> str:
    """Return the page in Markdown."""
    parts = [_INTRODUCTION, "## Top level\n", _table(run_class(*MODELS.values()), "")]
    for title, section, table in (("Model", "model", MODELS), ("Optimizer", "optimizer", OPTIMIZERS)):
        by_class: dict[type[BaseModel], list[str]] = {}
        for name, row in table.items():
            by_class.setdefault(row.Config, []).append(name)
        for config, names in by_class.items():
            parts += [f"## {title}: {', '.join(names)}\n", _table(config, section + ".")]
    parts += ["## Keys of PWMLFF and MatPL that are ignored\n", _IGNORED, _ignored_table()]
    parts += ["## Older names\n", _renamed_table()]
    return "\n".join(parts)


def _table(config: type[BaseModel], prefix: str) -> str:
    return _HEADER + "".join(_rows(config, prefix))


def _rows(config: type[BaseModel], prefix: str) -> list[str]:
    rows = []
    for name, field in config.model_fields.items():
        name = key_of(name, field)
        nested = section_class(field.annotation)
        # the sections of models and optimizers have tables of their own
        is_open = prefix == "" and name in ("model", "optimizer")
        rows.append(_row(prefix + name, field, is_section=nested is not None))
        if nested is not None and not is_open:
            rows += _rows(nested, f"{prefix}{name}.")
    return rows


def _row(key: str, field: FieldInfo, *, is_section: bool) -> str:
    kind = type_words(field.annotation)
    bounds = bounds_words(field)
    default = default_of(field)
    shown = "" if is_section and default is not None else _shown(default)
    aliases = [alias for alias in getattr(field.validation_alias, "choices", ()) if alias != key.split(".")[-1]]
    nested = section_class(field.annotation)
    meaning = field.description or (nested.__doc__ or "" if nested else "").split("\n")[0]
    meaning += f"; also `{'`, `'.join(aliases)}`" if aliases else ""
    return f"| `{key}` | {kind}{f', {bounds}' if bounds else ''} | {shown} | {meaning} |\n"


def _shown(default: Any) -> str:
    if default is PydanticUndefined:
        return "required"
    text = json.dumps(default, default=str, ensure_ascii=False)
    return f"`{text}`"


def _ignored_table() -> str:
    by_reason: dict[str, dict[str, None]] = {}  # the keys are a set that keeps its order
    for section, _, name, reason in all_ignored_keys():
        by_reason.setdefault(reason, {})[".".join((*section, name))] = None
    lines = [f"| {', '.join(f'`{key}`' for key in keys)} | {reason} |\n" for reason, keys in by_reason.items()]
    return "| keys | why |\n|---|---|\n" + "".join(lines)


def _renamed_table() -> str:
    rows = "".join(f"| `{old}` | `{new}` |\n" for old, new in RENAMED_KEYS.items())
    return "| older | now |\n|---|---|\n" + rows + "| `train_valid_ratio` | 1 - `valid_ratio` |\n"
