"""The search: re-weighted F2 of a table of candidates at every combination of cuts."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..cuts import Cuts
from ..objects.forest import THRESHOLDS, choose, expand, rate
from .calibration import EDGE
from .candidates import Candidates
from .logistic import fit_logistic

RIDGE = 1e-2  # pulls a line that rates components to 0, on inputs of deviation 1
# The gate's odds, as multiples of those that are best in theory (0: no gate). Only these are tried.
GATES = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0)
# The axes of the grid and their values, in the order of a surface's dimensions.
AXES: dict[str, tuple[Any, ...]] = {
    "rectangles": (False, True),
    "min_worth": (0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5),
    "gate": GATES,
}
SHAPE = tuple(map(len, AXES.values()))
Point = tuple[int, ...]  # one place per axis; it indexes a surface
LIMIT = math.log((1 - EDGE) / EDGE)


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


def fit_worth(candidates: Candidates, chosen: np.ndarray, rectangles: bool) -> tuple[float, ...]:
    """Fits the line by which components are rated (kit.objects.forest) to some images.

    Args:
        candidates: of all images.
        chosen: the images to fit it to, bool (images,).
        rectangles: whether rectangles replace the outlines that they fit.

    Returns:
        The coefficients, with six digits; () if these images hold no candidate.
    """
    rows = chosen[candidates.image]
    if not rows.any():
        return ()
    hits = candidates.rectangle_hits if rectangles else candidates.hits
    line = fit_logistic(expand(candidates.measures[rows])[:, 1:], hits[rows] / 10, RIDGE)
    return tuple(float(f"{value:.6g}") for value in (line[-1], *line[:-1]))


def search(
    candidates: Candidates,
    objects: np.ndarray,
    presence: np.ndarray | None,
    weights: np.ndarray,
    line: tuple[float, float, float],
    lines: Sequence[tuple[float, ...]],
) -> np.ndarray:
    """Re-weighted F2 at every point of the grid.

    Args:
        candidates: of all images.
        objects: objects of each image in the truth, int64 (images,).
        presence: probability that each image holds an object, float64 (images,); None: unknown.
        weights: of each image in the mean, float64 (images,).
        line: slope, offset and odds for `place_gate`.
        lines: of `fit_worth`, without and with rectangles.

    Returns:
        float32 SHAPE; -inf where there is a gate but no presence.
    """
    surface = np.full(SHAPE, -np.inf, np.float32)
    for kind, rectangles in enumerate(AXES["rectangles"]):
        worth = _rate(candidates, lines[kind])
        for place, least in enumerate(AXES["min_worth"]):
            taken = choose(candidates.level, candidates.parent, worth - least)
            values = _score(candidates, objects, taken, rectangles)
            ships = mean_of_ships(values, weights, objects)
            for gate, times in enumerate(GATES[: 1 if presence is None else None]):
                least_presence = place_gate(ships, times, *line)
                closed = False if presence is None else presence < least_presence
                surface[kind, place, gate] = weights @ np.where(closed, objects == 0, values)
    return surface


def _rate(candidates: Candidates, line: tuple[float, ...]) -> np.ndarray:
    """What each candidate is worth, float64 (candidates,)."""
    return rate(candidates.measures, np.array(line)) if line else np.zeros(len(candidates.image))


def _score(
    candidates: Candidates, objects: np.ndarray, taken: np.ndarray, rectangles: bool
) -> np.ndarray:
    """F2 of each image if its objects are the candidates taken, bool (candidates,)."""
    hits = candidates.rectangle_hits if rectangles else candidates.hits
    kept = np.bincount(candidates.image[taken], minlength=len(objects))
    worth = np.bincount(candidates.image[taken], hits[taken], minlength=len(objects))
    return np.where(objects == 0, kept == 0, worth / np.maximum(2 * (4 * objects + kept), 1))


def mean_of_ships(values: np.ndarray, weights: np.ndarray, objects: np.ndarray) -> float:
    """Weighted mean F2 of the images with objects; all are (images,)."""
    ships = weights * (objects > 0)
    return float(ships @ values) / max(float(ships.sum()), 1e-12)


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


def score_cuts(
    candidates: Candidates, objects: np.ndarray, presence: np.ndarray | None, cuts: Cuts
) -> np.ndarray:
    """F2 of each image with some cuts, float64 (images,).

    A rectangle counts as if no other object were near.

    Args:
        candidates: of all images.
        objects: objects of each image in the truth, int64 (images,).
        presence: probability that each image holds an object, float64 (images,); None: unknown.
        cuts: the cuts; without `worth`, their threshold must be in THRESHOLDS.
    """
    if cuts.worth:
        gain = _rate(candidates, cuts.worth) - cuts.min_worth
        taken = choose(candidates.level, candidates.parent, gain)
    else:
        taken = candidates.level == THRESHOLDS.index(cuts.threshold)
    closed = np.full(len(objects), cuts.blank)
    if cuts.min_presence and presence is not None:
        closed |= presence < cuts.min_presence
    return np.where(closed, objects == 0, _score(candidates, objects, taken, cuts.rectangles))
