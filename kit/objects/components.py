"""A probability map's connected components, by union-find over runs: no label image."""

import functools
from collections.abc import Callable, Iterable

import numpy as np

from ..errors import KitError
from ..masks.table import Masks, areas
from ..system.jit import compiled


def to_uint8(probabilities) -> np.ndarray:
    """round(255 p) of probabilities in 0..1."""
    return np.rint(np.clip(np.asarray(probabilities, np.float32), 0, 1) * 255).astype(np.uint8)


def find_components(
    ids: Iterable[str],
    maps: Iterable[np.ndarray],
    threshold: int = 128,
    *,
    connectivity: int = 4,
) -> Masks:
    """Components of probability maps (height, width), one an id: uint8, or floats in 0..1, which count as their `to_uint8`.

    Pixels whose value is `threshold` or more, 4- or 8-connected, in the order of their first pixel, column by column. A NaN is
    background.
    """
    _check(connectivity, threshold)
    parts = []
    for image in maps:
        pixels, _ = as_map(image)
        lowest = np.uint8(threshold) if pixels.dtype == np.uint8 else _smallest(threshold)
        parts.append((pixels.shape, _find(pixels, lowest, connectivity)))
    return _collect(ids, parts)


def split_mask(name: str, mask: np.ndarray, connectivity: int = 4) -> Masks:
    """The connected components of one boolean mask (height, width), as the objects of the image `name`."""
    pixels = np.ascontiguousarray(mask, np.uint8)
    _check(connectivity)
    return _collect([name], [(pixels.shape, _find(pixels, np.uint8(1), connectivity))])


def average_values(masks: Masks, image: np.ndarray) -> np.ndarray:
    """The mean, float64 (objects,), over each object of the one image of `masks`, of its map (height, width) as uint8."""
    pixels, scale = as_map(image, masks.shapes[0])
    return _average(pixels, scale, masks.runs, masks.start, masks.length)


# What cuts may ask of the objects of one image: functions of its masks and its map, to arrays (objects,).
COLUMNS: dict[str, Callable[[Masks, np.ndarray], np.ndarray]] = {
    "area": lambda masks, image: areas(masks),  # px
    "mean": average_values,  # 0 to 255
}


def _check(connectivity: int, threshold: int = 1) -> None:
    if connectivity not in (4, 8):
        raise KitError(f"connectivity {connectivity}: choose 4 or 8")
    if not 1 <= threshold <= 255 or threshold != int(threshold):
        raise KitError(f"threshold {threshold}: choose a whole number from 1 to 255")


def as_map(image: np.ndarray, shape=None) -> tuple[np.ndarray, np.float32]:
    """The map in an order and type that the kernels take, and what makes its values 0..255; KitError where it is no map of `shape`."""
    image = np.asarray(image)
    if shape is not None and image.shape != tuple(shape):
        raise KitError(f"the map has shape {image.shape}, its image {tuple(map(int, shape))}")
    if image.ndim != 2 or image.dtype not in (np.uint8, np.float16, np.float32, np.float64):
        raise KitError(
            f"a map is uint8 or float of shape (height, width), got {image.dtype} of shape {image.shape}"
        )
    if image.dtype == np.uint8:
        return np.ascontiguousarray(image), np.float32(1)
    return np.ascontiguousarray(image, np.float32), np.float32(255)


@functools.lru_cache(maxsize=256)
def _smallest(threshold: int) -> np.float32:
    """The smallest float32 whose `to_uint8` reaches the threshold: comparing with it spares converting the map."""
    value = np.float32((threshold - 0.5) / 255)
    while to_uint8(value) >= threshold:
        value = np.nextafter(value, np.float32(0))
    while to_uint8(value) < threshold:
        value = np.nextafter(value, np.float32(np.inf))
    return value


def _collect(ids: Iterable[str], parts: list) -> Masks:
    """One table from (shape, (start, length, runs)) of each image."""
    names = np.array([*ids, None], object)[
        :-1
    ]  # None keeps NumPy from taking texts of one length for something else
    if len(names) != len(parts):
        raise KitError(f"{len(names)} ids for {len(parts)} maps")
    shapes = np.array([shape for shape, _ in parts], np.int32).reshape(-1, 2)
    found = [spans for _, spans in parts]
    if len(found) == 1:
        (start, length, runs), objects = found[0], np.array([0, len(found[0][2]) - 1])
    else:
        start, length = (
            np.concatenate([np.zeros(0, np.int32), *(spans[k] for spans in found)]) for k in (0, 1)
        )
        runs = np.concatenate(
            [
                [0],
                np.cumsum(
                    np.concatenate([np.zeros(0, np.int64), *(np.diff(spans[2]) for spans in found)])
                ),
            ]
        )
        objects = np.cumsum([0, *(len(spans[2]) - 1 for spans in found)])
    return Masks(
        names,
        shapes,
        objects,
        np.zeros(len(runs) - 1, np.int32),
        runs.astype(np.int64),
        start,
        length,
    )


@compiled
def _level(value, scale):
    """A map's value as uint8 would hold it; scale is 1 for uint8 and 255 for floats."""
    value = np.float32(value)
    if scale == 1:
        return np.int64(value)
    return np.int64(np.rint(min(max(value, np.float32(0)), np.float32(1)) * scale))


@compiled
def _average(image, scale, runs, start, length):
    height = image.shape[0]
    means = np.zeros(len(runs) - 1)
    for item in range(len(runs) - 1):
        total, area = np.int64(0), np.int64(0)
        for run in range(runs[item], runs[item + 1]):
            for pixel in range(np.int64(start[run]), np.int64(start[run]) + length[run]):
                total += _level(image[pixel % height, pixel // height], scale)
            area += length[run]
        means[item] = total / max(area, 1)
    return means


@compiled
def _find_spans(image, threshold, column, top, bottom):
    """Vertical spans of pixels that reach the threshold: column, first row, row after the last; in order of the last."""
    height, width = image.shape
    opened, found = np.empty(width, np.int32), 0
    above = np.zeros((2, (width + 7) // 8 * 8), np.bool_)  # this row and the one before, in turn
    words = above.view(np.uint64)  # eight pixels at once: almost all are as in the row before
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
def _root(parent, item):
    while parent[item] != item:
        parent[item] = parent[parent[item]]
        item = parent[item]
    return item


@compiled
def _connect(begin, top, bottom, connectivity, parent):
    """Union-find over spans sorted by column and row; the smallest member is the root. begin: the first span of every column."""
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
def _find(image, threshold, connectivity):
    """Components of a map, as (start, length, runs) of `Masks`."""
    height, width = image.shape
    room = (height + 1) // 2 * width
    columns, tops, bottoms = (
        np.empty(room, np.int32),
        np.empty(room, np.int32),
        np.empty(room, np.int32),
    )
    found = _find_spans(image, threshold, columns, tops, bottoms)

    begin = np.zeros(width + 1, np.int64)  # sorts by column; within one they ascend already
    for span in range(found):
        begin[columns[span] + 1] += 1
    begin = np.cumsum(begin)
    place, column, top, bottom = (
        begin.copy(),
        np.empty(found, np.int32),
        np.empty(found, np.int32),
        np.empty(found, np.int32),
    )
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
    for span in range(found):  # a span that goes on at the top of the next column is the same run
        item, first = owner[span], np.int64(column[span]) * height + top[span]
        runs[item + 1] += first != after[item]
        after[item] = first + bottom[span] - top[span]
    runs = np.cumsum(runs)
    start, length, place = (
        np.empty(runs[number], np.int32),
        np.empty(runs[number], np.int32),
        runs[:-1].copy(),
    )
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
