"""Inputs of deepmd-kit become run files of ours, with deepmd-kit's defaults, and nothing is passed over."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pwmlff.config import RunConfig, load_config
from pwmlff.errors import ConfigError
from pwmlff.models.dp.from_deepmd import from_deepmd

# the example of the manual, on water
WATER: dict[str, Any] = {
    "_comment": " model parameters",
    "model": {
        "type_map": ["O", "H"],
        "descriptor": {
            "type": "se_e2_a", "sel": [46, 92], "rcut_smth": 0.4, "rcut": 6.5, "neuron": [25, 50, 100],
            "resnet_dt": False, "axis_neuron": 16, "seed": 1, "_comment": " that's all",
        },
        "fitting_net": {"neuron": [240, 240, 240], "resnet_dt": True, "seed": 1},
    },
    "learning_rate": {"type": "exp", "decay_steps": 4000, "start_lr": 0.002, "stop_lr": 3.51e-8},
    "loss": {
        "type": "ener", "start_pref_e": 0.03, "limit_pref_e": 1.5, "start_pref_f": 900, "limit_pref_f": 2,
        "start_pref_v": 0.1, "limit_pref_v": 1,
    },
    "training": {
        "training_data": {"systems": ["a", "b"], "batch_size": "auto"},
        "validation_data": {"systems": ["c"], "batch_size": 1, "numb_btch": 3},
        "numb_steps": 1000, "seed": 10, "disp_file": "lcurve.out",
    },
}  # fmt: skip


def changed(**places: Any) -> dict[str, Any]:
    """Return the example with other values, by dotted path; None removes a key."""
    data = copy.deepcopy(WATER)
    for path, value in places.items():
        *parents, key = path.split("__")
        section = data
        for parent in parents:
            section = section.setdefault(parent, {})
        if value is None:
            del section[key]
        else:
            section[key] = value
    return data


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def translated(data: dict[str, Any]) -> tuple[RunConfig, list[str]]:
    result = from_deepmd(data, Path("input.json"))
    Path("run.json").write_text(result.text(Path("input.json")))
    config = load_config("run.json")
    assert config.notices == []
    return config, result.left_out


def system(name: str, n_frames: int, n_atoms: int) -> None:
    folder = Path(name, "set.000")
    folder.mkdir(parents=True)
    np.save(folder / "coord.npy", np.zeros((n_frames, 3 * n_atoms)))


def test_every_number_of_the_manuals_example() -> None:
    system("a", 80, 192)
    system("b", 20, 192)
    config, left_out = translated(WATER)
    model: Any = config.model
    optimizer: Any = config.optimizer
    assert (config.model_key, config.elements, config.precision, config.seed) == ("DP", ["O", "H"], "float64", 10)
    descriptor = model.descriptor
    assert (descriptor.Rmax, descriptor.Rmin, descriptor.M2) == (6.5, 0.4, 16)
    assert (descriptor.network_size, descriptor.resnet_dt, descriptor.activation) == ((25, 50, 100), False, "tanh")
    assert (model.fitting_net.network_size, model.fitting_net.resnet_dt) == ((240, 240, 240, 1), True)
    assert (config.train_data, config.valid_data) == ((Path("a"), Path("b")), (Path("c"),))
    assert config.train_weights == {}
    assert (optimizer.optimizer, optimizer.batch_size, optimizer.epochs) == ("ADAM", 1, 10)
    rates = (optimizer.learning_rate, optimizer.stop_lr, optimizer.decay_step, optimizer.stop_step)
    assert rates == (0.002, 3.51e-8, 4000, 1000)
    assert (optimizer.start_pre_fac_etot, optimizer.end_pre_fac_etot) == (0.03, 1.5)
    assert (optimizer.start_pre_fac_force, optimizer.end_pre_fac_force) == (900, 2)
    assert (optimizer.start_pre_fac_virial, optimizer.end_pre_fac_virial) == (0.1, 1)
    assert (optimizer.train_energy, optimizer.train_force, optimizer.train_virial, optimizer.train_ei) == (
        True, True, True, False,
    )  # fmt: skip
    assert left_out == ['training.disp_file: "lcurve.out"', "model.descriptor.sel: [46, 92]"]


def test_what_the_input_leaves_out_is_as_in_deepmd_kit() -> None:
    """Not as in PWMLFF: its nets, axis, rates and virial weights are others."""
    config, _ = translated({
        "model": {"type_map": ["Cu"], "descriptor": {"type": "se_e2_a"}, "fitting_net": {}},
        "training": {"training_data": {"systems": "a"}, "numb_steps": 100},
    })  # fmt: skip
    model: Any = config.model
    optimizer: Any = config.optimizer
    assert (model.descriptor.Rmax, model.descriptor.Rmin, model.descriptor.M2) == (6.0, 0.5, 4)
    assert (model.descriptor.network_size, model.fitting_net.network_size) == ((10, 20, 40), (120, 120, 120, 1))
    assert (optimizer.learning_rate, optimizer.stop_lr, optimizer.decay_step) == (1e-3, 1e-8, 5000)
    assert (optimizer.start_pre_fac_force, optimizer.end_pre_fac_etot, optimizer.train_virial) == (1000, 1, False)
    assert (config.valid_ratio, config.train_data) == (0.1, (Path("a"),))


@pytest.mark.parametrize(
    ("atoms", "given", "batch_size", "epochs"),
    [(8, "auto", 4, 40), (192, "auto", 1, 10), (8, "auto:100", 13, 130), (8, 5, 5, 50), (8, [2, 4], 3, 30)],
)
def test_steps_become_epochs(atoms: int, given: Any, batch_size: int, epochs: int) -> None:
    system("a", 60, atoms)
    system("b", 40, atoms)
    optimizer = translated(changed(training__training_data__batch_size=given))[0].optimizer
    assert (optimizer.batch_size, optimizer.epochs) == (batch_size, epochs)


def test_data_that_is_not_there() -> None:
    translated(WATER)
    assert "the data are not there: write numb_steps (1000) * batch_size / frames" in Path("run.json").read_text()


@pytest.mark.parametrize(
    ("rule", "weights"),
    [
        ({"auto_prob": "prob_sys_size"}, {}),
        ({"auto_prob": "prob_uniform"}, {Path("a"): 0.625, Path("b"): 2.5}),
        ({"sys_probs": [0.5, 0.5]}, {Path("a"): 0.625, Path("b"): 2.5}),
        ({"auto_prob": "prob_sys_size;0:1:0.2;1:2:0.8"}, {Path("a"): 0.25, Path("b"): 4.0}),
        ({"auto_prob": "prob_sys_size;0:2:1"}, {Path("a"): 1.0, Path("b"): 1.0}),
    ],
)
def test_probabilities_of_systems(rule: dict[str, Any], weights: dict[Path, float]) -> None:
    system("a", 80, 8)
    system("b", 20, 8)
    data = changed()
    data["training"]["training_data"].update(rule)
    config, left_out = translated(data)
    assert config.train_weights == weights
    assert not any("prob" in line for line in left_out)


def test_other_spellings_and_versions() -> None:
    old = changed(training__training_data=None, training__validation_data=None)
    old["training"].update(systems=["a"], batch_size=2, stop_batch=7)
    del old["training"]["numb_steps"]
    config, _ = translated(old)
    assert (config.train_data, config.optimizer.batch_size, config.optimizer.stop_step) == ((Path("a"),), 2, 7)  # type: ignore[attr-defined]
    kalman, left_out = translated(changed(training__opt_type="LKF", training__kf_blocksize=1024))
    assert (kalman.optimizer.optimizer, kalman.optimizer.block_size) == ("LKF", 1024)  # type: ignore[attr-defined]
    assert any("LKF has others" in line for line in left_out)
    attention, left_out = translated(changed(model__descriptor__type="se_atten", model__descriptor__attn_layer=2))
    assert attention.model_key == "DP_TYPE_EMBEDDING"
    assert any(line.startswith("model.descriptor.attn_layer: attention") for line in left_out)
    single, _ = translated(changed(model__descriptor__precision="float32", model__fitting_net__precision="float32"))
    assert single.precision == "float32"
    rated, _ = translated(changed(learning_rate__decay_rate=0.5, learning_rate__decay_steps=500))
    assert rated.optimizer.stop_lr == pytest.approx(0.002 / 4)  # type: ignore[attr-defined]
    gelu, _ = translated(changed(model__fitting_net__activation_function="gelu"))
    assert gelu.model.fitting_net.activation == "tanh"  # type: ignore[attr-defined]
    assert "which is gelu: here there is tanh or sigmoid" in Path("run.json").read_text()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"a": 1}, "has no sections `model` and `training`"),
        (changed(model__descriptor__type="se_e3"), 'model.descriptor.type is "se_e3": it has no counterpart'),
        (changed(model__fitting_net__type="dipole"), 'fitting_net.type is "dipole": only fitting nets of energies'),
        (changed(model__fitting_net__numb_fparam=1), "numb_fparam is 1: parameters of frames"),
        (changed(model__descriptor__exclude_types=[[0, 1]]), "pairs of elements cannot be left out here"),
        (changed(model__type_map=None), "model.type_map is missing"),
        (changed(loss__type="dos"), "only energies, forces and virials"),
        (changed(loss__start_pref_f="many"), 'loss.start_pref_f is "many", expected a number'),
        (changed(training__training_data__systems=[]), "training_data.systems is [], expected a list of folders"),
        (changed(training__opt_type="SGD"), 'the optimizer is "SGD", expected one of Adam'),
        (changed(learning_rate__type="cosine"), "only the exponential schedule"),
        (changed(model=3), "model is 3, expected a section"),
    ],
)
def test_what_would_be_another_model_is_refused(data: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        from_deepmd(data, Path("input.json"))
    assert message in str(error.value)
