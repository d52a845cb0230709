"""What a run says in words about how it goes: it gets worse, stands still, overfits, or ends too early."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from pwmlff import keys
from pwmlff.train.metrics import EpochResult, Metrics
from pwmlff.train.observers import TrainingObserver
from pwmlff.train.score import score

_LEAST_EPOCHS = 5  # before anything is said of a trend
_SHARE = 0.2  # of the epochs of the run, over which one looks for a trend
_WORSE = 1.1  # times the best score
_STANDS_STILL = 0.99
_RISEN = 1.05  # force error of unseen frames, times its least
_GAP = 1.5  # between force errors of unseen frames and of training frames
_STILL_FALLS = 0.95  # in the last tenth of a run


class Advice(TrainingObserver):
    """Says once what is wrong with a run, as soon as it shows."""

    record = "advice on the run"

    def __init__(
        self,
        say: Callable[[str], None],
        trained: Collection[str],
        n_epochs: int,
        *,
        first_epoch: int = 1,
        has_schedule: bool,
        is_last: bool = True,
    ) -> None:
        """Describe the run, or a stage of it.

        Args:
            say: Takes a line for the user.
            trained: Quantities that rank epochs.
            n_epochs: Its last epoch.
            first_epoch: Of the stage.
            has_schedule: Whether the optimizer's learning rate ends with it.
            is_last: Whether no stage follows.
        """
        self._say = say
        self._trained = trained
        self._n_before = first_epoch - 1
        self._has_schedule = has_schedule
        self._is_last = is_last
        self._window = max(_LEAST_EPOCHS, round(_SHARE * (n_epochs - self._n_before)))
        self._history: list[EpochResult] = []
        self._said: set[str] = set()

    def begin(self, history: Sequence[EpochResult]) -> None:
        """Take the epochs done before, of which all has been said."""
        self._history = list(history)

    def on_epoch(self, result: EpochResult) -> None:
        """Look at the epochs so far."""
        self._history.append(result)
        if len(self._history) - self._n_before <= self._window:
            return
        for kind, look in (("worse", self._worse), ("overfits", self._overfits), ("still", self._stands_still)):
            line = None if kind in self._said else look()
            if line:
                self._said.add(kind)
                self._say(f"epoch {result.epoch}: {line}")
                return

    def at_the_end(self) -> str | None:
        """Return what is to be said of a run whose epochs are all done."""
        scores = self._scores()[self._n_before :]
        n_last = max(1, round(0.1 * len(scores)))
        if len(scores) <= max(_LEAST_EPOCHS, n_last):
            return None
        before, after = min(scores[:-n_last]), min(scores[-n_last:])
        if not after < _STILL_FALLS * before:
            return None
        more = "raise `epochs` and start anew with --fresh" if self._has_schedule else "raise `epochs` to go on"
        return f"the errors still fell by {100 * (1 - after / before):.0f} % in the last {_epochs(n_last)}; {more}"

    def _scores(self) -> list[float]:
        return [score(_judged(result).rmse, self._trained) for result in self._history]

    def _best(self, scores: Sequence[float]) -> int:
        return min(range(len(scores)), key=scores.__getitem__)

    def _worse(self) -> str | None:
        scores = self._scores()
        best = self._best(scores)
        if len(scores) - 1 - best < self._window or min(scores[-_LEAST_EPOCHS:]) < _WORSE * scores[best]:
            return None
        since = self._history[best]
        return (
            f"the run gets worse: {_errors(_judged(self._history[-1]))} now, {_errors(_judged(since))} after epoch "
            f"{since.epoch}, which is kept as the best model"
        )

    def _overfits(self) -> str | None:
        if any(result.valid is None or keys.FORCES not in result.valid.rmse for result in self._history):
            return None
        valid = [_judged(result).rmse[keys.FORCES] for result in self._history]
        train = [result.train.rmse[keys.FORCES] for result in self._history]
        least = self._best(valid)
        has_risen = min(valid[-_LEAST_EPOCHS:]) > _RISEN * valid[least] and train[-1] < train[least]
        if not has_risen or valid[-1] < _GAP * train[-1]:
            return None
        return (
            f"the run overfits: the force error of unseen frames is {valid[-1]:.3g} eV/Å and was {valid[least]:.3g} "
            f"after epoch {self._history[least].epoch}, that of training frames has fallen to {train[-1]:.3g}; more "
            "frames, a smaller net or fewer epochs help"
        )

    def _stands_still(self) -> str | None:
        if self._has_schedule:  # what the rate makes restless settles when it has fallen
            return None
        scores = self._scores()
        before = min(scores[: -self._window])
        if min(scores[-self._window :]) < _STANDS_STILL * before:
            return None
        what = "ending the run (Ctrl-C) loses nothing, `--early-stop` does so by itself"
        if not self._is_last:
            what = "`--early-stop` goes on to the next stage by itself"
        return f"the errors have not fallen by 1 % for {_epochs(self._window)}; {what}"


def _judged(result: EpochResult) -> Metrics:
    return result.train if result.valid is None else result.valid


def _errors(metrics: Metrics) -> str:
    shown = ((keys.ENERGY, 1e3, "meV/atom"), (keys.FORCES, 1.0, "eV/Å"))
    return ", ".join(
        f"{factor * metrics.rmse[name]:.3g} {unit}" for name, factor, unit in shown if name in metrics.rmse
    )


def _epochs(number: int) -> str:
    return "epoch" if number == 1 else f"{number} epochs"
