"""The grid search: re-weighted F2 of a table of candidates at every combination of cuts."""

import itertools
import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from ..cuts import COMPONENT_CUTS, Cuts, keep, read_least
from ..system.jit import compiled
from ..system.processes import count_cores
from .calibration import EDGE
from .candidates import THRESHOLDS, Candidates

# (threshold, small_threshold, small_area): one threshold, or a lower one for small components
SIZES = [(level, level, 0) for level in THRESHOLDS]
SIZES += [
    (large, small, area)
    for small, large in itertools.combinations(THRESHOLDS, 2)
    for area in (100, 300)
]
FITS = (2.0, 0.7, 0.6, 0.5)  # 2: no rectangles
# The gate's odds, as multiples of those that are best in theory (0: no gate). Only these are tried.
GATES = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0)
# The axes of the grid and their values, in the order of a surface's dimensions.
AXES: dict[str, Sequence[Any]] = {
    "size": SIZES,
    **{name: cut["tried"] for name, cut in COMPONENT_CUTS.items()},
    "rectangles": FITS,
    "gate": GATES,
}
# How many of an axis's first values do not use the option of that name.
WITHOUT = {"size": len(THRESHOLDS), "rectangles": 1, "gate": 1}
SHAPE = tuple(map(len, AXES.values()))
Point = tuple[int, ...]  # one place per axis; it indexes a surface
LIMIT = math.log((1 - EDGE) / EDGE)


def make_point(**places: int) -> Point:
    """The point at the given places of the named axes, and at the first place of the others.

    >>> point = make_point(size=3, gate=1)
    >>> [point[list(AXES).index(axis)] for axis in ("size", "min_area", "gate")]
    [3, 0, 1]
    """
    return tuple(places.get(name, 0) for name in AXES)


PLAIN = make_point(size=SIZES.index((128, 128, 0)))  # threshold 128 and no cut


def read_place(point: Point, axis: str) -> int:
    """The place of a point on an axis."""
    return point[list(AXES).index(axis)]


def index_at(**places: int | slice) -> tuple[int | slice, ...]:
    """The surface index with these places or slices on the named axes, and all of the others."""
    return tuple(places.get(name, slice(None)) for name in AXES)


@compiled
def place_gate(f2_ships: float, times: float, slope: float, offset: float, odds: float) -> float:
    """The presence from which an image is worth predicting, on the network's own scale.

    Let q be the probability that an image holds an object, and f the mean F2 on images that do.
    Predicting earns q f on average, leaving the image empty earns 1 - q. So predicting pays if
    q > 1 / (1 + f), that is if the odds q / (1 - q) exceed 1 / f.

    Args:
        f2_ships: f, with no image left empty by the gate.
        times: multiplies the odds 1 / f; 0: no gate.
        slope: of `calibrate`.
        offset: of `calibrate`.
        odds: odds of an object in the images to come, divided by those in the images that gave
            slope and offset.

    Returns:
        The least presence; 0 lets every image pass, 2 none.
    """
    if times == 0 or slope <= 0 or odds <= 0:
        return 0.0
    if f2_ships <= 0:
        return 2.0
    value = (math.log(times / f2_ships) - math.log(odds) - offset) / slope
    if abs(value) >= LIMIT:  # where `logit` clips
        return 0.0 if value < 0 else 2.0
    return 1 / (1 + math.exp(-value))


@compiled
def _search(
    image: np.ndarray,
    keeps: np.ndarray,
    hits: np.ndarray,
    rectangle_hits: np.ndarray,
    fit: np.ndarray,
    objects: np.ndarray,
    fits: np.ndarray,
    gates: np.ndarray,
    weights: np.ndarray,
    presence: np.ndarray,
    lines: np.ndarray,
    surface: np.ndarray,
) -> None:
    """Fills surface (keeps, fits, gates, selections).

    keeps: bool (combinations of cuts, candidates); the others: see `search`.
    """
    number = len(objects)
    kept, worth, values = np.empty(number, np.int64), np.empty(number, np.int64), np.empty(number)
    for k in range(len(keeps)):
        for r in range(len(fits)):
            kept[:], worth[:] = 0, 0
            for item in range(len(image)):
                if keeps[k, item]:
                    kept[image[item]] += 1
                    worth[image[item]] += (
                        rectangle_hits[item] if fit[item] >= fits[r] else hits[item]
                    )
            for place in range(number):
                if objects[place] == 0:
                    values[place] = 1.0 if kept[place] == 0 else 0.0
                else:
                    values[place] = worth[place] / (2 * (4 * objects[place] + kept[place]))
            for s in range(len(weights)):
                ships, total = 0.0, 0.0
                for place in range(number):
                    if objects[place] > 0:
                        ships += weights[s, place] * values[place]
                        total += weights[s, place]
                for g in range(len(gates)):
                    cut = place_gate(
                        ships / max(total, 1e-12), gates[g], lines[s, 0], lines[s, 1], lines[s, 2]
                    )
                    found = 0.0
                    for place in range(number):
                        if presence[place] >= cut:
                            found += weights[s, place] * values[place]
                        elif objects[place] == 0:
                            found += weights[s, place]
                    surface[k, r, g, s] = found


def pick(candidates: Candidates, size: tuple[int, int, int]) -> np.ndarray:
    """Positions of the candidates that an entry of SIZES leaves, int64."""
    large, small, area = THRESHOLDS.index(size[0]), THRESHOLDS.index(size[1]), size[2]
    if area == 0:
        return np.flatnonzero(candidates.level == large)
    low = candidates.held_by[:, small]
    return np.flatnonzero(
        ((candidates.level == small) & (low < area)) | ((candidates.level == large) & (low >= area))
    )


def search(
    candidates: Candidates,
    objects: np.ndarray,
    presence: np.ndarray | None,
    weights: np.ndarray,
    lines: np.ndarray,
) -> np.ndarray:
    """Re-weighted F2 at every point of the grid, in one thread per core.

    Args:
        candidates: of all images.
        objects: objects of each image in the truth, int64 (images,).
        presence: probability that each image holds an object, float64 (images,); None: unknown.
        weights: of each image in each selection of images, float64 (selections, images), see
            `weigh`.
        lines: slope and offset of `calibrate` and odds of `place_gate`, float64 (selections, 3).

    Returns:
        The surface, float32 SHAPE + (selections,); -inf with a gate if presence is unknown.
    """
    surface = np.empty((*SHAPE, len(weights)), np.float32)
    given = np.ones(len(objects)) if presence is None else presence
    grid = [
        dict(zip(COMPONENT_CUTS, least))
        for least in itertools.product(*(cut["tried"] for cut in COMPONENT_CUTS.values()))
    ]

    def work(place: int) -> None:
        rows = candidates.select(pick(candidates, SIZES[place]))
        keeps = np.array(
            [
                np.broadcast_to(keep(rows.columns.__getitem__, **least), len(rows.image))
                for least in grid
            ]
        )
        filled = surface[place].reshape(len(grid), len(FITS), len(GATES), len(weights))
        _search(
            rows.image,
            keeps,
            rows.hits,
            rows.rectangle_hits,
            rows.fit,
            objects,
            np.array(FITS),
            np.array(GATES),
            weights,
            given,
            lines,
            filled,
        )

    with ThreadPoolExecutor(count_cores()) as workers:
        list(workers.map(work, range(len(SIZES))))
    if presence is None:
        surface[index_at(gate=slice(WITHOUT["gate"], None))] = -np.inf  # no gate without it
    return surface


def weigh(empty: np.ndarray, chosen: np.ndarray, empty_share: float) -> np.ndarray:
    """Weight of each image, float64 (images,), in the re-weighted mean over `chosen` images.

    The mean is the sum of weight times F2. It is the plain mean if all chosen images are empty, or
    none is. empty, chosen: bool (images,).
    """
    counts = (chosen & empty).sum(), (chosen & ~empty).sum()
    if 0 in counts:
        return np.asarray(chosen / max(sum(counts), 1))
    weights = np.where(empty, empty_share / counts[0], (1 - empty_share) / counts[1])
    return np.asarray(weights * chosen)


def score_point(
    candidates: Candidates, objects: np.ndarray, presence: np.ndarray | None, cuts: Cuts
) -> np.ndarray:
    """F2 of each image with some cuts, float64 (images,).

    A rectangle counts as if no other object were near.

    Args:
        candidates: of all images.
        objects: objects of each image in the truth, int64 (images,).
        presence: probability that each image holds an object, float64 (images,); None: unknown.
        cuts: the cuts; their thresholds must be in THRESHOLDS.
    """
    low = cuts.small_threshold if cuts.small_area else cuts.threshold
    rows = candidates.select(pick(candidates, (cuts.threshold, low, cuts.small_area)))
    rows = rows.select(
        np.broadcast_to(keep(rows.columns.__getitem__, **read_least(cuts)), len(rows.image))
    )
    fits = cuts.rectangles & (rows.fit >= cuts.min_fit)
    kept = np.bincount(rows.image, minlength=len(objects))
    worth = np.bincount(
        rows.image, np.where(fits, rows.rectangle_hits, rows.hits), minlength=len(objects)
    )
    if cuts.min_presence and presence is not None:
        kept, worth = (np.where(presence >= cuts.min_presence, value, 0) for value in (kept, worth))
    if cuts.blank:
        kept, worth = np.zeros_like(kept), np.zeros_like(worth)
    return np.where(objects == 0, kept == 0, worth / np.maximum(2 * (4 * objects + kept), 1))


def read_point(point: Sequence[int], min_presence: float = 0.0) -> Cuts:
    """The cuts at a point of the grid; min_presence: from `place_gate`."""
    values = {name: AXES[name][place] for name, place in zip(AXES, point)}
    threshold, small_threshold, small_area = values["size"]
    rectangles = values["rectangles"] <= 1
    return Cuts(
        threshold=threshold,
        small_area=small_area,
        small_threshold=small_threshold,
        rectangles=rectangles,
        min_fit=values["rectangles"] if rectangles else Cuts.min_fit,
        min_presence=min_presence,
        **{name: values[name] for name in COMPONENT_CUTS},
    )
