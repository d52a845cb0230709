"""Files written for PWMLFF and MatPL are taken unchanged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pwmlff.config import RunConfig, load_config
from pwmlff.config.compat import IGNORED_KEYS, RENAMED_KEYS
from pwmlff.errors import ConfigError

SHORTEST: dict[str, Any] = {"model_type": "DP", "atom_type": [29]}

# every top-level key of MatPL 2025.3 and 2026.3 with a value its manual allows
TOP_LEVEL: dict[str, Any] = {
    "train_data": ["a"], "valid_data": ["b"], "test_data": ["c"], "format": "pwmat/movement",
    "train_feature_path": [], "valid_feature_path": [], "test_feature_path": [],
    "model_load_file": "model_record/dp_model.ckpt", "nep_txt_file": None, "recover_train": True, "model_num": 1,
    "max_neigh_num": 100, "seed": 2023, "precision": "float64", "data_shuffle": True, "valid_shuffle": False,
    "workers": 1, "type_embedding": False, "feature_type": [3, 4], "profiling": False, "is_dfeat_sparse": False,
    "reserve_feature": False, "reserve_work_dir": False, "save_p_matrix": False, "model_store_dir": "model_record",
    "model_name": "dp_model.ckpt", "forcefield_dir": "forcefield", "forcefield_name": "forcefield.ff",
    "test_dir_name": "test_result", "hvd": False, "world_size": -1, "rank": -1, "dist_url": "tcp://localhost:23456",
    "dist_backend": "nccl", "distributed": False, "gpu": None, "save_step": None, "max_save_num": 10,
    "batch_max_types": -1,
}  # fmt: skip
DESCRIPTOR: dict[str, Any] = {
    "Rmax": 6.0, "Rmin": 0.5, "M2": 16, "network_size": [25, 25, 25], "bias": True, "resnet_dt": False,
    "activation": "tanh", "E_tolerance": 9999999.0, "type_embedding": {"physical_property": ["atomic_number"]},
}  # fmt: skip
FITTING_NET: dict[str, Any] = {"network_size": [50, 50, 50, 1], "bias": True, "resnet_dt": True, "activation": "tanh"}
OPTIMIZER: dict[str, Any] = {
    "optimizer": "ADAM", "batch_size": 1, "epochs": 30, "print_freq": 10, "reset_epoch": True, "start_epoch": 1,
    "train_energy": True, "train_force": True, "train_ei": False, "train_egroup": False, "train_virial": False,
    "kalman_lambda": 0.98, "kalman_nue": 0.9987, "block_size": 5120, "nselect": 24, "groupsize": 6, "p0_weight": 0.01,
    "pre_fac_force": 2.0, "pre_fac_etot": 1.0, "pre_fac_virial": 1.0, "pre_fac_ei": 1.0, "pre_fac_egroup": 0.1,
    "lambda_2": None, "learning_rate": 1e-3, "weight_decay": 1e-4, "momentum": 0.9, "gamma": 0.99, "step": 100,
    "stop_lr": 3.51e-8, "stop_step": 1000000, "decay_step": 5000,
    "start_pre_fac_force": 1000.0, "start_pre_fac_etot": 0.02, "start_pre_fac_virial": 50.0,
    "start_pre_fac_ei": 0.1, "start_pre_fac_egroup": 0.02,
    "end_pre_fac_force": 1.0, "end_pre_fac_etot": 1.0, "end_pre_fac_virial": 1.0, "end_pre_fac_ei": 2.0,
    "end_pre_fac_egroup": 1.0,
    "max_norm": None, "norm_type": 2, "clip_value": None, "t_0": 6, "t_mult": 1,
}  # fmt: skip

TRAIN_FILE = """{
    "model_type": "DP",
    "atom_type": [3, 14],
    "_comment": "a key with an underscore explains another",
    "max_neigh_num": 150,
    "seed": 2023,
    "recover_train": true,
    "type_embedding": false,
    "model": {
        "descriptor": {"Rmax": 5.5, "Rmin": 0.5, "M2": 12, "E_tolerance": 9999999.99, "network_size": [20, 20, 20]},
        "fitting_net": {"network_size": [40, 40, 1], "_network_size": [50, 50, 50, 1]}
    },
    "optimizer": {
        "optimizer": "ADAM", "epochs": 40, "batch_size": 4, "print_freq": 10, "learning_rate": 0.001,
        "train_energy": true, "train_force": true, "train_virial": true, "train_ei": false, "train_egroup": false,
        "start_pre_fac_force": 1000, "end_pre_fac_force": 1.0
    },
    "_optimizer": {"optimizer": "LKF", "block_size": 5120},
    "format": "pwmat/movement",
    "train_data": ["./li/MOVEMENT", "./si/MOVEMENT"],
    "valid_data": ["./lisi/MOVEMENT"]
}
"""
TEST_FILE = """{
    "model_type": "DP",
    "atom_type": ["Li", "Si"],
    "model_load_file": "./model_record/dp_model.ckpt",
    "optimizer": {"optimizer": "LKF", "epochs": 30, "block_size": 5120},
    "format": "extxyz",
    "test_data": ["./test.xyz"]
}
"""


def test_train_file(tmp_path: Path) -> None:
    path = tmp_path / "train.json"
    path.write_text(TRAIN_FILE)
    config = load_config(path)
    assert config.elements == ["Li", "Si"]
    assert (config.model.descriptor.Rmax, config.model.descriptor.network_size) == (5.5, (20, 20, 20))
    assert config.model.fitting_net.network_size == (40, 40, 1)
    assert (config.optimizer.epochs, config.optimizer.batch_size, config.optimizer.train_virial) == (40, 4, True)
    assert config.train_data == (Path("li/MOVEMENT"), Path("si/MOVEMENT"))
    noticed = [notice.split("'")[1] for notice in config.notices]
    assert noticed == ["max_neigh_num", "model.descriptor.E_tolerance"]


def test_test_file(tmp_path: Path) -> None:
    path = tmp_path / "test.json"
    path.write_text(TEST_FILE)
    config = load_config(path)
    assert config.test_data == (Path("test.xyz"),)
    assert config.model_load_file == Path("model_record/dp_model.ckpt")
    assert config.notices == ["'optimizer' is ignored: this file has no `train_data`, so nothing is optimised"]


@pytest.mark.parametrize("key", list(TOP_LEVEL))
def test_every_top_level_key_is_accepted(key: str) -> None:
    config = RunConfig.model_validate({**SHORTEST, key: TOP_LEVEL[key]})
    assert (key in IGNORED_KEYS) == any(notice.startswith(f"'{key}' is ignored: ") for notice in config.notices)


def test_all_keys_together_are_accepted_with_one_notice_each() -> None:
    everything = {
        **SHORTEST,
        **TOP_LEVEL,
        "model": {"descriptor": DESCRIPTOR, "fitting_net": FITTING_NET},
        "optimizer": OPTIMIZER,
    }
    before = json.dumps(everything)
    config = RunConfig.model_validate(everything)
    assert json.dumps(everything) == before
    assert len(config.notices) == len(set(config.notices))
    assert all(": " in notice or "taken as" in notice for notice in config.notices)
    assert config.optimizer.learning_rate == 1e-3  # type: ignore[attr-defined]


@pytest.mark.parametrize("key", list(OPTIMIZER))
@pytest.mark.parametrize("name", ["ADAM", "ADAMW", "LKF", "GKF"])
def test_every_optimizer_key_is_used_or_noticed(key: str, name: str) -> None:
    section = {"optimizer": name} | ({} if key == "optimizer" else {key: OPTIMIZER[key]})
    config = RunConfig.model_validate({**SHORTEST, "optimizer": section})
    used = hasattr(config.optimizer, key)
    assert used != any(notice.startswith(f"'optimizer.{key}' is ignored: ") for notice in config.notices)


@pytest.mark.parametrize("key", list(DESCRIPTOR))
def test_every_descriptor_key_is_accepted(key: str) -> None:
    RunConfig.model_validate({**SHORTEST, "model": {"descriptor": {key: DESCRIPTOR[key]}}})


@pytest.mark.parametrize("key", list(FITTING_NET))
def test_every_fitting_net_key_is_accepted(key: str) -> None:
    RunConfig.model_validate({**SHORTEST, "model": {"fitting_net": {key: FITTING_NET[key]}}})


@pytest.mark.parametrize(
    "section",
    [
        {"type_embedding": {"physical_property": ["pauling"]}},
        {"model": {"type_embedding": {"physical_property": ["pauling"]}}},
        {"model": {"descriptor": {"type_embedding": {"physical_property": ["pauling"]}}}},
        {"type_embedding": True, "model": {"descriptor": {"type_embedding": {"physical_property": ["pauling"]}}}},
    ],
)
def test_type_embedding_wherever_it_stands(section: dict[str, Any]) -> None:
    config = RunConfig.model_validate({**SHORTEST, **section})
    assert config.model_key == "DP_TYPE_EMBEDDING"
    assert config.model.descriptor.type_embedding.physical_property == ("pauling",)  # type: ignore[attr-defined]


def test_type_embedding_can_be_switched_off_with_its_section_in_place() -> None:
    section = {"model": {"descriptor": {"type_embedding": {"physical_property": ["pauling"]}}}}
    assert RunConfig.model_validate({**SHORTEST, **section, "type_embedding": False}).model_key == "DP"


@pytest.mark.parametrize(("old", "new"), list(RENAMED_KEYS.items()))
def test_older_names(old: str, new: str) -> None:
    value: Any = "dp.ckpt" if new == "model_load_file" else ["a", "b"]
    config = RunConfig.model_validate({**SHORTEST, old: value})
    assert getattr(config, new) == (Path(value) if isinstance(value, str) else (Path("a"), Path("b")))
    assert config.notices == [f"'{old}' is the older name of '{new}'"]


def test_train_valid_ratio_becomes_the_held_out_fraction() -> None:
    assert RunConfig.model_validate({**SHORTEST, "train_valid_ratio": 0.8}).valid_ratio == 0.2


def test_save_step_moves_to_the_optimizer() -> None:
    config = RunConfig.model_validate({**SHORTEST, "save_step": 50})
    assert config.optimizer.save_step == 50  # type: ignore[attr-defined]


def test_optimizer_without_a_name_says_which_is_used() -> None:
    config = RunConfig.model_validate({**SHORTEST, "optimizer": {"epochs": 3}})
    assert config.notices == ["'optimizer.optimizer' is not given: ADAM is used"]


@pytest.mark.parametrize("model", ["DP", "NN"])
@pytest.mark.parametrize("key", ["cutoff", "rcut", "r_max"])
def test_a_cutoff_under_another_name_is_not_passed_over(model: str, key: str) -> None:
    """Such a file would be trained with the default of 6 Å."""
    with pytest.raises(ConfigError, match=rf"model\.descriptor\.{key}: unknown key; use `Rmax` \("):
        RunConfig.model_validate({**SHORTEST, "model_type": model, "model": {"descriptor": {key: 5.0}}})


@pytest.mark.parametrize("key", ["Rmax", "rcut", "r_max"])
def test_the_cutoffs_of_a_nep_are_not_passed_over(key: str) -> None:
    with pytest.raises(ConfigError, match=rf"model\.descriptor\.{key}: unknown key; use `cutoff` \("):
        RunConfig.model_validate({**SHORTEST, "model_type": "NEP", "model": {"descriptor": {key: 5.0}}})


TESTS_OF_PWMLFF: dict[str, tuple[dict[str, Any], list[str]]] = {
    "raw_files": (
        {"model_type": "DP", "raw_files": ["0_300_MOVEMENT", "1_500_MOVEMENT"]},
        ["0_300_MOVEMENT", "1_500_MOVEMENT"],
    ),
    "datasets_path": (
        {"model_type": "NEP", "atom_type": [8, 72], "format": "pwmat/movement", "raw_files": ["mvm"],
         "datasets_path": ["pwdata/a", "pwdata/b/valid"]},
        ["mvm", "pwdata/a", "pwdata/b/valid"],
    ),
    "test_movement_file": ({"model_type": "NEP", "test_movement_file": ["MOVEMENT"]}, ["MOVEMENT"]),
    "test_movement_path": ({"model_type": "NN", "test_movement_path": "MOVEMENT"}, ["MOVEMENT"]),
    "no model_type": ({"test_data": ["a.xyz"]}, ["a.xyz"]),
}  # fmt: skip


@pytest.mark.parametrize("name", list(TESTS_OF_PWMLFF))
def test_what_a_test_file_names_is_to_test_on(tmp_path: Path, name: str) -> None:
    values, expected = TESTS_OF_PWMLFF[name]
    path = tmp_path / "test.json"
    path.write_text(json.dumps({**values, "model_load_file": "model.ckpt", "optimizer": {"optimizer": "LKF"}}))
    config = load_config(path, is_test=True)
    assert list(map(str, config.test_data)) == expected
    assert config.train_data == ()


def test_the_data_of_a_training_are_not_tested_when_test_data_are_named(tmp_path: Path) -> None:
    path = tmp_path / "train.json"
    path.write_text(json.dumps({**SHORTEST, "raw_files": ["a"], "test_data": ["b"], "model_load_file": "m.ckpt"}))
    config = load_config(path, is_test=True)
    assert (config.train_data, config.test_data) == ((Path("a"),), (Path("b"),))
    assert load_config(path).train_data == (Path("a"),)


def test_folders_of_a_data_set_have_fixed_names() -> None:
    config = RunConfig.model_validate({**SHORTEST, "trainDataPath": "train", "validDataPath": "valid"})
    assert [notice.split("'")[1] for notice in config.notices] == ["trainDataPath", "validDataPath"]
    with pytest.raises(ConfigError, match="trainDataPath: unknown key"):
        RunConfig.model_validate({**SHORTEST, "trainDataPath": "valid"})
