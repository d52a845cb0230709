"""The run file: one JSON object for training and testing, with the keys of PWMLFF and MatPL.

`RunConfig` holds the top-level keys; `model` is checked by the configuration class of the chosen model and `optimizer`
by that of the chosen optimizer, looked up in `MODELS` and `OPTIMIZERS` when a file is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    SerializeAsAny,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from pwmlff.config import compat
from pwmlff.config.fields import class_at
from pwmlff.config.jsonc import read_json
from pwmlff.config.problems import known_places, lines_of, raise_all
from pwmlff.descriptors.properties import check_properties
from pwmlff.elements import atomic_number_of, symbol_of
from pwmlff.errors import ConfigError, did_you_mean
from pwmlff.models import DERIVED_MODELS, MODELS
from pwmlff.models.base import NetworkConfig
from pwmlff.models.zbl import ZBLConfig
from pwmlff.optim import OPTIMIZERS, OptimizerConfig

DEFAULT_OPTIMIZER = "ADAM"
TYPE_EMBEDDING_SUFFIX = "_TYPE_EMBEDDING"


class RunConfig(BaseModel):
    """A run file, checked and complete.

    Raises:
        ConfigError: Lists every problem of the file, each with the path of its key.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    model_type: str = Field(description="model to train, for instance DP; upper or lower case")
    atom_type: tuple[str, ...] = Field(
        default=(),
        description="elements by symbol or atomic number, in type order; may be left out with `model_load_file`",
    )
    type_embedding: bool = Field(
        default=False, description="one embedding net fed with element properties instead of one net per pair of types"
    )
    precision: Literal["float64", "float32"] = Field(
        default="float64", description="number format of the network; geometry and sums are always float64"
    )
    model: SerializeAsAny[NetworkConfig] = Field(description="settings of the model")
    zbl: ZBLConfig | None = Field(default=None, description="short-range repulsion added to the model; null for none")
    optimizer: SerializeAsAny[OptimizerConfig] = Field(description="settings of the optimizer")

    train_data: tuple[Path, ...] = Field(
        default=(), description="files or folders to train on, relative to the folder the command is run in"
    )
    valid_data: tuple[Path, ...] = Field(default=(), description="files or folders to validate on")
    test_data: tuple[Path, ...] = Field(default=(), description="files or folders `pwmlff test` evaluates")
    format: str | None = Field(
        default=None, description="format of all data, such as pwmat/movement; null: found out from each file's content"
    )
    skip_bad: bool = Field(
        default=False, description="leave out and list frames that cannot be used, instead of stopping"
    )
    valid_ratio: float = Field(
        default=0.1, ge=0.0, lt=1.0, description="fraction of the train frames held out when `valid_data` is empty"
    )
    valid_split: Literal["random", "time"] = Field(
        default="random", description="held-out frames are drawn at random, or are the last ones of each source (time)"
    )
    data_shuffle: bool = Field(default=True, description="draw the train frames in a new random order each epoch")

    seed: int = Field(default=2023, ge=0, description="seed of weights, shuffling and the held-out frames")
    ema_decay: float | None = Field(
        default=None,
        ge=0.0,
        lt=1.0,
        description="decay per step of the running average of the weights; 0: no average; null: what suits the "
        "optimizer, 0.99 for LKF and GKF and no average for others",
    )
    device: Literal["auto", "cpu", "cuda"] = Field(default="auto", description="auto: the GPU where there is one")
    threads: int = Field(default=0, ge=0, description="CPU threads per process; 0: as many as there are cores")

    model_load_file: Path | None = Field(
        default=None, description="checkpoint to test, or to start training from; null: none"
    )
    recover_train: bool = Field(
        default=True, description="resume from the checkpoint in `model_store_dir` when there is one"
    )
    model_store_dir: Path = Field(default=Path("model_record"), description="folder of checkpoints and logs")
    model_name: str = Field(
        default="", description="file name of the checkpoint; left out: dp_model.ckpt for DP, and so on"
    )
    test_dir_name: Path = Field(default=Path("test_result"), description="folder `pwmlff test` writes to")

    _notices: tuple[str, ...] = PrivateAttr(default=())

    @property
    def notices(self) -> list[str]:
        """One line per key of the file that was renamed or has no meaning here."""
        return list(self._notices)

    @property
    def elements(self) -> list[str]:
        """Symbols in type order."""
        return list(self.atom_type)

    @property
    def model_key(self) -> str:
        """Name of the model in `MODELS`."""
        return _model_key(self.model_type, self.type_embedding)

    @field_validator("atom_type", mode="before")
    @classmethod
    def _symbols(cls, value: Any) -> tuple[str, ...]:
        entries = [value] if isinstance(value, (str, int)) else value
        if not isinstance(entries, (list, tuple)):
            raise ValueError(f'expected a list of elements such as [29] or ["Cu", "O"], got {value!r}')
        symbols, problems = [], []
        for entry in entries:
            try:
                symbols.append(symbol_of(atomic_number_of(entry)))
            except ConfigError as error:
                problems.append(str(error))
        problems += [f"{symbol} is given twice" for symbol in dict.fromkeys(symbols) if symbols.count(symbol) > 1]
        if problems:
            raise ValueError("; ".join(problems))
        return tuple(symbols)

    @field_validator("format")
    @classmethod
    def _lower(cls, value: str | None) -> str | None:
        return value.lower() if value else None

    @model_validator(mode="wrap")
    @classmethod
    def _read(cls, data: Any, handler: ModelWrapValidatorHandler[RunConfig], info: ValidationInfo) -> RunConfig:
        """Translate the keys of MatPL, check every section, and raise all problems at once."""
        if isinstance(data, cls):
            return data
        where = (info.context or {}).get("where", "the configuration")
        if not isinstance(data, Mapping):
            raise ConfigError(f"{where} is a {type(data).__name__}, expected a JSON object")
        translation = compat.translate(data, cls.model_fields)
        values = translation.values
        model_class, optimizer_class, problems = _choose_classes(translation)
        places = known_places({(): cls, ("model",): model_class, ("optimizer",): optimizer_class})
        for name, section_class in (("model", model_class), ("optimizer", optimizer_class)):
            try:
                values[name] = _validated_section(translation, name, section_class)
            except ValidationError as error:
                problems += lines_of(error, section_class, (name,), places)
                # the rest of the file is still checked
                values[name] = section_class.model_construct()
        if not values.get("atom_type") and not values.get("model_load_file"):
            problems.append('atom_type: missing; give the elements of the model, for instance ["Cu", "O"] or [29, 8]')
        try:
            config = handler(values)
            problems += _property_problems(config)
        except ValidationError as error:
            problems += lines_of(error, cls, (), places)
        raise_all(problems, where)
        config._notices = tuple(translation.notices)
        return config


def load_config(path: Path | str) -> RunConfig:
    """Read a run file: JSON, in which `//` begins a comment.

    Raises:
        ConfigError: The file cannot be read, or lists every problem with its keys.
    """
    path = Path(path)
    return RunConfig.model_validate(read_json(path), context={"where": f"'{path}'"})


def _choose_classes(
    translation: compat.Translation,
) -> tuple[type[NetworkConfig], type[OptimizerConfig], list[str]]:
    """Return the classes of `model` and `optimizer`, and what is wrong with the choice.

    After a wrong choice the first model or optimizer stands in, so that the rest of the file is checked as well.
    """
    values, problems = translation.values, []
    model_type = str(values.get("model_type", "")).strip().upper()
    if model_type.endswith(TYPE_EMBEDDING_SUFFIX):
        model_type, values["type_embedding"] = model_type.removesuffix(TYPE_EMBEDDING_SUFFIX), True
    wants_embedding = values.get("type_embedding") is True
    key = _model_key(model_type, wants_embedding)
    if key in DERIVED_MODELS:
        problems.append(
            f"model_type: a {key} model is not trained; `pwmlff compress` makes it from a trained one; "
            f"choose from: {', '.join(sorted(MODELS))}"
        )
    elif model_type and key not in MODELS:
        problems.append(f"model_type: there is no model '{values['model_type']}'; {did_you_mean(key, MODELS)}")
    elif model_type:
        values["model_type"] = model_type
        values["model_name"] = values.get("model_name") or f"{model_type.lower()}_model.ckpt"
        if wants_embedding and not key.endswith(TYPE_EMBEDDING_SUFFIX):
            problems.append(f"type_embedding: {model_type} has no type embedding, expected false")
    chosen = MODELS.get(key) or next(iter(MODELS.values()))

    section = values.get("optimizer") or {}
    name = DEFAULT_OPTIMIZER
    if isinstance(section, dict):
        if section and "optimizer" not in section:
            translation.notices.append(f"'optimizer.optimizer' is not given: {DEFAULT_OPTIMIZER} is used")
        name = str(section.get("optimizer", DEFAULT_OPTIMIZER)).strip().upper()
        if name not in OPTIMIZERS:
            problems.append(
                f"optimizer.optimizer: there is no optimizer '{section['optimizer']}'; "
                f"choose from: {', '.join(sorted(OPTIMIZERS))}"
            )
            name = DEFAULT_OPTIMIZER
        values["optimizer"] = {**section, "optimizer": name}
    return chosen.Config, OPTIMIZERS[name].Config, problems


def _validated_section(translation: compat.Translation, name: str, section_class: type[BaseModel]) -> Any:
    """Drop keys without meaning from the section `name` and validate it."""
    for path, reasons in compat.IGNORED_SECTION_KEYS.items():
        owner = class_at(section_class, path[1:]) if path[0] == name else None
        if owner is not None:
            translation.drop(path, reasons, owner.model_fields)
    value = translation.values.get(name)
    return section_class.model_validate({} if value is None else value)


def _property_problems(config: RunConfig) -> list[str]:
    """Return what is wrong with the element properties of a type embedding."""
    section = getattr(getattr(config.model, "descriptor", None), "type_embedding", None)
    if not config.type_embedding or section is None:
        return []
    try:
        check_properties(config.elements, section.physical_property)
    except ConfigError as error:
        return [f"model.descriptor.type_embedding.{error}"]
    return []


def _model_key(model_type: str, type_embedding: bool) -> str:
    key = model_type.upper()
    embedded = key + TYPE_EMBEDDING_SUFFIX
    return embedded if type_embedding and embedded in MODELS else key
