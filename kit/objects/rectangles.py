"""The rotated rectangle with the best soft IoU against the probability map, by hill climbing.

The climb starts at the rectangle with the object's second moments. Airbus's truth masks are rotated
rectangles drawn as pixels, so a rectangle fits them better than a free outline.
"""

from collections.abc import Iterable

import numpy as np

from ..masks.stream import visit
from ..masks.table import Masks
from ..system.jit import compiled
from .components import Runs
from .maps import check_map, to_uint8

# px. A step of the climb moves an edge by COARSEST * 2^-k px, or turns the box so that a corner
# moves as far. The climb ends when the step is below FINEST px.
COARSEST, FINEST = 1.0, 0.06


@compiled
def _clip(
    pole: float, step: float, low: float, high: float, first: float, last: float
) -> tuple[float, float]:
    """The range of t within first..last in which low <= pole + step * t <= high."""
    if abs(step) < 1e-9:
        return (first, last) if low <= pole <= high else (1.0, 0.0)
    one, other = (low - pole) / step, (high - pole) / step
    return max(first, min(one, other)), min(last, max(one, other))


@compiled
def _measure(box: np.ndarray, sums: np.ndarray, total: float, hard: bool) -> float:
    """Soft IoU of a rectangle R with a window of the map p: sum min(p, R) / sum max(p, R).

    With R in {0, 1}, sum min(p, R) is the sum of p inside R, and sum max(p, R) is
    area + total - inside.

    Args:
        box: edges u0, u1 along and v0, v1 across the angle, the angle, the origin's row and column.
        sums: running sums of the window's columns, (columns, rows + 1).
        total: the window's sum.
        hard: if true, R is 1 at pixels whose center it holds. Otherwise R is the share of two
            lines per column that lies inside, which changes smoothly.
    """
    u0, u1, v0, v1, angle, row, column = box
    cosine, sine = np.cos(angle), np.sin(angle)
    height = sums.shape[1] - 1
    inside, area = 0.0, 0.0
    reach = max(abs(u0), abs(u1)) * abs(cosine) + max(abs(v0), abs(v1)) * abs(sine) + 1
    for place in range(max(0, int(column - reach)), min(sums.shape[0], int(column + reach) + 2)):
        for line in range(1 if hard else 2):
            x = place - column if hard else place - column + (line - 0.5) / 2
            first, last = _clip(x * cosine, sine, u0, u1, -row - 0.5, height - 0.5 - row)
            first, last = _clip(-x * sine, cosine, v0, v1, first, last)
            if first >= last:
                continue
            if hard:
                top, bottom = (
                    max(int(np.ceil(first + row)), 0),
                    min(int(np.floor(last + row)) + 1, height),
                )
                if bottom > top:
                    inside += sums[place, bottom] - sums[place, top]
                    area += bottom - top
            else:
                begin, end = first + row + 0.5, last + row + 0.5
                top, bottom = min(int(begin), height - 1), min(int(end), height - 1)
                below = sums[place, bottom] + (end - bottom) * (
                    sums[place, bottom + 1] - sums[place, bottom]
                )
                inside += 0.5 * (
                    below
                    - sums[place, top]
                    - (begin - top) * (sums[place, top + 1] - sums[place, top])
                )
                area += 0.5 * (end - begin)
    return inside / (area + total - inside) if area > 0 else 0.0


@compiled
def _climb(
    box: np.ndarray, sums: np.ndarray, total: float, coarsest: float, finest: float
) -> float:
    """Improves a box in place, first smoothly, then as drawn; returns its soft IoU as drawn."""
    best = 0.0
    for phase in range(2):
        hard = phase == 1
        best, step = _measure(box, sums, total, hard), 0.5 if hard else coarsest
        while step >= finest:
            improved = False
            for part in range(5):
                size = step
                if part == 4:
                    size = step / max(1.0, 0.5 * max(box[1] - box[0], box[3] - box[2]))
                for side in range(2):
                    before = box[part]
                    box[part] = before + size if side else before - size
                    value = (
                        _measure(box, sums, total, hard)
                        if box[1] > box[0] and box[3] > box[2]
                        else 0.0
                    )
                    if value > best + 1e-9:
                        best, improved = value, True
                        break
                    box[part] = before
            if not improved:
                step /= 2
    return best


@compiled
def _start(
    runs_first: int,
    runs_last: int,
    start: np.ndarray,
    length: np.ndarray,
    height: int,
    box: np.ndarray,
) -> None:
    """Sets the box to the rectangle with the moments of an object.

    Over pixel centers, a side of length L has variance (L^2 - 1) / 12.
    """
    count, row, column = 0, 0.0, 0.0
    for run in range(runs_first, runs_last):
        for pixel in range(np.int64(start[run]), np.int64(start[run]) + length[run]):
            count, row, column = count + 1, row + pixel % height, column + pixel // height
    row, column = row / count, column / count
    xx, yy, xy = 0.0, 0.0, 0.0
    for run in range(runs_first, runs_last):
        for pixel in range(np.int64(start[run]), np.int64(start[run]) + length[run]):
            x, y = pixel // height - column, pixel % height - row
            xx, yy, xy = xx + x * x, yy + y * y, xy + x * y
    angle = 0.5 * np.arctan2(2 * xy, xx - yy)
    middle, spread = (xx + yy) / 2 / count, np.sqrt(((xx - yy) / 2) ** 2 + xy**2) / count
    long = np.sqrt(12 * (middle + spread) + 1) / 2
    short = np.sqrt(max(12 * (middle - spread), 0) + 1) / 2
    box[0], box[1], box[2], box[3] = -long, long, -short, short
    box[4], box[5], box[6] = angle, row, column


@compiled
def _fit(
    image: np.ndarray,
    runs: np.ndarray,
    start: np.ndarray,
    length: np.ndarray,
    threshold: np.ndarray,
    min_fit: float,
    coarsest: float,
    finest: float,
    found: np.ndarray,
) -> Runs:
    """Fills found (objects, 6); returns start, length and runs of the objects.

    An object becomes its rectangle if the fit reaches min_fit.
    """
    height, width = image.shape
    number = len(runs) - 1
    # per pixel its object's number from 1, or 0; column by column, as in runs
    owner = np.zeros(height * width, np.int32)
    for item in range(number):
        for run in range(runs[item], runs[item + 1]):
            owner[start[run] : start[run] + length[run]] = item + 1
    windows, box = np.zeros((number, 4), np.int64), np.empty(7)
    for item in range(number):
        top, left, bottom, right = height, width, 0, 0
        for run in range(runs[item], runs[item + 1]):
            first, last = np.int64(start[run]), np.int64(start[run]) + length[run] - 1
            left, right = min(left, first // height), max(right, last // height + 1)
            one_column = first // height == last // height
            top = min(top, first % height if one_column else 0)
            bottom = max(bottom, last % height + 1 if one_column else height)
        margin = 3 + max(bottom - top, right - left) // 8
        top, left = max(top - margin, 0), max(left - margin, 0)
        bottom, right = min(bottom + margin, height), min(right + margin, width)
        windows[item] = top, left, bottom, right
        if right <= left or bottom <= top:
            continue
        sums, total = np.zeros((right - left, bottom - top + 1)), 0.0
        border = (threshold[item] - 0.5) / 255
        for column in range(left, right):
            for row in range(top, bottom):
                held, value = owner[column * height + row], 0.0
                if held == 0 or held == item + 1:
                    odds = image[row, column] * (1 - border)
                    value = odds / (odds + (255 - image[row, column]) * border)
                sums[column - left, row - top + 1] = sums[column - left, row - top] + value
            total += sums[column - left, bottom - top]
        _start(runs[item], runs[item + 1], start, length, height, box)
        box[5], box[6] = box[5] - top, box[6] - left
        fit = _climb(box, sums, total, coarsest, finest)
        cosine, sine = np.cos(box[4]), np.sin(box[4])
        along, across = (box[0] + box[1]) / 2, (box[2] + box[3]) / 2
        found[item, 0] = box[5] + top + along * sine + across * cosine
        found[item, 1] = box[6] + left + along * cosine - across * sine
        found[item, 2], found[item, 3] = box[1] - box[0], box[3] - box[2]
        found[item, 4], found[item, 5] = box[4], fit
        if fit < min_fit:
            continue
        for run in range(runs[item], runs[item + 1]):
            owner[start[run] : start[run] + length[run]] = 0
        drawn = 0
        for column in range(left, right):
            x = column - left - box[6]
            begin, end = _clip(
                x * cosine, sine, box[0], box[1], -box[5] - 0.5, bottom - top - 0.5 - box[5]
            )
            begin, end = _clip(-x * sine, cosine, box[2], box[3], begin, end)
            if begin < end:
                for row in range(
                    max(int(np.ceil(begin + box[5])), 0),
                    min(int(np.floor(end + box[5])) + 1, bottom - top),
                ):
                    if owner[column * height + top + row] == 0:
                        owner[column * height + top + row] = item + 1
                        drawn += 1
        if drawn == 0:
            for run in range(runs[item], runs[item + 1]):
                owner[start[run] : start[run] + length[run]] = item + 1
    return _read(owner, windows, height)


@compiled
def _read(owner: np.ndarray, windows: np.ndarray, height: int) -> Runs:
    """Start, length and runs of each object in `owner`, searched for within its window."""
    runs = np.zeros(len(windows) + 1, np.int64)
    start, length = np.empty(0, np.int32), np.empty(0, np.int32)
    for phase in range(2):  # first counts, then fills
        place = 0
        for item in range(len(windows)):
            top, left, bottom, right = windows[item]
            after: np.int64 | int = np.int64(-1)
            for column in range(left, right):
                for row in range(top, bottom):
                    pixel = column * height + row
                    if owner[pixel] != item + 1:
                        continue
                    if pixel != after:
                        if phase == 1:
                            start[place], length[place] = pixel, 0
                        place += 1
                    if phase == 1:
                        length[place - 1] += 1
                    after = pixel + 1
            runs[item + 1] = place
        if phase == 0:
            start, length = np.empty(place, np.int32), np.empty(place, np.int32)
    return start, length, runs


def fit_rectangles(
    masks: Masks,
    maps: Iterable[np.ndarray],
    *,
    min_fit: float = 0.5,
    threshold: int | np.ndarray = 128,
) -> tuple[Masks, np.ndarray]:
    """Replaces objects by their best rotated rectangles if these fit.

    The fit is the soft IoU sum min(p, R) / sum max(p, R) of the map p with the rectangle R near the
    object, without pixels of others. The map's logits are moved: `threshold` lies at one half.

    Args:
        masks: the objects.
        maps: each image's probability map (height, width), uint8 or float in 0..1.
        min_fit: the fit from which an object becomes its rectangle.
        threshold: by which the objects were found, 1 to 255; one number, or int (objects,).

    Returns:
        The masks; rectangles are clipped to the image and leave out pixels of other objects.
        The rectangles, float64 (objects, 6): row and column of the center, length, width, px; angle
        in radians (at 0 the length lies along a row); fit.

    Raises:
        KitError: if the number of maps is not that of the images, or `check_map` refuses one.
    """
    drawn, found = list[Runs](), np.zeros((len(masks.labels), 6))
    levels = np.broadcast_to(np.asarray(threshold, np.int64), len(masks.labels))

    def fit(name: str, values: np.ndarray, image: int) -> None:
        pixels = check_map(values, masks.shapes[image], name)
        first, last = masks.objects[image], masks.objects[image + 1]
        if first < last:
            spans = slice(masks.runs[first], masks.runs[last])
            runs = masks.runs[first : last + 1] - spans.start
            pixels = pixels if pixels.dtype == np.uint8 else to_uint8(pixels)
            given = masks.start[spans], masks.length[spans], levels[first:last]
            drawn.append(_fit(pixels, runs, *given, min_fit, COARSEST, FINEST, found[first:last]))

    visit(fit, masks.ids, maps, "maps", places=range(len(masks)))
    start, length = (
        np.concatenate([np.zeros(0, np.int32), *(one[k] for one in drawn)]) for k in (0, 1)
    )
    runs = np.cumsum(np.concatenate([np.zeros(1, np.int64), *(np.diff(one[2]) for one in drawn)]))
    fitted = Masks(masks.ids, masks.shapes, masks.objects, masks.labels, runs, start, length)
    return fitted, found
