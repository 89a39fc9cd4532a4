"""How far to trust a mean over images: the percentile bootstrap."""

import numpy as np


def interval(
    values: np.ndarray,
    groups=None,
    *,
    empty=None,
    empty_share: float | None = None,
    draws: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[float, float]:
    """Interval of the mean of `values` (images,), such as each image's F2; whole groups are drawn with replacement.

    groups: int (images,), such as scenes: images of one scene are not independent, and drawing single images would give too narrow an
    interval; None: each image by itself. With empty_share the mean is re-weighted as in `score.f2_weighted`; empty: bool (images,). For two
    predictions of the same images give the differences of their values: the interval is then the paired one, and B is better than A
    where it lies above 0. Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13.

    >>> low, high = interval(np.array([0.0, 1.0, 0.5, 0.5] * 25))
    >>> round(low, 2), round(high, 2)
    (0.43, 0.57)
    """
    values = np.asarray(values, float)
    if not len(values):
        return float("nan"), float("nan")
    _, group = np.unique(np.arange(len(values)) if groups is None else groups, return_inverse=True)
    parts = [(np.ones(len(values), bool), 1.0)]
    if empty_share is not None:
        empty = np.asarray(empty, bool)
        parts = [(empty, empty_share), (~empty, 1 - empty_share)]
    sums = np.array(
        [
            np.bincount(group, weight * part)
            for part, _ in parts
            for weight in (values, np.ones(len(values)))
        ]
    )
    rng, number = np.random.default_rng(seed), sums.shape[1]
    drawn = np.array(
        [
            sums @ np.bincount(rng.integers(0, number, number), minlength=number)
            for _ in range(draws)
        ]
    ).T
    with np.errstate(
        invalid="ignore", divide="ignore"
    ):  # a draw without an image of one kind says nothing
        means = sum(
            share * drawn[2 * place] / drawn[2 * place + 1]
            for place, (_, share) in enumerate(parts)
        )
    low, high = np.nanquantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
