"""How long a training will take.

A training prints one line about it after its first steps, and again after each epoch of more than a
minute. Steps with a frozen encoder take less, so they do not count if others follow.
"""

import datetime

import numpy as np

PACE_STEPS = 50  # the line comes after so many steps


def describe_pace(
    marks: list[float], steps: int, scorings: int, left: float | None, now: datetime.datetime
) -> str:
    """Describes how long the remaining steps take.

    Args:
        marks: times in seconds at which the first PACE_STEPS steps began and ended.
        steps: number of steps left.
        scorings: number of scorings of the holdout to come, whose time is not known yet.
        left: seconds until --max-hours stops the training; None: nothing does.
        now: the time of day.

    Returns:
        One line.

    >>> noon = datetime.datetime(2026, 1, 1, 12)
    >>> describe_pace([0.5 * k for k in range(51)], 7200, 2, None, noon)
    '0.500 s per step: the 7,200 steps left take 60 minutes, until 13:00, plus 2 holdout scorings'
    """
    second = float(np.median(np.diff(marks)))  # the few steps that compile or wait do not count
    text = f"{second:.3f} s per step: the {steps:,} steps left take {_tell(second * steps, now)}"
    if scorings:
        text += f", plus {scorings} holdout scoring{'s' * (scorings > 1)}"
    if left is not None and left < second * steps:
        text += (
            f"; --max-hours stops it after about {max(0, int(left / second)):,} of them, "
            "run the same command again to resume"
        )
    return text


def describe_epochs(seconds: float, epochs: int, left: float | None, now: datetime.datetime) -> str:
    """Describes how long the remaining epochs take.

    Args:
        seconds: that one epoch took, its scoring included.
        epochs: number of epochs left.
        left: seconds until --max-hours stops the training; None: nothing does.
        now: the time of day.

    Returns:
        One line.

    >>> describe_epochs(600, 3, None, datetime.datetime(2026, 1, 1, 12))
    '10 minutes per epoch with its scoring: the 3 left take 30 minutes, until 12:30'
    """
    ahead = f"the {epochs} left take" if epochs > 1 else "the last one takes"
    time = _tell(seconds * epochs, now)
    text = f"{_count(seconds / 60)} per epoch with its scoring: {ahead} {time}"
    if left is not None and left < seconds * epochs:
        text += (
            f"; --max-hours stops it within epoch {max(0, int(left / seconds)) + 1} of these, "
            "run the same command again to resume"
        )
    return text


def _tell(seconds: float, now: datetime.datetime) -> str:
    minutes, end = seconds / 60, now + datetime.timedelta(seconds=seconds)
    took = _count(minutes) if minutes < 120 else f"{minutes / 60:.1f} hours"
    return f"{took}, until {end:%H:%M}" + (f" on {end:%d %B}" if end.date() != now.date() else "")


def _count(minutes: float) -> str:
    return "1 minute" if round(minutes) == 1 else f"{minutes:.0f} minutes"
