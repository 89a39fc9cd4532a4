"""Pixels to runs and back: label images and boolean masks."""

from collections.abc import Iterable, Sequence

import numpy as np

from . import table
from .table import Masks


def from_labels(ids: Sequence[str], labels: Iterable[np.ndarray]) -> Masks:
    """The objects of label images as `Masks`, in the order of their first pixel, column by column.

    Args:
        ids: one id per image.
        labels: one integer image (height, width) per id: 0 is background, each other value is one
            object.

    >>> masks = from_labels(["a.jpg"], [np.array([[0, 2], [7, 2]])])
    >>> masks.start.tolist(), masks.length.tolist()
    ([1, 2], [1, 2])
    """
    parts = []
    for name, image in zip(ids, labels, strict=True):
        flat = np.asarray(image).T.ravel()
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
        parts.append(_make_part(name, np.shape(image), tags, runs, start[order], length[order]))
    return table.concatenate(parts)


def from_masks(
    ids: Sequence[str], stacks: Iterable[np.ndarray], labels: Iterable[Sequence[int]] | None = None
) -> Masks:
    """The objects of boolean masks as `Masks`, in the order of the masks.

    A mask without a pixel is not an object.

    Args:
        ids: one id per image.
        stacks: one boolean array (objects, height, width) per image.
        labels: for each image, the label of each of its masks; None: all 0.
    """
    parts = []
    stacks = list(stacks)
    for name, stack, classes in zip(
        ids, stacks, [None] * len(stacks) if labels is None else labels, strict=True
    ):
        stack = np.asarray(stack, bool)
        held = np.flatnonzero(stack.any(axis=(1, 2)))
        columns = (
            stack[held]
            .transpose(0, 2, 1)
            .reshape(len(held), stack.shape[1] * stack.shape[2])
            .astype(np.int8)
        )
        edges = np.diff(columns, axis=1, prepend=0, append=0)
        owner, start = np.nonzero(edges > 0)
        stop = np.nonzero(edges < 0)[1]
        runs = np.searchsorted(owner, np.arange(len(held) + 1))
        tags = np.zeros(len(held), np.int32)
        if classes is not None:
            tags = np.asarray(classes, np.int32)[held]
        parts.append(_make_part(name, stack.shape[1:], tags, runs, start, stop - start))
    return table.concatenate(parts)


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
