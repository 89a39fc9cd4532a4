"""Masks: one columnar table of the objects of any number of images, as runs."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from . import rle
from .competition import AIRBUS, Competition
from .errors import KitError


@dataclass(frozen=True, eq=False)
class Masks:
    """Images with their objects, objects with their runs; all arrays flat, with offsets.

    The objects of image i are objects[i]:objects[i + 1], the runs of object j are runs[j]:runs[j + 1]. Runs go down the columns
    (pixel = column * height + row) from 0, ascend within an object and do not overlap within an image.
    """

    ids: np.ndarray  # str objects (images,), in order of first appearance
    shapes: np.ndarray  # int32 (images, 2): height, width in px
    objects: np.ndarray  # int64 (images + 1,)
    labels: np.ndarray  # int32 (objects,): class of each object, 0 where a competition has one class
    runs: np.ndarray  # int64 (objects + 1,)
    start: np.ndarray  # int32 (runs,): first pixel, 0-based
    length: np.ndarray  # int32 (runs,): px

    def __len__(self) -> int:
        return len(self.ids)

    def __eq__(self, other) -> bool:
        fields = ("ids", "shapes", "objects", "labels", "runs", "start", "length")
        return isinstance(other, Masks) and all(np.array_equal(getattr(self, name), getattr(other, name)) for name in fields)


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a CSV of masks."""

    kind: str  # the same words for every row with this problem
    row: int  # line of the file, the header is row 1
    image: str
    detail: str


def count_objects(masks: Masks) -> np.ndarray:
    """Objects of each image, int64 (images,)."""
    return np.diff(masks.objects)


def areas(masks: Masks) -> np.ndarray:
    """Pixels of each object, int64 (objects,)."""
    total = np.concatenate([[0], np.cumsum(masks.length, dtype=np.int64)])
    return total[masks.runs[1:]] - total[masks.runs[:-1]]


def owners(masks: Masks) -> np.ndarray:
    """The image (its index) that each object belongs to, int64 (objects,)."""
    return np.repeat(np.arange(len(masks)), count_objects(masks))


def _gather(offsets: np.ndarray, index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the slices `index` of a ragged array, one after the other, and the offsets of the result."""
    counts = offsets[index + 1] - offsets[index]
    ends = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return np.arange(ends[-1]) + np.repeat(offsets[index] - ends[:-1], counts), ends


def select(masks: Masks, index: Sequence[int] | np.ndarray) -> Masks:
    """The images at positions `index`, in that order."""
    index = np.asarray(index, np.int64)
    objects, object_offsets = _gather(masks.objects, index)
    runs, run_offsets = _gather(masks.runs, objects)
    return Masks(
        masks.ids[index], masks.shapes[index], object_offsets, masks.labels[objects], run_offsets, masks.start[runs], masks.length[runs]
    )


def select_ids(masks: Masks, ids: Iterable[str]) -> Masks:
    """The images named by `ids`, in that order; KitError for an id that the table lacks."""
    position = {name: place for place, name in enumerate(masks.ids)}
    try:
        return select(masks, [position[name] for name in ids])
    except KeyError as error:
        raise KitError(f"image {error.args[0]}: not among these masks") from None


def select_objects(masks: Masks, keep: np.ndarray) -> Masks:
    """All images, of their objects only those where the boolean array `keep` (objects,) is true."""
    kept = np.flatnonzero(keep)
    runs, run_offsets = _gather(masks.runs, kept)
    objects = np.concatenate([[0], np.cumsum(keep)]).astype(np.int64)[masks.objects]
    return Masks(masks.ids, masks.shapes, objects, masks.labels[kept], run_offsets, masks.start[runs], masks.length[runs])


def concatenate(parts: Sequence[Masks]) -> Masks:
    """The images of all `parts`, one after the other."""

    def join(offsets):
        ends = np.concatenate([[0], np.cumsum([item[-1] for item in offsets])])
        return np.concatenate([[0], *(item[1:] + end for item, end in zip(offsets, ends))]).astype(np.int64)

    if not parts:
        return blank([], [])
    return Masks(
        np.concatenate([part.ids for part in parts]),
        np.concatenate([part.shapes for part in parts]),
        join([part.objects for part in parts]),
        np.concatenate([part.labels for part in parts]),
        join([part.runs for part in parts]),
        np.concatenate([part.start for part in parts]),
        np.concatenate([part.length for part in parts]),
    )


def blank(ids: Sequence[str], shapes) -> Masks:
    """The images `ids` without any object; shapes: one (height, width) for all, or one an image."""
    table = np.array(np.broadcast_to(np.asarray(shapes, np.int32).reshape(-1, 2), (len(ids), 2)))
    none = np.zeros(0, np.int32)
    return Masks(np.array(list(ids), object), table, np.zeros(len(ids) + 1, np.int64), none, np.zeros(1, np.int64), none, none)


def from_labels(ids: Sequence[str], labels: Iterable[np.ndarray]) -> Masks:
    """One image an id; labels: integer images (height, width), 0 is background, every other value an object.

    Objects come in the order of their first pixel, column by column.
    """
    parts = []
    for name, image in zip(ids, labels, strict=True):
        flat = np.asarray(image).T.ravel()
        edges = np.concatenate([[0], np.flatnonzero(flat[1:] != flat[:-1]) + 1, [flat.size]]) if flat.size else np.zeros(1, np.int64)
        start, length = edges[:-1], np.diff(edges)
        value = flat[start]
        start, length, value = start[value != 0], length[value != 0], value[value != 0]
        _, first, inverse = np.unique(value, return_index=True, return_inverse=True)
        rank = np.empty(len(first), np.int64)
        rank[np.argsort(first)] = np.arange(len(first))  # objects by first pixel, not by label value
        owner = rank[inverse] if len(first) else inverse
        order = np.argsort(owner, kind="stable")
        runs = np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=len(first)))]).astype(np.int64)
        table = blank([name], np.shape(image))
        parts.append(
            Masks(
                table.ids,
                table.shapes,
                np.array([0, len(first)]),
                np.zeros(len(first), np.int32),
                runs,
                start[order].astype(np.int32),
                length[order].astype(np.int32),
            )
        )
    return concatenate(parts)


def decode(masks: Masks, image: int) -> np.ndarray:
    """Label image (height, width) int32 of the image at position `image`: 0 background, k its k-th object from 1."""
    height, width = masks.shapes[image]
    first, last = masks.objects[image], masks.objects[image + 1]
    runs = slice(masks.runs[first], masks.runs[last])
    start, length = masks.start[runs].astype(np.int64), masks.length[runs]
    value = np.repeat(np.arange(1, last - first + 1, dtype=np.int32), np.diff(masks.runs[first : last + 1]))
    flat = np.zeros(int(height) * int(width), np.int32)
    begin = np.concatenate([[0], np.cumsum(length)])[:-1]
    flat[np.arange(length.sum()) + np.repeat(start - begin, length)] = np.repeat(value, length)
    return flat.reshape(width, height).T


def boxes(masks: Masks) -> np.ndarray:
    """Bounding boxes, int32 (objects, 4): top, left, bottom, right, the last two exclusive."""
    height = np.repeat(masks.shapes[owners(masks), 0], np.diff(masks.runs)).astype(np.int64)
    first, last = masks.start.astype(np.int64), masks.start.astype(np.int64) + masks.length - 1
    crosses = first // height != last // height  # a run over a column's end covers a whole height between its two columns
    top, bottom = np.where(crosses, 0, first % height), np.where(crosses, height, last % height + 1)
    found = np.zeros((len(masks.labels), 4), np.int32)
    if len(first):
        at = masks.runs[:-1]
        reduced = (np.minimum.reduceat(top, at), first[at] // height[at], np.maximum.reduceat(bottom, at))
        found[:, :3] = np.stack(reduced, axis=1)
        found[:, 3] = (last // height)[masks.runs[1:] - 1] + 1
    return found


def _read_cells(path: Path, columns: tuple[str, str]) -> tuple[list[str], list[str]]:
    """Two columns of a CSV as lists of text; KitError with file and row where that fails."""
    name = path.name
    try:
        data = path.read_bytes().rstrip(b"\r\n")
    except FileNotFoundError:
        raise KitError(f"{path}: no such file") from None
    except OSError as error:
        raise KitError(f"{path}: cannot be read: {error.strerror}") from None
    nul = data.find(b"\0")
    if nul >= 0:
        row = data.count(b"\n", 0, nul) + 1
        raise KitError(f"{name} row {row}: holds a NUL byte; the file is damaged or no CSV")
    try:
        frame = pd.read_csv(
            io.BytesIO(data), header=None, dtype=str, keep_default_na=False, skip_blank_lines=False, encoding="utf-8-sig", engine="c"
        )
    except pd.errors.EmptyDataError:
        raise KitError(f"{name}: the file is empty; expected the header {','.join(columns)}") from None
    except (pd.errors.ParserError, UnicodeDecodeError) as error:
        raise KitError(f"{name}: not a CSV: {error}") from None
    header = [str(cell) for cell in frame.iloc[0]]
    for column in columns:
        if header.count(column) != 1:
            word = "missing" if column not in header else "there twice"
            raise KitError(f"{name}: column {column} is {word}; its header is {','.join(header)[:80]!r}")
    try:
        row = _find_short_row(data, len(header))
    except csv.Error as error:
        raise KitError(f"{name}: not a CSV: {error}") from None
    if row:
        raise KitError(f"{name} row {row}: has fewer cells than the header; is the file cut?")
    ids, texts = (frame[header.index(column)].iloc[1:].tolist() for column in columns)
    return ids, texts


def _find_short_row(data: bytes, width: int) -> int:
    """Line of the first row with fewer than `width` cells, 0 where there is none; pandas fills such a row up in silence."""
    if width == 2 and b'"' not in data:
        short = re.search(rb"(?m)^[^,\r\n]*\r?$", data)
        return data.count(b"\n", 0, short.start()) + 1 if short else 0
    rows = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""))
    return next((rows.line_num for cells in rows if len(cells) < width), 0)


def read_ids(path, competition: Competition = AIRBUS) -> list[str]:
    """The distinct image ids of a CSV in order of first appearance (its runs are not read); KitError where there is none."""
    ids, _ = _read_cells(Path(path), (competition.id_column, competition.runs_column))
    if not ids:
        raise KitError(f"{Path(path).name}: holds no row")
    return list(dict.fromkeys(ids))


def read_csv(path, competition: Competition = AIRBUS) -> Masks:
    """Masks of a CSV with one row an object; KitError with file, row, image and reason at the first thing wrong."""
    masks, problems = inspect_csv(path, competition)
    if problems:
        first = min(problems, key=lambda problem: problem.row)
        raise KitError(f"{Path(path).name} row {first.row} ({first.image}): {first.detail}")
    return masks


def inspect_csv(path, competition: Competition = AIRBUS) -> tuple[Masks, list[Problem]]:
    """Masks of the legal rows of a CSV, and every problem of the others; only an unreadable file raises KitError."""
    ids, cells = _read_cells(Path(path), (competition.id_column, competition.runs_column))
    height, width = competition.shape
    texts = [cell.strip(" ") for cell in cells]
    start, length, runs, problem, where = rle.parse(texts, np.full(len(texts), height * width))
    problems = [
        Problem(rle.PROBLEMS[int(problem[row])], row + 2, ids[row], rle.explain(texts[row], int(problem[row]), int(where[row])))
        for row in np.flatnonzero(problem).tolist()
    ]
    problems += [Problem("no image id", row + 2, "", "the image id is blank") for row, name in enumerate(ids) if not name.strip()]
    codes, names = pd.factorize(np.array(ids, object))
    is_blank = np.array([not text for text in texts], bool)
    mixed = np.isin(codes, np.intersect1d(codes[is_blank], codes[~is_blank])) & is_blank
    detail = "a blank row beside a mask row of the same image"
    problems += [Problem("blank row beside a mask row", int(row) + 2, ids[row], detail) for row in np.flatnonzero(mixed)]

    rows = np.flatnonzero(~is_blank & (problem == 0))
    rows = rows[np.argsort(codes[rows], kind="stable")]  # objects by image, in the order of their rows
    index, run_offsets = _gather(runs, rows)
    objects = np.concatenate([[0], np.cumsum(np.bincount(codes[rows], minlength=len(names)))]).astype(np.int64)
    shapes = np.tile(np.array([[height, width]], np.int32), (len(names), 1))
    found = Masks(np.array(names, object), shapes, objects, np.zeros(len(rows), np.int32), run_offsets, start[index], length[index])
    for first, second in overlaps(found):
        row, other = int(rows[second]) + 2, int(rows[first]) + 2
        problems.append(Problem("overlapping objects", max(row, other), ids[row - 2], f"overlaps the object in row {min(row, other)}"))
    return found, problems


def overlaps(masks: Masks) -> list[tuple[int, int]]:
    """Pairs of objects (their positions) of one image that share a pixel, each offending object named at least once."""
    counts = np.diff(masks.runs)
    owner = np.repeat(np.arange(len(counts)), counts)
    image = owners(masks)[owner]
    order = np.lexsort((masks.start, image))
    image, owner, start = image[order], owner[order], masks.start[order].astype(np.int64)
    size = masks.shapes.astype(np.int64).prod(axis=1)
    base = np.concatenate([[0], np.cumsum(size)])[image]  # one axis for all images
    end = base + start + masks.length[order]
    reach = np.maximum.accumulate(end) if len(end) else end
    hits = np.flatnonzero(base[1:] + start[1:] < reach[:-1]) + 1
    farthest = np.maximum.accumulate(np.where(end == reach, np.arange(len(end)), 0))  # the run that reaches farthest so far
    pairs = np.unique(np.stack([owner[farthest[hits - 1]], owner[hits]]), axis=1)
    return [(first, second) for first, second in pairs.T.tolist() if first != second]


def rows(masks: Masks) -> Iterable[tuple[str, str]]:
    """(image id, text) of every row of a CSV: one an object, one with blank text for an image without any."""
    for image, name in enumerate(masks.ids):
        first, last = masks.objects[image], masks.objects[image + 1]
        if first == last:
            yield name, ""
        for item in range(first, last):
            runs = slice(masks.runs[item], masks.runs[item + 1])
            yield name, rle.write(masks.start[runs], masks.length[runs])
