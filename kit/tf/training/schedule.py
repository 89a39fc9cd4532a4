"""The learning rate as a function of the step alone, so that a training can go on at any step."""

import math


def constant(step: int, steps: int, epoch: int) -> float:
    """1, whatever the step."""
    return 1.0


def stepwise(step: int, steps: int, epoch: int) -> float:
    """The ancestor's: 1 in the first two epochs, then exp(-0.1) times the last epoch's; epoch: steps of one.

    >>> [round(stepwise(step, 40, 10), 3) for step in (0, 19, 20, 29, 30)]
    [1.0, 1.0, 0.905, 0.905, 0.819]
    """
    return math.exp(-0.1 * max(0, step // epoch - 1))


def cosine(step: int, steps: int, epoch: int) -> float:
    """Half a cosine from 1 to 0 over all steps (Loshchilov 2017, SGDR, without restarts).

    >>> [round(cosine(step, 100, 10), 3) for step in (0, 50, 99)]
    [1.0, 0.5, 0.0]
    """
    return 0.5 * (1 + math.cos(math.pi * step / steps))


SCHEDULES = {"constant": constant, "step": stepwise, "cosine": cosine}


def learning_rate(
    schedule, step: int, steps: int, epoch: int, peak: float, warmup: float = 0.0
) -> float:
    """Learning rate of `step` (from 0) of `steps`: rises linearly to `peak` over the share `warmup`, then follows the schedule.

    schedule: a name of SCHEDULES, or a function (step, steps, epoch) -> share of the peak, where `epoch` is the steps of one epoch; it
    counts from the end of the warm-up.

    >>> [round(learning_rate("cosine", step, 100, 10, 1.0, 0.1), 3) for step in (0, 9, 10, 55, 99)]
    [0.1, 1.0, 1.0, 0.5, 0.0]
    """
    rise = round(steps * warmup)
    if step < rise:
        return peak * (step + 1) / rise
    run = schedule if callable(schedule) else SCHEDULES[schedule]
    return peak * float(run(step - rise, max(steps - rise, 1), epoch))
