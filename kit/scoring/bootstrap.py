"""Confidence intervals of a mean over images, by the percentile bootstrap."""

import numpy as np

from ..errors import KitError


def interval(
    values: np.ndarray,
    groups: np.ndarray | None = None,
    *,
    empty: np.ndarray | None = None,
    empty_share: float | None = None,
    draws: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[float, float]:
    """Bootstrap interval of the mean of `values`.

    To compare two predictions of the same images, give the differences of their values: this is the
    paired bootstrap. B is better than A if the interval of B - A lies above 0.
    Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13.

    Args:
        values: float (images,), for example the F2 of each image.
        groups: int (images,), for example scenes. Whole groups are drawn with replacement: images
            of one scene are not independent, so drawing single images would give too narrow an
            interval. None: each image is a group of its own.
        empty: bool (images,), whether the truth is empty; needed with empty_share.
        empty_share: share of empty images that the mean is re-weighted to, as in `f2_weighted`;
            None: the plain mean.
        draws: number of bootstrap samples.
        level: confidence level.
        seed: of the random draws.

    Returns:
        The interval's ends; NaN if there is no image.

    Raises:
        KitError: if `groups` or `empty` does not have one value per image, or `empty` is missing.

    Example:
        >>> low, high = interval(np.array([0.0, 1.0, 0.5, 0.5] * 25))
        >>> round(low, 2), round(high, 2)
        (0.43, 0.57)
    """
    values = np.asarray(values, float)
    if empty_share is not None and empty is None:
        raise KitError("empty_share needs empty: for each image, whether its truth is empty")
    for name, given in (("groups", groups), ("empty", empty)):
        if given is not None and np.shape(given) != values.shape:
            raise KitError(
                f"{name} has shape {np.shape(given)}, values {values.shape}; give one per image"
            )
    if not len(values):
        return float("nan"), float("nan")
    _, group = np.unique(np.arange(len(values)) if groups is None else groups, return_inverse=True)
    kinds = [(np.ones(len(values), bool), 1.0)]
    if empty_share is not None:
        empty = np.asarray(empty, bool)
        kinds = [(empty, empty_share), (~empty, 1 - empty_share)]
    sums = np.array(
        [
            np.bincount(group, weight * kind)
            for kind, _ in kinds
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
    # a draw that lacks one kind of image has no mean: it becomes NaN and is left out
    with np.errstate(invalid="ignore", divide="ignore"):
        means = sum(
            share * drawn[2 * place] / drawn[2 * place + 1]
            for place, (_, share) in enumerate(kinds)
        )
    low, high = np.nanquantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
