"""The joint search: the re-weighted F2 of a table of candidates at every combination of cuts."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from ..cuts import Cuts
from ..system.jit import compiled
from ..system.processes import count_cores
from .calibration import EDGE
from .candidates import THRESHOLDS, Candidates

# (threshold, small_threshold, small_area): one threshold, or a lower one for small components
SIZES = [(level, level, 0) for level in THRESHOLDS]
SIZES += [(large, small, area) for small, large in itertools.combinations(THRESHOLDS, 2) for area in (100, 300)]
AREAS = (0, 15, 30, 60, 120)  # px
CONFIDENCES = (0.0, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9)
PEAKS = (0, 153, 179, 204, 230, 250)
FITS = (2.0, 0.7, 0.6, 0.5)  # 2: no rectangles
GATES = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0)  # times the odds at which the cut is best in theory; 0: no gate. The search looks nowhere else
SHAPE = (len(SIZES), len(AREAS), len(CONFIDENCES), len(PEAKS), len(FITS), len(GATES))
LIMIT = math.log((1 - EDGE) / EDGE)
PLAIN = (SIZES.index((128, 128, 0)), 0, 0, 0, 0, 0)  # threshold 128 and no cut


@compiled
def place_gate(f2_ships, times, slope, offset, odds):
    """The presence from which an image is worth a prediction, on the network's own scale; 0: every image, 2: none.

    f2_ships: mean F2 on images with objects where all are predicted. Predicting earns q f on average, an empty answer 1 - q, so an
    image is predicted where q > 1 / (1 + f), that is where its odds pass 1 / f; `times` moves that. slope, offset: of `calibrate`, on
    some images; odds: how many times more likely an object is in the images to come than in those.
    """
    if times == 0 or slope <= 0 or odds <= 0:
        return 0.0
    if f2_ships <= 0:
        return 2.0
    value = (math.log(times / f2_ships) - math.log(odds) - offset) / slope
    if abs(value) >= LIMIT:  # beyond what `logit` tells apart
        return 0.0 if value < 0 else 2.0
    return 1 / (1 + math.exp(-value))


@compiled
def _search(image, area, mean, peak, hits, rectangle_hits, fit, objects, axes, weights, presence, lines, surface):
    """Fills surface (areas, confidences, peaks, fits, gates, selections)."""
    areas, levels, peaks, fits, gates = axes
    number = len(objects)
    kept, worth, values = np.empty(number, np.int64), np.empty(number, np.int64), np.empty(number)
    for a in range(len(areas)):
        for c in range(len(levels)):
            for p in range(len(peaks)):
                for r in range(len(fits)):
                    kept[:], worth[:] = 0, 0
                    for item in range(len(image)):
                        if area[item] >= areas[a] and mean[item] >= levels[c] and peak[item] >= peaks[p]:
                            kept[image[item]] += 1
                            worth[image[item]] += rectangle_hits[item] if fit[item] >= fits[r] else hits[item]
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
                            cut = place_gate(ships / max(total, 1e-12), gates[g], lines[s, 0], lines[s, 1], lines[s, 2])
                            found = 0.0
                            for place in range(number):
                                if presence[place] >= cut:
                                    found += weights[s, place] * values[place]
                                elif objects[place] == 0:
                                    found += weights[s, place]
                            surface[a, c, p, r, g, s] = found


def pick(candidates: Candidates, size: tuple[int, int, int]) -> np.ndarray:
    """Positions of the candidates that thresholds by size leave, int64; size: as in SIZES."""
    large, small, area = THRESHOLDS.index(size[0]), THRESHOLDS.index(size[1]), size[2]
    if area == 0:
        return np.flatnonzero(candidates.level == large)
    low = candidates.held_by[:, small]
    return np.flatnonzero(((candidates.level == small) & (low < area)) | ((candidates.level == large) & (low >= area)))


def search(candidates: Candidates, objects: np.ndarray, presence: np.ndarray | None, weights: np.ndarray, lines: np.ndarray) -> np.ndarray:
    """Re-weighted F2 at every point, float32 SHAPE + (selections,): the joint grid of all cuts, in threads, one a core.

    objects: int64 (images,), in the truth; presence: float64 (images,), or None; weights: float64 (selections, images), see `weigh`; lines:
    float64 (selections, 3), slope and offset of `calibrate` and the odds of `place_gate`.
    """
    surface = np.empty((*SHAPE, len(weights)), np.float32)
    axes = tuple(np.array(axis) for axis in (AREAS, [255 * value for value in CONFIDENCES], PEAKS, FITS, GATES))
    given = np.ones(len(objects)) if presence is None else presence

    def work(place):
        rows = pick(candidates, SIZES[place])
        columns = (candidates.image, candidates.area, candidates.mean, candidates.peak, candidates.hits, candidates.rectangle_hits)
        _search(*(column[rows] for column in (*columns, candidates.fit)), objects, axes, weights, given, lines, surface[place])

    with ThreadPoolExecutor(count_cores()) as workers:
        list(workers.map(work, range(len(SIZES))))
    if presence is None:
        surface[..., 1:, :] = -np.inf  # no gate without it
    return surface


def weigh(empty: np.ndarray, chosen: np.ndarray, empty_share: float) -> np.ndarray:
    """Weight of every image (images,) in the re-weighted mean over the images of `chosen` (bool): the sum of weight times F2 is that mean.

    Where these are all of one kind it is the plain mean.
    """
    counts = (chosen & empty).sum(), (chosen & ~empty).sum()
    if 0 in counts:
        return chosen / max(sum(counts), 1)
    return np.where(empty, empty_share / counts[0], (1 - empty_share) / counts[1]) * chosen


def score_point(candidates: Candidates, objects: np.ndarray, presence: np.ndarray | None, cuts: Cuts) -> np.ndarray:
    """F2 of every image with some cuts, float64 (images,); thresholds must be THRESHOLDS. A rectangle counts as if it stood alone."""
    rows = pick(candidates, (cuts.threshold, cuts.small_threshold if cuts.small_area else cuts.threshold, cuts.small_area))
    keep = candidates.area[rows] >= cuts.min_area
    keep &= (candidates.mean[rows] >= 255 * cuts.min_confidence) & (candidates.peak[rows] >= cuts.min_peak)
    rows = rows[keep]
    fits = cuts.rectangles & (candidates.fit[rows] >= cuts.min_fit)
    hits = np.where(fits, candidates.rectangle_hits[rows], candidates.hits[rows])
    kept = np.bincount(candidates.image[rows], minlength=len(objects))
    worth = np.bincount(candidates.image[rows], hits, minlength=len(objects))
    if cuts.min_presence and presence is not None:
        kept, worth = (np.where(presence >= cuts.min_presence, value, 0) for value in (kept, worth))
    if cuts.blank:
        kept, worth = np.zeros_like(kept), np.zeros_like(worth)
    return np.where(objects == 0, kept == 0, worth / np.maximum(2 * (4 * objects + kept), 1))


def read_point(point: Sequence[int], min_presence: float = 0.0) -> Cuts:
    """The cuts at a point of the grid; min_presence: what `place_gate` makes of its last coordinate."""
    size, area, confidence, peak, fit, _ = point
    threshold, small, small_area = SIZES[size]
    rectangles = FITS[fit] <= 1
    return Cuts(
        threshold=threshold,
        small_area=small_area,
        small_threshold=small,
        min_area=AREAS[area],
        min_confidence=CONFIDENCES[confidence],
        min_peak=PEAKS[peak],
        rectangles=rectangles,
        min_fit=FITS[fit] if rectangles else Cuts.min_fit,
        min_presence=min_presence,
    )
