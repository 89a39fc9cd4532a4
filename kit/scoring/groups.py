"""Scores of groups: images by their number of objects, objects by their area."""

from typing import Any

import numpy as np

from .counts import Counts
from .scores import f2, mean, ratio

COUNTS = ("0", "1", "2", "3-5", "6+")  # objects in the image
AREAS = ("<100", "<500", "<5,000", "more")  # area of the object, px


def group_counts(objects: np.ndarray | int) -> np.ndarray:
    """The place in COUNTS, 0 to 4, of an image with so many objects.

    >>> group_counts(np.array([0, 2, 5, 6])).tolist()
    [0, 2, 3, 4]
    """
    return np.asarray(np.digitize(objects, [1, 2, 3, 6]))


def split_by_count(counts: Counts) -> list[dict[str, Any]]:
    """Mean object F2 of the images with 0, 1, 2, 3 to 5, and 6 or more objects in the truth.

    Each dictionary holds objects (one of COUNTS), images and f2 (None if there is no image).
    """
    values, group = f2(counts), group_counts(counts.ships)
    return [
        {"objects": name, "images": int((group == k).sum()), "f2": mean(values[group == k])}
        for k, name in enumerate(COUNTS)
    ]


def split_by_area(counts: Counts) -> list[dict[str, Any]]:
    """Object F2 of objects below 100, 500 and 5,000 px and above, pooled over all images.

    Each object of the truth, hit or missed, counts in the group of its area. A predicted object
    that hits nothing counts in the group of its own area. F2 is the mean over the thresholds.

    Each dictionary holds area (one of AREAS), objects (in the truth), predicted and f2 (None if
    there is no object).
    """
    edges, levels = [100, 500, 5000], np.arange(10)[:, None]
    real, found = np.digitize(counts.truth_area, edges), np.digitize(counts.predicted_area, edges)
    result = []
    for k, name in enumerate(AREAS):
        tp = (counts.truth_hits[real == k] > levels).sum(axis=1)
        fn, fp = (real == k).sum() - tp, (counts.predicted_hits[found == k] <= levels).sum(axis=1)
        bottom = 5 * tp + 4 * fn + fp
        value = float(ratio(5 * tp, bottom).mean()) if bottom.any() else None
        result.append(
            {
                "area": name,
                "objects": int((real == k).sum()),
                "predicted": int((found == k).sum()),
                "f2": value,
            }
        )
    return result
