"""Keys of PWMLFF and MatPL input files that are named differently here, or mean nothing here.

Files written for those programs are taken unchanged. A key without meaning is dropped and leaves one line that says
why; a key of an older version moves to its present name. A key that starts with an underscore is a comment. What only
one family of models knows, its `RunFile` tells.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from pwmlff.models import MODELS
from pwmlff.models.run_file import RunFileHooks, section_at

_ONE_LAUNCHER = "the launcher (`torchrun` or `mpirun`) says how many processes there are and how they meet"
_NO_FEATURE_FILES = "descriptors are computed while training, there are no feature files"
_WORK_DIR = "nothing is written to a temporary work folder"
_TEXT_FORCE_FIELD = "there is no text force field; `pwmlff export` writes the model for LAMMPS"

IGNORED_KEYS = {
    "max_neigh_num": "neighbour lists have no fixed size, so none can overflow",
    "workers": "neighbour lists are kept in memory, no loader processes are needed",
    "valid_shuffle": "the order of the validation frames changes no result",
    "hvd": _ONE_LAUNCHER,
    "world_size": _ONE_LAUNCHER,
    "rank": _ONE_LAUNCHER,
    "dist_url": _ONE_LAUNCHER,
    "dist_backend": _ONE_LAUNCHER,
    "distributed": _ONE_LAUNCHER,
    "gpu": "`device` chooses between CPU and GPU",
    "feature_type": "it chooses the descriptors of the NN and LINEAR models",
    "train_feature_path": _NO_FEATURE_FILES,
    "valid_feature_path": _NO_FEATURE_FILES,
    "test_feature_path": _NO_FEATURE_FILES,
    "reserve_feature": _NO_FEATURE_FILES,
    "is_dfeat_sparse": _NO_FEATURE_FILES,
    "chunk_size": _NO_FEATURE_FILES,
    "work_dir": _WORK_DIR,
    "reserve_work_dir": _WORK_DIR,
    "profiling": "there is no built-in profiler run",
    "save_p_matrix": "checkpoints always hold the whole state of the optimizer",
    "forcefield_dir": _TEXT_FORCE_FIELD,
    "forcefield_name": _TEXT_FORCE_FIELD,
    "max_save_num": "the last and the best checkpoint are kept",
    "trainSetDir": _NO_FEATURE_FILES,
    "dRFeatureInputDir": _NO_FEATURE_FILES,
    "dRFeatureOutputDir": _NO_FEATURE_FILES,
    "batch_max_types": "a batch may hold any number of elements",
}

RENAMED_KEYS = {
    "train_movement_file": "train_data",
    "train_movement_path": "train_data",
    "raw_files": "train_data",
    "datasets_path": "train_data",
    "data_train": "train_data",
    "test_movement_file": "test_data",
    "test_movement_path": "test_data",
    "model_load_path": "model_load_file",
}
_TEST_DATA_TOO = ("raw_files", "datasets_path")  # in a test.json of PWMLFF they are to test on

FOLDERS = {"trainDataPath": "train", "validDataPath": "valid"}  # of a data set; other names are not known here
_NAMES_OF_TEST_DATA = ("test_data", *(old for old, new in RENAMED_KEYS.items() if new == "test_data"))

_OF_FEATURES = "it is a setting of the NN and LINEAR models"
_OF_KALMAN = "it is a setting of the Kalman filters LKF and GKF"
_OF_GRADIENT = "it is a setting of the gradient optimizers"
_OF_SNES = "it is a setting of SNES"

# dropped where the chosen model or optimizer has no such key
IGNORED_SECTION_KEYS: dict[tuple[str, ...], dict[str, str]] = {
    ("model", "descriptor"): {
        "E_tolerance": "frames are not sorted out by their energy; `pwmlff data info` lists outliers",
        **dict.fromkeys(("feature_type", "1", "2", "3", "4", "5", "6", "7", "8"), _OF_FEATURES),
        **dict.fromkeys(("cheby_order", "radial_num1", "radial_num2"), _OF_FEATURES),
    },
    ("optimizer",): {
        **dict.fromkeys(("kalman_lambda", "kalman_nue", "block_size", "nselect", "groupsize", "p0_weight"), _OF_KALMAN),
        **dict.fromkeys(("force_groups", "force_per_atom", "replacement", "joint", "parts"), _OF_KALMAN),
        **dict.fromkeys(("p_max", "max_step", "p_precision", "guard", "weight_decay"), _OF_KALMAN),
        **{f"pre_fac_{label}": _OF_KALMAN for label in ("force", "etot", "ei", "egroup", "virial")},
        **{
            f"{end}_pre_fac_{label}": _OF_GRADIENT
            for end in ("start", "end")
            for label in ("force", "etot", "ei", "egroup", "virial")
        },
        **dict.fromkeys(("population", "sigma0", "sigma_max", "output_interval", "nep_restart"), _OF_SNES),
        **dict.fromkeys((f"lambda_{label}" for label in ("e", "f", "v", "ei", "egroup")), _OF_SNES),
        **dict.fromkeys(("learning_rate", "stop_lr", "stop_step", "decay_step", "lambda_2"), _OF_GRADIENT),
        **dict.fromkeys(("max_norm", "norm_type", "clip_value", "t_0", "t_mult"), _OF_GRADIENT),
        "weight_decay": "it is a setting of SGD; the weight decay of ADAM and ADAMW is `lambda_2`",
        **dict.fromkeys(("momentum", "gamma", "step", "scheduler"), "it is a setting of SGD"),
        "scaling_method": "`scale_lr` multiplies the learning rate by the square root of the batch size",
        "save_step": "a checkpoint is written after an epoch",
        "best_loss": "the best checkpoint is chosen from this run's own losses",
        "reset_epoch": "a resumed run goes on where it stopped; a new `model_store_dir` starts anew",
        "start_epoch": "a resumed run goes on where it stopped",
    },
}


@dataclass
class Translation:
    """A run file in our keys, and what there is to say about it.

    Attributes:
        values: A copy of the file without comments, old names and keys without meaning.
        notices: One line per key that was dropped or renamed.
    """

    values: dict[str, Any]
    notices: list[str] = field(default_factory=list)

    def drop(self, path: tuple[str, ...], reasons: Mapping[str, str], known: Collection[str]) -> None:
        """Drop the keys of the section at `path` that have a reason, save those the section knows."""
        section = section_at(self.values, path)
        for key in [key for key in section if key in reasons and key not in known]:
            del section[key]
            self.notices.append(f"'{'.'.join((*path, key))}' is ignored: {reasons[key]}")


def ignored_keys(hooks: type[RunFileHooks]) -> dict[tuple[str, ...], dict[str, str]]:
    """Return the reasons of all keys without meaning in the run files of a model, by the path of their section."""
    ignored = {(): dict(IGNORED_KEYS), **{path: dict(reasons) for path, reasons in IGNORED_SECTION_KEYS.items()}}
    for path, reasons in hooks.ignored.items():
        ignored[path] = {**ignored.get(path, {}), **reasons}
    return dict(sorted(ignored.items()))


def translate(data: Mapping[str, Any], *, is_test: bool = False) -> Translation:
    """Return a run file, as read, without comments and with our names of the keys every model has.

    Args:
        data: The file.
        is_test: It is that of a test, see `load_config`.
    """
    translation = Translation(_without_comments(data))
    values, notices = translation.values, translation.notices
    is_old_test = is_test and not any(values.get(key) for key in _NAMES_OF_TEST_DATA)
    if is_test and values.get("model_load_file", values.get("model_load_path")):
        values.setdefault("model_type", next(iter(MODELS)))  # the model itself tells
    for old, new in RENAMED_KEYS.items():
        new = "test_data" if is_old_test and old in _TEST_DATA_TOO else new
        if old in values and (new not in values or new.endswith("_data")):
            moved = values.pop(old)
            values[new] = _listed(values[new]) + _listed(moved) if new in values else moved
            notices.append(f"'{old}' is the older name of '{new}'")
    for key, name in FOLDERS.items():
        if values.get(key) == name:
            del values[key]
            notices.append(f"'{key}' is ignored: that folder of a data set is called {name} here too")
    ratio = values.get("train_valid_ratio")
    if isinstance(ratio, (int, float)) and not isinstance(ratio, bool) and "valid_ratio" not in values:
        values["valid_ratio"] = round(1.0 - values.pop("train_valid_ratio"), 12)
        notices.append(f"'train_valid_ratio' is read as a 'valid_ratio' of {values['valid_ratio']:g}")
    for key in ("train_data", "valid_data", "test_data", "replay_data"):
        if isinstance(values.get(key), str):
            values[key] = _listed(values[key])
        if isinstance(values.get(key), list) and any(_is_entry(entry) for entry in values[key]):
            values[key] = [entry["path"] if _is_entry(entry) else entry for entry in values[key]]
            notices.append(f"the formats of the entries of '{key}' are found out from the content of their files")
    return translation


def settle_optimizer(translation: Translation) -> None:
    """Move `save_step` to the section `optimizer`, and drop that section where nothing is trained."""
    values, notices = translation.values, translation.notices
    optimizer = values.get("optimizer") or {}
    stages = optimizer if isinstance(optimizer, list) else [optimizer]
    if "save_step" in values and all(isinstance(stage, dict) for stage in stages):
        own = {"save_step": values.pop("save_step")}
        values["optimizer"] = [{**own, **stage} for stage in stages] if stages is optimizer else {**own, **optimizer}
        notices.append("'save_step' is taken as 'optimizer.save_step'")
    if values.get("test_data") and not values.get("train_data") and values.pop("optimizer", None) is not None:
        notices.append("'optimizer' is ignored: this file has no `train_data`, so nothing is optimised")


def _is_entry(value: Any) -> bool:
    """Whether an entry of a list of data is a path with its format, as in later MatPL."""
    return isinstance(value, Mapping) and "path" in value and value.keys() <= {"path", "format"}


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _without_comments(data: Mapping[str, Any]) -> dict[str, Any]:
    def below(value: Any) -> Any:
        if isinstance(value, list):
            return [below(entry) for entry in value]
        return _without_comments(value) if isinstance(value, Mapping) else value

    return {key: below(value) for key, value in data.items() if not str(key).startswith("_")}
