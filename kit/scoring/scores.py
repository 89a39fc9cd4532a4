"""Scores as small functions of counts: object F2 and its relatives.

Rules of object F2: https://www.kaggle.com/c/airbus-ship-detection/overview/evaluation.
"""

import numpy as np

from ..errors import KitError
from ..masks import dense
from .counts import Counts, count


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


def pooled_dice(pixels: np.ndarray) -> float | None:
    """Pixel Dice over all pixels of all images; None if there is no image.

    pixels: int64 (images, 3), as in `Counts`.
    """
    both, truth, predicted = pixels.sum(axis=0)
    return float(ratio(2 * both, truth + predicted)) if len(pixels) else None


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


def mean(values: np.ndarray) -> float | None:
    """The mean of an array, or None if it is empty."""
    return float(np.mean(values)) if len(values) else None
