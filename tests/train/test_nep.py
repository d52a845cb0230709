"""NEP trains with every optimizer, from a run file of GPUMD, and on from a trained model."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from pwmlff.config import RunConfig, load_config
from pwmlff.errors import ConfigError, ModelFileError
from pwmlff.models.files.checkpoint import load_checkpoint
from pwmlff.train import train_from_config

RunFactory = Callable[..., RunConfig]
MODEL = {
    "descriptor": {"cutoff": [4.5, 4.0], "n_max": [2, 2], "basis_size": [4, 4]},
    "fitting_net": {"network_size": 5},
}


def train(config: RunConfig) -> str:
    text = io.StringIO()
    train_from_config(config, console=Console(file=text, width=200))
    return text.getvalue()


def losses(config: RunConfig) -> np.ndarray:
    return np.loadtxt(config.model_store_dir / "epoch_train.dat", skiprows=1)[:, 1]


@pytest.mark.parametrize("precision", ["float64", "float32"])
@pytest.mark.parametrize("optimizer", ["LKF", "ADAM"])
def test_errors_fall(make_run: RunFactory, optimizer: str, precision: str) -> None:
    settings: dict[str, Any] = {"optimizer": optimizer, "epochs": 8, "train_virial": True}
    if optimizer == "LKF":
        settings["learning_rate"] = None
    config = make_run(model_type="nep", model=MODEL, precision=precision, optimizer=settings)
    train(config)
    history = losses(config)
    assert history[-1] < 0.2 * history[0]


def test_nep_in(tmp_path: Path, frames_file: Path) -> None:
    text = "type 1 Cu\ncutoff 4.5 4\nn_max 2 2\nbasis_size 4 4\nneuron 5\ngeneration 100000\nlambda_v 0\n"
    (tmp_path / "nep.in").write_text(text)
    shutil.copy(frames_file, tmp_path / "train.xyz")
    config = load_config(tmp_path / "nep.in")
    optimizer = config.optimizer.model_copy(update={"epochs": 1})
    config = config.model_copy(update={"optimizer": optimizer, "model_store_dir": tmp_path / "record"})
    said = train(config)
    assert "line 6: `generation` is ignored" in said
    assert "6 training frames (192 atoms), 0 validation frames" in said
    assert load_checkpoint(tmp_path / "record" / "nep_model.ckpt").config["model"]["version"] == 4


def test_on_from_a_trained_model(make_run: RunFactory) -> None:
    """What the run file does not say of the model is as in the start model."""
    short = {"optimizer": "LKF", "epochs": 1, "learning_rate": None}
    zbl = {"inner": 0.5, "outer": 1.0, "typewise_factor": None, "flexible": None}
    first = make_run("first", model_type="nep", model={**MODEL, "version": 4}, zbl=zbl, optimizer=short)
    train(first)
    start = str(first.model_store_dir / first.model_name)
    fixed = {"fitting_net": {"fix_cij": True}}
    second = make_run("second", model_type="nep", atom_type=[], model_load_file=start, model=fixed, optimizer=short)
    train(second)
    old, new = (load_checkpoint(run.model_store_dir / run.model_name) for run in (first, second))
    assert new.config["model"] == {
        **old.config["model"],
        "fitting_net": {**old.config["model"]["fitting_net"], "fix_cij": True},
    }
    assert new.config["zbl"] == zbl
    without = make_run("without", model_type="nep", model_load_file=start, zbl=None, optimizer=short)
    train(without)
    assert load_checkpoint(without.model_store_dir / without.model_name).config["zbl"] is None
    for name, value in old.potential.network.state_dict().items():
        is_same = bool((value == new.potential.network.state_dict()[name]).all())
        assert is_same == any(part in name for part in ("coefficients", "scaler", "neighbors")), name
    larger = {"descriptor": {"n_max": [3, 3]}}
    with pytest.raises(ModelFileError, match=r"the start model has radial of the shape \[1, 1, 3, 5\], expected \["):
        train(make_run("third", model_type="nep", model_load_file=start, model=larger, optimizer=short))
    cutoffs = {"descriptor": {"cutoff": [4.5, 4.0] * 2}}
    with pytest.raises(ConfigError, match="model.descriptor.cutoff: expected 2 numbers, got 4"):
        train(make_run("fifth", model_type="nep", atom_type=[], model_load_file=start, model=cutoffs, optimizer=short))
