"""Pixels to runs and back: label images and boolean masks."""

from collections.abc import Iterable, Sequence

import numpy as np

from ..errors import KitError
from ..system.jit import compiled
from . import table
from .stream import visit
from .table import Masks


def from_labels(ids: Iterable[str], labels: Iterable[np.ndarray]) -> Masks:
    """The objects of label images as `Masks`, in the order of their first pixel, column by column.

    Of a generator, one image is in memory at a time.

    Args:
        ids: one id per image.
        labels: one integer image (height, width) per id: 0 is background, each other value is one
            object.

    Raises:
        KitError: if the numbers of ids and images differ, or an image has another shape.

    >>> masks = from_labels(["a.jpg"], [np.array([[0, 2], [7, 2]])])
    >>> masks.start.tolist(), masks.length.tolist()
    ([1, 2], [1, 2])
    """
    return table.concatenate(visit(_read_labels, ids, labels, "label images"))


def _read_labels(name: str, labels: np.ndarray) -> Masks:
    image = np.asarray(labels)
    if image.ndim != 2:
        raise KitError(f"{name}: a label image is (height, width), got shape {image.shape}")
    flat = image.T.ravel()
    edges = np.zeros(1, np.int64)
    if flat.size:
        edges = np.concatenate([[0], np.flatnonzero(flat[1:] != flat[:-1]) + 1, [flat.size]])
    start, length = edges[:-1], np.diff(edges)
    value = flat[start]
    start, length, value = start[value != 0], length[value != 0], value[value != 0]
    _, first, inverse = np.unique(value, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))  # by first pixel, not by label value
    owner = rank[inverse] if len(first) else inverse
    order = np.argsort(owner, kind="stable")
    runs = np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=len(first)))])
    tags = np.zeros(len(first), np.int32)
    return _make_part(name, image.shape, tags, runs, start[order], length[order])


def from_masks(
    ids: Iterable[str],
    stacks: Iterable[np.ndarray],
    labels: Iterable[Sequence[int]] | None = None,
) -> Masks:
    """The objects of boolean masks as `Masks`, in the order of the masks.

    A mask without a pixel is not an object. Of a generator, one stack is in memory at a time.

    Args:
        ids: one id per image.
        stacks: one boolean array (objects, height, width) per image.
        labels: for each image, the label of each of its masks; None: all 0.

    Raises:
        KitError: if the numbers of ids, stacks and labels differ, or a stack has another shape.
    """
    return table.concatenate(visit(_read_stack, ids, stacks, "stacks of masks", labels=labels))


def _read_stack(name: str, stack: np.ndarray, classes: Sequence[int] | None) -> Masks:
    stack = np.asarray(stack)
    if stack.ndim != 3:
        raise KitError(
            f"{name}: a stack of masks is (objects, height, width), got shape {stack.shape}"
        )
    if classes is not None and len(classes) != len(stack):
        raise KitError(f"{name}: {len(classes)} labels for {len(stack)} masks")
    if stack.dtype not in (bool, np.uint8, np.int8):
        stack = stack.astype(bool)
    down = stack.transpose(0, 2, 1)  # decoders of runs leave columns in memory, others rows
    if down.flags.c_contiguous:
        start, length, runs = _scan(down.view(np.uint8), True)
    else:
        start, length, runs = _scan(np.ascontiguousarray(stack).view(np.uint8), False)
    held = np.flatnonzero(np.diff(runs))
    tags = np.zeros(len(held), np.int32)
    if classes is not None:
        tags = np.asarray(classes, np.int32)[held]
    return _make_part(name, stack.shape[1:], tags, np.append(runs[held], runs[-1]), start, length)


@compiled
def _find_ends(memory: np.ndarray) -> tuple[int, int]:
    """The first byte that is not 0 and the place after the last one; (0, 0) if all are 0.

    Ships cover a thousandth of an image, so eight bytes are looked at together.
    """
    words = memory[: len(memory) // 8 * 8].view(np.uint64)
    last = len(memory)
    while last > 0 and memory[last - 1] == 0:
        last -= 1
        while last > 0 and last % 8 == 0 and words[last // 8 - 1] == 0:
            last -= 8
    first = 0
    while first < last and memory[first] == 0:
        first += 1
        while first % 8 == 0 and first // 8 < len(words) and words[first // 8] == 0:
            first += 8
    return first, last


@compiled
def _scan(stack: np.ndarray, turned: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Start, length and runs, as in `Masks`, of masks (objects, height, width), uint8, C order.

    turned: the masks are (objects, width, height) instead.
    """
    lines, size = stack.shape[1], stack.shape[2]
    height = size if turned else lines
    runs = np.zeros(len(stack) + 1, np.int64)
    start, length = np.empty(64, np.int32), np.empty(64, np.int32)
    found = 0
    for item in range(len(stack)):
        mask = stack[item]
        first, last = _find_ends(mask.reshape(-1))
        after = np.int64(-1)
        # the lines between the ends; a line is a column if the mask is turned, else a row
        begin, stop = (first // size, (last - 1) // size + 1) if last else (0, 0)
        left, right = (begin, stop) if turned else (0, size if last else 0)
        top, bottom = (0, size) if turned else (begin, stop)
        for column in range(left, right):
            for row in range(top, bottom):
                value = mask[column, row] if turned else mask[row, column]
                if value == 0:
                    continue
                pixel = np.int64(column) * height + row
                if pixel == after:
                    length[found - 1] += 1
                else:
                    if found == len(start):
                        start = np.append(start, np.empty(found, np.int32))
                        length = np.append(length, np.empty(found, np.int32))
                    start[found], length[found] = pixel, 1
                    found += 1
                after = pixel + 1
        runs[item + 1] = found
    return start[:found].copy(), length[:found].copy(), runs


def _make_part(
    name: str,
    shape: tuple[int, ...],
    labels: np.ndarray,
    runs: np.ndarray,
    start: np.ndarray,
    length: np.ndarray,
) -> Masks:
    """The `Masks` of one image."""
    empty = table.blank([name], shape)
    return Masks(
        empty.ids,
        empty.shapes,
        np.array([0, len(labels)]),
        labels,
        runs.astype(np.int64),
        start.astype(np.int32),
        length.astype(np.int32),
    )


def to_labels(masks: Masks, image: int) -> np.ndarray:
    """Label image (height, width) int32 of the image at position `image`.

    0 is background; k is the image's k-th object, counted from 1. Position -1 is the last image.

    Raises:
        KitError: if the position is out of range.
    """
    image = int(table.locate(len(masks), image))
    height, width = masks.shapes[image]
    first, last = masks.objects[image], masks.objects[image + 1]
    runs = slice(masks.runs[first], masks.runs[last])
    start, length = masks.start[runs].astype(np.int64), masks.length[runs]
    value = np.repeat(
        np.arange(1, last - first + 1, dtype=np.int32), np.diff(masks.runs[first : last + 1])
    )
    flat = np.zeros(int(height) * int(width), np.int32)
    begin = np.concatenate([[0], np.cumsum(length)])[:-1]
    flat[np.arange(length.sum()) + np.repeat(start - begin, length)] = np.repeat(value, length)
    return flat.reshape(width, height).T


def to_masks(masks: Masks, image: int) -> np.ndarray:
    """Boolean masks (objects, height, width) of the image at position `image`.

    Objects that overlap keep all their pixels. Position -1 is the last image.

    Raises:
        KitError: if the position is out of range.
    """
    image = int(table.locate(len(masks), image))
    height, width = (int(side) for side in masks.shapes[image])
    flat = np.zeros((masks.objects[image + 1] - masks.objects[image], height * width), bool)
    for place, item in enumerate(range(masks.objects[image], masks.objects[image + 1])):
        for run in range(masks.runs[item], masks.runs[item + 1]):
            flat[place, masks.start[run] : masks.start[run] + masks.length[run]] = True
    return flat.reshape(len(flat), width, height).transpose(0, 2, 1)
