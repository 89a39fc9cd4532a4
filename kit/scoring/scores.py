"""Scores as small functions of counts: object F2 and its relatives, and the score of two CSVs.

Rules of object F2: https://www.kaggle.com/c/airbus-ship-detection/overview/evaluation.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ..competition import csv_masks
from ..competition.conventions import AIRBUS, Competition
from ..errors import KitError
from ..masks import dense, table
from ..masks.table import Masks
from ..system.files import check_target, write_text
from .counts import IOU_TWENTIETHS, Counts, align, count


def ratio(top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
    """top / bottom; 1 if both are 0, since nothing was there and nothing was predicted."""
    return np.asarray(np.divide(top, bottom, out=np.ones(np.shape(top)), where=bottom != 0))


def f2_by_threshold(counts: Counts) -> np.ndarray:
    """F2 = 5 TP / (5 TP + 4 FN + FP) of each image at each threshold, float64 (images, 10).

    It is 1 if truth and prediction are both empty.
    """
    return ratio(5 * counts.tp, 5 * counts.tp + 4 * counts.fn + counts.fp)


def f1_by_threshold(counts: Counts) -> np.ndarray:
    """F1 = 2 TP / (2 TP + FN + FP) of each image at each threshold, float64 (images, 10)."""
    return ratio(2 * counts.tp, 2 * counts.tp + counts.fn + counts.fp)


def jaccard_by_threshold(counts: Counts) -> np.ndarray:
    """TP / (TP + FP + FN) of each image at each threshold, float64 (images, 10)."""
    return ratio(counts.tp, counts.tp + counts.fn + counts.fp)


def f2(counts: Counts) -> np.ndarray:
    """Object F2 of each image, the mean over the ten thresholds, float64 (images,)."""
    return np.asarray(f2_by_threshold(counts).mean(axis=1))


def dice(counts: Counts) -> np.ndarray:
    """Pixel Dice, 2 both / (truth + predicted), float64 (images,); 1 if both are empty."""
    both, truth, predicted = counts.pixels.T
    return ratio(2 * both, truth + predicted)


def iou(counts: Counts) -> np.ndarray:
    """Pixel IoU, intersection / union, float64 (images,); 1 if both are empty."""
    both, truth, predicted = counts.pixels.T
    return ratio(both, truth + predicted - both)


def pixel_iou(counts: Counts) -> float | None:
    """Mean of `iou` over images with objects; None if there is none."""
    return mean(iou(counts)[counts.ships > 0])


def pixel_f2(counts: Counts) -> float | None:
    """Mean over images of 5 both / (4 truth + predicted) in pixels; 1 for an image without any."""
    both, truth, predicted = counts.pixels.T
    return mean(ratio(5 * both, 4 * truth + predicted))  # = 5 TP + 4 FN + FP


def f2_blank(counts: Counts) -> float | None:
    """Score of the blank submission on this truth: the share of empty images."""
    return mean(counts.ships == 0)


def f2_weighted(values: np.ndarray, empty: np.ndarray, empty_share: float) -> float:
    """Mean F2 as it would be if `empty_share` of the images were empty.

    values: float (images,); empty: bool (images,). NaN if there are no empty images, or only empty
    ones.

    >>> f2_weighted(np.array([1.0, 0.5]), np.array([True, False]), 0.8)
    0.9
    """
    if not empty.any() or empty.all():
        return float("nan")
    return float(empty_share * values[empty].mean() + (1 - empty_share) * values[~empty].mean())


def object_f2(truth: np.ndarray, prediction: np.ndarray, *, connectivity: int = 4) -> float:
    """Object F2 of one image from two arrays (height, width), boolean masks or label images.

    In a label image (integers), 0 is background. The objects of a boolean mask are its 4- or
    8-connected components, which merge touching ships: give label images if you have them.

    Raises:
        KitError: if an array is neither.

    >>> object_f2(np.array([[1, 1, 0, 2]]), np.array([[1, 1, 0, 0]]))
    0.5555555555555556
    """
    from ..objects.components import split_mask

    sides = []
    for image in (truth, prediction):
        image = np.asarray(image)
        if image.ndim != 2 or image.dtype.kind not in "biu":
            raise KitError(
                "expected a boolean mask or a label image (height, width), "
                f"got {image.dtype} of shape {image.shape}"
            )
        sides.append(
            split_mask("", image, connectivity)
            if image.dtype == bool
            else dense.from_labels([""], [image])
        )
    return float(f2(count(*sides))[0])


# The scores of competitions: name in the summary, and the function to values (images, thresholds),
# or (images,) if the score has no threshold.
SCORES: dict[str, tuple[str, Callable[[Counts], np.ndarray]]] = {
    "object-f2": ("f2", f2_by_threshold),
    "object-jaccard": ("jaccard", jaccard_by_threshold),
    "dice": ("dice", dice),
}


def _average_thresholds(values: np.ndarray) -> np.ndarray:
    """Means over the thresholds, float64 (images,)."""
    return np.asarray(values.reshape(len(values), -1).mean(axis=1)) if len(values) else np.zeros(0)


def summarize(counts: Counts, score: str = "object-f2") -> dict[str, Any]:
    """The numbers of `kit score --json`; a mean over no image is None. score: a key of SCORES."""
    name, function = SCORES[score]
    by_threshold, ships = function(counts), counts.ships
    tp, predicted = counts.tp.sum(axis=0), counts.predicted.sum()
    values = _average_thresholds(by_threshold)
    result: dict[str, Any] = {
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
    truth: Any,
    prediction: Any,
    competition: Competition = AIRBUS,
    *,
    shapes: csv_masks.Shapes | None = None,
) -> Counts:
    """Counts of a prediction CSV against a truth CSV.

    Args:
        truth: a path, bytes, (name, bytes) or pandas DataFrame.
        prediction: the same.
        competition: how to read the two.
        shapes: (height, width) in px by image id, if the images differ in size.

    Returns:
        Counts of each image; in a competition with labels, of each image and label.

    Raises:
        KitError: if rows are malformed, objects overlap, an image has both a mask and a blank row,
            or one CSV has an image that the other lacks.
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
        number = len(competition.need("labels"))
        real, found = table.split_labels(real, number), table.split_labels(found, number)
    return count(real, found)


def _check_labels(prediction: Any, found: Masks, competition: Competition) -> None:
    """KitError if the prediction needs a row for each image and label and lacks one."""
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
    truth: Any,
    prediction: Any,
    *,
    shape: tuple[int, int] | None = None,
    per_image: Path | str | None = None,
    competition: Competition = AIRBUS,
) -> dict[str, Any]:
    """The competition's score of a prediction CSV against a truth CSV.

    Args:
        truth: a path, bytes, (name, bytes) or pandas DataFrame.
        prediction: the same.
        shape: (height, width) in px; None: the competition's.
        per_image: path of a CSV to write, with one row per image.
        competition: how to read and score the two.

    Returns:
        The dictionary of `summarize`.

    Raises:
        KitError: as `count_csv` does, or if `per_image` cannot be written.
    """
    score = competition.need("score")
    if per_image is not None:
        check_target(per_image)
    counts = count_csv(truth, prediction, competition.with_shape(shape))
    if per_image is not None:
        write_text(per_image, format_per_image(counts, score))
    return summarize(counts, score)


def format_per_image(counts: Counts, score: str = "object-f2") -> str:
    """The CSV of `--per-image`: ImageId,ships,predicted,f2,tp_50,fp_50,fn_50,...,fp_95,fn_95."""
    import pandas as pd

    name, function = SCORES[score]
    columns = {"ImageId": counts.ids, "ships": counts.ships, "predicted": counts.predicted}
    columns[name] = _average_thresholds(function(counts))
    for place, level in enumerate(IOU_TWENTIETHS):
        columns |= {
            f"{kind}_{5 * level}": getattr(counts, kind)[:, place] for kind in ("tp", "fp", "fn")
        }
    return str(pd.DataFrame(columns).to_csv(index=False, lineterminator="\n"))


def format_summary(summary: dict[str, Any]) -> str:
    """The summary in a few lines, as `kit score` prints them."""

    def number(value: float | None) -> str:
        return "-" if value is None else f"{value:.4f}"

    name = next(iter(summary))
    title = {"f2": "object F2", "jaccard": "TP/(TP+FP+FN)", "dice": "Dice"}[name]
    overall, ships, empty, blank = (
        number(summary[f"{name}{kind}"]) for kind in ("", "_ships", "_empty", "_blank")
    )
    sizes = ", ".join(f"{key} {summary[key]}" for key in ("images", "ships", "predicted"))
    hits = summary["tp"]
    return "\n".join(
        [
            f"{title:14s} {overall}   (blank submission {blank})",
            f"  with ships   {ships}",
            f"  empty        {empty}",
            f"{sizes}, hits at IoU 0.5: {hits[0]}, at 0.75: {hits[5]}, at 0.95: {hits[9]}",
        ]
    )


def to_json(summary: dict[str, Any]) -> str:
    """The summary as one line of JSON."""
    return json.dumps(summary, allow_nan=False)


def mean(values: np.ndarray) -> float | None:
    """The mean of an array, or None if it is empty."""
    return float(np.mean(values)) if len(values) else None
