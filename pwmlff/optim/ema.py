"""Running average of the weights: at first of about the last tenth of the steps, later exponential.

    a_n = a_(n-1) + (w_n - a_(n-1)) s_n,    s_n = max(1 - d, 10 / (9 + n))

The second share is that of polynomial-decay averaging (Shamir and Zhang, ICML 2013; their eta is 9): it looks back over
a constant part of the steps, so that a short run is not judged by the weights it began with.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

_ETA = 9


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
        share = max(1.0 - self.decay, (_ETA + 1) / (_ETA + self.n_updates))
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
