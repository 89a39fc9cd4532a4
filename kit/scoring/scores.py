"""Scores as small functions of counts: object F2 and its relatives, their means, and the score of two CSVs.

Rules of object F2: https://www.kaggle.com/c/airbus-ship-detection/overview/evaluation.
"""

import json
from pathlib import Path

import numpy as np

from ..competition import csv_masks
from ..competition.conventions import AIRBUS, Competition
from ..errors import KitError
from ..masks import dense, table
from ..masks.table import Masks
from ..system.files import write_text
from .counts import IOU_TWENTIETHS, Counts, align, count


def ratio(top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
    """top / bottom, 1 where nothing is and nothing was found."""
    return np.divide(top, bottom, out=np.ones(np.shape(top)), where=bottom != 0)


def f2_by_threshold(counts: Counts) -> np.ndarray:
    """F2 = 5 TP / (5 TP + 4 FN + FP) of each image at each threshold, float64 (images, 10); 1 where nothing is and nothing was found."""
    return ratio(5 * counts.tp, 5 * counts.tp + 4 * counts.fn + counts.fp)


def f1_by_threshold(counts: Counts) -> np.ndarray:
    """F1 = 2 TP / (2 TP + FN + FP) of each image at each threshold, float64 (images, 10)."""
    return ratio(2 * counts.tp, 2 * counts.tp + counts.fn + counts.fp)


def jaccard_by_threshold(counts: Counts) -> np.ndarray:
    """TP / (TP + FP + FN) of each image at each threshold, float64 (images, 10)."""
    return ratio(counts.tp, counts.tp + counts.fn + counts.fp)


def f2(counts: Counts) -> np.ndarray:
    """Object F2 of each image, the mean over the ten thresholds, float64 (images,)."""
    return f2_by_threshold(counts).mean(axis=1)


def dice(counts: Counts) -> np.ndarray:
    """2 both / (truth + predicted) in pixels of each image, float64 (images,); 1 where both are empty."""
    both, truth, predicted = counts.pixels.T
    return ratio(2 * both, truth + predicted)


def iou(counts: Counts) -> np.ndarray:
    """Intersection / union in pixels of each image, float64 (images,); 1 where both are empty."""
    both, truth, predicted = counts.pixels.T
    return ratio(both, truth + predicted - both)


def pixel_iou(counts: Counts) -> float | None:
    """Mean over images with objects of `iou`."""
    return mean(iou(counts)[counts.ships > 0])


def pixel_f2(counts: Counts) -> float | None:
    """Mean over images of 5 both / (4 truth + predicted) in pixels; 1 where neither side has any."""
    both, truth, predicted = counts.pixels.T
    return mean(ratio(5 * both, 4 * truth + predicted))  # = 5 TP + 4 FN + FP


def f2_blank(counts: Counts) -> float | None:
    """What the submission without any object scores on this truth: the share of empty images."""
    return mean(counts.ships == 0)


def f2_weighted(values: np.ndarray, empty: np.ndarray, empty_share: float) -> float:
    """Mean of the F2 `values` as it would be if `empty_share` of the images were empty; nan where one of the two kinds is missing."""
    if not empty.any() or empty.all():
        return float("nan")
    return float(empty_share * values[empty].mean() + (1 - empty_share) * values[~empty].mean())


def object_f2(truth: np.ndarray, prediction: np.ndarray, *, connectivity: int = 4) -> float:
    """Object F2 of one image from two arrays (height, width): boolean masks, or label images (integers, 0 is background).

    A boolean mask's objects are its 4- or 8-connected components: touching ships become one, so give label images where they are known.

    >>> object_f2(np.array([[1, 1, 0, 2]]), np.array([[1, 1, 0, 0]]))
    0.5555555555555556
    """
    from ..objects.components import split_mask

    sides = []
    for image in (truth, prediction):
        image = np.asarray(image)
        if image.ndim != 2 or image.dtype.kind not in "biu":
            raise KitError(
                f"expected a boolean mask or a label image (height, width), got {image.dtype} of shape {image.shape}"
            )
        sides.append(
            split_mask("", image, connectivity)
            if image.dtype == bool
            else dense.from_labels([""], [image])
        )
    return float(f2(count(*sides))[0])


# A competition's score: the name that its summary gives it, and its values (images, thresholds), or (images,) where it has no threshold.
SCORES = {
    "object-f2": ("f2", f2_by_threshold),
    "object-jaccard": ("jaccard", jaccard_by_threshold),
    "dice": ("dice", dice),
}


def summarize(counts: Counts, score: str = "object-f2") -> dict:
    """The numbers of `kit score --json`; a mean over nothing is None. score: a key of SCORES."""
    name, function = SCORES[score]
    by_threshold, ships = function(counts), counts.ships
    tp, predicted = counts.tp.sum(axis=0), counts.predicted.sum()
    values = by_threshold.reshape(len(ships), -1).mean(axis=1) if len(ships) else np.zeros(0)
    result: dict = {
        name: mean(values),
        f"{name}_ships": mean(values[ships > 0]),
        f"{name}_empty": mean(values[ships == 0]),
        f"{name}_blank": f2_blank(counts),
    }
    if by_threshold.ndim == 2:
        result[f"{name}_by_threshold"] = (
            by_threshold.mean(axis=0).tolist() if len(ships) else [None] * 10
        )
    return result | {
        "tp": tp.tolist(),
        "fp": (predicted - tp).tolist(),
        "fn": (ships.sum() - tp).tolist(),
        "images": len(ships),
        "ships": int(ships.sum()),
        "predicted": int(predicted),
    }


def count_csv(
    truth, prediction, competition: Competition = AIRBUS, *, shapes: csv_masks.Shapes | None = None
) -> Counts:
    """Counts of a prediction CSV against a truth CSV; where a row is a label's mask, of every image and label.

    Raises KitError for malformed, overlapping or mixed rows, and for an image that one side has and the other lacks.
    """
    real = csv_masks.read_csv(truth, competition, shapes=shapes)
    found = csv_masks.read_csv(prediction, competition, submission=True, shapes=shapes)
    if competition.absent_is_empty:
        known = set(real.ids)
        absent = [place for place, name in enumerate(found.ids) if name not in known]
        real = table.concatenate([real, table.blank(found.ids[absent], found.shapes[absent])])
    names = [
        Path(side).name if isinstance(side, str | Path) else word
        for side, word in ((truth, "truth"), (prediction, "prediction"))
    ]
    found = align(real, found, names)
    if competition.label_column or competition.label_separator:
        _check_labels(prediction, found, competition)
        real, found = (
            table.split_labels(side, len(competition.need("labels"))) for side in (real, found)
        )
    return count(real, found)


def _check_labels(prediction, found: Masks, competition: Competition) -> None:
    """KitError where a prediction that has a row for every image and label lacks one."""
    given = csv_masks.read_ids(prediction, competition, labels=True) if len(found) else []
    if competition.row == "image and label" and given != list(found.ids):
        known = set(given)
        wanted = (
            f"{name}{competition.label_separator}{tag}"
            for name in found.ids
            for tag in competition.need("labels")
        )
        missing = next((cell for cell in wanted if cell not in known), None)
        if missing is not None:
            raise KitError(f"the prediction has no row {missing}; give it at least a blank one")


def score_csv(
    truth,
    prediction,
    *,
    shape: tuple[int, int] | None = None,
    per_image=None,
    competition: Competition = AIRBUS,
) -> dict:
    """The competition's score of a prediction CSV against a truth CSV: the dictionary of `summarize`.

    shape: (height, width) in px where it is not the competition's; per_image: a path for a CSV with one row an image. Errors: `count_csv`.
    """
    score = competition.need("score")
    counts = count_csv(truth, prediction, competition.with_shape(shape))
    if per_image is not None:
        write_text(per_image, format_per_image(counts, score))
    return summarize(counts, score)


def format_per_image(counts: Counts, score: str = "object-f2") -> str:
    """The CSV of `--per-image`: ImageId,ships,predicted,f2,tp_50,fp_50,fn_50,...,tp_95,fp_95,fn_95."""
    import pandas as pd

    name, function = SCORES[score]
    values = (
        function(counts).reshape(len(counts.ids), -1).mean(axis=1)
        if len(counts.ids)
        else np.zeros(0)
    )
    columns = {
        "ImageId": counts.ids,
        "ships": counts.ships,
        "predicted": counts.predicted,
        name: values,
    }
    for place, level in enumerate(IOU_TWENTIETHS):
        columns |= {
            f"{kind}_{5 * level}": getattr(counts, kind)[:, place] for kind in ("tp", "fp", "fn")
        }
    return pd.DataFrame(columns).to_csv(index=False, lineterminator="\n")


def format_summary(summary: dict) -> str:
    """A few lines for people."""

    def number(value):
        return "-" if value is None else f"{value:.4f}"

    name = next(iter(summary))
    title = {"f2": "object F2", "jaccard": "TP/(TP+FP+FN)", "dice": "Dice"}[name]
    return "\n".join(
        [
            f"{title:14s} {number(summary[name])}   (blank submission {number(summary[f'{name}_blank'])})",
            f"  with ships   {number(summary[f'{name}_ships'])}",
            f"  empty        {number(summary[f'{name}_empty'])}",
            f"images {summary['images']}, ships {summary['ships']}, predicted {summary['predicted']}, "
            f"hits at IoU 0.5: {summary['tp'][0]}, at 0.75: {summary['tp'][5]}, at 0.95: {summary['tp'][9]}",
        ]
    )


def to_json(summary: dict) -> str:
    """One JSON object in one line."""
    return json.dumps(summary, allow_nan=False)


def mean(values) -> float | None:
    return float(np.mean(values)) if len(values) else None
