"""Objects as outlines: paths of an SVG picture, in px of the image."""

import numpy as np
from skimage.measure import approximate_polygon, find_contours

from ..masks import dense, table
from ..masks.table import Masks

# How far a path may lie off the outline, px and in the root of the object's area: a rotated rectangle takes some twenty points.
NEAR, SHARE = 0.8, 0.05


def trace(masks: Masks, image: int, most: int | None = None) -> list[str]:
    """A path (the attribute d) for each object of the image at position `image`, holes and further pieces included.

    Coordinates: x to the right and y down, pixel (row, column) covers column to column + 1, row to row + 1. most: of more objects than that
    the largest ones only.

    >>> trace(dense.from_labels("a", [np.pad(np.ones((4, 6), int), 2)]), 0)
    ['M8 6L2 6L2 2L8 2Z']
    """
    one = table.select(masks, [image])
    boxes, areas = table.boxes(one), table.areas(one)
    labels = np.pad(dense.to_labels(one, 0), 1)  # so that outlines close at the border
    paths = []
    for item in np.sort(np.argsort(-areas, kind="stable")[:most]).tolist():
        top, left, bottom, right = boxes[item].tolist()
        paths.append(_trace(labels[top : bottom + 2, left : right + 2] == item + 1, top, left))
    return paths


def _trace(mask: np.ndarray, top: int, left: int) -> str:
    """mask: bool, one px of background around; top, left: of its first pixel but that, in the image."""
    parts, near = [], min(NEAR, SHARE * np.sqrt(mask.sum()))
    fine = (
        mask.repeat(3, 0).repeat(3, 1).astype(np.float32)
    )  # a contour cuts corners by half a px of these
    for line in find_contours(fine, 0.5):
        corners = approximate_polygon((line - 2.5) / 3, near)[:-1]
        points = np.round(2 * (corners + np.array([top, left]))) / 2
        points = points[(points != np.roll(points, 1, axis=0)).any(axis=1)]
        parts.append("M" + "L".join(f"{x:g} {y:g}" for y, x in points) + "Z")
    return "".join(parts)
