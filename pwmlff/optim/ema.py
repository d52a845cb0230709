"""Exponential moving average of the weights.

After n updates the average is sum_k d^(n-k) w_k / sum_k d^(n-k), which needs no start value: it is kept by

    a_n = a_(n-1) + (w_n - a_(n-1)) (1 - d) / (1 - d^n).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class WeightAverage:
    """Averages the parameters of a module; validation and the saved model use the average."""

    def __init__(self, module: nn.Module, decay: float, own: Sequence[str] = ()) -> None:
        """Start an empty average.

        Args:
            module: Its parameters are averaged.
            decay: d above, in (0, 1).
            own: Names of buffers of which the averaged module has values of its own, to be set while it is `applied`;
                all other buffers are taken as they are.
        """
        self.decay = decay
        self.n_updates = 0
        self._parameters = dict(module.named_parameters())
        self._tensors: dict[str, Tensor] = {**self._parameters, **{name: module.get_buffer(name) for name in own}}
        self._average = {name: value.detach().clone() for name, value in self._tensors.items()}

    @torch.no_grad()
    def update(self) -> None:
        """Take the present weights into the average."""
        self.n_updates += 1
        share = (1.0 - self.decay) / (1.0 - self.decay**self.n_updates)
        averages = [self._average[name] for name in self._parameters]
        torch._foreach_lerp_(averages, list(self._parameters.values()), share)

    def restart(self) -> None:
        """Forget all weights: the next update begins a new average."""
        self.n_updates = 0

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Give the module the averaged weights for the length of a `with` block."""
        trained = {name: tensor.data for name, tensor in self._tensors.items()}
        try:
            for name, tensor in self._tensors.items():
                tensor.data = self._average[name]
            yield
        finally:
            for name, tensor in self._tensors.items():
                tensor.data = trained[name]

    def state(self) -> tuple[dict[str, Tensor], dict]:
        """Return the trained (not averaged) weights and the number of updates, for a file that holds the average."""
        trained = {name: tensor.detach() for name, tensor in self._tensors.items()}
        return trained, {"n_updates": self.n_updates}

    @torch.no_grad()
    def load_state(self, tensors: dict[str, Tensor], state: dict) -> None:
        """Take back a state; the module holds the average and gets the trained weights."""
        self.n_updates = int(state["n_updates"])
        for name, tensor in self._tensors.items():
            self._average[name].copy_(tensor)
            tensor.copy_(tensors[name])
