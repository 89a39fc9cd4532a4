"""Hits and misses between two tables of masks, as integers; every score is a function of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import KitError
from ..fields import abbreviate
from ..masks import table
from ..masks.runs import count_hits
from ..masks.table import Masks

# The IoU thresholds 0.50, 0.55, ... 0.95 in twentieths: integers, so that no float decides a hit.
IOU_TWENTIETHS = np.arange(10, 20)


@dataclass(frozen=True, eq=False)
class Counts:
    """Hits and misses of each image at the ten thresholds, and hits of each object."""

    ids: np.ndarray  # str objects (images,)
    tp: np.ndarray  # int32 (images, 10): truth objects that a predicted one hits, IoU > threshold
    fp: np.ndarray  # int32 (images, 10)
    fn: np.ndarray  # int32 (images, 10)
    pixels: np.ndarray  # int64 (images, 3): pixels in both, in the truth, in the prediction
    truth_area: np.ndarray  # int64 (objects of the truth,), px
    truth_hits: np.ndarray  # int64 (objects of the truth,): hit at so many thresholds, the lowest
    predicted_area: np.ndarray  # int64 (predicted objects,), px
    predicted_hits: np.ndarray  # int64 (predicted objects,)

    __repr__ = abbreviate

    @property
    def ships(self) -> np.ndarray:
        """Objects in the truth, int32 (images,)."""
        return np.asarray(self.tp[:, 0] + self.fn[:, 0])

    @property
    def predicted(self) -> np.ndarray:
        """Objects in the prediction, int32 (images,)."""
        return np.asarray(self.tp[:, 0] + self.fp[:, 0])


def count(truth: Masks, prediction: Masks) -> Counts:
    """Counts of all images; both tables must hold the same images in the same order (see `align`).

    A hit is an IoU strictly above the threshold: 20 * intersection > k * union. Objects of one
    image do not overlap, so above 0.5 an object has at most one partner, and no assignment is
    needed.

    Raises:
        KitError: if the images, their order or their sizes differ, or two objects of one side
            overlap.

    Example:
        >>> from kit.masks.dense import from_labels
        >>> truth = from_labels(["a"], [np.array([[1, 1, 0, 2]])])
        >>> counts = count(truth, from_labels(["a"], [np.array([[1, 1, 2, 0]])]))
        >>> [number[0, 0].item() for number in (counts.tp, counts.fp, counts.fn)]
        [1, 1, 1]
    """
    if truth.ids is not prediction.ids and not np.array_equal(truth.ids, prediction.ids):
        raise KitError("truth and prediction differ in their images or in the order of these")
    if not np.array_equal(truth.shapes, prediction.shapes):
        raise KitError("truth and prediction differ in the sizes of their images")
    tp, pixels = np.zeros((len(truth), 10), np.int32), np.zeros((len(truth), 3), np.int64)
    a, b = (
        (m.runs, m.start, m.length, *np.zeros((2, len(m.labels)), np.int64))
        for m in (truth, prediction)
    )
    image, side = count_hits(truth.objects, a, prediction.objects, b, tp, pixels)
    if image >= 0:
        raise KitError(
            f"{('truth', 'prediction')[side]}, image {truth.ids[image]}: two objects overlap"
        )
    ships, predicted = (
        table.count_objects(m).astype(np.int32)[:, None] for m in (truth, prediction)
    )
    return Counts(truth.ids, tp, predicted - tp, ships - tp, pixels, *a[3:], *b[3:])


def align(truth: Masks, prediction: Masks, names: Sequence[str] = ("truth", "prediction")) -> Masks:
    """The prediction in the truth's order of images; names: what messages call the two.

    Raises:
        KitError: if one of them has an image that the other lacks.
    """
    if np.array_equal(truth.ids, prediction.ids):
        return prediction
    known, given = set(truth.ids), set(prediction.ids)
    missing = [name for name in truth.ids if name not in given]
    unknown = [name for name in prediction.ids if name not in known]
    if missing:
        raise KitError(
            f"{names[1]}: {len(missing)} images of {names[0]} are missing, the first is "
            f"{missing[0]}; give each at least a blank row"
        )
    if unknown:
        raise KitError(
            f"{names[1]}: {len(unknown)} images are not in {names[0]}, the first is {unknown[0]}; "
            "remove their rows"
        )
    return table.select_ids(prediction, truth.ids)
