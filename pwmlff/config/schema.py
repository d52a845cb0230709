"""The JSON schema of the run file, generated from the configuration classes of all models and optimizers."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from pwmlff.config.compat import IGNORED_KEYS, IGNORED_SECTION_KEYS, RENAMED_KEYS
from pwmlff.config.fields import class_at
from pwmlff.config.run import TYPE_EMBEDDING_SUFFIX, RunConfig
from pwmlff.models import MODELS, NetworkConfig
from pwmlff.optim import OPTIMIZERS, OptimizerConfig

_DEFS = "#/$defs/{model}"


def run_schema() -> dict[str, Any]:
    """Return the JSON schema (draft 2020-12) of run files, for editors and for checking files outside pwmlff.

    It accepts what `load_config` accepts, up to the rules between keys: keys of PWMLFF and MatPL without meaning are
    marked deprecated, and keys that start with an underscore are comments.
    """
    schema = RunConfig.model_json_schema(ref_template=_DEFS)
    definitions: dict[str, Any] = schema.setdefault("$defs", {})
    properties = schema["properties"]
    for base in (NetworkConfig, OptimizerConfig):
        # the sections refer to the classes of each model and optimizer instead
        definitions.pop(base.__name__, None)
    for name, table in (("model", MODELS), ("optimizer", OPTIMIZERS)):
        classes = {row.Config.__name__: row.Config for row in table.values()}
        for section in classes.values():
            _add_definition(definitions, section)
            _allow_ignored(definitions, section, name)
        references = [{"$ref": _DEFS.format(model=title)} for title in classes]
        properties[name] = {"anyOf": references, "description": properties[name]["description"]}
    for row in OPTIMIZERS.values():
        own = definitions[row.Config.__name__]["properties"]
        own["optimizer"] = {**_any_case(list(OPTIMIZERS)), "description": own["optimizer"]["description"]}
    properties["model_type"] = {
        **_any_case([key for key in MODELS if not key.endswith(TYPE_EMBEDDING_SUFFIX)]),
        "description": properties["model_type"]["description"],
    }
    _loosen_top_level(properties)
    schema["required"] = ["model_type"]
    for definition in (schema, *definitions.values()):
        if definition.get("type") == "object":
            definition.setdefault("patternProperties", {})["^_"] = {"description": "a comment"}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "pwmlff run file"}


def _add_definition(definitions: dict[str, Any], section: type[BaseModel]) -> None:
    own = section.model_json_schema(ref_template=_DEFS)
    definitions.update(own.pop("$defs", {}))
    definitions[section.__name__] = own
    for name, field in section.model_fields.items():
        # other spellings of a key, where its class accepts them
        for alias in getattr(field.validation_alias, "choices", ()):
            if alias != name:
                own["properties"][alias] = dict(own["properties"].get(name, {}))


def _allow_ignored(definitions: dict[str, Any], section: type[BaseModel], name: str) -> None:
    for path, reasons in IGNORED_SECTION_KEYS.items():
        owner = class_at(section, path[1:]) if path[0] == name else None
        if owner is not None:
            properties = definitions[owner.__name__].setdefault("properties", {})
            for key, reason in reasons.items():
                properties.setdefault(key, {"deprecated": True, "description": f"ignored: {reason}"})


def _loosen_top_level(properties: dict[str, Any]) -> None:
    number = {"type": "integer", "minimum": 1, "maximum": 118}
    properties["atom_type"]["items"] = {"anyOf": [{"type": "string"}, number]}
    for key in ("train_data", "valid_data", "test_data"):
        listed = {word: properties[key].pop(word) for word in ("type", "items")}
        listed["items"] = {"type": "string"}
        properties[key]["anyOf"] = [listed, {"type": "string"}]
    for key, reason in IGNORED_KEYS.items():
        properties.setdefault(key, {"deprecated": True, "description": f"ignored: {reason}"})
    for old, new in RENAMED_KEYS.items():
        properties[old] = {**properties[new], "deprecated": True, "description": f"older name of {new}"}
    properties["train_valid_ratio"] = {"type": "number", "deprecated": True, "description": "older: 1 - valid_ratio"}
    properties["save_step"] = {"type": ["integer", "null"], "description": "taken as optimizer.save_step"}
    switch = properties["type_embedding"]
    switch["anyOf"] = [{"type": switch.pop("type")}, {"$ref": _DEFS.format(model="TypeEmbeddingConfig")}]


def _any_case(names: list[str]) -> dict[str, Any]:
    """Names in capitals, which an editor offers, or in any other case."""
    pattern = "|".join("".join(f"[{c.upper()}{c.lower()}]" if c.isalpha() else c for c in name) for name in names)
    return {"type": "string", "anyOf": [{"enum": names}, {"pattern": f"^({pattern})$"}]}
