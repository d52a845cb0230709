"""Optimizers of the package pytorch-optimizer, which the extra `optimizers` installs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import Any, ClassVar

from pydantic import Field
from torch import Tensor, nn
from torch.optim import Optimizer

from pwmlff.errors import ConfigError
from pwmlff.optim.base import MAX_COUNT
from pwmlff.optim.gradient import GradientConfig, GradientUpdate, rate_of_end, rate_of_start

_PACKAGE = "pytorch_optimizer"


def _make(name: str, *arguments: Any, **options: Any) -> Any:
    if find_spec(_PACKAGE) is None:
        raise ConfigError(f"{name} needs the package pytorch-optimizer: pip install 'pwmlff[optimizers]'")
    return getattr(import_module(_PACKAGE), name)(*arguments, **options)


class SoapConfig(GradientConfig):
    """The `optimizer` section for SOAP."""

    learning_rate: float = rate_of_start(1e-2)
    stop_lr: float = rate_of_end(1e-5)
    precondition_frequency: int = Field(
        10, ge=1, le=MAX_COUNT, description="Steps from one renewal of the eigenvectors to the next"
    )
    max_precondition_dim: int = Field(
        1000, ge=1, le=MAX_COUNT, description="Sides of matrices longer than this are not turned into eigenvectors"
    )


class SoapUpdate(GradientUpdate):
    """SOAP: Adam in the eigenvectors of Shampoo's preconditioner (Vyas et al., ICLR 2025)."""

    Config = SoapConfig

    @classmethod
    def state_size(cls, config: GradientConfig, n_weights: int) -> int:
        """Return the bytes of moments and preconditioners, of square matrices of weights."""
        return 48 * n_weights

    def make_optimizers(self, weights: list[nn.Parameter], rate: float) -> list[Optimizer]:
        """See the base."""
        return [
            _make(
                "SOAP",
                weights,
                lr=rate,
                weight_decay=self.config.lambda_2 or 0.0,
                precondition_frequency=self.config.precondition_frequency,
                max_precondition_dim=self.config.max_precondition_dim,
            )
        ]


class ScheduleFreeUpdate(GradientUpdate):
    """Schedule-free AdamW: an average of the weights is what counts (Defazio et al., NeurIPS 2024).

    Its rate stays; the loss weights follow the schedule of the others.
    """

    default_ema_decay: ClassVar[float | None] = None  # it has its own

    def make_optimizers(self, weights: list[nn.Parameter], rate: float) -> list[Optimizer]:
        """See the base."""
        return [_make("ScheduleFreeAdamW", weights, lr=rate, weight_decay=self.config.lambda_2 or 0.0)]

    @property
    def learning_rate(self) -> float:
        """See the base: the first."""
        return self.start_rate

    @contextmanager
    def settled(self) -> Iterator[None]:
        """See the base: the average."""
        self._switch("eval")
        try:
            yield
        finally:
            self._switch("train")

    def load_state(self, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
        """See the base: the potential holds the average."""
        super().load_state(tensors, state)
        for optimizer in self._optimizers:
            for group in optimizer.param_groups:
                group["train_mode"] = False
        self._switch("train")

    def _switch(self, mode: str) -> None:
        for optimizer in self._optimizers:
            getattr(optimizer, mode)()
