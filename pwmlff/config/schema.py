"""The JSON schema of the run file, generated from the configuration classes of all models and optimizers."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from pwmlff.config.choice import chosen_by
from pwmlff.config.compat import FOLDERS, RENAMED_KEYS
from pwmlff.config.ignored import all_ignored_keys
from pwmlff.config.run import run_class
from pwmlff.models import MODELS, NetworkConfig
from pwmlff.optim import OPTIMIZERS, OptimizerConfig

_DEFS = "#/$defs/{model}"
_ABOUT = ("default", "description", "title")  # words that say nothing about what is allowed


def run_schema() -> dict[str, Any]:
    """Return the JSON schema (draft 2020-12) of run files, for editors and for checking files outside pwmlff.

    It accepts what `load_config` accepts, up to the rules between keys: keys of PWMLFF and MatPL without meaning are
    marked deprecated, and keys that start with an underscore are comments.
    """
    schema = run_class(*MODELS.values()).model_json_schema(ref_template=_DEFS)
    definitions: dict[str, Any] = schema.setdefault("$defs", {})
    properties = schema["properties"]
    for base in (NetworkConfig, OptimizerConfig):
        # the sections refer to the classes of each model and optimizer instead
        definitions.pop(base.__name__, None)
    for name, table in (("model", MODELS), ("optimizer", OPTIMIZERS)):
        classes: dict[type[BaseModel], None] = dict.fromkeys(row.Config for row in table.values())
        for section in classes:
            _add_definition(definitions, section)
        references = [{"$ref": _DEFS.format(model=section.__name__)} for section in classes]
        either: list[dict[str, Any]] = [*references]
        if name == "optimizer":
            either.append({"type": "array", "items": {"anyOf": references}, "minItems": 1})
        properties[name] = {"anyOf": either, "description": properties[name]["description"]}
    for row in OPTIMIZERS.values():
        own = definitions[row.Config.__name__]["properties"]
        own["optimizer"] = {**_any_case(list(OPTIMIZERS)), "description": own["optimizer"]["description"]}
    properties["model_type"] = {
        **_any_case(list(dict.fromkeys(chosen_by(name)["model_type"] for name in MODELS))),
        "description": properties["model_type"]["description"],
    }
    _allow_sections(definitions, properties)
    _allow_ignored(schema)
    _loosen_top_level(properties)
    schema["required"] = ["model_type"]
    for definition in (schema, *definitions.values()):
        if definition.get("type") == "object":
            definition.setdefault("patternProperties", {})["^_"] = {"description": "a comment"}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "pwmlff run file"}


def _add_definition(definitions: dict[str, Any], section: type[BaseModel]) -> None:
    own = section.model_json_schema(ref_template=_DEFS)
    for title, definition in {**own.pop("$defs", {}), section.__name__: own}.items():
        if definitions.setdefault(title, definition) != definition:
            raise ValueError(f"two different sections are called {title}; give one of the classes another name")
    own = definitions[section.__name__]
    for name, field in section.model_fields.items():
        # other spellings of a key, where its class accepts them
        for alias in getattr(field.validation_alias, "choices", ()):
            if alias != name:
                own["properties"][alias] = dict(own["properties"].get(name, {}))


def _allow_ignored(schema: dict[str, Any]) -> None:
    for section, owner, name, reason in all_ignored_keys():
        place = schema["$defs"][owner.__name__] if section else schema
        ignored = {"deprecated": True, "description": f"ignored: {reason}"}
        place.setdefault("properties", {}).setdefault(name, ignored)


def _loosen_top_level(properties: dict[str, Any]) -> None:
    number = {"type": "integer", "minimum": 1, "maximum": 118}
    properties["atom_type"]["items"] = {"anyOf": [{"type": "string"}, number]}
    for key in ("train_data", "valid_data", "test_data"):
        listed = {word: properties[key].pop(word) for word in ("type", "items")}
        listed["items"] = {"type": "string"}
        properties[key]["anyOf"] = [listed, {"type": "string"}]
    for old, new in RENAMED_KEYS.items():
        properties[old] = {**properties[new], "deprecated": True, "description": f"older name of {new}"}
    properties["train_valid_ratio"] = {"type": "number", "deprecated": True, "description": "older: 1 - valid_ratio"}
    properties.update({key: {"const": name, "deprecated": True} for key, name in FOLDERS.items()})
    properties["save_step"] = {"type": ["integer", "null"], "description": "taken as optimizer.save_step"}


def _allow_sections(definitions: dict[str, Any], properties: dict[str, Any]) -> None:
    sections = {key: section for row in MODELS.values() for key, section in row.RunFile.sections.items()}
    for key, section in sections.items():
        if section.__name__ not in definitions:
            _add_definition(definitions, section)
        rules = {word: properties[key].pop(word) for word in list(properties[key]) if word not in _ABOUT}
        properties[key]["anyOf"] = [rules, {"$ref": _DEFS.format(model=section.__name__)}]


def _any_case(names: list[str]) -> dict[str, Any]:
    """Names in capitals, which an editor offers, or in any other case."""
    pattern = "|".join("".join(f"[{c.upper()}{c.lower()}]" if c.isalpha() else c for c in name) for name in names)
    return {"type": "string", "anyOf": [{"enum": names}, {"pattern": f"^({pattern})$"}]}
