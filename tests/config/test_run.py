"""The run file: defaults, checks, and how problems are told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import Field, ValidationError

from pwmlff.config import RunConfig, load_config
from pwmlff.errors import ConfigError
from pwmlff.models import MODELS, Network, NetworkConfig

SHORTEST = {"model_type": "DP", "atom_type": ["Cu"]}
SIZES = "model.fitting_net.network_size"


def _config(**changes: Any) -> RunConfig:
    return RunConfig.model_validate({**SHORTEST, **changes})


def _problems(data: Any) -> list[str]:
    with pytest.raises(ConfigError) as error:
        RunConfig.model_validate(data)
    return [line.strip() for line in str(error.value).splitlines()[1:]]


def test_shortest_file_has_the_documented_defaults() -> None:
    config = _config()
    assert (config.model_key, config.elements, config.model_name) == ("DP", ["Cu"], "dp_model.ckpt")
    assert (config.model.descriptor.Rmax, config.model.fitting_net.network_size) == (6.0, (50, 50, 50, 1))
    assert (config.optimizer.optimizer, config.optimizer.batch_size) == ("ADAM", 1)
    assert (config.seed, config.precision, config.format, config.zbl) == (2023, "float64", None, None)
    assert config.recover_train
    assert config.notices == []


def test_read_config_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        _config().seed = 1  # type: ignore[misc]


def test_dump_is_json_and_reads_back_as_the_same() -> None:
    config = _config(
        atom_type=[29, "O"],
        type_embedding=True,
        zbl={"inner": 0.5, "outer": 1.0},
        optimizer={"optimizer": "adamw", "lambda_2": 1e-3},
        train_data=["a", "b"],
        model_load_file="old.ckpt",
    )
    dumped = config.model_dump(mode="json")
    again = RunConfig.model_validate(json.loads(json.dumps(dumped)))
    assert again.model_dump(mode="json") == dumped
    assert again.notices == []
    assert dumped["atom_type"] == ["Cu", "O"]
    assert dumped["optimizer"]["lambda_2"] == 1e-3
    assert again.model_key == "DP_TYPE_EMBEDDING"


@pytest.mark.parametrize("atom_type", [[29, 8], ["Cu", "O"], ["29", "8"], ["cu", 8], ("CU", "o")])
def test_elements_by_symbol_number_or_numeric_text(atom_type: Any) -> None:
    assert _config(atom_type=atom_type).elements == ["Cu", "O"]


@pytest.mark.parametrize(
    ("atom_type", "message"),
    [
        (["Xx"], "unknown element 'Xx'"),
        ([0], "0 is no atomic number, expected 1 to 118"),
        ([200], "200 is no atomic number"),
        ([29, "Cu"], "Cu is given twice"),
        (["Xx", "Yy"], "'Yy'"),
        (3.5, "expected a list of elements"),
        ([], "missing; give the elements"),
    ],
)
def test_wrong_elements(atom_type: Any, message: str) -> None:
    (problem,) = _problems({"model_type": "DP", "atom_type": atom_type})
    assert problem.startswith("atom_type: ")
    assert message in problem


def test_elements_may_come_from_a_model_file() -> None:
    config = RunConfig.model_validate({"model_type": "DP", "model_load_file": "dp_model.ckpt", "test_data": ["x"]})
    assert config.elements == []
    assert config.model_load_file == Path("dp_model.ckpt")


@pytest.mark.parametrize("model_type", ["DP", "dp", "Dp"])
@pytest.mark.parametrize("optimizer", ["ADAM", "adam", "AdamW"])
def test_names_in_any_case(model_type: str, optimizer: str) -> None:
    config = _config(model_type=model_type, optimizer={"optimizer": optimizer})
    assert config.model_type == "DP"
    assert config.optimizer.optimizer == optimizer.upper()


def test_the_key_of_a_model_is_a_model_type_too() -> None:
    config = _config(model_type="dp_type_embedding")
    assert (config.model_type, config.type_embedding, config.model_key) == ("DP", True, "DP_TYPE_EMBEDDING")


def test_element_properties_are_checked_with_the_elements() -> None:
    section = {"descriptor": {"type_embedding": {"physical_property": ["pauling", "atom_mas"]}}}
    (problem,) = _problems({**SHORTEST, "atom_type": ["Ar"], "type_embedding": True, "model": section})
    assert problem.startswith("model.descriptor.type_embedding.physical_property: ")
    assert "did you mean 'atom_mass'?" in problem
    assert "'pauling' is not defined for Ar" in problem
    assert _config(atom_type=["Ar"], model=section, type_embedding=False).model_key == "DP"


def test_absent_models_and_optimizers_name_what_exists() -> None:
    problems = _problems({**SHORTEST, "model_type": "CHEBY", "optimizer": {"optimizer": "SGDX"}})
    assert "model_type: there is no model 'CHEBY'" in problems[0]
    assert "DP" in problems[0]
    assert problems[1].startswith("optimizer.optimizer: there is no optimizer 'SGDX'; choose from: ADAM, ADAMW")


def test_a_model_type_without_embedding_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    _add_toy_model(monkeypatch)
    assert _problems({**SHORTEST, "model_type": "toy", "type_embedding": True}) == [
        "type_embedding: TOY has no type embedding, expected false"
    ]


def test_a_new_row_in_models_is_all_a_model_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    _add_toy_model(monkeypatch)
    config = _config(model_type="toy", model={"width": 3})
    assert config.model.width == 3  # type: ignore[attr-defined]
    assert config.model_name == "toy_model.ckpt"
    assert _problems({**SHORTEST, "model_type": "toy", "model": {"descriptor": {}, "widht": 1}}) == [
        "model.descriptor: unknown key; choose from: width",
        "model.widht: unknown key; did you mean 'width'?",
    ]


def _add_toy_model(monkeypatch: pytest.MonkeyPatch) -> None:
    class ToyConfig(NetworkConfig):
        width: int = Field(default=1, ge=1)

    class Toy(Network):
        Config = ToyConfig

    monkeypatch.setitem(MODELS, "TOY", Toy)


@pytest.mark.parametrize(
    ("section", "problem"),
    [
        ({"model_tpye": 1}, "model_tpye: unknown key; did you mean 'model_type'?"),
        ({"model": {"descriptr": {}}}, "model.descriptr: unknown key; did you mean 'descriptor'?"),
        ({"model": {"descriptor": {"rmax": 3}}}, "model.descriptor.rmax: unknown key; did you mean 'Rmax'?"),
        ({"model": {"fitting_net": {"baas": 1}}}, "model.fitting_net.baas: unknown key; did you mean 'bias'?"),
        ({"optimizer": {"epoch": 3}}, "optimizer.epoch: unknown key; did you mean 'epochs'?"),
        ({"zbl": {"iner": 0.5}}, "zbl.iner: unknown key; did you mean 'inner'?"),
        ({"epochs": 3}, "epochs: unknown key here; it belongs to section 'optimizer'"),
        ({"Rmax": 3}, "Rmax: unknown key here; it belongs to section 'model.descriptor'"),
        ({"model": {"M2": 3}}, "model.M2: unknown key here; it belongs to section 'model.descriptor'"),
        ({"optimizer": {"seed": 3}}, "optimizer.seed: unknown key here; it belongs to the top level"),
        ({"fitting_net": {}}, "fitting_net: unknown key here; it belongs to section 'model'"),
    ],
)  # fmt: skip
def test_unknown_and_misplaced_keys(section: dict[str, Any], problem: str) -> None:
    assert _problems({**SHORTEST, **section}) == [problem]


@pytest.mark.parametrize(
    ("section", "problem"),
    [
        ({"optimizer": {"epochs": "many"}}, 'optimizer.epochs: expected an integer, got "many"'),
        ({"optimizer": {"epochs": 1.5}}, "optimizer.epochs: expected an integer, got 1.5"),
        ({"optimizer": "ADAM"}, 'optimizer: expected a section: { ... }, got "ADAM"'),
        ({"model": [1]}, "model: expected a section: { ... }, got [1]"),
        ({"model": {"descriptor": 3}}, "model.descriptor: expected a section: { ... }, got 3"),
        ({"model": {"descriptor": {"Rmax": -1}}}, "model.descriptor.Rmax: expected a number > 0.0, got -1"),
        ({"model": {"fitting_net": {"network_size": 5}}}, f"{SIZES}: expected a list: [ ... ], got 5"),
        ({"model": {"fitting_net": {"network_size": []}}}, f"{SIZES}: expected 1 entry or more, got []"),
        ({"zbl": 2.0}, "zbl: expected a section: { ... }, got 2.0"),
        ({"zbl": {"flexible": [[0] * 10] * 2}},
         "zbl.flexible: 2 rows, expected 1, one for each pair of Cu"),
        ({"seed": -1}, "seed: expected a number >= 0, got -1"),
        ({"seed": 10**30}, f"seed: expected a number <= 9223372036854775807, got {10**30}"),
        ({"optimizer": {"epochs": 10**30}}, f"optimizer.epochs: expected a number <= {2**63 - 1}, got {10**30}"),
        ({"optimizer": {"optimizer": "LKF", "batch_size": 10**30}},
         f"optimizer.batch_size: expected a number <= {2**63 - 1}, got {10**30}"),
        ({"threads": 10**9}, "threads: expected a number <= 4096, got 1000000000"),
        ({"model": {"fitting_net": {"network_size": [10**18, 1]}}},
         f"{SIZES}: layer widths must be at most 1048576, got {10**18}"),
        ({"model": {"fitting_net": {"network_size": [2] * 101}}}, f"{SIZES}: expected at most 100 layers, got 101"),
        ({"valid_ratio": 1.0}, "valid_ratio: expected a number < 1.0, got 1.0"),
        ({"precision": "float16"}, "precision: expected 'float64' or 'float32', got \"float16\""),
        ({"type_embedding": "perhaps"}, 'type_embedding: expected true or false, got "perhaps"'),
        ({"train_data": {"a": 1}}, 'train_data: expected a list: [ ... ], got {"a": 1}'),
        ({"model_name": 5}, "model_name: expected text in quotes, got 5"),
    ],
)  # fmt: skip
def test_wrong_values_say_what_was_expected_and_given(section: dict[str, Any], problem: str) -> None:
    assert _problems({**SHORTEST, **section}) == [problem]


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("std_input.json", "std_input.json is the name of another file of the run"),
        ("Epoch_Train.dat", "Epoch_Train.dat is the name of another file of the run"),
        ("run.lock", "run.lock is the name of another file of the run"),
        ("tensorboard", "tensorboard is the name of another file of the run"),
        ("../dp.ckpt", 'expected a file name without folders, got "../dp.ckpt"'),
        ("..", 'expected a file name without folders, got ".."'),
        ("x" * 250, "expected a name of at most 200 bytes, got one of 250"),
    ],
)
def test_names_that_a_checkpoint_cannot_have(name: str, problem: str) -> None:
    (line,) = _problems({**SHORTEST, "model_name": name})
    assert line.startswith(f"model_name: {problem}")


def test_keys_cannot_pass_for_lines_or_colours() -> None:
    (problem,) = _problems({**SHORTEST, "a\x1b[31m\n  seed: all is well\u202e": 1})
    assert problem.startswith(r"a\x1b[31m\n  seed: all is well\u202e: unknown key")


def test_rules_between_keys_of_a_section_are_told() -> None:
    (problem,) = _problems({**SHORTEST, "model": {"descriptor": {"Rmin": 7.0}}})
    assert problem == "model.descriptor: `Rmin` (7.0 Å) must be smaller than `Rmax` (6.0 Å)"


def test_all_problems_are_reported_at_once(tmp_path: Path) -> None:
    path = tmp_path / "train.json"
    path.write_text(
        '{"model_type": "DPP", "atom_type": ["Xx"], "seed": -1, "Rmax": 3,\n'
        ' "model": {"descriptor": {"Rmax": 0, "M3": 1}}, "zbl": {"outer": 0},\n'
        ' "optimizer": {"optimizer": "NONE", "epochs": 0}}'
    )
    with pytest.raises(ConfigError) as error:
        load_config(path)
    head, *lines = str(error.value).splitlines()
    assert head == f"'{path}' has 9 problems:"
    keys = {line.split(":")[0].strip() for line in lines}
    assert keys == {
        "model_type", "atom_type", "seed", "Rmax", "model.descriptor.Rmax", "model.descriptor.M3",
        "optimizer.optimizer", "optimizer.epochs", "zbl.outer",
    }  # fmt: skip


def test_one_path_may_stand_without_a_list() -> None:
    assert _config(train_data="MOVEMENT").train_data == (Path("MOVEMENT"),)


def test_missing_model_type() -> None:
    assert _problems({"atom_type": [29]}) == ["model_type: missing, and it has no default"]


def test_data_must_be_an_object() -> None:
    with pytest.raises(ConfigError, match="is a list, expected a JSON object"):
        RunConfig.model_validate([1])
