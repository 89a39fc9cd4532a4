"""Scores of groups: images by their number of objects, objects by their area."""

import numpy as np

from .counts import Counts
from .scores import f2, mean, ratio

COUNTS = ("0", "1", "2", "3-5", "6+")  # objects an image
AREAS = ("<100", "<500", "<5,000", "more")  # px an object


def group_counts(objects) -> np.ndarray:
    """Which of COUNTS an image with so many objects belongs to: 0 to 4."""
    return np.digitize(objects, [1, 2, 3, 6])


def split_by_count(counts: Counts) -> list[dict]:
    """Mean object F2 of the images with 0, 1, 2, 3-5, 6 and more objects in the truth: objects, images, f2 (None over nothing)."""
    values, group = f2(counts), group_counts(counts.ships)
    return [
        {"objects": name, "images": int((group == k).sum()), "f2": mean(values[group == k])}
        for k, name in enumerate(COUNTS)
    ]


def split_by_area(counts: Counts) -> list[dict]:
    """Object F2 of objects below 100, 500, 5,000 px and above, all images together, the mean over the thresholds (None over nothing).

    A truth object counts in the group of its own area, hit or missed; a predicted one that hits nothing in the group of its own. Each dict:
    area, objects (in the truth), predicted, f2.
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
