"""A probability map's objects: the pixels above a threshold, their connected components, and cuts by area and confidence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from skimage.measure import label

from . import masks as table
from .masks import Masks


@dataclass(frozen=True)
class Cuts:
    """What makes a pixel an object pixel and a component an object."""

    threshold: int = 128  # on uint8 maps: a pixel belongs to an object where value >= threshold
    min_area: int = 0  # px: smaller components are dropped
    min_confidence: float = 0.0  # 0 to 1: components whose mean probability is lower are dropped


def to_uint8(probabilities: np.ndarray) -> np.ndarray:
    """round(255 p) of probabilities in 0..1."""
    return np.rint(np.clip(np.asarray(probabilities, np.float32), 0, 1) * 255).astype(np.uint8)


def find_objects(ids, maps, cuts: Cuts = Cuts()) -> Masks:
    """Objects of probability maps: uint8 images (height, width), one an id. Components are 4-connected."""
    parts = []
    for name, image in zip(ids, maps, strict=True):
        found = _label(name, image, cuts.threshold)
        keep = table.areas(found) >= cuts.min_area
        if cuts.min_confidence > 0:
            keep &= mean_values(found, image) >= 255 * cuts.min_confidence
        parts.append(table.select_objects(found, keep))
    return table.concatenate(parts)


def mean_values(masks: Masks, image: np.ndarray) -> np.ndarray:
    """Mean of the uint8 `image` (height, width) over each object of the one image of `masks`, float64 (objects,)."""
    total = np.concatenate([[0], np.cumsum(image.T.ravel(), dtype=np.int64)]) if len(masks.start) else np.zeros(1, np.int64)
    sums = np.concatenate([[0], np.cumsum(total[masks.start + masks.length] - total[masks.start])])
    return (sums[masks.runs[1:]] - sums[masks.runs[:-1]]) / table.areas(masks)


def _label(name: str, image: np.ndarray, threshold: int) -> Masks:
    above = image >= threshold
    columns = np.flatnonzero(above.any(axis=0))
    if not len(columns):
        return table.blank([name], image.shape)
    lines = np.flatnonzero(above.any(axis=1))
    box = slice(lines[0], lines[-1] + 1), slice(columns[0], columns[-1] + 1)  # objects cover a thousandth of the pixels
    whole = np.zeros(image.shape, np.int32)
    whole[box] = label(above[box], connectivity=1)
    return table.from_labels([name], [whole])
