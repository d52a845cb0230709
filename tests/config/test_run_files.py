"""Run files as they are written for PWMLFF and MatPL: what each is understood to say, or why it is refused.

The files in `run_files/` are ours, with the keys of their generations: the first ones of PWMLFF (`train_movement_path`,
templates full of comments), PWMLFF 2024 (`raw_files`, `datasets_path`), MatPL 2025.3 and 2026.3. Values that a file
leaves out are those of MatPL 2026.3.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from pwmlff.config import load_config
from pwmlff.config.schema import run_schema
from pwmlff.data.frame import Frame
from pwmlff.data.writers import write_extxyz
from pwmlff.errors import ConfigError
from pwmlff.models.files.checkpoint import load_checkpoint
from pwmlff.train import train_from_config

FOLDER = Path(__file__).with_name("run_files")
MOVEMENTS = ["li/MOVEMENT", "si/MOVEMENT"]
DP_NETS = {
    "model.descriptor.Rmax": 5.5,
    "model.descriptor.Rmin": 0.5,
    "model.descriptor.M2": 12,
    "model.descriptor.network_size": [20, 20, 20],
    "model.fitting_net.network_size": [40, 40, 40, 1],
}
DP_DEFAULTS = {
    "model.descriptor.Rmax": 6.0,
    "model.descriptor.Rmin": 0.5,
    "model.descriptor.M2": 16,
    "model.descriptor.network_size": [25, 25, 25],
    "model.descriptor.resnet_dt": False,
    "model.fitting_net.network_size": [50, 50, 50, 1],
    "model.fitting_net.resnet_dt": True,
}
NEP_DEFAULTS = {
    "model.descriptor.cutoff": [8.0, 4.0],
    "model.descriptor.n_max": [4, 4],
    "model.descriptor.basis_size": [8, 8],
    "model.descriptor.l_max": [4, 2, 1],
    "model.fitting_net.network_size": 40,
    "zbl": None,
}
ADAM_DEFAULTS = {
    "optimizer.optimizer": "ADAM",
    "optimizer.batch_size": 1,
    "optimizer.epochs": 30,
    "optimizer.learning_rate": 1e-3,
    "optimizer.stop_lr": 3.51e-8,
    "optimizer.train_energy": True,
    "optimizer.train_force": True,
    "optimizer.train_virial": False,
    "optimizer.start_pre_fac_force": 1000.0,
    "optimizer.end_pre_fac_force": 1.0,
    "optimizer.start_pre_fac_etot": 0.02,
    "optimizer.end_pre_fac_etot": 1.0,
    "optimizer.start_pre_fac_virial": 50.0,
}
KALMAN_OF_PWMLFF = {  # as its files write them out
    "optimizer.kalman_lambda": 0.98,
    "optimizer.kalman_nue": 0.9987,
    "optimizer.pre_fac_force": 2.0,
    "optimizer.pre_fac_etot": 1.0,
    "optimizer.pre_fac_virial": 1.0,
    "optimizer.pre_fac_ei": 1.0,
    "optimizer.pre_fac_egroup": 0.1,
}
KALMAN_DEFAULTS = {  # those of joint measurements here, see docs/training.md
    "optimizer.optimizer": "LKF",
    "optimizer.kalman_lambda": 0.98,
    "optimizer.kalman_nue": 0.9987,
    "optimizer.joint": True,
    "optimizer.pre_fac_force": 60.0,
    "optimizer.pre_fac_etot": 200.0,
    "optimizer.p0_weight": 1.0,
}

# file -> (what is understood, by dotted key; keys that a notice names)
TAKEN: dict[str, tuple[dict[str, Any], list[str]]] = {
    "dp_lkf_2025": (
        {
            **DP_NETS, **KALMAN_OF_PWMLFF, "model.descriptor.resnet_dt": True, "model.fitting_net.resnet_dt": False,
            "atom_type": ["Li", "Si"], "train_data": MOVEMENTS, "format": "pwmat/movement", "seed": 2024,
            "optimizer.optimizer": "LKF", "optimizer.epochs": 20, "optimizer.batch_size": 4,
            "optimizer.block_size": 5120,
            "optimizer.p0_weight": 0.01, "optimizer.train_virial": False, "optimizer.print_freq": 10,
        },
        ["max_neigh_num", "valid_shuffle", "workers", "model.descriptor.E_tolerance"],
    ),
    "dp_adam_prefactors": (
        {
            **DP_NETS, "optimizer.epochs": 60, "optimizer.batch_size": 8, "optimizer.learning_rate": 0.002,
            "optimizer.stop_lr": 1e-7, "optimizer.stop_step": 200000, "optimizer.decay_step": 2500,
            "optimizer.train_virial": True, "optimizer.train_ei": True, "optimizer.train_egroup": True,
            "optimizer.start_pre_fac_force": 500.0, "optimizer.start_pre_fac_etot": 0.05,
            "optimizer.start_pre_fac_virial": 30.0, "optimizer.start_pre_fac_ei": 0.2,
            "optimizer.start_pre_fac_egroup": 0.03, "optimizer.end_pre_fac_force": 2.0,
            "optimizer.end_pre_fac_etot": 3.0, "optimizer.end_pre_fac_virial": 4.0, "optimizer.end_pre_fac_ei": 5.0,
            "optimizer.end_pre_fac_egroup": 6.0,
        },
        [],
    ),
    "dp_adamw_decay": (
        {
            **DP_DEFAULTS, "optimizer.optimizer": "ADAMW", "optimizer.lambda_2": 0.001, "optimizer.max_norm": 1.5,
            "optimizer.norm_type": 2.0, "optimizer.clip_value": 0.2,
        },
        ["optimizer.weight_decay", "optimizer.momentum"],
    ),
    "dp_gkf": (
        {"optimizer.optimizer": "GKF", "optimizer.epochs": 5, "optimizer.kalman_lambda": 0.97,
         "optimizer.kalman_nue": 0.999, "optimizer.p0_weight": 0.05, "optimizer.pre_fac_force": 60.0},
        [],
    ),
    "dp_shortest": (
        {**DP_DEFAULTS, **ADAM_DEFAULTS, "atom_type": ["Cu"], "train_data": ["MOVEMENT"], "seed": 2023, "format": None,
         "precision": "float64", "type_embedding": False, "recover_train": True, "model_store_dir": "model_record",
         "model_name": "dp_model.ckpt", "test_dir_name": "test_result", "valid_ratio": 0.1, "data_shuffle": True},
        [],
    ),
    "dp_any_case": (
        {"model_type": "DP", "atom_type": ["Li", "Si"], "train_data": ["MOVEMENT"], "optimizer.optimizer": "LKF",
         **KALMAN_DEFAULTS},
        [],
    ),
    "dp_raw_files": (
        {"train_data": ["0_300_MOVEMENT", "1_500_MOVEMENT"], "valid_ratio": 0.2, "recover_train": True},
        ["raw_files", "train_valid_ratio", "chunk_size"],
    ),
    "dp_datasets_path": (
        {"train_data": ["PWdata/a", "PWdata/b"], "valid_ratio": 0.1},
        ["datasets_path", "trainDataPath", "validDataPath", "train_valid_ratio", "trainSetDir"],
    ),
    "dp_movement_file": (
        {"train_data": ["a/MOVEMENT"], "test_data": ["b/MOVEMENT"], "test_dir_name": "test_dir"},
        ["train_movement_file", "test_movement_file"],
    ),
    "dp_first_generation": (
        {
            **DP_NETS, **KALMAN_DEFAULTS, "train_data": ["MOVEMENT_2", "MOVEMENT_3"], "test_data": ["test/MOVEMENT"],
            "model_load_file": "start/checkpoint.ckpt", "model_name": "first.ckpt", "recover_train": False,
            "model_store_dir": "model_record_lkf", "valid_ratio": 0.25, "optimizer.batch_size": 2,
            "optimizer.epochs": 40, "optimizer.print_freq": 20,
        },
        ["train_movement_path", "test_movement_path", "model_load_path", "train_valid_ratio", "work_dir",
         "reserve_work_dir", "reserve_feature", "forcefield_name", "forcefield_dir", "max_neigh_num",
         "optimizer.start_epoch", "optimizer.best_loss"],
    ),
    "dp_data_train": (
        {"train_data": ["PWdata_cpu/Ag10Au14", "PWdata_cpu/Au32"], "format": "pwmlff/npy", "atom_type": ["Ag", "Au"],
         "model.descriptor.Rmin": 2.0, "model.descriptor.M2": 12, "model.descriptor.network_size": [25, 25, 25],
         "optimizer.train_virial": True, "optimizer.batch_size": 8, "seed": 785887528},
        ["data_train"],
    ),
    "dp_data_entries": (
        {"train_data": ["train/MOVEMENT"], "valid_data": ["valid.xyz"], "format": None},
        ["train_data", "valid_data"],
    ),
    "dp_type_embedding": (
        {**DP_DEFAULTS, "type_embedding": True, "model.descriptor.type_embedding.physical_property": [
            "atomic_number", "atom_radius", "atom_mass", "electron_affin", "pauling"]},
        [],
    ),
    "dp_type_embedding_section": (
        {"type_embedding": True, "model.descriptor.type_embedding.physical_property": ["atomic_number", "pauling"]},
        [],
    ),
    "dp_type_embedding_in_model": (
        {"type_embedding": True, "model.descriptor.type_embedding.physical_property": ["atom_mass"],
         "model.descriptor.Rmax": 5.0},
        [],
    ),
    "dp_type_embedding_in_descriptor": (
        {"type_embedding": True, "model.descriptor.Rmax": 5.0,
         "model.descriptor.type_embedding.physical_property": ["atom_radius", "electron_affin"]},
        ["model.descriptor.type_embedding.network_size", "model.descriptor.type_embedding.activation"],
    ),
    "dp_save_and_resume": (
        {"optimizer.save_step": 500, "recover_train": True, "model_store_dir": "models", "model_name": "li_si.ckpt"},
        ["max_save_num", "save_p_matrix", "save_step", "optimizer.reset_epoch"],
    ),
    "dp_fine_tune": (
        {"model_load_file": "model_record/dp_model.ckpt", "optimizer.learning_rate": 1e-4, "optimizer.epochs": 5},
        ["optimizer.reset_epoch", "optimizer.start_epoch"],
    ),
    "dp_cosine": ({"optimizer.t_0": 6, "optimizer.t_mult": 2.0, "optimizer.epochs": 30}, []),
    "dp_distributed": (
        {"device": "auto", "train_data": MOVEMENTS},
        ["hvd", "world_size", "rank", "dist_url", "dist_backend", "distributed", "gpu", "profiling", "is_dfeat_sparse",
         "train_feature_path", "valid_feature_path", "test_feature_path"],
    ),
    "dp_valid_and_test": (
        {"train_data": ["train.xyz"], "valid_data": ["valid.xyz"], "test_data": ["test.xyz"], "format": "extxyz",
         "optimizer.optimizer": "LKF"},
        [],
    ),
    "dp_committee": ({"model_num": 4}, []),
    "dp_hidden_layers_only": ({"model.fitting_net.network_size": [50, 50, 50, 1]}, []),
    "dp_single_precision": (
        {"precision": "float32", "model.descriptor.activation": "sigmoid", "model.descriptor.bias": False,
         "model.fitting_net.activation": "tanh"},
        [],
    ),
    "dp_optimizer_without_name": (
        {**ADAM_DEFAULTS, "optimizer.epochs": 7, "optimizer.batch_size": 3}, ["optimizer.optimizer"],
    ),
    "dp_scaled_rate": (
        {"optimizer.scale_lr": True, "optimizer.learning_rate": 0.0005, "optimizer.batch_size": 16},
        ["optimizer.scaling_method"],
    ),
    "dp_older_names_together": ({"train_data": ["b", "c", "a"]}, ["train_movement_file", "raw_files"]),
    "dp_comments": (
        {"train_data": ["a/MOVEMENT", "c/MOVEMENT"], "optimizer.optimizer": "ADAM", "optimizer.epochs": 12}, [],
    ),
    "nep_shortest": (
        {**NEP_DEFAULTS, **ADAM_DEFAULTS, "train_data": ["MOVEMENT"], "model_name": "nep_model.ckpt"}, ["raw_files"],
    ),
    "nep_2025": (
        {**NEP_DEFAULTS, **KALMAN_DEFAULTS, "model.descriptor.cutoff": [6.0, 6.0],
         "model.descriptor.basis_size": [12, 12], "optimizer.optimizer": "LKF", "optimizer.batch_size": 4,
         "train_data": ["pwdata/init_000_50"]},
        ["datasets_path", "model.descriptor.type_weight", "model.descriptor.train_2b"],
    ),
    "nep_2026": (
        {**NEP_DEFAULTS, "zbl.inner": 1.0, "zbl.outer": 2.0, "zbl": ..., "model.fitting_net.fix_cij": True,
         "optimizer.t_0": 6, "optimizer.train_virial": True},
        ["model.descriptor.zbl", "batch_max_types"],
    ),
    "nep_typewise_zbl": (
        {"zbl.outer": 1.4, "zbl.inner": 0.7, "zbl.typewise_factor": 0.7}, ["model.descriptor.zbl"],
    ),
    "nep_without_four_body": (
        {"model.descriptor.l_max": [4, 2, 0], "model.descriptor.n_max": [9, 7], "model.descriptor.basis_size": [9, 7],
         "model.fitting_net.network_size": 100, "model.descriptor.cutoff": [6.0, 4.0]},
        [],
    ),
    "nep_from_nep_txt": ({"model_load_file": "nep5.txt", "nep_txt_file": None}, ["nep_txt_file"]),
    "nep_large": (
        {"model.descriptor.cutoff": [6.0, 5.0], "model.fitting_net.network_size": 80, "optimizer.batch_size": 64,
         "optimizer.scale_lr": True, "optimizer.max_norm": 5.0, "atom_type.0": "H", "atom_type.88": "Ac"},
        ["workers"],
    ),
    "nn_shortest": (
        {"train_data": ["EC_MOVEMENT"], "atom_type": ["O", "C", "H"], "optimizer.optimizer": "LKF",
         "optimizer.epochs": 3, "model_name": "nn_model.ckpt", "model.descriptor.Rmax": 6.0},
        ["train_movement_file", "max_neigh_num"],
    ),
    "nn_features_3_4": (
        {"model.descriptor.feature_type": [3, 4], "model.descriptor.Rmax": 5.4, "valid_data": ["b"],
         "model.descriptor.feature_3.n2b": 6, "model.descriptor.feature_3.w": [1.0, 1.5, 2.0],
         "model.descriptor.feature_4.n3b": 20, "model.descriptor.feature_4.zeta": 2.0,
         "model.fitting_net.network_size": [15, 15, 1]},
        ["feature_type", "model.descriptor.M2", "model.descriptor.E_tolerance", "model.descriptor.feature_3.Rc",
         "model.descriptor.feature_4.Rc", "model.fitting_net.bias", "model.fitting_net.resnet_dt"],
    ),
    "test_raw_files": (
        {"test_data": ["0_300_MOVEMENT", "1_500_MOVEMENT"], "train_data": [], "atom_type": [],
         "model_load_file": "model_record/dp_model.ckpt"},
        ["raw_files"],
    ),
    "test_datasets_path": (
        {"test_data": ["mvms/mvm_init_000_50", "pwdata/init_000_50", "pwdata/init_001_50/valid"], "train_data": []},
        ["raw_files", "datasets_path"],
    ),
    "test_movement_file": (
        {"test_data": ["MOVEMENT"], "model_load_file": "model_record/nep_model.ckpt"}, ["test_movement_file"],
    ),
    "test_of_matpl": (
        {"test_data": ["PWdata/Ag10Au14", "PWdata/Au32"], "format": "pwmlff/npy", "train_data": []}, ["optimizer"],
    ),
}  # fmt: skip

# file -> the beginnings of all lines of the message
REFUSED: dict[str, list[str]] = {
    "refused_dp_cutoff": ["model.descriptor.cutoff: unknown key; use `Rmax` (cutoff, Å)"],
    "refused_dp_rcut": [
        "model.descriptor.rcut: unknown key; use `Rmax`",
        "model.descriptor.rcut_smth: unknown key; use `Rmin`",
        "model.descriptor.neuron: unknown key; use `network_size`",
        "model.descriptor.axis_neuron: unknown key; use `M2`",
    ],
    "refused_dp_misspelt": [
        "optimizer.epoch: unknown key; did you mean 'epochs'?",
        "optimizer.learning_rte: unknown key; did you mean 'learning_rate'?",
        "train_dta: unknown key; did you mean 'train_data'?",
    ],
    "refused_dp_sgd": ["optimizer.optimizer: there is no optimizer 'SGD'; choose from: ADAM, ADAMW, "],
    "refused_dp_elements": ["atom_type: unknown element 'Xq'"],
    "refused_dp_no_elements": ["atom_type: missing; give the elements of the model"],
    "refused_dp_lambda_1": ["optimizer.lambda_1: unknown key; did you mean 'lambda_2'?"],
    "refused_dp_mixed": ["precision: expected 'float64' or 'float32', got \"mixed\""],
    "refused_dp_folders": ["trainDataPath: unknown key"],
    "refused_dp_property": ["model.descriptor.type_embedding.physical_property: pwmlff has no table of 'molar_vol'"],
    "refused_nep_rmax": [
        "model.descriptor.Rmax: unknown key; use `cutoff`",
        "model.descriptor.Rmin: unknown key; choose from: basis_size, cutoff, l_max, n_max",
    ],
    "refused_nep_two_layers": ["model.fitting_net.network_size: a NEP has one hidden layer"],
    "refused_nep_cutoffs": ["model.descriptor.cutoff: expected 20 >= radial cutoff >= angular cutoff"],
    "refused_nep_charges": [
        "model.descriptor.charge_mode: unknown key",
        "optimizer.train_charge: unknown key",
        "optimizer.train_bec: unknown key",
    ],
    "refused_tnep": ["model_type: there is no model 'TNEP'; did you mean 'NEP'?", "train_mode: unknown key"],
    "refused_nn_feature_7": ["model.descriptor.feature_type: feature 7 of PWMLFF is not made here"],
    "refused_linear": ["model_type: there is no model 'Linear'; choose from: DP, DP_TYPE_EMBEDDING, NEP, NN"],
}


def test_every_file_has_an_expectation() -> None:
    names = {path.stem for path in FOLDER.glob("*.json")}
    assert names == TAKEN.keys() | REFUSED.keys()
    assert len(names) == 58


def at(values: Any, path: str) -> Any:
    for key in path.split("."):
        values = values[int(key)] if isinstance(values, list) else values[key]
    return values


@pytest.mark.parametrize("name", list(TAKEN))
def test_what_is_understood(name: str) -> None:
    understood, noticed = TAKEN[name]
    config = load_config(FOLDER / f"{name}.json", is_test=name.startswith("test_"))
    values = config.model_dump(mode="json")
    wanted = {path: value for path, value in understood.items() if value is not ...}
    assert {path: at(values, path) for path in wanted} == wanted
    assert [notice.split("'")[1] for notice in config.notices] == noticed


@pytest.mark.parametrize("name", list(REFUSED))
def test_why_it_is_refused(name: str) -> None:
    with pytest.raises(ConfigError) as error:
        load_config(FOLDER / f"{name}.json")
    lines = [line.strip() for line in str(error.value).splitlines()[1:]]
    assert len(lines) == len(REFUSED[name])
    for line, beginning in zip(lines, REFUSED[name], strict=True):
        assert line.startswith(beginning)


# what a reader moves from one section to another, and text that is no JSON, is beyond a schema
BEYOND_SCHEMA = (
    "dp_comments",
    "dp_data_entries",
    "dp_type_embedding_in_model",
    "nep_2025",
    "nep_2026",
    "nep_typewise_zbl",
)


@pytest.mark.parametrize("name", [name for name in TAKEN if name not in BEYOND_SCHEMA and not name.startswith("test_")])
def test_the_schema_takes_it(name: str) -> None:
    """Editors check files by the schema."""
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.Draft202012Validator(run_schema()).validate(json.loads((FOLDER / f"{name}.json").read_text()))


TRAINED = {  # with tiny data and nets: files of several generations, models and optimizers
    "dp_lkf_2025": {"epochs": 1, "batch_size": 1},
    "dp_first_generation": {"epochs": 1},
    "dp_datasets_path": {"epochs": 1},
    "dp_type_embedding_in_descriptor": {"epochs": 1},
    "nep_2026": {"epochs": 1},
    "nn_features_3_4": {"epochs": 1},
}
SMALL = {"network_size": [4, 4], "M2": 2}


@pytest.mark.parametrize("name", list(TRAINED))
def test_it_trains(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cu_frames: list[Frame]) -> None:
    """One epoch, as the file says but for data, elements, start model and the sizes of nets."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("pwmlff.train.stages.optional_records", lambda files, quantities: ([], []))
    run = json.loads((FOLDER / f"{name}.json").read_text())
    run |= {"atom_type": [29], "format": None}
    run["optimizer"] = {**run.get("optimizer", {}), **TRAINED[name]}
    if name.startswith("dp"):
        model = run.setdefault("model", {})
        model["descriptor"] = {**model.get("descriptor", {}), **SMALL}
        model["fitting_net"] = {**model.get("fitting_net", {}), "network_size": [4, 1]}
    for key in ("test_movement_path", "model_load_path"):
        run.pop(key, None)
    write_extxyz(Path("train.xyz"), cu_frames[:4])
    write_extxyz(Path("valid.xyz"), cu_frames[4:])
    for key in ("train_data", "train_movement_path"):
        if key in run:
            run[key] = ["train.xyz"]
    if "valid_data" in run:
        run["valid_data"] = ["valid.xyz"]
    n_train = {"dp_lkf_2025": 4, "nn_features_3_4": 4, "dp_first_generation": 3}.get(name, 4)
    if "datasets_path" in run:
        run["datasets_path"], n_train = [str(_divided(Path("PWdata/a"), cu_frames))], 5
    Path("train.json").write_text(json.dumps(run))
    config = load_config("train.json")
    text = io.StringIO()
    train_from_config(config, console=Console(file=text, width=200))
    assert f"{n_train} training frames" in text.getvalue()
    checkpoint = load_checkpoint(config.model_store_dir / config.model_name)
    assert checkpoint.state["epoch"] == 2
    assert checkpoint.potential.elements == ["Cu"]


def _divided(folder: Path, frames: list[Frame]) -> Path:
    for part, own in (("train", frames[:5]), ("valid", frames[5:])):
        (folder / part).mkdir(parents=True)
        arrays = {
            "image_type": own[0].atomic_numbers[None],
            "lattice": [frame.cell.ravel() for frame in own],
            "position": [(frame.positions @ np.linalg.inv(frame.cell)).ravel() for frame in own],
            "energies": [[frame.energy] for frame in own],
            "forces": [frame.forces.ravel() for frame in own if frame.forces is not None],
        }
        for name, array in arrays.items():
            np.save(folder / part / f"{name}.npy", np.array(array))
    return folder
