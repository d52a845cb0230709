"""Run files that list several optimizers."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest

from pwmlff.config import RunConfig, load_config
from pwmlff.errors import ConfigError
from pwmlff.optim import OPTIMIZERS

SHORTEST: dict[str, Any] = {"model_type": "DP", "atom_type": ["Cu"], "train_data": ["a"]}
ADAM, LKF = {"optimizer": "adam", "epochs": 20}, {"optimizer": "LKF", "epochs": 10}


def _read(stages: Any, **top: Any) -> RunConfig:
    return RunConfig.model_validate({**SHORTEST, **top, "optimizer": stages})


def test_stages_are_the_sections_of_their_optimizers() -> None:
    config = _read([ADAM, LKF])
    assert [(stage.optimizer, stage.epochs) for stage in config.stages] == [("ADAM", 20), ("LKF", 10)]
    assert [stage.batch_size for stage in config.stages] == [1, 8]
    assert RunConfig.model_validate(config.model_dump(mode="json")) == config
    assert pickle.loads(pickle.dumps(config)) == config
    assert _read(LKF).stages == (_read(LKF).optimizer,)


def test_settings_are_changed_in_the_form_that_was_given() -> None:
    for config in (_read([ADAM, LKF]), _read([ADAM]), _read(ADAM)):
        longer = config.with_stages([stage.model_copy(update={"epochs": 7}) for stage in config.stages])
        assert {stage.epochs for stage in longer.stages} == {7}
        assert type(longer.optimizer) is type(config.optimizer)


def test_what_is_dropped_or_moved_is_told_with_its_stage() -> None:
    config = _read([{**ADAM, "_note": "first", "block_size": 5}, {"epochs": 3}], save_step=4)
    assert [stage.save_step for stage in config.stages] == [4, 4]
    assert config.notices == [
        "'save_step' is taken as 'optimizer.save_step'",
        "'optimizer[1].optimizer' is not given: ADAM is used",
        "'optimizer[0].block_size' is ignored: it is a setting of the Kalman filters LKF and GKF",
    ]
    assert _read([ADAM, LKF], train_data=[], test_data=["a"]).notices == [
        "'optimizer' is ignored: this file has no `train_data`, so nothing is optimised"
    ]


@pytest.mark.parametrize(
    ("stages", "problems"),
    [
        ([], ["optimizer: expected a section: { ... }, or a list of one or more of them, got []"]),
        ([ADAM, 3], ["optimizer[1]: expected a section: { ... }, got 3"]),
        ([ADAM, []], ["optimizer[1]: expected a section: { ... }, got []"]),
        ([ADAM, {**LKF, "epoch": 3}], ["optimizer[1].epoch: unknown key; did you mean 'epochs'?"]),
        ([ADAM, {**LKF, "epochs": 0}], ["optimizer[1].epochs: expected a number >= 1, got 0"]),
        (
            [{**ADAM, "stop_lr": 1}, {**LKF, "optimizer": "LKFF"}],
            [
                f"optimizer[1].optimizer: there is no optimizer 'LKFF'; choose from: {', '.join(sorted(OPTIMIZERS))}",
                "optimizer[0]: `stop_lr` is 1.0, expected at most `learning_rate` (0.001)",
            ],
        ),
        (
            [ADAM, {**LKF, "train_virial": True}],
            [
                "optimizer: optimizer[1] trains energy, forces, virial, optimizer[0] energy, forces; "
                "expected the same in all stages, so that their epochs compare"
            ],
        ),
        (
            [{**ADAM, "end_pre_fac_etot": 0}, LKF],
            [
                "optimizer: optimizer[1] ends with weights for energy, forces, optimizer[0] forces; "
                "expected the same in all stages, so that their epochs compare"
            ],
        ),
    ],
)
def test_problems_name_the_stage(stages: list[Any], problems: list[str], tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(json.dumps({**SHORTEST, "optimizer": stages}), encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        load_config(tmp_path / "run.json")
    head, *lines = str(error.value).splitlines()
    assert head.startswith(f"'{tmp_path / 'run.json'}' has ")
    assert [line.strip() for line in lines] == problems
