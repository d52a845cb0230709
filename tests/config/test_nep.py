"""Run files of NEP: MatPL's JSON of both generations, and GPUMD's nep.in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pwmlff.config import RunConfig, load_config
from pwmlff.errors import ConfigError
from pwmlff.models.nep import NEPConfig
from pwmlff.models.nep.nep_in import _IGNORED, _ONLY_ZERO, _TRANSLATED, _WEIGHTS
from pwmlff.models.run_file import with_unset_from
from pwmlff.optim.kalman import PREFACTORS

SHORTEST: dict[str, Any] = {"model_type": "NEP", "atom_type": ["O", "Hf"]}

FILE_2025 = {
    "model_type": "NEP",
    "atom_type": [8, 72],
    "max_neigh_num": 100,
    "model": {
        "descriptor": {
            "cutoff": [6.0, 6.0], "n_max": [4, 4], "basis_size": [12, 12], "l_max": [4, 2, 1], "zbl": 2.0,
            "type_weight": [1.0, 1.0], "train_2b": True,
        },
        "fitting_net": {"network_size": [100, 1]},
    },
    "optimizer": {"optimizer": "LKF", "epochs": 30, "batch_size": 1, "block_size": 5120, "p0_weight": 0.01},
    "format": "pwmat/movement",
    "train_data": ["MOVEMENT"],
}  # fmt: skip
FILE_2026 = {
    "model_type": "nep",
    "atom_type": ["O", "Hf"],
    "nep_txt_file": "nep5.txt",
    "model": {
        "fitting_net": {"network_size": 40, "fix_cij": False, "fix_hiddenlayer": True, "fix_outlayer": False}
    },
    "optimizer": {"optimizer": "ADAM", "epochs": 30, "t_0": 6, "t_mult": 1, "max_norm": 0.5, "norm_type": 2},
    "train_data": ["train.xyz"],
    "max_save_num": 10,
}  # fmt: skip


def config_of(values: dict[str, Any]) -> RunConfig:
    return RunConfig.model_validate(values)


def problems_of(**changes: Any) -> str:
    with pytest.raises(ConfigError) as error:
        config_of({**SHORTEST, **changes})
    return str(error.value)


def test_file_of_2025() -> None:
    before = json.dumps(FILE_2025)
    config = config_of(FILE_2025)
    assert json.dumps(FILE_2025) == before
    descriptor = config.model.descriptor
    assert (descriptor.cutoff, descriptor.basis_size, descriptor.extras) == ((6.0, 6.0), (12, 12), [1, 1, 0, 0, 0, 0])
    assert config.model.fitting_net.neurons == 100
    assert config.zbl is not None
    assert (config.zbl.inner, config.zbl.outer) == (1.0, 2.0)
    assert config.model_name == "nep_model.ckpt"
    noticed = [notice.split("'")[1] for notice in config.notices]
    assert noticed == [
        "model.descriptor.zbl", "max_neigh_num", "model.descriptor.type_weight", "model.descriptor.train_2b",
    ]  # fmt: skip


def test_file_of_2026() -> None:
    config = config_of(FILE_2026)
    assert config.model_load_file == Path("nep5.txt")
    assert config.model.fitting_net.fix_hiddenlayer
    assert config.notices[0] == "'nep_txt_file' is taken as 'model_load_file'"
    both = config_of({**FILE_2026, "model_load_file": "nep_model.ckpt"})
    assert both.model_load_file == Path("nep_model.ckpt")
    assert both.notices[0] == "'nep_txt_file' is ignored: `model_load_file` is given"


def test_defaults_are_those_of_2026() -> None:
    model = config_of(SHORTEST).model
    descriptor = model.descriptor
    assert (descriptor.cutoff, descriptor.n_max, descriptor.basis_size) == ((8.0, 4.0), (4, 4), (8, 8))
    assert (descriptor.l_max, model.fitting_net.neurons, model.version) == ((4, 2, 1), 40, 5)


@pytest.mark.parametrize("written", [None, False])
def test_no_zbl(written: Any) -> None:
    descriptor = {} if written is False else {"zbl": written, "use_typewise_cutoff_zbl": None}
    config = config_of({**SHORTEST, "model": {"descriptor": descriptor}})
    assert config.zbl is None
    assert config.notices == []


def test_own_section_zbl_is_kept() -> None:
    own = {"inner": 0.5, "outer": 1.0}
    config = config_of({**SHORTEST, "zbl": own, "model": {"descriptor": {"zbl": 2.0}}})
    assert config.zbl is not None
    assert config.zbl.outer == 1.0


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({"descriptor": {"cutoff": [4, 6]}}, "model.descriptor.cutoff: expected 20 >= radial cutoff >= angular cutoff"),
        ({"descriptor": {"cutoff": [6]}}, "model.descriptor.cutoff: expected 2 entries or more"),
        ({"descriptor": {"cutoff": [6, 4, 5]}}, "model.descriptor.cutoff: expected a radial and an angular cutoff"),
        ({"descriptor": {"cutoff": [6, 4] * 3}}, "descriptor.cutoff: expected 2, or 4 for O Hf numbers, got 6"),
        ({"descriptor": {"n_max": [20, 4]}}, "model.descriptor.n_max.0: expected a number <= 19, got 20"),
        ({"descriptor": {"l_max": [9]}}, "model.descriptor.l_max: expected the first number, the largest l, from 0 to"),
        ({"descriptor": {"l_max": [4, 3]}}, "model.descriptor.l_max: expected 0 or 1 for the invariant 222, got 3"),
        ({"descriptor": {"l_max": [4, 2, 2]}}, "model.descriptor.l_max: expected 0 or 1 for the invariant 1111, got 2"),
        ({"descriptor": {"l_max": [3, 0, 0, 0, 0, 0, 1]}}, "the invariant 134 needs l up to 4, got 3"),
        ({"descriptor": {"zbl": "much"}}, "zbl.outer: expected a number"),
        ({"descriptor": {"Rmax": 6.0}}, "model.descriptor.Rmax: unknown key"),
        ({"fitting_net": {"network_size": [50, 50, 1]}}, "a NEP has one hidden layer, expected its number of neurons"),
        ({"fitting_net": {"network_size": 0}}, "expected 1 to 1048576 neurons, got 0"),
        ({"version": 2}, "model.version: expected 3, 4 or 5, got 2"),
        ({"fitting_net": dict.fromkeys(("fix_cij", "fix_hiddenlayer", "fix_outlayer"), True)}, "nothing to train"),
    ],
)
def test_problems(model: dict[str, Any], message: str) -> None:
    assert message in problems_of(model=model)


@pytest.mark.parametrize("size", [30, [30], [30, 1]])
def test_neurons(size: Any) -> None:
    assert config_of({**SHORTEST, "model": {"fitting_net": {"network_size": size}}}).model.fitting_net.neurons == 30


def test_keys_of_nep_mean_nothing_to_others() -> None:
    config = config_of({"model_type": "DP", "atom_type": [29], "model": {"descriptor": {"n_max": [4, 4]}}})
    assert config.notices == ["'model.descriptor.n_max' is ignored: it is a setting of NEP"]


def test_a_section_takes_what_it_does_not_say_from_a_start_model() -> None:
    start = NEPConfig.model_validate(
        {"version": 4, "descriptor": {"n_max": [2, 3]}, "fitting_net": {"network_size": 7}}
    )
    own = NEPConfig.model_validate({"descriptor": {"l_max": [2]}, "fitting_net": {"fix_cij": True}})
    model = with_unset_from(own, start)
    assert (model.version, model.descriptor.n_max, model.descriptor.l_max) == (4, (2, 3), (2,))
    assert (model.fitting_net.neurons, model.fitting_net.fix_cij) == (7, True)


# nep.in

NEP_IN = """type       2 Te Pb   # a comment
version    4
cutoff     8 4 73.5 3
# neuron 10
n_max      6 6
basis_size 7 8
l_max      4 2 1 0 1
neuron     50
lambda_1   0.05

lambda_v   0
population 50
generation 20000
"""


def read(tmp_path: Path, text: str, *others: str) -> RunConfig:
    for name in others:
        (tmp_path / name).write_text("")
    (tmp_path / "nep.in").write_text(text)
    return load_config(tmp_path / "nep.in")


def error_of(tmp_path: Path, text: str) -> str:
    with pytest.raises(ConfigError) as error:
        read(tmp_path, text)
    message = str(error.value)
    assert "\n" not in message
    return message.removeprefix(f"'{tmp_path}/nep.in' ")


def test_nep_in(tmp_path: Path) -> None:
    config = read(tmp_path, NEP_IN.replace("8 4 73.5 3", "8 4 7.5 3"), "test.xyz")
    model, descriptor = config.model, config.model.descriptor
    assert (config.elements, model.version, model.fitting_net.neurons) == (["Te", "Pb"], 4, 50)
    assert (descriptor.cutoff, descriptor.n_max, descriptor.basis_size) == ((8.0, 4.0, 7.5, 3.0), (6, 6), (7, 8))
    assert (descriptor.l_max[0], descriptor.extras) == (4, [1, 1, 0, 1, 0, 0])
    assert (config.train_data, config.valid_data) == ((tmp_path / "train.xyz",), (tmp_path / "test.xyz",))
    assert (config.optimizer.optimizer, config.optimizer.train_virial, config.zbl) == ("LKF", False, None)
    assert [notice.split("`")[1] for notice in config.notices] == ["lambda_1", "population", "generation"]
    assert config.notices[0].startswith(f"'{tmp_path}/nep.in' line 9: `lambda_1` is ignored: ")


def test_nep_in_with_gpumds_defaults(tmp_path: Path) -> None:
    config = read(tmp_path, "type 1 Cu")
    descriptor = config.model.descriptor
    assert (descriptor.cutoff, descriptor.n_max, descriptor.basis_size) == ((8.0, 4.0), (6, 6), (6, 6))
    assert (descriptor.l_max[0], descriptor.extras) == (4, [1, 0, 0, 0, 0, 0])
    assert (config.model.fitting_net.neurons, config.valid_data, config.valid_ratio) == (30, (), 0.0)
    optimizer = config.optimizer
    assert (optimizer.train_energy, optimizer.train_force, optimizer.train_virial) == (True, True, True)
    assert {key: ours for _, key, ours, _ in _WEIGHTS.values()} == {
        "pre_fac_etot": PREFACTORS.energy, "pre_fac_force": PREFACTORS.forces, "pre_fac_virial": PREFACTORS.virial,
    }  # fmt: skip


def test_weights_of_nep_in(tmp_path: Path) -> None:
    optimizer = read(tmp_path, "type 1 Cu\nlambda_e 2\nlambda_f 0.5\nlambda_v 0.1\n").optimizer
    assert (optimizer.pre_fac_etot, optimizer.pre_fac_force, optimizer.pre_fac_virial) == pytest.approx((400, 30, 6))


def test_every_keyword_is_known(tmp_path: Path) -> None:
    """Those of GPUMD 5.x."""
    keywords = """version type type_weight model_type charge_mode prediction zbl use_typewise_cutoff_zbl cutoff n_max
    basis_size l_max neuron lambda_1 lambda_2 lambda_e lambda_f lambda_v lambda_q lambda_z lambda_shear atomic_v
    force_delta batch population generation save_potential output_interval output_descriptor fine_tune import_q_scaler
    seed"""
    assert set(keywords.split()) <= {*_TRANSLATED, *_IGNORED, *_ONLY_ZERO}
    text = "type 1 Cu\n" + "".join(f"{keyword} 0\n" for keyword in (*_IGNORED, *_ONLY_ZERO))
    assert len(read(tmp_path, text).notices) == len(_IGNORED)


def test_zbl_of_nep_in(tmp_path: Path) -> None:
    config = read(tmp_path, "type 1 Cu\nzbl 2.4\nseed 7\nfine_tune nep89.txt nep89.restart")
    assert config.zbl is not None
    assert (config.zbl.inner, config.zbl.outer) == (1.2, 2.4)
    assert (config.seed, config.model_load_file) == (7, tmp_path / "nep89.txt")


def test_prediction(tmp_path: Path) -> None:
    config = read(tmp_path, "type 1 Cu\nprediction 1\n")
    assert (config.model_load_file, config.test_data) == (tmp_path / "nep.txt", (tmp_path / "train.xyz",))
    assert config.train_data == ()
    assert config.notices[0].endswith("line 2: `prediction 1` trains nothing; the command for it is `pwmlff test`")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("cutof 8 4", "there is no keyword `cutof`; did you mean 'cutoff'?"),
        ("cutoff 8", "expected `cutoff` and two numbers, or two for each element, got `cutoff 8`"),
        ("cutoff 4 8", "`cutoff`: expected 20 >= radial cutoff >= angular cutoff > 0 in Å, got 4 and 8"),
        ("cutoff 8 4 8 4 8 4", "`cutoff`: expected 2 numbers, or 2 for each of 2 elements, got 6"),
        ("cutoff 8 nan", "`cutoff`: expected 20 >= radial"),
        ("n_max 4 4.5", "expected `n_max` and two integers, got `n_max 4 4.5`"),
        ("n_max 4 25", "`n_max`: Input should be less than or equal to 19"),
        ("basis_size", "expected `basis_size` and two integers, got `basis_size`"),
        ("l_max 4 2 1 0 0 0 0 0", "expected `l_max` and one to seven integers"),
        ("l_max 12", "`l_max`: expected the first number, the largest l, from 0 to 8, got 12"),
        ("neuron many", "expected `neuron` and one integer, got `neuron many`"),
        ("neuron -3", "`neuron`: expected 1 to 1048576 neurons, got -3"),
        ("version 2", "`version`: Input should be 3, 4 or 5"),
        ("zbl 0", "`zbl`: expected an outer distance above 0 Å, got 0"),
        ("lambda_e inf", "`lambda_e`: expected a weight from 0 on, got inf"),
        ("model_type 1", "`model_type 1`: energies, forces and virials are trained, no dipoles or polarizabilities"),
        ("charge_mode 2", "`charge_mode 2`: models with charges are not trained, expected 0"),
        ("use_typewise_cutoff", "`use_typewise_cutoff` is not known; list the cutoffs of each element after `cutoff`"),
        ("use_typewise_cutoff_zbl 0.7", "`use_typewise_cutoff_zbl` needs a line `zbl` too"),
        ("prediction 2", "`prediction`: expected 0 or 1, got 2"),
        ("type 2 Te Pb", "`type` stands in line 1 already; keep one"),
        ("seed -1", "`seed`: expected an integer from 0 to 2^63 - 1, got -1"),
        ("fine_tune", "expected `fine_tune`, a model and a restart file"),
    ],
)
def test_errors_of_nep_in(tmp_path: Path, line: str, message: str) -> None:
    assert error_of(tmp_path, f"type 2 Te Pb\n\n{line} # here\n").startswith(f"line 3: {message}")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("type 3 Te Pb", "line 1: expected `type`, the number of elements, and their symbols, got `type 3 Te Pb`"),
        ("type", "line 1: expected `type`, the number of elements, and their symbols, got `type`"),
        ("type 1 Xx", "line 1: unknown element 'Xx'"),
        ("type 2 Te Te", "line 1: Te is given twice"),
        ("neuron 3", "lacks the line `type`, expected one such as `type 2 Te Pb`"),
        ("", "lacks the line `type`"),
    ],
)
def test_elements_of_nep_in(tmp_path: Path, line: str, message: str) -> None:
    assert error_of(tmp_path, line).startswith(message)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read '.*nep.in': No such file"):
        load_config(tmp_path / "nep.in")
    (tmp_path / "nep.in").write_bytes(b"type 1 Cu\n\xff\xfe")
    with pytest.raises(ConfigError, match=r"is no text file, expected UTF-8 \(byte 10\)"):
        load_config(tmp_path / "nep.in")


def test_rows_of_zbl_in(tmp_path: Path) -> None:
    (tmp_path / "zbl.in").write_text("0.7 1.4 0.18 3.2 0.5 0.9 0.28 0.4 0.03\n")
    with pytest.raises(ConfigError, match=r"zbl.in' line 1: expected 10 numbers, got 0.7 1.4"):
        read(tmp_path, "type 1 Cu\nzbl 2\n")
