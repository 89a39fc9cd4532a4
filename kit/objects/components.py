"""Connected components of a probability map, by union-find over runs and without a label image."""

import functools
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..errors import KitError
from ..masks import table
from ..masks.stream import visit
from ..masks.table import Masks
from ..system.jit import compiled
from .maps import check_map, to_uint8

Runs = tuple[np.ndarray, np.ndarray, np.ndarray]  # start, length and runs of `Masks`


def find_components(
    ids: Iterable[str],
    maps: Iterable[np.ndarray],
    threshold: int = 128,
    *,
    connectivity: int = 4,
) -> Masks:
    """Connected components of probability maps, ordered by first pixel, column by column.

    A pixel belongs to a component if its value is `threshold` or more. Of a generator, one map
    is in memory at a time.

    Args:
        ids: one id per map.
        maps: arrays (height, width), uint8 or float in 0..1; floats count as their `to_uint8`.
        threshold: a uint8 value, 1 to 255.
        connectivity: 4 or 8.

    Returns:
        One table, with one object per component.

    Raises:
        KitError: if `threshold` or `connectivity` is out of range, `check_map` refuses a map, or
            the numbers of ids and maps differ.

    Example:
        >>> found = find_components(["a"], [np.array([[0.9, 0.1], [0.1, 0.9]])])
        >>> found.start.tolist(), found.length.tolist()
        ([0, 3], [1, 1])
    """

    def find(name: str, image: np.ndarray) -> Masks:
        return split_map(name, check_map(image, where=name), threshold, connectivity)

    _check(connectivity, threshold)
    return table.concatenate(visit(find, ids, maps, "maps"))


def split_map(name: str, pixels: np.ndarray, threshold: int, connectivity: int = 4) -> Masks:
    """Connected components of one map as `check_map` returns it, as the objects of image `name`.

    Raises:
        KitError: if `threshold` or `connectivity` is out of range.
    """
    _check(connectivity, threshold)
    lowest = np.uint8(threshold) if pixels.dtype == np.uint8 else _smallest(threshold)
    start, length, runs = _find(pixels, lowest, connectivity)
    empty, number = table.blank([name], pixels.shape), len(runs) - 1
    labels = np.zeros(number, np.int32)
    objects = np.array([0, number])
    return Masks(empty.ids, empty.shapes, objects, labels, runs, start, length)


def split_mask(name: str, mask: np.ndarray, connectivity: int = 4) -> Masks:
    """Connected components of one boolean mask (height, width), as the objects of image `name`.

    Raises:
        KitError: if `connectivity` is neither 4 nor 8.
    """
    return split_map(name, np.ascontiguousarray(mask, np.uint8), 1, connectivity)


def average_values(masks: Masks, image: np.ndarray) -> np.ndarray:
    """Mean uint8 value of the map (height, width) over each object, float64 (objects,).

    `masks` holds one image.

    Raises:
        KitError: if `image` is not a map of that image's shape.
    """
    pixels = check_map(image, masks.shapes[0], masks.ids[0])
    scale = np.float32(1 if pixels.dtype == np.uint8 else 255)
    return _average(pixels, scale, masks.runs, masks.start, masks.length)


def _check(connectivity: int, threshold: int) -> None:
    if connectivity not in (4, 8):
        raise KitError(f"connectivity {connectivity}: choose 4 or 8")
    if not 1 <= threshold <= 255 or threshold != int(threshold):
        raise KitError(f"threshold {threshold}: choose a whole number from 1 to 255")


@functools.lru_cache(maxsize=256)
def _smallest(threshold: int) -> np.float32:
    """The smallest float32 whose `to_uint8` reaches the threshold.

    Comparing the map with it avoids converting the map.
    """
    value = np.float32((threshold - 0.5) / 255)
    while to_uint8(value) >= threshold:
        value = np.nextafter(value, np.float32(0))
    while to_uint8(value) < threshold:
        value = np.nextafter(value, np.float32(np.inf))
    return value


@compiled
def _level(value: Any, scale: np.float32) -> np.int64:
    """A map's value as uint8 would hold it; scale is 1 for uint8 and 255 for floats."""
    value = np.float32(value)
    if scale == 1:
        return np.int64(value)
    return np.int64(np.rint(min(max(value, np.float32(0)), np.float32(1)) * scale))


@compiled
def _average(
    image: np.ndarray, scale: np.float32, runs: np.ndarray, start: np.ndarray, length: np.ndarray
) -> np.ndarray:
    """See `average_values`."""
    height = image.shape[0]
    means = np.zeros(len(runs) - 1)
    for item in range(len(runs) - 1):
        total, area = np.int64(0), np.int64(0)
        for run in range(runs[item], runs[item + 1]):
            for pixel in range(np.int64(start[run]), np.int64(start[run]) + length[run]):
                total += _level(image[pixel % height, pixel // height], scale)
            area += length[run]
        means[item] = total / max(area, 1)  # type: ignore[operator]
    return means


@compiled
def _find_spans(
    image: np.ndarray,
    threshold: np.uint8 | np.float32,
    column: np.ndarray,
    top: np.ndarray,
    bottom: np.ndarray,
) -> int:
    """Writes the vertical spans of pixels that reach the threshold; returns their number.

    Spans are ordered by `bottom`, which is the row after the last one.
    """
    height, width = image.shape
    opened, found = np.empty(width, np.int32), 0
    above = np.zeros((2, (width + 7) // 8 * 8), np.bool_)  # this row and the last, in turn
    words = above.view(np.uint64)  # eight pixels at once: almost all equal those of the last row
    for row in range(height + 1):
        now, before = above[row % 2], above[1 - row % 2]
        if row < height:
            line = image[row]
            for place in range(width):
                now[place] = line[place] >= threshold
        else:
            now[:] = False
        one, other, changed = words[0], words[1], np.uint64(0)
        for word in range(len(one)):  # becomes vector instructions, and most rows end here
            changed |= one[word] ^ other[word]
        if changed == 0:
            continue
        for word in range(len(one)):
            if one[word] != other[word]:
                for place in range(8 * word, 8 * word + 8):
                    if now[place] and not before[place]:
                        opened[place] = row
                    elif before[place] and not now[place]:
                        column[found], top[found], bottom[found] = place, opened[place], row
                        found += 1
    return found


@compiled
def _root(parent: np.ndarray, item: int) -> int:
    while parent[item] != item:
        parent[item] = parent[parent[item]]
        item = parent[item]
    return item


@compiled
def _connect(
    begin: np.ndarray, top: np.ndarray, bottom: np.ndarray, connectivity: int, parent: np.ndarray
) -> None:
    """Union-find over spans sorted by column and row; the smallest member is the root.

    begin: the first span of each column.
    """
    reach = 1 if connectivity == 8 else 0
    for column in range(1, len(begin) - 1):
        a, b = begin[column - 1], begin[column]
        while a < begin[column] and b < begin[column + 1]:
            if top[a] < bottom[b] + reach and top[b] < bottom[a] + reach:
                one, other = _root(parent, a), _root(parent, b)
                if one != other:
                    parent[max(one, other)] = min(one, other)
            if bottom[a] < bottom[b]:
                a += 1
            else:
                b += 1


@compiled
def _find(image: np.ndarray, threshold: np.uint8 | np.float32, connectivity: int) -> Runs:
    """Components of a map, as (start, length, runs) of `Masks`."""
    height, width = image.shape
    room = (height + 1) // 2 * width
    columns, tops = np.empty(room, np.int32), np.empty(room, np.int32)
    bottoms = np.empty(room, np.int32)
    found = _find_spans(image, threshold, columns, tops, bottoms)

    begin = np.zeros(width + 1, np.int64)  # sorts by column; within one, spans ascend already
    for span in range(found):
        begin[columns[span] + 1] += 1
    begin = np.cumsum(begin)
    place, column = begin.copy(), np.empty(found, np.int32)
    top, bottom = np.empty(found, np.int32), np.empty(found, np.int32)
    for span in range(found):
        to = place[columns[span]]
        place[columns[span]] += 1
        column[to], top[to], bottom[to] = columns[span], tops[span], bottoms[span]

    parent = np.arange(found)
    _connect(begin, top, bottom, connectivity, parent)
    owner, number = np.empty(found, np.int64), 0
    for span in range(found):
        root = _root(parent, span)
        if root == span:
            owner[span] = number
            number += 1
        else:
            owner[span] = owner[root]

    runs, after = np.zeros(number + 1, np.int64), np.full(number, -1, np.int64)
    # A span that ends at the bottom and one that starts at the top of the next column are one run.
    for span in range(found):
        item, first = owner[span], np.int64(column[span]) * height + top[span]
        runs[item + 1] += first != after[item]
        after[item] = first + bottom[span] - top[span]
    runs = np.cumsum(runs)
    start, length = np.empty(runs[number], np.int32), np.empty(runs[number], np.int32)
    place = runs[:-1].copy()
    after[:] = -1
    for span in range(found):
        item, first = owner[span], np.int64(column[span]) * height + top[span]
        size = bottom[span] - top[span]
        if first == after[item]:
            length[place[item] - 1] += size
        else:
            start[place[item]], length[place[item]] = first, size
            place[item] += 1
        after[item] = first + size
    return start, length, runs
