"""Candidates: all components of all maps at several thresholds, their measures and their hits.

An image's F2 at one IoU threshold is 5 TP / (4 objects + predicted). Its mean over the ten is
hits / 2 / (4 objects + predicted), where hits counts the pairs of a predicted object and an IoU
threshold that it passes. The hits of a component depend on no other component. So this one table
gives the score at every combination of cuts.
"""

import dataclasses
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Self

import numpy as np

from ..masks import dense, table
from ..masks.table import Masks
from ..objects.components import COLUMNS, average_values, find_components
from ..objects.extraction import find_parents
from ..objects.rectangles import fit_rectangles
from ..scoring.counts import count
from ..system.processes import count_cores

THRESHOLDS = (51, 77, 102, 128, 153, 179, 204, 230)  # thresholds on uint8 maps: 0.2 to 0.9
ReadMap = Callable[[int], np.ndarray]  # the uint8 map (height, width) of the image at a position
TOUCHING = 0.2  # share of a component on the truth; below it, a rectangle is unlikely to hit


@dataclass(frozen=True, eq=False)
class Candidates:
    """Components of all images at all THRESHOLDS, ordered by image."""

    image: np.ndarray  # int64 (candidates,): position in the truth
    level: np.ndarray  # int64 (candidates,): position in THRESHOLDS
    columns: dict[str, np.ndarray]  # (candidates,) each: the measures that cuts use, see COLUMNS
    # int64 (candidates, levels): area of the component that holds it, at each level up to its own;
    # 0 at higher levels
    held_by: np.ndarray
    hits: np.ndarray  # int64 (candidates,): at how many IoU thresholds it hits an object, 0 to 10
    rectangle_hits: np.ndarray  # int64 (candidates,): the same for its rectangle
    fit: (
        np.ndarray
    )  # float64 (candidates,): soft IoU of its rectangle with the map, 0 if not fitted

    def select(self, rows: np.ndarray) -> Self:
        """The candidates at `rows`: positions (int64) or a mask, bool (candidates,)."""
        columns = {name: column[rows] for name, column in self.columns.items()}
        arrays = {name: getattr(self, name)[rows] for name in ARRAYS}
        return dataclasses.replace(self, columns=columns, **arrays)


ARRAYS = [field.name for field in dataclasses.fields(Candidates) if field.name != "columns"]


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
    return Candidates(
        columns={
            name: np.concatenate([one.columns[name] for one in found]) for name in found[0].columns
        },
        **{name: np.concatenate([getattr(one, name) for one in found]) for name in ARRAYS},
    )


def _describe(image: int, real: Masks, values: np.ndarray) -> Candidates:
    """The candidates of one image."""
    found = [find_components(real.ids, [values], level) for level in THRESHOLDS]
    measured = [
        {name: describe(components, values) for name, describe in COLUMNS.items()}
        for components in found
    ]
    holders = [
        np.zeros((len(components.labels), len(THRESHOLDS)), np.int64) for components in found
    ]
    for level, components in enumerate(found):
        holders[level][:, level] = measured[level]["area"]
        if level and len(components.labels):
            holders[level][:, :level] = holders[level - 1][
                find_parents(components, found[level - 1]), :level
            ]
    worth = list(zip(*(_rate(real, *pair, values) for pair in zip(found, THRESHOLDS))))
    number = [len(components.labels) for components in found]
    return Candidates(
        image=np.full(sum(number), image),
        level=np.repeat(np.arange(len(THRESHOLDS)), number),
        columns={
            name: np.concatenate([columns[name] for columns in measured]) for name in measured[0]
        },
        held_by=np.concatenate(holders),
        hits=np.concatenate(worth[0]),
        rectangle_hits=np.concatenate(worth[1]),
        fit=np.concatenate(worth[2]),
    )


def _rate(
    real: Masks, found: Masks, threshold: int, values: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Hits of the components, hits of their rectangles, and fits of the rectangles."""
    number = len(found.labels)
    hits, others, fits = np.zeros(number, np.int64), np.zeros(number, np.int64), np.zeros(number)
    if not number or not len(real.labels):
        return hits, others, fits
    hits = count(real, found).predicted_hits
    covered = np.where(dense.to_labels(real, 0) > 0, np.uint8(255), np.uint8(0))
    near = average_values(found, covered) >= 255 * TOUCHING
    if near.any():
        boxes, fitted = fit_rectangles(
            table.select_objects(found, near), [values], min_fit=0, threshold=threshold
        )
        others[near], fits[near] = count(real, boxes).predicted_hits, fitted[:, 5]
    return hits, others, fits
