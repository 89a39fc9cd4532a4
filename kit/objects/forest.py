"""The components of a map at all thresholds: what each is expected to be worth, and which to take.

A component at one threshold holds those of higher thresholds, so they form trees. An object is one
node of a tree: its outline may be the wide one of a low threshold or the narrow one of a high one.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from ..masks import table
from ..masks.table import Masks
from ..system.jit import compiled
from .components import average_values, split_map

THRESHOLDS = (51, 77, 102, 128, 153, 179, 204, 230)  # thresholds on uint8 maps: 0.2 to 0.9
MEASURES = ("area", "mean", "threshold", "growth", "elongation")


@dataclass(frozen=True, eq=False)
class Forest:
    """The components of one map at all THRESHOLDS, from the lowest to the highest."""

    masks: Masks  # one image, whose objects are the components
    level: np.ndarray  # int64 (components,): position in THRESHOLDS
    parent: np.ndarray  # int64 (components,): the component one level lower that holds it, or -1
    measures: np.ndarray  # float64 (components, MEASURES): see `measure`

    def take(self, taken: np.ndarray) -> tuple[Masks, np.ndarray]:
        """Some components, bool (components,), by their first pixel, and the threshold of each."""
        masks = self.masks
        first = np.where(taken, masks.start[masks.runs[:-1]], np.iinfo(np.int32).max)
        order = np.argsort(first, kind="stable")[: taken.sum()]
        start, length, runs = table.gather_runs(masks.start, masks.length, masks.runs, order)
        objects = np.array([0, len(order)])
        found = Masks(masks.ids, masks.shapes, objects, masks.labels[order], runs, start, length)
        return found, np.array(THRESHOLDS)[self.level[order]]


def grow_forest(name: str, pixels: np.ndarray, connectivity: int = 4) -> Forest:
    """Finds the components of one map as `check_map` returns it, as the objects of image `name`."""
    levels = [split_map(name, pixels, threshold, connectivity) for threshold in THRESHOLDS]
    number = [len(found.labels) for found in levels]
    first = np.cumsum([0, *number])
    parent = np.full(first[-1], -1)
    for place, found in enumerate(levels[1:], 1):
        if len(found.labels):
            held = find_parents(found, levels[place - 1])
            parent[first[place] : first[place + 1]] = first[place - 1] + held
    pair = table.concatenate(levels)  # eight images of one name, merged
    masks = Masks(
        levels[0].ids,
        levels[0].shapes,
        np.array([0, first[-1]]),
        pair.labels,
        pair.runs,
        pair.start,
        pair.length,
    )
    level = np.repeat(np.arange(len(THRESHOLDS)), number)
    return Forest(masks, level, parent, measure(masks, level, parent, pixels))


def measure(masks: Masks, level: np.ndarray, parent: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """The MEASURES of components, float64 (components, MEASURES).

    They are log(area), the logit of the mean probability, that of the threshold, the logarithm of
    how many times as large the component is at the lowest threshold, and the logarithm of length by
    width, of a rectangle with the component's second moments.

    Args:
        masks, level, parent: as in `Forest`.
        pixels: the map, (height, width).
    """
    area = table.areas(masks).astype(float)
    root = np.arange(len(parent))
    for _ in THRESHOLDS:
        root = np.where(parent[root] < 0, root, parent[root])
    mean = np.clip(average_values(masks, pixels) / 255, 1e-3, 1 - 1e-3)
    border = np.array(THRESHOLDS)[level] / 255
    return np.stack(
        [
            np.log(area),
            np.log(mean / (1 - mean)),
            np.log(border / (1 - border)),
            np.log(area[root] / area),
            _stretch(masks.start, masks.length, masks.runs, pixels.shape[0]),
        ],
        axis=1,
    )


@compiled
def _stretch(start: np.ndarray, length: np.ndarray, runs: np.ndarray, height: int) -> np.ndarray:
    """log(length / width) of each object, by its second moments; a pixel has a width of 1."""
    found = np.zeros(len(runs) - 1)
    for item in range(len(runs) - 1):
        count, row, column = 0, 0.0, 0.0
        xx, yy, xy = 0.0, 0.0, 0.0
        # From the first pixel on, so that the sums stay small.
        top, left = start[runs[item]] % height, start[runs[item]] // height
        for run in range(runs[item], runs[item + 1]):
            for pixel in range(np.int64(start[run]), np.int64(start[run]) + length[run]):
                x, y = float(pixel // height - left), float(pixel % height - top)
                count, row, column = count + 1, row + y, column + x
                xx, yy, xy = xx + x * x, yy + y * y, xy + x * y
        row, column = row / count, column / count
        xx, yy = xx / count - column**2 + 1 / 12, yy / count - row**2 + 1 / 12
        xy = xy / count - row * column
        middle, spread = (xx + yy) / 2, np.sqrt(((xx - yy) / 2) ** 2 + xy**2)
        found[item] = 0.5 * np.log((middle + spread) / max(middle - spread, 1 / 12))
    return found


def expand(measures: np.ndarray) -> np.ndarray:
    """A one, the measures and their products, float64 (components, kit.cuts.TERMS)."""
    one, two = np.triu_indices(measures.shape[1])
    products = measures[:, one] * measures[:, two]
    return np.concatenate([np.ones((len(measures), 1)), measures, products], axis=1)


def rate(measures: np.ndarray, line: np.ndarray) -> np.ndarray:
    """What components are worth: the share of the IoU thresholds that each is expected to pass.

    Args:
        measures: of the components, (components, MEASURES).
        line: TERMS coefficients of the logit.

    Returns:
        float64 (components,), 0 to 1.
    """
    return np.asarray(expit(expand(measures) @ line))


def choose(level: np.ndarray, parent: np.ndarray, gain: np.ndarray) -> np.ndarray:
    """The components with the largest sum of gains of which none holds another.

    Args:
        level: of each component, int64 (components,).
        parent: position of the component one level lower that holds it, int64 (components,); -1.
        gain: what each adds, float64 (components,); what adds nothing is left out.

    Returns:
        bool (components,).
    """
    inside, taken, covered = (
        np.zeros(len(gain)),
        np.zeros(len(gain), bool),
        np.zeros(len(gain), bool),
    )
    places = [np.flatnonzero(level == number) for number in range(len(THRESHOLDS))]
    for at in reversed(places):
        held = at[parent[at] >= 0]
        np.add.at(inside, parent[held], np.maximum(np.maximum(gain[held], inside[held]), 0))
    for at in places:
        covered[at] = (parent[at] >= 0) & covered[parent[at]]
        taken[at] = ~covered[at] & (gain[at] > 0) & (gain[at] >= inside[at])
        covered[at] |= taken[at]
    return taken


def find_parents(narrow: Masks, wide: Masks) -> np.ndarray:
    """Positions in `wide` of the components that hold those of `narrow`, int64 (components,).

    Both tables are components of one map by the same connectivity; `wide` has the lower threshold.
    """
    order = np.argsort(wide.start)
    owner = np.repeat(np.arange(len(wide.labels)), np.diff(wide.runs))[order]
    first = narrow.start[narrow.runs[:-1]]
    return np.asarray(owner[np.searchsorted(wide.start[order], first, side="right") - 1])
