"""Run files of networks of Behler and Parrinello, and those of PWMLFF's NN."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pwmlff.config import RunConfig
from pwmlff.errors import ConfigError
from pwmlff.models import MODELS
from pwmlff.models.bp import BPConfig

SHORTEST: dict[str, Any] = {"model_type": "NN", "atom_type": ["Li", "Si"]}
G1 = {"type": "G1", "cutoff": 5.0}

# keys and values of PWMLFF's template for such a net
FILE_OF_PWMLFF: dict[str, Any] = {
    "recover_train": False,
    "work_dir": "work",
    "reserve_work_dir": False,
    "train_movement_path": ["MOVEMENT_2", "MOVEMENT_3"],
    "forcefield_name": "forcefield_ff",
    "forcefield_dir": "forcefield",
    "model_store_dir": "record",
    "train_valid_ratio": 0.8,
    "precision": "float64",
    "model_type": "NN",
    "atom_type": [3, 14],
    "max_neigh_num": 100,
    "model": {
        "fitting_net": {"network_size": [15, 15, 1], "bias": True, "resnet_dt": False, "activation": "tanh"},
        "descriptor": {
            "Rmax": 6.0, "Rmin": 0.5, "M2": 16, "E_tolerance": 9999999.99, "feature_type": [3, 4],
            "1": {"numOf2bfeat": 24, "iflag_grid": 3, "fact_base": 0.2, "dR1": 0.5, "iflag_ftype": 3},
            "2": {
                "numOf3bfeat1": 3, "numOf3bfeat2": 3, "iflag_grid": 3, "fact_base": 0.2, "dR1": 0.5, "dR2": 0.5,
                "iflag_ftype": 3,
            },
            "3": {"Rc": 5.4, "n2b": 6, "w": [1.0, 1.5, 2.0]},
            "4": {"Rc": 5.4, "n3b": 20, "zeta": 2.0, "w": [0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0]},
            "5": {"n_MTP_line": 5},
            "6": {"J": 3.0, "n_w_line": 2, "w1": [0.9, 0.1], "w2": [0.1, 0.9]},
            "7": {"M": 25, "M2": 4, "weight_r": 1.0},
            "8": {"M": 8, "weight_r": 1.0, "w": [1.0, 1.5, 2.0, 2.5]},
        },
    },
    "optimizer": {"optimizer": "LKF", "block_size": 5120, "nselect": 24, "groupsize": 6, "batch_size": 1, "epochs": 30},
}  # fmt: skip


def config_of(values: dict[str, Any]) -> RunConfig:
    return RunConfig.model_validate(values)


def resolved(config: RunConfig) -> BPConfig:
    model, _ = MODELS["NN"].RunFile.for_frames(config.model, config.elements, [])
    return BPConfig.model_validate(model.model_dump(mode="json"))


def problems_of(**changes: Any) -> str:
    with pytest.raises(ConfigError) as error:
        config_of({**SHORTEST, **changes})
    return str(error.value)


def test_file_of_pwmlff() -> None:
    before = json.dumps(FILE_OF_PWMLFF)
    config = config_of(FILE_OF_PWMLFF)
    assert json.dumps(FILE_OF_PWMLFF) == before
    assert (config.model_key, config.model_name, config.elements) == ("NN", "nn_model.ckpt", ["Li", "Si"])
    assert config.model.fitting_net.widths_of("Li") == (15, 15, 1)
    assert config.model.descriptor.feature_type == (3, 4)
    assert config.model.descriptor.feature_4.n3b == 20
    model = resolved(config)
    assert model.descriptor.functions is not None
    assert len(model.descriptor.functions) == 2 * 6 + 3 * 20
    assert {function.cutoff for function in model.descriptor.functions} == {6.0}
    assert (model.descriptor.normalization, model.descriptor.feature_type) == ("range", None)
    noticed = [notice.split("'")[1] for notice in config.notices]
    for key in ("M2", "E_tolerance", "5", "6", "7", "8", "feature_3.Rc", "feature_4.Rc"):
        assert f"model.descriptor.{key}" in noticed
    assert len(noticed) == len(set(noticed))


@pytest.mark.parametrize("feature_type", [[1, 2], [3, 4]])
def test_feature_type_at_the_top_level(feature_type: list[int]) -> None:
    """As in PWMLFF's shortest files."""
    config = config_of({**SHORTEST, "feature_type": feature_type})
    assert list(config.model.descriptor.feature_type) == feature_type
    assert config.notices == ["'feature_type' is taken as 'model.descriptor.feature_type'"]
    below = {"descriptor": {"feature_type": feature_type}}
    assert resolved(config) == resolved(config_of({**SHORTEST, "model": below}))


def test_shortest_file_leaves_the_functions_to_the_data() -> None:
    config = config_of(SHORTEST)
    descriptor = config.model.descriptor
    assert (descriptor.functions, descriptor.feature_type, descriptor.resolved_normalization) == (
        None,
        None,
        "standard",
    )
    assert config.notices == []


def test_listed_functions() -> None:
    functions = [
        G1,
        {"type": "G5", "central": "Li", "neighbors": ["Li", "Si"], "cutoff": 5.0, "eta": 0.1, "lambda": 1, "zeta": 4},
    ]
    config = config_of({**SHORTEST, "model": {"descriptor": {"functions": functions}}})
    model = resolved(config)
    assert model == config.model
    assert model.model_dump(mode="json")["descriptor"]["functions"] == functions


def test_nets_of_each_element() -> None:
    sizes = {"Li": [10, 8], "Si": [20, 5, 1]}
    net = config_of(
        {**SHORTEST, "model": {"fitting_net": {"network_size": sizes, "activation": ["tanh", "gaussian"]}}}
    ).model.fitting_net
    assert (net.widths_of("Li"), net.widths_of("Si")) == ((10, 8, 1), (20, 5, 1))
    assert net.activations == ("tanh", "gaussian", "linear")


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({"descriptor": {"feature_type": [5]}}, "model.descriptor.feature_type: feature 5 of PWMLFF is not made here"),
        ({"descriptor": {"feature_type": [6]}}, "`model_type` NEP has invariants of this kind"),
        ({"descriptor": {"feature_type": [7]}}, "use `model_type` DP, which trains them"),
        ({"descriptor": {"feature_type": [8]}}, "use `model_type` DP, which trains them"),
        ({"descriptor": {"feature_type": [1, 4]}}, "model.descriptor.feature_type: expected [1, 2] or [3, 4], got [1"),
        ({"descriptor": {"feature_type": [3, 4], "functions": [G1]}}, "are two ways to say which functions"),
        ({"descriptor": {"feature_type": [3, 4], "cutoff_function": "exp"}}, "that of PWMLFF's features is cos"),
        ({"descriptor": {"1": {"iflag_grid": 2}}}, "model.descriptor.feature_1: `iflag_grid` 3 and `iflag_ftype` 3 go"),
        ({"descriptor": {"4": {"n3b": 500}}}, "model.descriptor.feature_4: `n3b`: expected at most 400 for 10 widths"),
        ({"descriptor": {"3": {"w": [1, 0]}}}, "model.descriptor.feature_3.w: expected widths > 0, got 0"),
        ({"descriptor": {"3": {"n2bb": 3}}}, "model.descriptor.feature_3.n2bb: unknown key"),
        ({"descriptor": {"functions": []}}, "model.descriptor.functions: expected 1 entry or more"),
        ({"descriptor": {"functions": [{"type": "G2"}]}}, "model.descriptor.functions.0: a G2 needs `cutoff`"),
        ({"descriptor": {"functions": [{**G1, "etta": 1}]}}, "functions.0.etta: unknown key; did you mean 'eta'?"),
        (
            {"descriptor": {"functions": [{**G1, "central": "Ge"}]}},
            "model.descriptor.functions.0: Ge is none of the elements Li Si",
        ),
        (
            {"descriptor": {"functions": [{**G1, "central": "Li"}]}},
            "model.descriptor.functions: none describes Si; add one",
        ),
        ({"descriptor": {"cutoff_function": "tanh", "inner_fraction": 0.5}}, "the cutoff function tanh has none"),
        ({"descriptor": {"n_radial": 0, "n_angular": 0}}, "which leaves nothing to see"),
        ({"fitting_net": {"network_size": [1]}}, "needs at least one hidden layer"),
        ({"fitting_net": {"network_size": {"Li": [5, 1]}}}, "expected widths for Li Si, got them for Li"),
        ({"fitting_net": {"network_size": {"Li": [5], "Si": [5, 5]}}}, "need the same number of layers"),
        ({"fitting_net": {"activation": ["tanh"]}}, "expected one name or 2, one for each hidden layer, got 1"),
    ],
)
def test_problems(model: dict[str, Any], message: str) -> None:
    assert message in problems_of(model=model)


def test_keys_of_such_nets_mean_nothing_to_others() -> None:
    config = config_of(
        {"model_type": "DP", "atom_type": [29], "feature_type": [3, 4], "model": {"descriptor": {"3": {}}}}
    )
    assert len(config.notices) == 2
