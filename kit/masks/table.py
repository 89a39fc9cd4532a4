"""Masks: one columnar table of the objects of any number of images, as runs."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..errors import KitError
from .runs import find_overlaps


@dataclass(frozen=True, eq=False)
class Masks:
    """Images with their objects, objects with their runs, all in flat arrays with offsets.

    Image i has the objects objects[i]:objects[i + 1], object j the runs runs[j]:runs[j + 1]. Runs
    go down the columns from pixel 0 (pixel = column * height + row). They ascend within an object
    and do not overlap within an image.
    """

    ids: np.ndarray  # str objects (images,), in order of first appearance
    shapes: np.ndarray  # int32 (images, 2): height, width in px
    objects: np.ndarray  # int64 (images + 1,)
    labels: np.ndarray  # int32 (objects,): label of each object; 0 if there is just one class
    runs: np.ndarray  # int64 (objects + 1,)
    start: np.ndarray  # int32 (runs,): first pixel, 0-based
    length: np.ndarray  # int32 (runs,): px

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        counts = f"{len(self.labels)} objects, {len(self.start)} runs"
        return f"Masks({len(self)} images, {counts})"

    def __eq__(self, other: object) -> bool:
        fields = ("ids", "shapes", "objects", "labels", "runs", "start", "length")
        return isinstance(other, Masks) and all(
            np.array_equal(getattr(self, name), getattr(other, name)) for name in fields
        )


def count_objects(masks: Masks) -> np.ndarray:
    """Objects of each image, int64 (images,)."""
    return np.diff(masks.objects)


def areas(masks: Masks) -> np.ndarray:
    """Pixels of each object, int64 (objects,)."""
    total = np.concatenate([[0], np.cumsum(masks.length, dtype=np.int64)])
    return np.diff(total[masks.runs])


def owners(masks: Masks) -> np.ndarray:
    """The position of each object's image, int64 (objects,)."""
    return np.repeat(np.arange(len(masks)), count_objects(masks))


def locate(count: int, index: ArrayLike) -> np.ndarray:
    """Positions from 0, int64, of `index` among `count` items; below 0 it counts from the end.

    Raises:
        KitError: if one is out of range or not a whole number.

    >>> locate(5, [0, -1]).tolist()
    [0, 4]
    """
    places = np.asarray(index)
    if places.size and places.dtype.kind not in "iu":
        raise KitError(f"position {places.flat[0]}: expected a whole number")
    places = places.astype(np.int64)
    outside = (places < -count) | (places >= count)
    if outside.any():
        raise KitError(f"position {places[outside].flat[0]}: there are {count}, counted from 0")
    return np.where(places < 0, places + count, places)


def _gather(offsets: np.ndarray, index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the slices `index` of a ragged array, joined, and the offsets of the result."""
    counts = offsets[index + 1] - offsets[index]
    ends = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return np.arange(ends[-1]) + np.repeat(offsets[index] - ends[:-1], counts), ends


def gather_runs(
    start: np.ndarray, length: np.ndarray, offsets: np.ndarray, index: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The runs of the objects at positions `index`, in that order.

    Args:
        start: int32 (runs,), as in `Masks`.
        length: int32 (runs,), as in `Masks`.
        offsets: int64 (objects + 1,), where each object's runs begin and end.
        index: int64, positions of objects.

    Returns:
        (start, length, offsets) of these objects; start and length are not copied if no run moves.
    """
    if (offsets[index + 1] - offsets[index]).sum() == len(start) and (np.diff(index) > 0).all():
        return start, length, np.append(offsets[index], len(start))
    positions, ends = _gather(offsets, index)
    return start[positions], length[positions], ends


def select(masks: Masks, index: Sequence[int] | np.ndarray) -> Masks:
    """The images at positions `index`, in that order; a boolean `index` keeps where it is true.

    Raises:
        KitError: if a position is out of range.
    """
    index = np.asarray(index)
    index = locate(len(masks), np.flatnonzero(index) if index.dtype == bool else index)
    objects, object_offsets = _gather(masks.objects, index)
    start, length, runs = gather_runs(masks.start, masks.length, masks.runs, objects)
    return Masks(
        masks.ids[index],
        masks.shapes[index],
        object_offsets,
        masks.labels[objects],
        runs,
        start,
        length,
    )


def select_ids(masks: Masks, ids: Iterable[str]) -> Masks:
    """The images named by `ids`, in that order.

    Raises:
        KitError: if the table lacks an id.
    """
    position = {name: place for place, name in enumerate(masks.ids)}
    try:
        return select(masks, [position[name] for name in ids])
    except KeyError as error:
        raise KitError(f"image {error.args[0]}: not among these masks") from None


def select_objects(masks: Masks, keep: np.ndarray) -> Masks:
    """All images, with only those objects for which the boolean `keep` (objects,) is true."""
    kept = np.flatnonzero(keep)
    start, length, runs = gather_runs(masks.start, masks.length, masks.runs, kept)
    objects = np.concatenate([[0], np.cumsum(keep)]).astype(np.int64)[masks.objects]
    return Masks(masks.ids, masks.shapes, objects, masks.labels[kept], runs, start, length)


def concatenate(parts: Sequence[Masks]) -> Masks:
    """The images of all `parts`, one after the other."""

    def join(offsets: list[np.ndarray]) -> np.ndarray:
        ends = np.concatenate([[0], np.cumsum([item[-1] for item in offsets])])
        joined = np.concatenate([[0], *(item[1:] + end for item, end in zip(offsets, ends))])
        return joined.astype(np.int64)

    if len(parts) < 2:
        return parts[0] if parts else blank([], [])
    return Masks(
        np.concatenate([part.ids for part in parts]),
        np.concatenate([part.shapes for part in parts]),
        join([part.objects for part in parts]),
        np.concatenate([part.labels for part in parts]),
        join([part.runs for part in parts]),
        np.concatenate([part.start for part in parts]),
        np.concatenate([part.length for part in parts]),
    )


def blank(ids: Sequence[str], shapes: ArrayLike) -> Masks:
    """The images `ids` without objects; shapes: one (height, width) for all, or one per image."""
    table = np.array(np.broadcast_to(np.asarray(shapes, np.int32).reshape(-1, 2), (len(ids), 2)))
    none = np.zeros(0, np.int32)
    return Masks(
        np.array(list(ids), object),
        table,
        np.zeros(len(ids) + 1, np.int64),
        none,
        np.zeros(1, np.int64),
        none,
        none,
    )


def boxes(masks: Masks) -> np.ndarray:
    """Bounding boxes, int32 (objects, 4): top, left, bottom, right; the last two are exclusive."""
    height = np.repeat(masks.shapes[owners(masks), 0], np.diff(masks.runs)).astype(np.int64)
    first, last = masks.start.astype(np.int64), masks.start.astype(np.int64) + masks.length - 1
    # A run that goes on in the next column touches both the bottom and the top.
    crosses = first // height != last // height
    top, bottom = np.where(crosses, 0, first % height), np.where(crosses, height, last % height + 1)
    found = np.zeros((len(masks.labels), 4), np.int32)
    if len(first):
        at = masks.runs[:-1]
        reduced = (
            np.minimum.reduceat(top, at),
            first[at] // height[at],
            np.maximum.reduceat(bottom, at),
        )
        found[:, :3] = np.stack(reduced, axis=1)
        found[:, 3] = (last // height)[masks.runs[1:] - 1] + 1
    return found


def overlaps(masks: Masks) -> list[tuple[int, int]]:
    """Pairs of positions of objects of one image that share a pixel; [] if no objects overlap.

    Each object that overlaps an earlier one (by first pixel) is listed with one such object.
    """
    other = find_overlaps(masks.objects, masks.runs, masks.start, masks.length)
    return [(int(other[place]), place) for place in np.flatnonzero(other >= 0).tolist()]


def join(masks: Masks) -> Masks:
    """All objects of one image and label joined to one; an image's objects are sorted by label."""
    labels = int(masks.labels.max(initial=0)) + 1
    key = owners(masks) * labels + masks.labels
    groups, group = np.unique(key, return_inverse=True)
    if len(groups) == len(key) and (np.diff(key) > 0).all():
        return masks
    owner = np.repeat(group, np.diff(masks.runs))
    order = np.lexsort((masks.start, owner))
    base = owner[order] * 2**32  # one axis for all groups, with room between them
    begin = base + masks.start[order]
    end = np.maximum.accumulate(begin + masks.length[order]) if len(order) else begin
    first = (
        np.flatnonzero(np.concatenate([[True], begin[1:] > end[:-1]]))
        if len(order)
        else np.zeros(0, np.int64)
    )
    last = np.append(first[1:], len(order)) - 1 if len(order) else first
    runs = np.searchsorted(owner[order][first], np.arange(len(groups) + 1))
    objects = np.searchsorted(groups // labels, np.arange(len(masks) + 1))
    start = (begin[first] - base[first]).astype(np.int32)
    length = (end[last] - begin[first]).astype(np.int32)
    return Masks(
        masks.ids,
        masks.shapes,
        objects.astype(np.int64),
        (groups % labels).astype(np.int32),
        runs.astype(np.int64),
        start,
        length,
    )


def split_labels(masks: Masks, labels: int) -> Masks:
    """One image for each image and label 0 to labels - 1, for scores that look at one class alone.

    Image k becomes the images k * labels to (k + 1) * labels - 1, with the ids `id_label`.

    Raises:
        KitError: if `masks` has another label.
    """
    if len(masks.labels) and not (masks.labels.min() >= 0 and masks.labels.max() < labels):
        least, most = masks.labels.min(), masks.labels.max()
        raise KitError(f"labels go from {least} to {most}, expected 0 to {labels - 1}")
    key = owners(masks) * labels + masks.labels
    order = np.argsort(key, kind="stable")
    start, length, runs = gather_runs(masks.start, masks.length, masks.runs, order)
    objects = np.concatenate(
        [[0], np.cumsum(np.bincount(key, minlength=len(masks) * labels))]
    ).astype(np.int64)
    ids = np.array([f"{name}_{label}" for name in masks.ids for label in range(labels)], object)
    return Masks(
        ids,
        np.repeat(masks.shapes, labels, axis=0),
        objects,
        masks.labels[order],
        runs,
        start,
        length,
    )
