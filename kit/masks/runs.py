"""What objects share: overlaps within a table and hits between two, from runs alone.

No pixel is ever drawn.
"""

from typing import Any

import numpy as np

from ..system.jit import compiled, inlined

# One side of a comparison: runs, start and length as in `Masks`; area and hits int64 (objects,).
Side = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]


@compiled
def _shared(
    start_a: np.ndarray,
    length_a: np.ndarray,
    a: int,
    stop_a: int,
    start_b: np.ndarray,
    length_b: np.ndarray,
    b: int,
    stop_b: int,
) -> Any:
    """Pixels that the runs a:stop_a and b:stop_b share.

    One merge is enough, as both ascend without overlap.
    """
    total = np.int64(0)
    if a == stop_a or b == stop_b:
        return total
    if stop_a - a > 64:  # a large object and a small one: skip the runs before the small one
        a += max(np.searchsorted(start_a[a:stop_a], start_b[b], side="right") - 1, 0)
    if stop_b - b > 64:
        b += max(np.searchsorted(start_b[b:stop_b], start_a[a], side="right") - 1, 0)
    begin_a, begin_b = np.int64(start_a[a]), np.int64(start_b[b])
    end_a, end_b = begin_a + length_a[a], begin_b + length_b[b]
    while True:
        common = min(end_a, end_b) - max(begin_a, begin_b)
        if common > 0:
            total += common
        if end_a <= end_b:
            a += 1
            if a == stop_a:
                return total
            begin_a = np.int64(start_a[a])
            end_a = begin_a + length_a[a]
        else:
            b += 1
            if b == stop_b:
                return total
            begin_b = np.int64(start_b[b])
            end_b = begin_b + length_b[b]


@compiled
def _first_pixel(item: int, runs: np.ndarray, start: np.ndarray) -> Any:
    return np.int64(start[runs[item]]) if runs[item] < runs[item + 1] else np.int64(-1)


@compiled
def _by_first_pixel(
    first: int, last: int, runs: np.ndarray, start: np.ndarray, order: np.ndarray
) -> None:
    """Writes the positions of the objects first:last to `order`, sorted by their first pixel.

    Objects without a run come first.
    """
    count, ascending, before = last - first, True, np.int64(-1)
    for item in range(first, last):
        order[item - first] = item
        pixel = _first_pixel(item, runs, start)
        ascending &= pixel >= before
        before = pixel
    if ascending:
        return
    if count <= 16:
        for place in range(1, count):
            item = order[place]
            pixel = _first_pixel(item, runs, start)
            hole = place
            while hole > 0:
                other = order[hole - 1]
                if _first_pixel(other, runs, start) <= pixel:
                    break
                order[hole] = other
                hole -= 1
            order[hole] = item
        return
    keys = np.empty(count, np.int64)
    for place in range(count):
        keys[place] = _first_pixel(first + place, runs, start)
    order[:count] = first + np.argsort(keys, kind="mergesort")


@inlined
def _drop_passed(
    active: np.ndarray,
    size: int,
    pixel: Any,
    runs: np.ndarray,
    start: np.ndarray,
    length: np.ndarray,
) -> int:
    """Keeps objects that end after `pixel`, of the first `size` in `active`; returns how many."""
    kept = 0
    for place in range(size):
        item = active[place]
        final = runs[item + 1] - 1
        if np.int64(start[final]) + length[final] > pixel:
            active[kept] = item
            kept += 1
    return kept


@compiled
def find_overlaps(
    objects: np.ndarray, runs: np.ndarray, start: np.ndarray, length: np.ndarray
) -> np.ndarray:
    """For each object an earlier one of its image that shares a pixel with it, or -1.

    Args:
        objects: int64 (images + 1,), as in `Masks`.
        runs: int64 (objects + 1,), as in `Masks`.
        start: int32 (runs,), as in `Masks`.
        length: int32 (runs,), as in `Masks`.

    Returns:
        int64 (objects,), positions of objects. Earlier is by first pixel.
    """
    other = np.full(len(runs) - 1, -1, np.int64)
    most = 0
    for image in range(len(objects) - 1):
        most = max(most, objects[image + 1] - objects[image])
    order, active = np.empty(most, np.int64), np.empty(most, np.int64)
    for image in range(len(objects) - 1):
        count = objects[image + 1] - objects[image]
        if count < 2:
            continue
        _by_first_pixel(objects[image], objects[image + 1], runs, start, order)
        size = 0
        for place in range(count):
            item = order[place]
            first, last = runs[item], runs[item + 1]
            if first == last:
                continue
            size = _drop_passed(active, size, np.int64(start[first]), runs, start, length)
            for spot in range(size):
                near = active[spot]
                begin, end = runs[near], runs[near + 1]
                if _shared(start, length, begin, end, start, length, first, last) > 0:
                    other[item] = near
                    break
            active[size] = item
            size += 1
    return other


@compiled
def count_levels(shared: Any, union: Any) -> Any:
    """How many of the thresholds 10/20, 11/20 ... 19/20 are strictly below shared / union.

    The comparison is in integers: 20 shared > k union, k = 10 ... 19.
    """
    return max(min((20 * shared - 1) // union, 19) - 9, 0) if shared > 0 else 0


@compiled
def _measure(first: int, last: int, side: Side) -> np.int64:
    """Fills in the areas of the objects first:last and returns their sum."""
    runs, _, length, area, _ = side
    total = np.int64(0)
    for item in range(first, last):
        pixels = np.int64(0)
        for run in range(runs[item], runs[item + 1]):
            pixels += length[run]
        area[item] = pixels
        total += pixels
    return total


@inlined
def _meet(
    item: int,
    mine: Side,
    active: np.ndarray,
    size: int,
    theirs: Side,
    others: np.ndarray,
    number: int,
    image: int,
    tp: np.ndarray,
    pixels: np.ndarray,
) -> bool:
    """Compares an object with those of both sides that end after its first pixel.

    These are the first `size` objects in `active` (its own side) and the first `number` in
    `others`. Returns whether it overlaps one of its own side.
    """
    runs, start, length, area, hits = mine
    other_runs, other_start, other_length, other_area, other_hits = theirs
    first, last = runs[item], runs[item + 1]
    for place in range(size):
        near = active[place]
        if _shared(start, length, runs[near], runs[near + 1], start, length, first, last) > 0:
            return True
    for place in range(number):
        other = others[place]
        both = _shared(
            start,
            length,
            first,
            last,
            other_start,
            other_length,
            other_runs[other],
            other_runs[other + 1],
        )
        pixels[image, 0] += both
        found = count_levels(both, area[item] + other_area[other] - both)
        if found > 0:  # above 0.5 a match is unique
            hits[item] = other_hits[other] = found
            for level in range(found):
                tp[image, level] += 1
    return False


@compiled
def count_hits(
    objects_a: np.ndarray,
    a: Side,
    objects_b: np.ndarray,
    b: Side,
    tp: np.ndarray,
    pixels: np.ndarray,
) -> tuple[int, int]:
    """Fills in the hits between the objects of two sides and every object's area and hits.

    Each image takes one sweep over the objects of both sides by first pixel. Only objects whose
    ranges meet are compared run by run.

    Args:
        objects_a: int64 (images + 1,), as in `Masks`.
        a: one side; its area and hits are filled in.
        objects_b: int64 (images + 1,), as in `Masks`.
        b: the other side; its area and hits are filled in.
        tp: int32 (images, 10), filled with the hits at each threshold.
        pixels: int64 (images, 3), filled with the pixels in both sides, in a and in b.

    Returns:
        (image, side) of the first two objects of one side that overlap, or (-1, -1).
    """
    most_a, most_b = 0, 0
    for image in range(len(objects_a) - 1):
        most_a = max(most_a, objects_a[image + 1] - objects_a[image])
        most_b = max(most_b, objects_b[image + 1] - objects_b[image])
    order_a, order_b = np.empty(most_a, np.int64), np.empty(most_b, np.int64)
    active_a, active_b = np.empty(most_a, np.int64), np.empty(most_b, np.int64)
    runs_a, start_a, length_a, _, _ = a
    runs_b, start_b, length_b, _, _ = b
    for image in range(len(objects_a) - 1):
        count_a = objects_a[image + 1] - objects_a[image]
        count_b = objects_b[image + 1] - objects_b[image]
        if count_a > 0:
            pixels[image, 1] = _measure(objects_a[image], objects_a[image + 1], a)
            _by_first_pixel(objects_a[image], objects_a[image + 1], runs_a, start_a, order_a)
        if count_b > 0:
            pixels[image, 2] = _measure(objects_b[image], objects_b[image + 1], b)
            _by_first_pixel(objects_b[image], objects_b[image + 1], runs_b, start_b, order_b)
        if count_a + count_b < 2:
            continue
        i, j, size_a, size_b = 0, 0, 0, 0
        while i < count_a or j < count_b:
            item_a, item_b = order_a[i] if i < count_a else -1, order_b[j] if j < count_b else -1
            pixel_a = _first_pixel(item_a, runs_a, start_a) if item_a >= 0 else 2**62
            pixel_b = _first_pixel(item_b, runs_b, start_b) if item_b >= 0 else 2**62
            pixel = min(pixel_a, pixel_b)
            size_a = _drop_passed(active_a, size_a, pixel, runs_a, start_a, length_a)
            size_b = _drop_passed(active_b, size_b, pixel, runs_b, start_b, length_b)
            if pixel_a <= pixel_b:
                i += 1
                if pixel_a < 0:  # an object without a run
                    continue
                if _meet(item_a, a, active_a, size_a, b, active_b, size_b, image, tp, pixels):
                    return image, 0
                active_a[size_a] = item_a
                size_a += 1
            else:
                j += 1
                if pixel_b < 0:
                    continue
                if _meet(item_b, b, active_b, size_b, a, active_a, size_a, image, tp, pixels):
                    return image, 1
                active_b[size_b] = item_b
                size_b += 1
    return -1, -1
