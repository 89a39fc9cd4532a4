"""Candidates: every component that a threshold makes of a map, with all by which cuts keep or drop it and what it is worth.

An image's F2 at a threshold is 5 TP / (4 objects + predicted), so its mean over the ten is hits / 2 / (4 objects + predicted), where hits
counts the pairs of a predicted object and a threshold that it passes. A component's hits depend on no other component: so one table of
components holds the score at every combination of cuts.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from ..masks import dense, table
from ..masks.table import Masks
from ..objects.components import COLUMNS, average_values, find_components
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
    columns: dict[str, np.ndarray]  # (candidates,) each: what cuts ask, see COLUMNS
    held_by: np.ndarray  # int64 (candidates, levels): area of the component that holds it at each level up to its own; 0 above
    hits: np.ndarray  # int64 (candidates,): 0 to 10, at how many IoU thresholds it hits an object
    rectangle_hits: np.ndarray  # int64 (candidates,): the same of its rectangle
    fit: (
        np.ndarray
    )  # float64 (candidates,): soft IoU of that rectangle with the map, 0 where none was fitted

    def select(self, rows: np.ndarray) -> Candidates:
        """The candidates at some positions (int64), or those of a bool (candidates,)."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        columns = {name: column[rows] for name, column in fields.pop("columns").items()}
        return Candidates(
            columns=columns, **{name: values[rows] for name, values in fields.items()}
        )


ARRAYS = [field.name for field in dataclasses.fields(Candidates) if field.name != "columns"]


def find_candidates(read: Callable[[int], np.ndarray], truth: Masks) -> Candidates:
    """The candidates of all images; read: the uint8 map (height, width) of the image at a position of `truth`.

    Rectangles are fitted where a component lies on the truth: elsewhere they hit as little as the component itself. Maps are read and
    searched in threads, one a core; memory holds a few maps and the table, about 100 bytes a candidate. There must be an image.
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
    """One image's candidates."""
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
    worth = list(zip(*(_rate(real, components, values) for components in found)))
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
    real: Masks, found: Masks, values: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Hits of components, hits of their rectangles, and these rectangles' fits."""
    number = len(found.labels)
    hits, others, fits = np.zeros(number, np.int64), np.zeros(number, np.int64), np.zeros(number)
    if not number or not len(real.labels):
        return hits, others, fits
    hits = count(real, found).predicted_hits
    covered = np.where(dense.to_labels(real, 0) > 0, np.uint8(255), np.uint8(0))
    near = average_values(found, covered) >= 255 * TOUCHING
    if near.any():
        boxes, fitted = fit_rectangles(table.select_objects(found, near), [values], min_fit=0)
        others[near], fits[near] = count(real, boxes).predicted_hits, fitted[:, 5]
    return hits, others, fits
