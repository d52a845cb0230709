"""A family brings its own keys, translations, ignored keys and checks; the common code that reads run files asks it."""

from __future__ import annotations

import json
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from pydantic import BaseModel, ConfigDict, Field
from toy_model import ToyConfig, ToyModel

import pwmlff.config
from pwmlff.config import RunConfig, load_config
from pwmlff.config.documentation import configuration_page
from pwmlff.config.jsonc import parse_json
from pwmlff.config.schema import run_schema
from pwmlff.config.template import starting_file
from pwmlff.errors import ConfigError, ModelFileError
from pwmlff.models import MODELS, NetworkConfig, build_potential, known_models
from pwmlff.models.files.checkpoint import load_checkpoint, save_checkpoint
from pwmlff.models.run_file import RunFileHooks, TopLevelKeys, section_at
from pwmlff.train import train_from_config

SHORTEST: dict[str, Any] = {"model_type": "TOY", "atom_type": ["Cu"]}


class GaussianToyConfig(NetworkConfig):
    """Section `model`, with the counts in a section of their own as other programs have it."""

    descriptor: ToyConfig = Field(default_factory=ToyConfig, description="what an atom sees")
    softness: float = Field(default=1.0, description="used by the soft kind")


class SoftnessConfig(BaseModel):
    model_config = ConfigDict(extra="forbid")

    softness: float = Field(default=1.0, description="softness")


class GaussianToyKeys(TopLevelKeys):
    kind: Literal["hard", "soft"] = Field(default="hard", description="kind of toy")
    start_file: Path | None = Field(default=None, description="file of weights to start from")


class GaussianToyRunFile(RunFileHooks):
    TopLevel = GaussianToyKeys
    chosen_by = {"model_type": "TOY", "kind": "hard"}
    ignored = {
        (): {"workers": "a toy needs no hands"},
        ("model", "descriptor"): {"Rmin": "a toy has no switch"},
    }
    sections = {"kind": SoftnessConfig}
    unused: Sequence[str] = ("softness",)

    @classmethod
    def translate(cls, values: dict[str, Any]) -> list[str]:
        if isinstance(values.get("kind"), dict):
            values["model"] = {**section_at(values, ("model",)), **values["kind"]}
            values["kind"] = "soft"
        descriptor = section_at(values, ("model", "descriptor"))
        if "Rmax" not in descriptor:
            return []
        descriptor["cutoff"] = descriptor.pop("Rmax")
        return ["'model.descriptor.Rmax' is the 'cutoff' of a toy"]


class SoftToyRunFile(GaussianToyRunFile):
    chosen_by = {"model_type": "TOY", "kind": "soft"}
    unused = ()

    @classmethod
    def element_problems(cls, config: GaussianToyConfig, elements: Sequence[str]) -> list[str]:
        return [f"softness: {symbol} is too hard" for symbol in elements if symbol == "W" and config.softness > 0]


class HardToy(ToyModel):
    Config = GaussianToyConfig
    RunFile = GaussianToyRunFile

    @classmethod
    def from_config(cls, config: Any, elements: Sequence[str], dtype: torch.dtype) -> ToyModel:
        return cls(config.descriptor, len(elements), dtype)


class SoftToy(HardToy):
    RunFile = SoftToyRunFile


class FrozenToy(HardToy):
    untrainable = "a frozen toy"


@pytest.fixture(autouse=True)
def _rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MODELS, "TOY", HardToy)
    monkeypatch.setitem(MODELS, "SOFT_TOY", SoftToy)


def _config(**changes: Any) -> RunConfig:
    return RunConfig.model_validate({**SHORTEST, **changes})


def _problems(**changes: Any) -> list[str]:
    with pytest.raises(ConfigError) as error:
        _config(**changes)
    return [line.strip() for line in str(error.value).splitlines()[1:]]


@pytest.mark.parametrize(
    ("keys", "row"),
    [
        ({}, "TOY"),
        ({"kind": "hard"}, "TOY"),
        ({"kind": "soft"}, "SOFT_TOY"),
        ({"model_type": "toy", "kind": "soft"}, "SOFT_TOY"),
        ({"model_type": "soft_toy"}, "SOFT_TOY"),
        ({"model_type": "soft_toy", "kind": "hard"}, "SOFT_TOY"),
        ({"model_type": "DP"}, "DP"),
    ],
)
def test_rows_are_chosen_by_their_keys(keys: dict[str, Any], row: str) -> None:
    config = _config(**keys)
    assert config.model_key == row
    assert type(config.model) is MODELS[row].Config
    assert (config.model_type, config.model_name) == (
        ("DP", "dp_model.ckpt") if row == "DP" else ("TOY", "toy_model.ckpt")
    )


def test_own_keys_are_read_checked_and_stored() -> None:
    config = _config(kind="soft", start_file="toy.txt")
    assert config.start_file == Path("toy.txt")  # type: ignore[attr-defined]
    dumped = config.model_dump(mode="json")
    assert list(dumped)[:4] == ["model_type", "atom_type", "kind", "start_file"]
    assert dumped["start_file"] == "toy.txt"
    assert RunConfig.model_validate(json.loads(json.dumps(dumped))) == config
    assert RunConfig(**dumped) == config
    assert _problems(kind="round") == ["kind: expected 'hard' or 'soft', got \"round\""]
    assert _problems(start_fil="a") == ["start_fil: unknown key; did you mean 'start_file'?"]
    assert _problems(model={"kind": "soft"}) == ["model.kind: unknown key here; it belongs to the top level"]


def test_what_was_read_survives_pickling() -> None:
    config = _config(kind="soft", workers=3)
    again = pickle.loads(pickle.dumps(config))
    assert again == config
    assert again.notices == config.notices != []


def test_own_keys_stay_out_of_other_families() -> None:
    config = _config(model_type="DP", kind="hard", start_file=None)
    assert not {"kind", "start_file"} & set(config.model_dump())
    assert config.notices == []
    assert "type_embedding" not in _config(type_embedding=False).model_dump()
    assert _problems(model_type="DP", kind="soft") == ['kind: DP has no kind, expected "hard"']
    assert _problems(model_type="DP", start_file="a") == ["start_file: DP has no start file, expected null"]
    assert _problems(type_embedding=True) == ["type_embedding: TOY has no type embedding, expected false"]


def test_own_keys_under_a_wrong_model_type_are_not_told_as_wrong() -> None:
    (problem,) = _problems(model_type="TOYS", kind="soft", start_file="a")
    assert problem == "model_type: there is no model 'TOYS'; did you mean 'TOY'?"


def test_translation_applies_to_this_family_only() -> None:
    config = _config(model={"descriptor": {"Rmax": 3.5}})
    assert config.model.descriptor.cutoff == 3.5  # type: ignore[attr-defined]
    assert config.notices == ["'model.descriptor.Rmax' is the 'cutoff' of a toy"]
    deep = _config(model_type="DP", model={"descriptor": {"Rmax": 3.5}})
    assert (deep.model.descriptor.Rmax, deep.notices) == (3.5, [])  # type: ignore[attr-defined]


def test_a_section_moves_and_chooses_the_row() -> None:
    config = _config(kind={"softness": 0.5})
    assert (config.model_key, config.model.softness) == ("SOFT_TOY", 0.5)  # type: ignore[attr-defined]


def test_ignored_keys_have_the_reason_of_the_family() -> None:
    config = _config(workers=4, hvd=False, model={"descriptor": {"Rmin": 0.5, "E_tolerance": 1.0}})
    assert config.notices == [
        "'workers' is ignored: a toy needs no hands",
        "'hvd' is ignored: the launcher (`torchrun` or `mpirun`) says how many processes there are and how they meet",
        "'model.descriptor.Rmin' is ignored: a toy has no switch",
        "'model.descriptor.E_tolerance' is ignored: frames are not sorted out by their energy; `pwmlff data info` lists"
        " outliers",
    ]
    (notice,) = _config(model_type="DP", workers=4, model={"descriptor": {"Rmin": 0.5}}).notices
    assert notice.startswith("'workers' is ignored: neighbour lists")


def test_a_key_that_has_another_name_elsewhere_may_have_a_meaning_here() -> None:
    assert _config(model={"descriptor": {"cutoff": 3.0}}).notices == []
    assert _problems(model_type="DP", model={"descriptor": {"cutoff": 3.0}}) == [
        "model.descriptor.cutoff: unknown key; use `Rmax` (cutoff, Å)"
    ]


def test_problems_with_the_elements_are_told_with_the_others() -> None:
    assert _problems(atom_type=["W"], kind="soft", optimizer={"optimizer": "NONE"}) == [
        "optimizer.optimizer: there is no optimizer 'NONE'; choose from: ADAM, ADAMW, GKF, LKF",
        "model.softness: W is too hard",
    ]
    assert _config(atom_type=["W"]).model_key == "TOY"


def test_schema_and_page_know_the_family() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    validator = jsonschema.Draft202012Validator(run_schema())
    for data in (
        {**SHORTEST, "kind": "soft", "workers": 1, "model": {"descriptor": {"Rmin": 1, "cutoff": 4}}},
        {**SHORTEST, "kind": {"softness": 0.5}},
        {"model_type": "DP", "atom_type": [29], "type_embedding": {"physical_property": ["pauling"]}},
    ):
        RunConfig.model_validate(data)
        validator.validate(data)
    assert not validator.is_valid({**SHORTEST, "kind": "round"})
    assert not validator.is_valid({**SHORTEST, "kind": {"softness": "much"}})
    page = configuration_page()
    assert '| `kind` | "hard" or "soft" | `"hard"` | kind of toy |' in page
    assert "| `workers` | a toy needs no hands |" in page
    assert "| `model.descriptor.Rmin` | a toy has no switch |" in page


def test_schema_refuses_two_sections_of_one_name(monkeypatch: pytest.MonkeyPatch) -> None:
    class FittingNetConfig(SoftnessConfig):
        pass

    class OtherConfig(NetworkConfig):
        fitting_net: FittingNetConfig = Field(default_factory=FittingNetConfig)

    monkeypatch.setattr(SoftToy, "Config", OtherConfig)
    with pytest.raises(ValueError, match="two different sections are called FittingNetConfig"):
        run_schema()


@pytest.mark.parametrize(("row", "is_soft"), [("toy", False), ("soft_toy", True)])
def test_starting_file(row: str, is_soft: bool) -> None:
    text = starting_file(row, ["Cu"], ["a"])
    assert ('"kind": "soft",  // kind of toy' in text) == is_soft == ('"softness": 1.0' in text)
    config = RunConfig.model_validate(parse_json(text, "starting file"))
    assert (config.model_key, config.notices) == (row.upper(), [])


def test_from_file_to_checkpoint_and_back(tmp_path: Path) -> None:
    path = tmp_path / "train.json"
    path.write_text(json.dumps({**SHORTEST, "kind": "soft", "model": {"descriptor": {"Rmax": 3.5}}}))
    config = load_config(path)
    potential = build_potential(config.model_key, config.model, config.elements)
    save_checkpoint(tmp_path / config.model_name, potential, config=config.model_dump(mode="json"))
    stored = load_checkpoint(tmp_path / "toy_model.ckpt")
    assert type(stored.potential.network) is SoftToy
    assert RunConfig.model_validate(stored.config).model_dump() == config.model_dump()


def test_a_checkpoint_that_cannot_be_trained_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MODELS, "FROZEN_TOY", FrozenToy)
    potential = build_potential("FROZEN_TOY", GaussianToyConfig(), ["Cu"])
    save_checkpoint(tmp_path / "a.ckpt", potential, config={**SHORTEST, "model": {}})
    with pytest.raises(ModelFileError, match="a.ckpt' is a frozen toy, which cannot be trained; start from"):
        train_from_config(_config(model_load_file=str(tmp_path / "a.ckpt"), train_data="none.xyz"))


def test_common_code_names_no_key_of_a_family() -> None:
    (folder,) = pwmlff.config.__path__
    sources = {path.name: path.read_text(encoding="utf-8") for path in Path(folder).glob("*.py")}
    keys = {key for row in known_models().values() for key in row.RunFile.TopLevel.model_fields}
    own = keys - set(TopLevelKeys.model_fields)
    assert own >= {"type_embedding", "kind"}
    assert [(name, key) for name, text in sources.items() for key in own if f'"{key}"' in text] == []
