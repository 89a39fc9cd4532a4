"""Candidates: all components of all maps at several thresholds, their measures and their hits.

An image's F2 at one IoU threshold is 5 TP / (4 objects + predicted). Its mean over the ten is
hits / 2 / (4 objects + predicted), where hits counts the pairs of a predicted object and an IoU
threshold that it passes. The hits of a component depend on no other component. So this one table
gives the score of every choice among them.
"""

import dataclasses
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from ..masks import dense, table
from ..masks.table import Masks
from ..objects.components import average_values
from ..objects.forest import THRESHOLDS, grow_forest
from ..objects.maps import check_map
from ..objects.rectangles import fit_rectangles
from ..scoring.counts import count
from ..system.processes import count_cores

ReadMap = Callable[[int], np.ndarray]  # the uint8 map (height, width) of the image at a position
TOUCHING = 0.2  # share of a component on the truth; below it, a rectangle is unlikely to hit


@dataclass(frozen=True, eq=False)
class Candidates:
    """Components of all images at all THRESHOLDS, ordered by image; see kit.objects.forest."""

    image: np.ndarray  # int64 (candidates,): position in the truth
    level: np.ndarray  # int64 (candidates,): position in THRESHOLDS
    parent: np.ndarray  # int64 (candidates,): the candidate one level lower that holds it, or -1
    measures: np.ndarray  # float64 (candidates, MEASURES)
    hits: np.ndarray  # int64 (candidates,): at how many IoU thresholds it hits an object, 0 to 10
    rectangle_hits: np.ndarray  # int64 (candidates,): the same if rectangles replace outlines


def find_candidates(read: ReadMap, truth: Masks) -> Candidates:
    """The candidates of all images of `truth`, of which there must be at least one.

    A rectangle is fitted only if the component lies on the truth; elsewhere neither it nor the
    component hits anything. Maps are read and searched in one thread per core. Memory holds a few
    maps and the table, about 100 bytes per candidate.

    read: returns the map of the image at a position of `truth`.
    """
    with ThreadPoolExecutor(count_cores()) as workers:
        found = list(
            workers.map(
                lambda image: _describe(image, table.select(truth, [image]), read(image)),
                range(len(truth)),
            )
        )
    number = np.cumsum([0, *(len(one.image) for one in found)])
    moved = [
        dataclasses.replace(one, parent=np.where(one.parent < 0, -1, one.parent + first))
        for one, first in zip(found, number)
    ]
    names = [field.name for field in dataclasses.fields(Candidates)]
    return Candidates(**{n: np.concatenate([getattr(one, n) for one in moved]) for n in names})


def _describe(image: int, real: Masks, values: np.ndarray) -> Candidates:
    """The candidates of one image."""
    forest = grow_forest(str(real.ids[0]), check_map(values, real.shapes[0], real.ids[0]))
    number = len(forest.level)
    hits, others = np.zeros(number, np.int64), np.zeros(number, np.int64)
    if len(real.labels):
        for level, threshold in enumerate(THRESHOLDS):
            at = np.flatnonzero(forest.level == level)
            found = table.select_objects(forest.masks, forest.level == level)
            hits[at], others[at] = _rate(real, found, threshold, values)
    return Candidates(
        np.full(number, image), forest.level, forest.parent, forest.measures, hits, others
    )


def _rate(
    real: Masks, found: Masks, threshold: int, values: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Hits of components of one threshold, and hits if rectangles replace those that they fit."""
    hits = count(real, found).predicted_hits
    others = hits.copy()
    covered = np.where(dense.to_labels(real, 0) > 0, np.uint8(255), np.uint8(0))
    near = average_values(found, covered) >= 255 * TOUCHING
    if near.any():
        chosen = table.select_objects(found, near)
        boxes, _ = fit_rectangles(chosen, [values], threshold=threshold)
        others[near] = count(real, boxes).predicted_hits
    return hits, others
