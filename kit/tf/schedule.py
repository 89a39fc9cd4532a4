"""The learning rate as a function of the step alone, so that a training can go on at any step."""

from __future__ import annotations

import math


def cosine(step: int, steps: int, peak: float, warmup: float) -> float:
    """Learning rate of `step` (from 0) of `steps`: rises linearly to `peak` over the share `warmup`, then half a cosine to zero (SGDR).

    >>> [round(cosine(step, 100, 1.0, 0.1), 3) for step in (0, 9, 10, 55, 99)]
    [0.1, 1.0, 1.0, 0.5, 0.0]
    """
    rise = round(steps * warmup)
    if step < rise:
        return peak * (step + 1) / rise
    return peak * 0.5 * (1 + math.cos(math.pi * (step - rise) / max(steps - rise, 1)))
