"""Outlines of objects as SVG paths, in px of the image."""

import numpy as np
from skimage.measure import approximate_polygon, find_contours

from ..masks import dense, table
from ..masks.table import Masks

# A path lies off the outline by at most NEAR px and at most SHARE times the root of the object's
# area. A rotated rectangle then takes some twenty points.
NEAR, SHARE = 0.8, 0.05


def trace(masks: Masks, image: int, most: int | None = None) -> list[str]:
    """A path (the attribute d) for each object of the image at position `image`.

    A path includes holes and all pieces of its object. x points right and y down; pixel
    (row, column) covers column to column + 1 and row to row + 1.

    most: trace only so many objects, the largest ones; None: all.

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
    """The path of one object.

    mask: bool, with one px of background around; top, left: place in the image of what is inside
    that border.
    """
    parts, near = [], min(NEAR, SHARE * np.sqrt(mask.sum()))
    # a contour cuts corners by half a pixel, so pixels are split into thirds
    fine = mask.repeat(3, 0).repeat(3, 1).astype(np.float32)
    for line in find_contours(fine, 0.5):  # type: ignore[no-untyped-call]
        corners = approximate_polygon((line - 2.5) / 3, near)[:-1]  # type: ignore[no-untyped-call]
        points = np.round(2 * (corners + np.array([top, left]))) / 2
        points = points[(points != np.roll(points, 1, axis=0)).any(axis=1)]
        parts.append("M" + "L".join(f"{x:g} {y:g}" for y, x in points) + "Z")
    return "".join(parts)
