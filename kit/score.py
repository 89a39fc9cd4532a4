"""Object F2: counts of hits at ten IoU thresholds first, then any score as a small function of the counts.

Rules: https://www.kaggle.com/c/airbus-ship-detection/overview/evaluation, with the conventions of this file's functions.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import masks as table
from .competition import AIRBUS, Competition
from .errors import KitError
from .jit import compiled
from .masks import Masks
from .writing import write_text

LEVELS = np.arange(10, 20)  # IoU thresholds in twentieths: 0.50, 0.55, ... 0.95; integers, so that no float decides a hit


@dataclass(frozen=True, eq=False)
class Counts:
    """Hits and misses of every image; scores are functions of it."""

    ids: np.ndarray  # (images,)
    tp: np.ndarray  # int64 (images, 10): truth objects met by a predicted one with IoU > threshold
    fp: np.ndarray  # int64 (images, 10)
    fn: np.ndarray  # int64 (images, 10)
    pixels: np.ndarray  # int64 (images, 3): pixels in both, in the truth, in the prediction

    @property
    def ships(self) -> np.ndarray:
        """Objects in the truth, int64 (images,)."""
        return self.tp[:, 0] + self.fn[:, 0]

    @property
    def predicted(self) -> np.ndarray:
        """Objects in the prediction, int64 (images,)."""
        return self.tp[:, 0] + self.fp[:, 0]


@compiled
def _ordered(first, last, runs, start):
    """Run positions and their objects (from 0) of objects first..last, by start."""
    count = runs[last] - runs[first]
    owner = np.empty(count, np.int64)
    for item in range(first, last):
        owner[runs[item] - runs[first] : runs[item + 1] - runs[first]] = item - first
    order = np.argsort(start[runs[first] : runs[last]])
    return order + runs[first], owner[order]


@compiled
def _count(objects_a, runs_a, start_a, length_a, area_a, objects_b, runs_b, start_b, length_b, area_b, tp, pixels):
    for image in range(len(objects_a) - 1):
        first_a, last_a, first_b, last_b = objects_a[image], objects_a[image + 1], objects_b[image], objects_b[image + 1]
        for item in range(first_a, last_a):
            pixels[image, 1] += area_a[item]
        for item in range(first_b, last_b):
            pixels[image, 2] += area_b[item]
        if first_a == last_a or first_b == last_b:
            continue
        at_a, owner_a = _ordered(first_a, last_a, runs_a, start_a)
        at_b, owner_b = _ordered(first_b, last_b, runs_b, start_b)
        shared = np.zeros((last_a - first_a, last_b - first_b), np.int64)
        i, j = 0, 0
        while i < len(at_a) and j < len(at_b):  # both sides ascend without overlap: one merge finds every intersection
            begin_a, begin_b = np.int64(start_a[at_a[i]]), np.int64(start_b[at_b[j]])
            end_a, end_b = begin_a + length_a[at_a[i]], begin_b + length_b[at_b[j]]
            common = min(end_a, end_b) - max(begin_a, begin_b)
            if common > 0:
                shared[owner_a[i], owner_b[j]] += common
                pixels[image, 0] += common
            if end_a <= end_b:
                i += 1
            else:
                j += 1
        for a in range(last_a - first_a):
            for b in range(last_b - first_b):
                if shared[a, b] > 0:
                    union = area_a[first_a + a] + area_b[first_b + b] - shared[a, b]
                    for level in range(10):
                        tp[image, level] += 20 * shared[a, b] > (10 + level) * union


def count(truth: Masks, prediction: Masks) -> Counts:
    """Counts of all images; both tables must hold the same images in the same order (`align` sees to that).

    A hit is IoU strictly above the threshold. Objects of one image do not overlap on either side (an overlap raises KitError), so above
    0.5 an object has at most one partner and needs no assignment.
    """
    if list(truth.ids) != list(prediction.ids):
        raise KitError("truth and prediction hold other images, or the same in another order")
    if not np.array_equal(truth.shapes, prediction.shapes):
        raise KitError("truth and prediction hold images of other sizes")
    for side, name in ((truth, "truth"), (prediction, "prediction")):
        for first, _ in table.overlaps(side):
            raise KitError(f"{name}, image {side.ids[table.owners(side)[first]]}: two objects overlap")
    tp, pixels = np.zeros((len(truth), 10), np.int64), np.zeros((len(truth), 3), np.int64)
    sides = [(m.objects, m.runs, m.start, m.length, table.areas(m)) for m in (truth, prediction)]
    _count(*sides[0], *sides[1], tp, pixels)
    ships, predicted = table.count_objects(truth)[:, None], table.count_objects(prediction)[:, None]
    return Counts(truth.ids, tp, predicted - tp, ships - tp, pixels)


def f2_by_threshold(counts: Counts) -> np.ndarray:
    """F2 = 5 TP / (5 TP + 4 FN + FP) of each image at each threshold, float64 (images, 10); 1 where nothing is and nothing was found."""
    bottom = 5 * counts.tp + 4 * counts.fn + counts.fp
    return np.where(bottom == 0, 1.0, 5 * counts.tp / np.maximum(bottom, 1))


def f2(counts: Counts) -> np.ndarray:
    """Object F2 of each image, the mean over the ten thresholds, float64 (images,)."""
    return f2_by_threshold(counts).mean(axis=1)


def f2_blank(counts: Counts) -> float | None:
    """What the submission without any object scores on this truth: the share of empty images."""
    return _mean(counts.ships == 0)


def f2_weighted(values: np.ndarray, empty: np.ndarray, empty_share: float) -> float:
    """Mean of the F2 `values` as it would be if `empty_share` of the images were empty; nan where one of the two kinds is missing."""
    if not empty.any() or empty.all():
        return float("nan")
    return float(empty_share * values[empty].mean() + (1 - empty_share) * values[~empty].mean())


def pixel_iou(counts: Counts) -> float | None:
    """Mean over images with objects of intersection / union in pixels."""
    both, truth, predicted = counts.pixels[counts.ships > 0].T
    return _mean(both / np.maximum(truth + predicted - both, 1))


def pixel_f2(counts: Counts) -> float | None:
    """Mean over images of 5 both / (truth * 4 + predicted), pixels; 1 where neither side has any."""
    both, truth, predicted = counts.pixels.T
    bottom = 4 * truth + predicted  # = 5 TP + 4 FN + FP
    return _mean(np.where(bottom == 0, 1.0, 5 * both / np.maximum(bottom, 1)))


def interval(statistic, groups: np.ndarray, *, draws: int = 1000, level: float = 0.95, seed: int = 0) -> tuple[float, float]:
    """Percentile bootstrap interval of statistic(index), index: positions of images; whole `groups` (scenes) are drawn with replacement.

    Images of one scene are not independent, so resampling single images would give too narrow an interval.
    """
    _, inverse = np.unique(groups, return_inverse=True)
    order = np.argsort(inverse, kind="stable")
    members = np.split(order, np.cumsum(np.bincount(inverse))[:-1])
    rng = np.random.default_rng(seed)
    drawn = [np.concatenate([members[i] for i in rng.integers(0, len(members), len(members))]) for _ in range(draws)]
    low, high = np.nanquantile([statistic(index) for index in drawn], [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def align(truth: Masks, prediction: Masks, names=("truth", "prediction")) -> Masks:
    """The prediction in the truth's order of images; KitError where one has an image that the other lacks."""
    known, given = set(truth.ids), set(prediction.ids)
    missing = [name for name in truth.ids if name not in given]
    unknown = [name for name in prediction.ids if name not in known]
    if missing:
        raise KitError(
            f"{names[1]}: {len(missing)} images of {names[0]} are missing, the first is {missing[0]}; give each at least a blank row"
        )
    if unknown:
        raise KitError(f"{names[1]}: {len(unknown)} images are not in {names[0]}, the first is {unknown[0]}; remove their rows")
    return table.select_ids(prediction, truth.ids)


def summarize(counts: Counts) -> dict:
    """The numbers of `kit score --json`; a mean over nothing is None."""
    values, ships = f2(counts), counts.ships
    return {
        "f2": _mean(values),
        "f2_ships": _mean(values[ships > 0]),
        "f2_empty": _mean(values[ships == 0]),
        "f2_blank": f2_blank(counts),
        "f2_by_threshold": [_mean(column) for column in f2_by_threshold(counts).T],
        "tp": counts.tp.sum(axis=0).tolist(),
        "fp": counts.fp.sum(axis=0).tolist(),
        "fn": counts.fn.sum(axis=0).tolist(),
        "images": len(ships),
        "ships": int(ships.sum()),
        "predicted": int(counts.predicted.sum()),
    }


def score_csv(truth, prediction, *, shape: tuple[int, int] | None = None, per_image=None, competition: Competition = AIRBUS) -> dict:
    """Object F2 of a prediction CSV against a truth CSV: the dictionary of `summarize`.

    shape: (height, width) in px where it is not the competition's; per_image: a path for a CSV with one row an image.
    Raises KitError for malformed, overlapping or mixed rows, and for an image that one side has and the other lacks.
    """
    competition = competition.with_shape(shape)
    real = table.read_csv(truth, competition)
    counts = count(real, align(real, table.read_csv(prediction, competition), (Path(truth).name, Path(prediction).name)))
    if per_image is not None:
        write_text(per_image, format_per_image(counts))
    return summarize(counts)


def format_per_image(counts: Counts) -> str:
    """The CSV of `--per-image`: ImageId,ships,predicted,f2,tp_50,fp_50,fn_50,...,tp_95,fp_95,fn_95."""
    import pandas as pd

    frame = pd.DataFrame({"ImageId": counts.ids, "ships": counts.ships, "predicted": counts.predicted, "f2": f2(counts)})
    for place, level in enumerate(LEVELS):
        for name in ("tp", "fp", "fn"):
            frame[f"{name}_{5 * level}"] = getattr(counts, name)[:, place]
    return frame.to_csv(index=False, lineterminator="\n")


def format_summary(summary: dict) -> str:
    """A few lines for people."""

    def number(value):
        return "-" if value is None else f"{value:.4f}"

    return "\n".join(
        [
            f"object F2      {number(summary['f2'])}   (blank submission {number(summary['f2_blank'])})",
            f"  with ships   {number(summary['f2_ships'])}",
            f"  empty        {number(summary['f2_empty'])}",
            f"images {summary['images']}, ships {summary['ships']}, predicted {summary['predicted']}, "
            f"hits at IoU 0.5: {summary['tp'][0]}, at 0.75: {summary['tp'][5]}, at 0.95: {summary['tp'][9]}",
        ]
    )


def to_json(summary: dict) -> str:
    """One JSON object in one line."""
    return json.dumps(summary, allow_nan=False)


def _mean(values) -> float | None:
    return float(np.mean(values)) if len(values) else None
