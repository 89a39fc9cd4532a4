"""A probability map as an array: which are accepted, in memory and from files alike."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from ..errors import KitError

Shape = Sequence[int] | np.ndarray  # height and width, px
# An average of maps may leave 0..1 by a rounding error: up to SLACK, or the type's own precision.
SLACK = 1e-6


def to_uint8(probabilities: ArrayLike) -> np.ndarray:
    """round(255 p) for probabilities p; values outside 0..1 are clipped."""
    return np.rint(np.clip(np.asarray(probabilities, np.float32), 0, 1) * 255).astype(np.uint8)


def check_map(image: ArrayLike, shape: Shape | None = None, where: str = "a map") -> np.ndarray:
    """The map as kernels take it: uint8 or float32 (height, width), in C order.

    Floats of any size and byte order are accepted. Those less than SLACK outside 0..1 are clipped.

    Args:
        image: the map.
        shape: (height, width) that it must have; None allows any.
        where: its image or file, for errors.

    Raises:
        KitError: if it has another shape, is neither uint8 nor float, or holds NaN or values
            outside 0..1.
    """
    image = np.asarray(image)
    if image.ndim != 2 or (shape is not None and image.shape != tuple(shape)):
        expected = "(height, width)" if shape is None else str(tuple(map(int, shape)))
        raise KitError(f"{where}: the map has shape {image.shape}, expected {expected}")
    if image.dtype == np.uint8:
        return np.ascontiguousarray(image)
    kind = image.dtype.newbyteorder("=")
    if kind not in (np.float16, np.float32, np.float64):
        raise KitError(f"{where}: the map is {kind}, expected uint8, or float in 0..1")
    image = image.astype(kind, copy=False)
    # As integers, the bits of floats in 0..1 are at most those of 1; NaN and negative ones are
    # above. One maximum of integers takes an eighth of the time that finding components does.
    bits = np.dtype(f"u{kind.itemsize}")
    if image.size and image.view(bits).max() > np.ones(1, kind).view(bits)[0]:
        image = _clip(image, where)
    return np.ascontiguousarray(image, np.float32)


def _clip(image: np.ndarray, where: str) -> np.ndarray:
    if np.isnan(image).any():
        row, column = np.argwhere(np.isnan(image))[0]
        raise KitError(
            f"{where}: the map is NaN at row {row}, column {column} (from 0), "
            "expected probabilities in 0..1"
        )
    low, high, slack = image.min(), image.max(), max(SLACK, float(np.finfo(image.dtype).eps))
    if not (float(low) >= -slack and float(high) <= 1 + slack):
        raise KitError(
            f"{where}: the map's values go from {low!s} to {high!s}, expected probabilities in "
            "0..1 (apply the sigmoid to logits; give values of 0 to 255 as uint8)"
        )
    return np.asarray(np.clip(image, 0, 1))
