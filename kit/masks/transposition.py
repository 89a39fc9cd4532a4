"""The pixels of runs, numbered along the other axis of the image."""

import numpy as np

from ..system.jit import compiled


@compiled
def transpose(
    start: np.ndarray, length: np.ndarray, runs: np.ndarray, inner: np.ndarray, outer: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same pixels as runs along the other axis.

    Pixels are numbered along `inner` before and along `outer` after.

    Args:
        start: int32 (runs,), as in `Masks`.
        length: int32 (runs,), as in `Masks`.
        runs: int64 (objects + 1,), as in `Masks`.
        inner: int64 (objects,), one side of each object's image, px.
        outer: int64 (objects,), the other side, px.

    Returns:
        (start, length, runs) of the same objects; adjacent runs are merged.
    """
    room, largest = 0, 0
    for item in range(len(runs) - 1):
        area = 0
        for run in range(runs[item], runs[item + 1]):
            area += length[run]
        room, largest = room + area, max(largest, area)
    begin, size = np.empty(room, np.int32), np.empty(room, np.int32)
    offsets = np.zeros(len(runs), np.int64)
    pixels, found = np.empty(largest, np.int64), 0
    for item in range(len(runs) - 1):
        area = 0
        for run in range(runs[item], runs[item + 1]):
            for pixel in range(np.int64(start[run]), np.int64(start[run]) + length[run]):
                pixels[area] = pixel % inner[item] * outer[item] + pixel // inner[item]
                area += 1
        ordered = np.sort(pixels[:area])
        for place in range(area):
            if place > 0 and ordered[place] == ordered[place - 1] + 1:
                size[found - 1] += 1
            else:
                begin[found], size[found] = ordered[place], 1
                found += 1
        offsets[item + 1] = found
    return begin[:found].copy(), size[:found].copy(), offsets
