"""What every optimizer offers the trainer: an update strategy.

One `step` takes one batch and changes the potential, by whatever it takes: one gradient, several Kalman measurements,
a population of candidates. The trainer knows nothing else about it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from pwmlff import keys
from pwmlff.data.batch import Batch
from pwmlff.errors import TrainingError
from pwmlff.models.potential import Potential
from pwmlff.optim.loss import ErrorSums, LossWeights

MAX_COUNT = 2**63 - 1  # of frames, steps and epochs: what counters of 64 bits hold

FLAG_OF = {  # key that switches the training of a quantity on
    keys.ENERGY: "train_energy",
    keys.FORCES: "train_force",
    keys.VIRIAL: "train_virial",
    keys.ATOMIC_ENERGIES: "train_ei",
    keys.GROUP_ENERGIES: "train_egroup",
}
USUAL_STEPS = 20_000  # of optimizers that follow a gradient; fewer are too few for most data


class NonFiniteError(TrainingError):
    """A loss or gradient is not finite; raised before the potential changes."""


class RunLostError(TrainingError):
    """The optimizer has lost its way for good; models saved before are what there is."""


class OptimizerConfig(BaseModel):
    """Keys of the `optimizer` section that all optimizers share."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    optimizer: str = Field("ADAM", description="Name of the optimizer")
    batch_size: int = Field(1, ge=1, le=MAX_COUNT, description="Frames per optimizer step, over all processes together")
    epochs: int = Field(30, ge=1, le=MAX_COUNT, description="Passes over the training frames")
    print_freq: int = Field(
        10, ge=1, le=MAX_COUNT, description="Steps between updates of the progress display and TensorBoard"
    )
    save_step: int | None = Field(
        None, ge=1, le=MAX_COUNT, description="Steps between checkpoints within an epoch; none if not given"
    )
    train_energy: bool = Field(True, description="Train total energies")
    train_force: bool = Field(True, description="Train forces")
    train_virial: bool = Field(False, description="Train virials")
    train_ei: bool = Field(False, description="Train atomic energies")
    train_egroup: bool = Field(False, description="Train group energies: means of atomic energies around each atom")

    def for_frames(self, n_frames: int) -> OptimizerConfig:
        """Return the settings for so many training frames, on which defaults may depend."""
        return self

    def usual_epochs(self, steps_per_epoch: int) -> int:
        """Return the epochs after which a run has mostly done what it can."""
        return max(1, -(-USUAL_STEPS // steps_per_epoch))

    def for_virials(self) -> dict[str, float]:
        """Return what `pwmlff init` sets where virials are trained, which often do not fit the energies."""
        return {}

    def cautions(self, n_steps: int) -> list[str]:
        """Return lines on what will hardly go well in a run of so many steps."""
        return []

    @property
    def least_steps(self) -> int:
        """Steps of an epoch at least; it goes through the frames as often as that takes."""
        return 1

    @property
    def trained(self) -> list[str]:
        """Quantities that are trained."""
        return [name for name, flag in FLAG_OF.items() if getattr(self, flag)]

    @property
    def ranked_by(self) -> list[str]:
        """Quantities by which epochs are ranked: those that count to the end of the run."""
        return self.trained


class OptimizerRecords(ABC):
    """Files that only one optimizer has to write, in the first process.

    Attributes:
        names: Of the files, for messages.
    """

    names: str

    @abstractmethod
    def begin(self) -> None:
        """Training starts, or goes on from the present state."""

    @abstractmethod
    def write(self, valid: Mapping[str, float]) -> None:
        """An epoch is done.

        Args:
            valid: Root mean square errors of the validation frames as in `ErrorSums.rmse`; none without such frames.
        """


class UpdateStrategy(ABC):
    """Changes a potential so that it fits a batch better.

    Attributes:
        Config: Class of the `optimizer` section.
        default_ema_decay: Decay of the average of the weights when the run file says nothing; None for no average.
        searches: Whether it draws candidates around the weights instead of following a gradient.
        state_keys: Further keys by which the memory of its state can be made smaller, for messages.
        n_steps: Optimizer steps done.
        went_back: Whether the last step took the weights back to earlier ones, so that averages have to begin anew.
        say: Takes a line for the user.
    """

    Config: ClassVar[type[OptimizerConfig]]
    default_ema_decay: ClassVar[float | None] = None
    searches: ClassVar[bool] = False
    state_keys: ClassVar[str] = ""

    def __init__(self, potential: Potential, config: Any, *, steps_per_epoch: int) -> None:
        """Prepare the first step.

        Args:
            potential: Changed in place by `step`.
            config: An instance of `self.Config`.
            steps_per_epoch: Batches of one pass over the training frames, for schedules.
        """
        self.potential = potential
        self.config = config
        self.steps_per_epoch = steps_per_epoch
        self.n_steps = 0
        self.went_back = False
        self.say: Callable[[str], None] = print

    @classmethod
    def state_size(cls, config: Any, n_weights: int) -> int:
        """Return the bytes that the state of this optimizer takes, in all processes together, about.

        Args:
            config: An instance of `cls.Config`.
            n_weights: Weights of the potential.
        """
        return 0

    @abstractmethod
    def step(self, batch: Batch) -> ErrorSums:
        """Update the potential with one batch.

        With several processes each sees its share of the batch's frames, which may be none, and all must end with the
        same weights: whatever the update depends on (gradients, errors, label and frame counts) is added up with
        `distributed.sum_`, the same number of times in every process. Random numbers from the global generator must
        not depend on the share, so that all processes draw the same.

        Args:
            batch: This process's share; the whole batch when there is one process.

        Returns:
            The errors on the share before the update, without a graph; the trainer adds them up.

        Raises:
            NonFiniteError: Nothing was changed; the trainer looks for the frame at fault. Raised in all processes or
                in none, so decided by numbers that are added up.
            RunLostError: Further steps make no sense; raised in all processes.
        """

    @property
    @abstractmethod
    def weights(self) -> LossWeights:
        """Loss weights of the next step."""

    @property
    def learning_rate(self) -> float | None:
        """Learning rate of the next step, for optimizers that have one."""
        return None

    @property
    def wants_snapshot(self) -> bool:
        """Whether the model after the step just done is worth keeping under its own name."""
        return False

    @contextmanager
    def settled(self) -> Iterator[None]:
        """Give the potential the weights that are validated and kept, for the length of a `with` block.

        Here they are those under training. `load_state` finds the potential with the weights that were kept.
        """
        yield

    def records(self, folder: Path) -> OptimizerRecords | None:
        """Return what this optimizer writes into the folder of a run, besides what every run does; here nothing."""
        return None

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return all that a later `step` depends on besides the potential: tensors, and values that JSON can hold.

        Called in all processes, which may exchange what each of them owns; the first one writes what it gets.
        """
        return {}, {"n_steps": self.n_steps}

    def load_state(self, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
        """Take back what `state` returned in the first process, of perhaps another number of processes."""
        self.n_steps = int(state["n_steps"])


def require_finite(*values: Tensor) -> None:
    """Stop before something that is not finite reaches the weights.

    Raises:
        NonFiniteError: One of the scalars is NaN or infinite.
    """
    total = torch.stack([value.detach().to(torch.float64) for value in values]).sum()
    if not torch.isfinite(total):
        raise NonFiniteError("the loss or its gradient is not finite")
