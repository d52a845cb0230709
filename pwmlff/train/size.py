"""Whether the weights of a run and the state of its optimizer fit into memory, counted before any is made."""

from __future__ import annotations

import torch

from pwmlff import distributed, memory
from pwmlff.config import RunConfig
from pwmlff.errors import ConfigError
from pwmlff.models import DTYPES, MODELS
from pwmlff.optim import OPTIMIZERS


def check_size(config: RunConfig) -> None:
    """Make sure that the model can be trained on this machine, as far as its weights go.

    Raises:
        ConfigError: They cannot fit.
    """
    # no numbers are drawn and none are kept on this device
    try:
        with torch.random.fork_rng(devices=[]), torch.device("meta"):
            network = MODELS[config.model_key].from_config(config.model, config.elements, DTYPES[config.precision])
    except (NotImplementedError, RuntimeError):  # a model that looks at its weights when it is made cannot be counted
        return
    n_weights = sum(parameter.numel() for parameter in network.parameters())
    n_bytes = sum(tensor.numel() * tensor.element_size() for tensor in network.state_dict().values())
    states = [OPTIMIZERS[stage.optimizer].state_size(stage, n_weights) for stage in config.stages]
    stage = config.stages[states.index(max(states))]
    state = max(states) / distributed.size()
    needed = (2 * n_bytes + state) * distributed.local_size()  # with a gradient for each weight
    available = memory.available()
    if needed > available:
        raise ConfigError(
            f"the model has {n_weights} weights, which take {memory.gigabytes(needed)} with their gradients and the "
            f"state of {stage.optimizer}, and {memory.gigabytes(available)} of memory are free; "
            f"make the nets smaller (`network_size`{OPTIMIZERS[stage.optimizer].state_keys})"
        )
