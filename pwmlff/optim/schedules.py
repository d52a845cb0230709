"""Learning-rate and loss-weight schedules as pure functions of the number of optimizer steps done.

PWMLFF counts a mixture of iterations and samples; here a step is one update of the weights, whatever the batch size.
"""

from __future__ import annotations

import math


def exponential_decay(step: int, start: float, stop: float, stop_step: int, decay_step: int, smooth: bool) -> float:
    """Return the learning rate lr = start * r^(step / decay_step), r = (stop / start)^(decay_step / stop_step).

    Args:
        step: Optimizer steps done, from 0.
        start: Rate at step 0.
        stop: Rate at `stop_step`; the rate stays there afterwards.
        stop_step: Step at which `stop` is reached.
        decay_step: Width of a stair in steps.
        smooth: Follow the exponential itself instead of its stairs (step / decay_step rounded down).
    """
    if step >= stop_step:
        return stop
    stairs = step / decay_step if smooth else step // decay_step
    return start * math.exp(math.log(stop / start) * stairs * decay_step / stop_step)


def cosine_restarts(step: int, start: float, stop: float, first_cycle: int, factor: float) -> float:
    """Return the learning rate of cosine annealing with warm restarts (SGDR, Loshchilov 2017, equation 5).

    Args:
        step: Optimizer steps done, from 0.
        start: Rate at the start of each cycle.
        stop: Rate approached at its end.
        first_cycle: Steps of the first cycle.
        factor: Each cycle is this many times as long as the one before, at least 1.
    """
    _, done, length = _cycle(step, first_cycle, factor)
    return stop + (start - stop) * 0.5 * (1.0 + math.cos(math.pi * done / length))


def ends_cycle(step: int, first_cycle: int, factor: float) -> bool:
    """Return whether a cosine cycle has just ended after `step` steps."""
    number, done, _ = _cycle(step, first_cycle, factor)
    before, _, _ = _cycle(step - 1, first_cycle, factor) if step > 0 else (number, done, 0)
    return number != before


def _cycle(step: int, first_cycle: int, factor: float) -> tuple[int, int, int]:
    """Return the number of the cycle, the steps done in it and its length."""
    number, length = 0, first_cycle
    while step >= length:
        step -= length
        number += 1
        length = max(1, round(first_cycle * factor**number))
    return number, step, length


def interpolate_weight(start: float, end: float, rate: float, start_rate: float) -> float:
    """Return a loss weight that goes from `start` to `end` as the rate falls: end + (start - end) lr / lr_0."""
    return end + (start - end) * min(max(rate / start_rate, 0.0), 1.0)
