"""What is generated from the configuration classes: schema, reference page, starting file."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import pytest

from pwmlff.config import RunConfig
from pwmlff.config.documentation import configuration_page
from pwmlff.config.fields import walk
from pwmlff.config.jsonc import parse_json
from pwmlff.config.schema import run_schema
from pwmlff.config.template import starting_file
from pwmlff.errors import ConfigError
from pwmlff.models import MODELS
from pwmlff.optim import OPTIMIZERS


@pytest.fixture(scope="module")
def validator() -> Any:
    jsonschema = pytest.importorskip("jsonschema")
    schema = run_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("model", list(MODELS))
def test_starting_file_is_accepted_without_notices(model: str, validator: Any) -> None:
    text = starting_file(model.lower(), ["Cu", "O"], ["train.xyz"])
    data = parse_json(text, "starting file")
    validator.validate(data)
    config = RunConfig.model_validate(data)
    assert config.notices == []
    assert (config.model_key, config.elements) == (model, ["Cu", "O"])


def test_starting_file_explains_every_value() -> None:
    lines = starting_file("dp", ["Cu"], ["a"]).splitlines()
    values = [line for line in lines if '": ' in line and not line.endswith("{")]
    assert len(values) > 25
    assert [line for line in values if " // " not in line] == []


def test_starting_file_of_an_unknown_model() -> None:
    with pytest.raises(ConfigError, match="there is no model 'dpp'; did you mean 'DP'"):
        starting_file("dpp", ["Cu"], ["a"])


@pytest.mark.parametrize(
    "data",
    [
        {"model_type": "DP", "atom_type": [29, "O"], "train_data": ["a"]},
        {"model_type": "dp", "atom_type": [29], "train_data": "a", "_note": 1, "hvd": False, "raw_files": ["b"]},
        {"model_type": "DP", "atom_type": [29], "optimizer": {"optimizer": "adam", "block_size": 5, "_x": 2}},
        {"model_type": "DP", "atom_type": [29], "type_embedding": {"physical_property": ["pauling"]}},
        {"model_type": "DP", "atom_type": [29], "model": {"descriptor": {"E_tolerance": 1}}, "save_step": None},
        {"model_type": "NN", "atom_type": [29], "model": {"descriptor": {"4": {"n3b": 4, "Rc": 5.4}, "M2": 16}}},
        {
            "model_type": "NN",
            "atom_type": [29],
            "model": {
                "descriptor": {
                    "functions": [{"type": "G5", "cutoff": 5.0, "eta": 0.1, "lambda": -1, "zeta": 2, "central": "Cu"}]
                },
                "fitting_net": {"network_size": {"Cu": [4, 1]}, "activation": ["gaussian"], "resnet_dt": False},
            },
        },
        {"model_type": "DP", "atom_type": [29], "optimizer": {"start_lr": 1e-3}},
        {"model_type": "DP", "atom_type": [29], "optimizer": [{"optimizer": "adam", "_x": 2}, {"optimizer": "LKF"}]},
    ],
)  # fmt: skip
def test_schema_accepts_what_the_program_accepts(data: dict[str, Any], validator: Any) -> None:
    config = RunConfig.model_validate(data)
    validator.validate(data)
    validator.validate(config.model_dump(mode="json"))


@pytest.mark.parametrize(
    "data",
    [
        {"atom_type": [29]},
        {"model_type": "DPP", "atom_type": [29]},
        {"model_type": "DP", "atom_type": [29], "epochs": 3},
        {"model_type": "DP", "atom_type": [29], "model": {"descriptor": {"Rmax": -1}}},
        {"model_type": "DP", "atom_type": [29], "optimizer": {"optimizer": "NONE"}},
        {"model_type": "DP", "atom_type": [29], "optimizer": {"epochs": "many"}},
        {"model_type": "DP", "atom_type": [29], "optimizer": []},
        {"model_type": "DP", "atom_type": [29], "optimizer": [{"optimizer": "ADAM"}, {"epoch": 3}]},
    ],
)
def test_schema_refuses_what_the_program_refuses(data: dict[str, Any], validator: Any) -> None:
    with pytest.raises(ConfigError):
        RunConfig.model_validate(data)
    assert not validator.is_valid(data)


def test_schema_is_json() -> None:
    assert json.loads(json.dumps(run_schema()))["title"] == "pwmlff run file"


def test_every_option_is_described() -> None:
    roots = {"": RunConfig, **{f"{name}.": row.Config for name, row in {**MODELS, **OPTIMIZERS}.items()}}
    leaves = [
        (prefix + path, field)
        for prefix, root in roots.items()
        for path, field in walk(root)
        if path not in ("descriptor", "fitting_net")
    ]
    assert [path for path, field in leaves if not field.description] == []


def test_reference_page_is_up_to_date() -> None:
    page = files("pwmlff").joinpath("docs", "configuration.md").read_text(encoding="utf-8")
    assert page == configuration_page(), "run: pwmlff schema --markdown -o pwmlff/docs/configuration.md"
