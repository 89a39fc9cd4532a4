"""What went wrong in each image: objects missed, merged or split, and false alarms."""

from dataclasses import dataclass

import numpy as np

from ..fields import abbreviate
from ..masks import dense, table
from ..masks.table import Masks
from .counts import count

KINDS = ("alarm", "missed", "merged", "split")


@dataclass(frozen=True, eq=False)
class Mistakes:
    """How many mistakes of each kind each image has, and the best IoU of each true object."""

    alarms: np.ndarray  # int64 (images,): predicted objects that share no pixel with a true one
    missed: np.ndarray  # int64 (images,): true objects that share no pixel with a predicted one
    # merged: predicted objects that cover more than half of each of several true ones;
    # split: true objects that cover more than half of each of several predicted ones
    merged: np.ndarray  # int64 (images,)
    split: np.ndarray  # int64 (images,)
    iou: np.ndarray  # float64 (objects of the truth,): the best IoU with a predicted one

    __repr__ = abbreviate


def find_mistakes(truth: Masks, prediction: Masks) -> Mistakes:
    """Mistakes of a prediction; both tables must hold the same images in the same order.

    Raises:
        KitError: as `count` does.

    Example:
        >>> from kit.masks.dense import from_labels
        >>> real, found = np.zeros((1, 4, 9), int), np.zeros((1, 4, 9), int)
        >>> real[0, :, 0:2], real[0, :, 2:4], found[0, :, 0:4], found[0, 0, 8] = 1, 2, 1, 2
        >>> mistakes = find_mistakes(from_labels("a", real), from_labels("a", found))
        >>> mistakes.merged.tolist(), mistakes.alarms.tolist(), mistakes.iou.tolist()
        ([1], [1], [0.5, 0.5])
    """
    count(truth, prediction)  # checks that both hold the same images and no overlap
    real, found = table.count_objects(truth), table.count_objects(prediction)
    alarms, missed = found.astype(np.int64), real.astype(np.int64)
    merged, split = np.zeros_like(alarms), np.zeros_like(alarms)
    iou = np.zeros(len(truth.labels))
    for image in np.flatnonzero((real > 0) & (found > 0)).tolist():
        shared = share_pixels(truth, prediction, image)
        a, b = shared.sum(1)[1:, None], shared.sum(0)[None, 1:]
        both = shared[1:, 1:]
        alarms[image], missed[image] = (both.sum(0) == 0).sum(), (both.sum(1) == 0).sum()
        merged[image] = ((2 * both > a).sum(0) > 1).sum()
        split[image] = ((2 * both > b).sum(1) > 1).sum()
        iou[truth.objects[image] : truth.objects[image + 1]] = rate_pairs(shared).max(1)
    return Mistakes(alarms, missed, merged, split, iou)


def share_pixels(truth: Masks, prediction: Masks, image: int) -> np.ndarray:
    """Pixels shared by the objects of an image, int64 (true objects + 1, predicted objects + 1).

    Row 0 and column 0 are background.
    """
    a, b = dense.to_labels(truth, image), dense.to_labels(prediction, image)
    width = int(table.count_objects(prediction)[image]) + 1
    size = (int(table.count_objects(truth)[image]) + 1) * width
    return np.bincount((a * width + b).ravel(), minlength=size).reshape(-1, width)


def rate_pairs(shared: np.ndarray) -> np.ndarray:
    """IoU of each true with each predicted object, float64 (true objects, predicted objects).

    shared: from `share_pixels`.
    """
    a, b, both = shared.sum(1)[1:, None], shared.sum(0)[None, 1:], shared[1:, 1:]
    return np.asarray(both / (a + b - both))


def name_kinds(truth: Masks, mistakes: Mistakes) -> list[list[str]]:
    """The mistakes of each image, out of KINDS; "alarm" is a false alarm on an empty image."""
    alarms = (table.count_objects(truth) == 0) & (mistakes.alarms > 0)
    others = (mistakes.missed > 0, mistakes.merged > 0, mistakes.split > 0)
    flags = np.stack([alarms, *others], 1)
    return [[kind for kind, held in zip(KINDS, row) if held] for row in flags]
