"""The run file: one JSON object for training and testing, with the keys of PWMLFF and MatPL.

`RunConfig` holds the top-level keys of every model; a file is read as a subclass of it that has those of the model's
family as well. `model` is checked by the configuration class of the chosen model and `optimizer` by that of the chosen
optimizer, looked up in `MODELS` and `OPTIMIZERS` when a file is read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import (
    BaseModel,
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    SerializeAsAny,
    ValidationError,
    ValidationInfo,
    create_model,
    field_validator,
    model_validator,
)

from pwmlff.config import compat
from pwmlff.config.choice import choose_model, choose_optimizers, drop_foreign_keys, row_chosen_by
from pwmlff.config.fields import class_at
from pwmlff.config.jsonc import read_json
from pwmlff.config.problems import known_places, lines_of, raise_all
from pwmlff.data.readers import LabelKeys
from pwmlff.errors import ConfigError
from pwmlff.models import MODELS, Network, NetworkConfig, ZBLConfig
from pwmlff.models.run_file import ForeignReader, Reasons, TopLevelKeys
from pwmlff.optim import OptimizerConfig
from pwmlff.optim.base import MAX_COUNT

# what a run writes beside its checkpoints; those are derived from `model_name`
OWN_FILES = (
    "std_input.json",
    "epoch_train.dat",
    "epoch_valid.dat",
    "learning_curve.png",
    "run.lock",
    "tensorboard",
    "saved_models",
    "loss.out",
    "nep.restart",
)
_LARGEST_WEIGHT = 1000.0
_LONGEST_NAME = 200  # bytes of a file name; file systems allow 255, and names of best and older checkpoints are longer


class RunConfig(TopLevelKeys):
    """A run file, checked and complete.

    Raises:
        ConfigError: Lists every problem of the file, each with the path of its key.
    """

    def __new__(cls, **values: Any) -> RunConfig:
        """Let `RunConfig(...)` give an instance of the class for its model, as reading a file does."""
        return super().__new__(type(cls.model_validate(values)) if values else cls)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle what was read; the class for a model has no name to be found by."""
        return _read_again, (self.model_dump(mode="json"), self._notices)

    precision: Literal["float64", "float32"] = Field(
        default="float64", description="number format of the network; geometry and sums are always float64"
    )
    model: SerializeAsAny[NetworkConfig] = Field(description="settings of the model")
    zbl: ZBLConfig | None = Field(default=None, description="short-range repulsion added to the model; null for none")
    optimizer: SerializeAsAny[OptimizerConfig] | tuple[SerializeAsAny[OptimizerConfig], ...] = Field(
        description="settings of the optimizer; a list of such sections: stages, one after another"
    )

    train_data: tuple[Path, ...] = Field(
        default=(), description="files or folders to train on, relative to the folder the command is run in"
    )
    valid_data: tuple[Path, ...] = Field(default=(), description="files or folders to validate on")
    test_data: tuple[Path, ...] = Field(default=(), description="files or folders `pwmlff test` evaluates")
    format: str | None = Field(
        default=None, description="format of all data, such as pwmat/movement; null: found out from each file's content"
    )
    energy_key: str | None = Field(
        default=None, description="key of the energy in extended XYZ, such as REF_energy; null: `energy` and the like"
    )
    forces_key: str | None = Field(default=None, description="column of the forces in extended XYZ")
    virial_key: str | None = Field(
        default=None, description="key of the virial in extended XYZ, in eV: -stress * volume"
    )
    stress_key: str | None = Field(default=None, description="key of the stress in extended XYZ, eV/Å^3 in ASE's sign")
    train_weights: dict[Path, float] = Field(
        default_factory=dict,
        description="how often the frames of an entry of `train_data` are drawn in an epoch; 1 where it is not named",
    )
    isolated_atoms: Literal["shift", "train"] = Field(
        default="shift",
        description="frames of one atom far from others: they are not trained on, and their energies tell the zero of "
        "energy of each element (shift), or they are frames like all others (train)",
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
    split_seed: int | None = Field(
        default=None, ge=0, le=2**63 - 1, description="seed of what is held out, left out and replayed; null: `seed`"
    )
    leave_out: tuple[int, int] | None = Field(
        default=None,
        description="[k, n]: of n equal random parts of the train frames the k-th, from 1, is not used; null: all are",
    )
    data_shuffle: bool = Field(default=True, description="draw the train frames in a new random order each epoch")

    seed: int = Field(
        default=2023, ge=0, le=2**63 - 1, description="seed of weights, shuffling and the held-out frames"
    )
    ema_decay: float | None = Field(
        default=None,
        ge=0.0,
        lt=1.0,
        description="decay per step of the running average of the weights, which begins shorter; 0: no average; null: "
        "what suits the optimizer, 0.99 for LKF and GKF and no average for others",
    )
    device: Literal["auto", "cpu", "cuda"] = Field(default="auto", description="auto: the GPU where there is one")
    threads: int = Field(default=0, ge=0, le=4096, description="CPU threads per process; 0: as many as there are cores")

    model_load_file: Path | None = Field(
        default=None, description="checkpoint to test, or to start training from; null: none"
    )
    model_num: int = Field(
        default=1,
        ge=1,
        le=1000,
        description="models of a committee; `--committee` of `pwmlff train`",
    )
    early_stop: int | None = Field(
        default=None,
        ge=1,
        le=MAX_COUNT,
        description="end the run when so many epochs in a row were no better than the best one; null: never",
    )
    energy_shift: Literal["auto", "keep", "fit"] = Field(
        default="auto",
        description="energies per atom with `model_load_file`: those of that model (keep), fitted to the train frames "
        "(fit), or fitted where these are of another level of theory (auto); a new element's are always fitted",
    )
    freeze: tuple[str, ...] = Field(
        default=(),
        description="parts of the model that stay as they are: descriptor (or embedding), hidden, output, fitting (the "
        "last two)",
    )
    replay_data: tuple[Path, ...] = Field(
        default=(), description="files or folders of older train frames, against forgetting what they say"
    )
    replay_fraction: float = Field(
        default=0.2, gt=0.0, lt=1.0, description="part of the train frames that is drawn from `replay_data`"
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
    def stages(self) -> tuple[OptimizerConfig, ...]:
        """The optimizers of the run, one after another."""
        return (self.optimizer,) if isinstance(self.optimizer, OptimizerConfig) else self.optimizer

    def with_stages(self, stages: Sequence[OptimizerConfig]) -> RunConfig:
        """Return the run file with other settings of its optimizers."""
        optimizer = stages[0] if isinstance(self.optimizer, OptimizerConfig) else tuple(stages)
        return self.model_copy(update={"optimizer": optimizer})

    @property
    def label_keys(self) -> LabelKeys:
        """Where extended XYZ has its labels."""
        return LabelKeys(self.energy_key, self.forces_key, self.virial_key, self.stress_key)

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
        return row_chosen_by(dict(self)) or self.model_type

    @field_validator("format")
    @classmethod
    def _lower(cls, value: str | None) -> str | None:
        return value.lower() if value else None

    @field_validator("optimizer")
    @classmethod
    def _epochs_compare(cls, value: OptimizerConfig | tuple[OptimizerConfig, ...]) -> Any:
        first, *later = [value] if isinstance(value, OptimizerConfig) else value
        for number, stage in enumerate(later, start=1):
            for verb, ours, theirs in (
                ("trains", stage.trained, first.trained),
                ("ends with weights for", stage.ranked_by, first.ranked_by),
            ):
                if ours != theirs:
                    raise ValueError(
                        f"optimizer[{number}] {verb} {_listed(ours)}, optimizer[0] {_listed(theirs)}; expected the "
                        "same in all stages, so that their epochs compare"
                    )
        return value

    @field_validator("train_weights")
    @classmethod
    def _can_be_drawn(cls, value: dict[Path, float]) -> dict[Path, float]:
        wrong = {path: weight for path, weight in value.items() if not 0.0 <= weight <= _LARGEST_WEIGHT}
        if wrong:
            path, weight = next(iter(wrong.items()))
            raise ValueError(f"expected numbers from 0 to {_LARGEST_WEIGHT:g}, got {weight:g} for {path}")
        return value

    @model_validator(mode="after")
    def _weights_have_data(self) -> RunConfig:
        unknown = [str(path) for path in self.train_weights if path not in self.train_data]
        if unknown:
            listed = ", ".join(map(str, self.train_data)) or "nothing"
            raise ValueError(f"`train_weights` names {', '.join(unknown)}; `train_data` lists {listed}")
        return self

    @field_validator("model_name")
    @classmethod
    def _is_free(cls, value: str) -> str:
        if "/" in value or value in (".", ".."):
            raise ValueError(f"expected a file name without folders, got {json.dumps(value)}; see `model_store_dir`")
        if value.casefold() in OWN_FILES:
            raise ValueError(f"{value} is the name of another file of the run; choose one such as dp_model.ckpt")
        if len(value.encode()) > _LONGEST_NAME:
            raise ValueError(f"expected a name of at most {_LONGEST_NAME} bytes, got one of {len(value.encode())}")
        return value

    @field_validator("leave_out")
    @classmethod
    def _is_a_part(cls, value: tuple[int, int] | None) -> tuple[int, int] | None:
        if value is not None and not (2 <= value[1] <= 10**6 and 1 <= value[0] <= value[1]):
            raise ValueError(f"expected [k, n] with n of 2 or more and k from 1 to n, got {list(value)}")
        return value

    @field_validator("freeze", mode="before")
    @classmethod
    def _one_or_more(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    @model_validator(mode="wrap")
    @classmethod
    def _read(cls, data: Any, handler: ModelWrapValidatorHandler[RunConfig], info: ValidationInfo) -> RunConfig:
        """Translate the keys of MatPL, check every section, and raise all problems at once."""
        if isinstance(data, RunConfig):
            return data
        if isinstance(data, compat.Translation):  # by the lines below, for the class of its model
            return handler(data.values)
        where = (info.context or {}).get("where", "the configuration")
        if not isinstance(data, Mapping):
            raise ConfigError(f"{where} is a {type(data).__name__}, expected a JSON object")
        translation = compat.translate(data, is_test=bool((info.context or {}).get("is_test")))
        values, choice = translation.values, choose_model(translation)
        config_class = run_class(choice.network)
        ignored = compat.ignored_keys(choice.network.RunFile)
        translation.drop((), ignored[()], config_class.model_fields)
        drop_foreign_keys(values, choice, config_class.model_fields)
        compat.settle_optimizer(translation)
        is_staged = isinstance(values.get("optimizer"), (list, tuple))
        optimizers, optimizer_problems = choose_optimizers(translation)
        problems = choice.problems + optimizer_problems
        sections = {"model": choice.network.Config, **optimizers}
        places = known_places({(): config_class, **{(name,): section for name, section in sections.items()}})
        for name, section_class in sections.items():
            try:
                values[name] = _validated_section(translation, name, section_class, ignored)
            except ValidationError as error:
                problems += lines_of(error, section_class, (name,), places)
                # the rest of the file is still checked
                values[name] = section_class.model_construct()
        if is_staged:
            stages = [values.pop(name) for name in optimizers]
            # wrong ones are not compared with others
            values["optimizer"] = tuple(stages) if not problems else OptimizerConfig.model_construct()
        if not values.get("atom_type") and not values.get("model_load_file"):
            problems.append('atom_type: missing; give the elements of the model, for instance ["Cu", "O"] or [29, 8]')
        try:
            config = handler(values) if config_class is cls else config_class.model_validate(translation)
            hooks = MODELS.get(config.model_key, choice.network).RunFile
            problems += [f"model.{line}" for line in hooks.element_problems(config.model, config.elements)]
            if config.zbl is not None and config.elements:  # otherwise a model file tells them
                problems += [f"zbl.{line}" for line in config.zbl.element_problems(config.elements)]
        except ValidationError as error:
            problems += lines_of(error, config_class, (), places)
        raise_all(problems, where)
        config._notices = tuple(translation.notices)
        return config


def load_config(path: Path | str, *, is_test: bool = False) -> RunConfig:
    """Read a run file: JSON, in which `//` begins a comment, or one of another program that a model has a reader for.

    Args:
        path: The file.
        is_test: Read it for `pwmlff test`: data under PWMLFF's old names, `raw_files` and `datasets_path`, are then to
            test on, and the model may be left to `model_load_file`.

    Raises:
        ConfigError: The file cannot be read, or lists every problem with its keys.
    """
    path = Path(path)
    reader = _foreign_readers().get(path.suffix)
    values, notices = reader(path) if reader else (read_json(path), [])
    config = RunConfig.model_validate(values, context={"where": f"'{path}'", "is_test": is_test})
    config._notices = (*notices, *config._notices)
    return config


def is_run_file(path: Path) -> bool:
    """Whether a file is a run file, by the suffix of its name."""
    return path.suffix in (".json", ".jsonc", *_foreign_readers())


def _foreign_readers() -> dict[str, ForeignReader]:
    return {suffix: reader for row in MODELS.values() for suffix, reader in row.RunFile.readers.items()}


def run_class(*networks: type[Network]) -> type[RunConfig]:
    """Return `RunConfig` with the top-level keys of these models; it is `RunConfig` itself where they have none."""
    keys = dict.fromkeys(network.RunFile.TopLevel for network in networks)
    # a class whose keys another one extends says nothing new
    last = tuple(key for key in keys if not any(key is not other and issubclass(other, key) for other in keys))
    return RunConfig if last in ((), (TopLevelKeys,)) else _assembled(*last)


def _read_again(values: dict[str, Any], notices: tuple[str, ...]) -> RunConfig:
    config = RunConfig.model_validate(values)
    config._notices = notices
    return config


@cache
def _assembled(*keys: type[TopLevelKeys]) -> type[RunConfig]:
    bases: tuple[Any, ...] = (RunConfig, *keys)  # the fields of a family come between the base's and those of RunConfig
    return create_model(RunConfig.__name__, __base__=bases, __module__=__name__, __doc__=RunConfig.__doc__)


def _validated_section(
    translation: compat.Translation,
    name: str,
    section_class: type[BaseModel],
    ignored: Mapping[tuple[str, ...], Reasons],
) -> Any:
    """Drop keys without meaning from the section `name` and validate it."""
    for path, reasons in ignored.items():
        owner = class_at(section_class, path[1:]) if path[:1] == (name.partition("[")[0],) else None
        if owner is not None:
            translation.drop((name, *path[1:]), reasons, owner.model_fields)
    value = translation.values.get(name)
    return section_class.model_validate({} if value is None else value)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(name.replace("_", " ") for name in names) or "nothing"
