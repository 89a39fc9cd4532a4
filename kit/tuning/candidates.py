"""Candidates: every component that a threshold makes of a map, with all by which cuts keep or drop it and what it is worth.

An image's F2 at a threshold is 5 TP / (4 objects + predicted), so its mean over the ten is hits / 2 / (4 objects + predicted), where hits
counts the pairs of a predicted object and a threshold that it passes. A component's hits depend on no other component: so one table of
components holds the score at every combination of cuts.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from ..masks import dense, table
from ..masks.table import Masks
from ..objects.components import find_components, measure
from ..objects.extraction import find_parents
from ..objects.rectangles import fit_rectangles
from ..scoring.counts import count
from ..system.processes import count_cores

THRESHOLDS = (51, 77, 102, 128, 153, 179, 204, 230)  # thresholds on uint8 maps: 0.2 to 0.9
TOUCHING = 0.2  # share of a component on the truth below which no rectangle of it is likely to hit


@dataclass(frozen=True, eq=False)
class Candidates:
    """Components of all images at all THRESHOLDS, in the order of images."""

    image: np.ndarray  # int64 (candidates,): position in the truth
    level: np.ndarray  # int64 (candidates,): position in THRESHOLDS
    area: np.ndarray  # int64 (candidates,), px
    mean: np.ndarray  # float64 (candidates,), 0 to 255
    peak: np.ndarray  # int64 (candidates,), 0 to 255
    held_by: np.ndarray  # int64 (candidates, levels): area of the component that holds it at each level up to its own; 0 above
    hits: np.ndarray  # int64 (candidates,): 0 to 10, at how many IoU thresholds it hits an object
    rectangle_hits: np.ndarray  # int64 (candidates,): the same of its rectangle
    fit: np.ndarray  # float64 (candidates,): soft IoU of that rectangle with the map, 0 where none was fitted


def find_candidates(read: Callable[[int], np.ndarray], truth: Masks) -> Candidates:
    """The candidates of all images; read: the uint8 map (height, width) of the image at a position of `truth`.

    Rectangles are fitted where a component lies on the truth: elsewhere they hit as little as the component itself. Maps are read and
    searched in threads, one a core; memory holds a few maps and the table, about 100 bytes a candidate. There must be an image.
    """
    with ThreadPoolExecutor(count_cores()) as workers:
        parts = list(workers.map(lambda image: _describe(image, table.select(truth, [image]), read(image)), range(len(truth))))
    return Candidates(**{name: np.concatenate([part[name] for part in parts]) for name in parts[0]})


def _describe(image: int, real: Masks, values: np.ndarray) -> dict[str, np.ndarray]:
    """The columns of one image's candidates."""
    found = [find_components(real.ids, [values], level) for level in THRESHOLDS]
    sizes = [table.areas(part) for part in found]
    holders = [np.zeros((len(part.labels), len(THRESHOLDS)), np.int64) for part in found]
    for level, (part, size) in enumerate(zip(found, sizes)):
        holders[level][:, level] = size
        if level and len(size):
            holders[level][:, :level] = holders[level - 1][find_parents(part, found[level - 1]), :level]
    measured = [measure(part, values) for part in found]
    worth = list(zip(*(_rate(real, part, values) for part in found)))
    number = [len(size) for size in sizes]
    return {
        "image": np.full(sum(number), image),
        "level": np.repeat(np.arange(len(THRESHOLDS)), number),
        "area": np.concatenate(sizes),
        "mean": np.concatenate([mean for mean, _ in measured]),
        "peak": np.concatenate([peak for _, peak in measured]),
        "held_by": np.concatenate(holders),
        "hits": np.concatenate(worth[0]),
        "rectangle_hits": np.concatenate(worth[1]),
        "fit": np.concatenate(worth[2]),
    }


def _rate(real: Masks, found: Masks, values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Hits of components, hits of their rectangles, and these rectangles' fits."""
    number = len(found.labels)
    hits, others, fits = np.zeros(number, np.int64), np.zeros(number, np.int64), np.zeros(number)
    if not number or not len(real.labels):
        return hits, others, fits
    hits = count(real, found).predicted_hits
    covered = np.where(dense.to_labels(real, 0) > 0, np.uint8(255), np.uint8(0))
    near = measure(found, covered)[0] >= 255 * TOUCHING
    if near.any():
        boxes, fitted = fit_rectangles(table.select_objects(found, near), [values], min_fit=0)
        others[near], fits[near] = count(real, boxes).predicted_hits, fitted[:, 5]
    return hits, others, fits
