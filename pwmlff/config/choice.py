"""Which model and which optimizer a run file asks for.

Every row of `MODELS` says by which top-level keys it is chosen, see `pwmlff.models.run_file`. After a wrong choice the
first model or optimizer stands in, so that the rest of the file is checked as well.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from pwmlff.config.compat import Translation
from pwmlff.config.fields import default_of
from pwmlff.errors import did_you_mean
from pwmlff.models import DERIVED_MODELS, MODELS, Network
from pwmlff.optim import OPTIMIZERS, OptimizerConfig

DEFAULT_OPTIMIZER = "ADAM"
_NO_STAGES = "optimizer: expected a section: { ... }, or a list of one or more of them, got []"


@dataclass
class ModelChoice:
    """The row of `MODELS` for a run file.

    Attributes:
        network: Its class.
        model_type: As the file is to have it; empty when another row stands in for what the file says.
        problems: What is wrong with the choice.
    """

    network: type[Network]
    model_type: str
    problems: list[str] = field(default_factory=list)


def chosen_by(name: str) -> dict[str, Any]:
    """Return the values of the top-level keys by which a run file chooses the row `name` of `MODELS`."""
    return {"model_type": name, **MODELS[name].RunFile.chosen_by}


def row_chosen_by(values: Mapping[str, Any]) -> str | None:
    """Return the first row of `MODELS` that is chosen by these top-level keys; absent ones have their defaults."""
    for name, row in MODELS.items():
        fields = row.RunFile.TopLevel.model_fields
        if all(values.get(key, default_of(fields[key])) == wanted for key, wanted in chosen_by(name).items()):
            return name
    return None


def choose_model(translation: Translation) -> ModelChoice:
    """Choose the model of a run file and let it translate the file; a row may also be named by its key in `MODELS`."""
    values = translation.values
    given = str(values.get("model_type", "")).strip().upper()
    rows = [name for name in MODELS if given in (name, chosen_by(name)["model_type"])]
    name = rows[0] if rows else next(iter(MODELS))
    wanted = chosen_by(name)
    model_type = wanted["model_type"]
    translation.notices += MODELS[name].RunFile.translate(values)
    if rows and given != model_type:
        values.update(wanted)
    network = MODELS[row_chosen_by({**values, "model_type": model_type}) or name]
    if not rows:
        return ModelChoice(network, "", _no_such_model(values["model_type"], given) if given else [])
    values["model_type"] = model_type
    values["model_name"] = values.get("model_name") or f"{model_type.lower()}_model.ckpt"
    return ModelChoice(network, model_type)


def drop_foreign_keys(values: dict[str, Any], choice: ModelChoice, known: Collection[str]) -> None:
    """Drop top-level keys that only other families know; one with another value than its default is a problem.

    Args:
        values: The run file.
        choice: Of its model; gets the problems.
        known: Top-level keys of a file of this model.
    """
    for row in MODELS.values():
        for key, own in row.RunFile.TopLevel.model_fields.items():
            if key in known or key not in values:
                continue
            default = default_of(own)
            if values.pop(key) != default and choice.model_type:
                expected = json.dumps(default, default=str)
                choice.problems.append(
                    f"{key}: {choice.model_type} has no {key.replace('_', ' ')}, expected {expected}"
                )


def choose_optimizers(translation: Translation) -> tuple[dict[str, type[OptimizerConfig]], list[str]]:
    """Return the classes of the sections of optimizers by their names, and what is wrong with the choice.

    There is one, `optimizer`, unless that is a list of stages: these become sections `optimizer[0]` and so on.
    """
    values = translation.values
    given = values.get("optimizer")
    if not isinstance(given, (list, tuple)):
        section_class, problems = _choose_optimizer(translation, "optimizer")
        return {"optimizer": section_class}, problems
    del values["optimizer"]
    values.update({f"optimizer[{number}]": section for number, section in enumerate(given)})
    classes, problems = {}, [] if given else [_NO_STAGES]
    for number in range(len(given)):
        classes[f"optimizer[{number}]"], wrong = _choose_optimizer(translation, f"optimizer[{number}]")
        problems += wrong
    return classes, problems


def _choose_optimizer(translation: Translation, place: str) -> tuple[type[OptimizerConfig], list[str]]:
    section = translation.values.get(place)
    section = {} if section is None else section
    if not isinstance(section, dict):
        return OPTIMIZERS[DEFAULT_OPTIMIZER].Config, []
    if section and "optimizer" not in section:
        translation.notices.append(f"'{place}.optimizer' is not given: {DEFAULT_OPTIMIZER} is used")
    problems = []
    name = str(section.get("optimizer", DEFAULT_OPTIMIZER)).strip().upper()
    if name not in OPTIMIZERS:
        problems.append(
            f"{place}.optimizer: there is no optimizer '{section['optimizer']}'; "
            f"choose from: {', '.join(sorted(OPTIMIZERS))}"
        )
        name = DEFAULT_OPTIMIZER
    translation.values[place] = {**section, "optimizer": name}
    return OPTIMIZERS[name].Config, problems


def _no_such_model(written: Any, given: str) -> list[str]:
    if given in DERIVED_MODELS:
        return [
            f"model_type: a {given} model is not trained; `pwmlff compress` makes it from a trained one; "
            f"choose from: {', '.join(sorted(MODELS))}"
        ]
    return [f"model_type: there is no model '{written}'; {did_you_mean(given, MODELS)}"]
