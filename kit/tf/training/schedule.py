"""The learning rate, a function of the step alone, so that a training can resume at any step."""

import math


def constant(step: int, steps: int, epoch: int) -> float:
    """1 at every step."""
    return 1.0


def stepwise(step: int, steps: int, epoch: int) -> float:
    """The ancestor's schedule: 1 for two epochs, then each exp(-0.1) times the one before.

    `epoch` is the number of steps per epoch.

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
    """The learning rate of a step: it rises linearly to the peak, then follows the schedule.

    Args:
        schedule: a name in SCHEDULES, or a function (step, steps, epoch) -> share of the peak. It
            sees steps counted from the end of the warm-up.
        step: the step, from 0.
        steps: all steps of the training.
        epoch: steps per epoch.
        peak: the largest learning rate.
        warmup: share of all steps in which the learning rate rises.

    Returns:
        The learning rate.

    >>> [round(learning_rate("cosine", step, 100, 10, 1.0, 0.1), 3) for step in (0, 9, 10, 55, 99)]
    [0.1, 1.0, 1.0, 0.5, 0.0]
    """
    rise = round(steps * warmup)
    if step < rise:
        return peak * (step + 1) / rise
    run = schedule if callable(schedule) else SCHEDULES[schedule]
    return peak * float(run(step - rise, max(steps - rise, 1), epoch))
