"""How long a training will take, said when its first steps have shown it, and again after every epoch of more than a minute."""

import datetime

import numpy as np

PACE_STEPS = 50  # after so many it is said


def describe_pace(
    marks: list[float], steps: int, scorings: int, left: float | None, now: datetime.datetime
) -> str:
    """A line on the steps that are left, from the times (seconds) at which the first PACE_STEPS began and ended.

    scorings: of the holdout that are to come, of which nothing is known yet; left: seconds until --max-hours ends the training, None:
    nothing does.

    >>> noon = datetime.datetime(2026, 1, 1, 12)
    >>> describe_pace([0.5 * k for k in range(51)], 7200, 2, None, noon)
    '0.500 s a step: the 7,200 steps left take 60 minutes, till 13:00, and 2 scorings of the holdout come on top'
    """
    second = float(np.median(np.diff(marks)))  # of which the few that compile or wait are no part
    text = f"{second:.3f} s a step: the {steps:,} steps left take {_tell(second * steps, now)}"
    text += (
        f", and {scorings} scoring{'s' * (scorings > 1)} of the holdout come{'s' * (scorings == 1)} on top"
        if scorings
        else ""
    )
    if left is not None and left < second * steps:
        text += f"; --max-hours ends it after some {max(0, int(left / second)):,} of them, and the same command goes on"
    return text


def describe_epochs(seconds: float, epochs: int, left: float | None, now: datetime.datetime) -> str:
    """A line on the epochs that are left, from the seconds that one took, its scoring included; left: as for `describe_pace`.

    >>> describe_epochs(600, 3, None, datetime.datetime(2026, 1, 1, 12))
    '10 minutes an epoch with its scoring: the 3 left take 30 minutes, till 12:30'
    """
    ahead = f"the {epochs} left take" if epochs > 1 else "the last one takes"
    text = (
        f"{_count(seconds / 60)} an epoch with its scoring: {ahead} {_tell(seconds * epochs, now)}"
    )
    if left is not None and left < seconds * epochs:
        text += f"; --max-hours ends it within epoch {max(0, int(left / seconds)) + 1} of these, and the same command goes on"
    return text


def _tell(seconds: float, now: datetime.datetime) -> str:
    minutes, end = seconds / 60, now + datetime.timedelta(seconds=seconds)
    took = _count(minutes) if minutes < 120 else f"{minutes / 60:.1f} hours"
    return f"{took}, till {end:%H:%M}" + (f" on {end:%d %B}" if end.date() != now.date() else "")


def _count(minutes: float) -> str:
    return "1 minute" if round(minutes) == 1 else f"{minutes:.0f} minutes"
