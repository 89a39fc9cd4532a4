"""The rows of a CSV as `Masks` and back, by a competition's conventions, every illegal row named."""

from __future__ import annotations

import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from ..errors import KitError
from ..masks import rle, table
from ..masks.runs import find_overlaps, transpose
from ..masks.table import Masks
from . import csv_scan
from .conventions import AIRBUS, Competition
from .csv_scan import Cells

if typing.TYPE_CHECKING:
    import pandas as pd

Shapes = Mapping[str, tuple[int, int]]  # image id -> height, width in px


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a CSV of masks."""

    kind: str  # the same words for every row with this problem
    row: int  # of the file, the header is row 1; 0 where no row is to blame
    image: str
    detail: str


@dataclass(frozen=True)
class Layout:
    """The columns of one kind of CSV, the truth or the submission."""

    id: str
    label: str  # "": none
    runs: str
    separator: str  # between image id and label in the id cell; "": the cell is the image id
    height: int | None
    width: int | None

    @property
    def columns(self) -> list[str]:
        """Names of the columns, in the order of the file."""
        return [name for name in (self.id, self.label, self.runs) if name]


def lay_out(competition: Competition, submission: bool) -> Layout:
    """The columns of the competition's truth, or of its submission."""
    c = competition
    separator = "" if c.label_column and not submission else c.label_separator
    if not submission:
        return Layout(c.id_column, c.label_column, c.runs_column, separator, c.height, c.width)
    label = "" if separator else c.label_column
    height, width = c.sample_height or c.height, c.sample_width or c.width
    return Layout(
        c.sample_id_column or c.id_column,
        label,
        c.sample_runs_column or c.runs_column,
        separator,
        height,
        width,
    )


def read_csv(
    source,
    competition: Competition = AIRBUS,
    *,
    submission: bool = False,
    strict: bool = True,
    shapes: Shapes | None = None,
):
    """Masks of a CSV: a path, bytes, (name, bytes), or a pandas DataFrame.

    submission: the competition's columns and size for submissions come first (files of the other kind are read all the same). shapes: sizes
    of images by id, where they differ. An illegal row raises KitError with file, row, image and reason; with strict=False the result is
    (Masks of the legal rows, DataFrame of all problems: kind, row, image, detail).

    >>> masks = read_csv(b"ImageId,EncodedPixels\\na.jpg,1 3 10 2\\nb.jpg,\\n")
    >>> masks.ids.tolist(), masks.start.tolist(), masks.length.tolist()
    (['a.jpg', 'b.jpg'], [0, 9], [3, 2])
    """
    name, data = csv_scan.load_text(source)
    masks, problems = _inspect(name, data, competition, submission, shapes)
    if not strict:
        return masks, tabulate(problems)
    if problems:
        first = min(problems, key=lambda problem: problem.row)
        raise KitError(
            f"{name} row {first.row}{f' ({first.image})' if first.image else ''}: {first.detail}"
        )
    return masks


def inspect_submission(
    source, competition: Competition = AIRBUS, *, shapes: Shapes | None = None
) -> tuple[Masks, list[Problem]]:
    """Masks of the legal rows of a submission, and every `Problem`; only what is no CSV with the submission's columns raises KitError."""
    return _inspect(*csv_scan.load_text(source), competition, True, shapes, exact=True)


def read_ids(
    source, competition: Competition = AIRBUS, *, labels: bool = False, strict: bool = True
) -> list[str]:
    """The distinct image ids of a submission in order of first appearance; its runs are not read.

    labels: the id cells as they stand, with a label where the competition writes one there. strict: a damaged or empty one raises KitError.
    """
    name, data = csv_scan.load_text(source)
    found, layout = _open(name, data, competition, True)
    ids, _, _, problems = _identify(found, layout, competition)
    for problem in problems[:1] if strict else ():
        raise KitError(f"{name} row {problem.row}: {problem.detail}; is the file cut or damaged?")
    if not ids and strict:
        raise KitError(f"{name}: holds no row")
    return list(dict.fromkeys(_number_cells(found, 0)[0])) if labels and layout.separator else ids


def tabulate(problems: list[Problem]) -> pd.DataFrame:
    """Problems as a DataFrame: kind, row, image, detail; by row."""
    import pandas as pd

    columns = ["kind", "row", "image", "detail"]
    return pd.DataFrame(
        [
            [getattr(problem, name) for name in columns]
            for problem in sorted(problems, key=lambda p: p.row)
        ],
        columns=columns,
    )


def _open(
    name: str, data: np.ndarray, competition: Competition, submission: bool, exact: bool = False
) -> tuple[Cells, Layout]:
    """The cells of id, label (where there is one) and runs, and the layout whose columns the header has; exact: no layout but the first."""
    header, at = csv_scan.read_header(name, data)
    layouts = [
        lay_out(competition, side)
        for side in ((submission,) if exact else (submission, not submission))
    ]
    for layout in layouts:
        if all(header.count(column) == 1 for column in layout.columns):
            return csv_scan.split(
                data, at, len(header), [header.index(column) for column in layout.columns]
            ), layout
    column = next(column for column in layouts[0].columns if header.count(column) != 1)
    word = "missing" if column not in header else "there twice"
    raise KitError(f"{name}: column {column} is {word}; its header is {','.join(header)[:80]!r}")


def _number_cells(found: Cells, column: int) -> tuple[list[str], np.ndarray]:
    """The distinct texts of a column in order of first appearance, and the number of each row's text."""
    codes, firsts = csv_scan.number(found, column)
    return csv_scan.list_texts(found, firsts, column), codes


def _renumber(texts: list[str], codes: np.ndarray) -> tuple[list[str], np.ndarray]:
    """The same with equal texts made one, and -1 for blank ones."""
    place = {
        text: number
        for number, text in enumerate(dict.fromkeys(text for text in texts if text.strip()))
    }
    return list(place), np.array([place.get(text, -1) for text in texts], np.int64)[codes]


def _may_be_blank(found: Cells) -> bool:
    """Whether an id may be blank: empty, or beginning with what is no visible ASCII character."""
    begin, end = found.begin[:, 0], found.end[:, 0]
    if not len(begin) or (begin == end).any():
        return True
    first = found.data[begin]
    return bool((first <= 32).any() or (first >= 127).any())


def _label_number(text: str, competition: Competition) -> int:
    """The number of a label's text, -1 where there is none."""
    if competition.labels:
        return competition.labels.index(text) if text in competition.labels else -1
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else -1


def _identify(
    found: Cells, layout: Layout, competition: Competition
) -> tuple[list[str], np.ndarray, np.ndarray, list[Problem]]:
    """The distinct image ids; image (-1: none) and label (-1: illegal) of every row; problems of structure, ids and labels."""
    texts, codes = _number_cells(found, 0)
    ids, image = texts, codes
    if layout.separator:
        ids, image = _renumber([text.rpartition(layout.separator)[0] for text in texts], codes)
    elif found.doubled.any() or _may_be_blank(found):
        ids, image = _renumber(texts, codes)
    labels, tags, numbers = np.zeros(len(codes), np.int64), [""], codes * 0
    if layout.label:
        tags, numbers = _number_cells(found, 1)
    elif layout.separator:
        tags, numbers = [text.rpartition(layout.separator)[2] for text in texts], codes
    if layout.label or layout.separator:
        labels = np.array([_label_number(tag, competition) for tag in tags], np.int64)[numbers]
    problems = []
    for row in np.flatnonzero((found.problem > 0) | (image < 0) | (labels < 0)).tolist():
        name = ids[image[row]] if image[row] >= 0 else ""
        if found.problem[row]:
            kind = detail = csv_scan.PROBLEMS[int(found.problem[row])]
        elif image[row] < 0:
            kind, detail = "no image id", "the image id is blank"
        else:
            kind, detail = "unknown label", f"unknown label {tags[numbers[row]][:40]!r}"
        problems.append(Problem(kind, row + 2, name, detail))
    return ids, image, labels, problems


def _find_shapes(
    ids: list[str], layout: Layout, competition: Competition, shapes: Shapes | None
) -> np.ndarray:
    """(height, width) of every image, int32 (images, 2)."""
    if shapes is not None:
        missing = next((name for name in ids if name not in shapes), None)
        if missing is not None:
            raise KitError(f"image {missing}: its size is not among those given")
        sides = np.array([shapes[name] for name in ids], np.int64).reshape(-1, 2)
        wrong = np.flatnonzero((sides < 0).any(axis=1) | (sides.prod(axis=1) >= 2**31))
        if len(wrong):
            raise KitError(
                f"image {ids[wrong[0]]}: its size {tuple(sides[wrong[0]].tolist())} is not one of an image below 2^31 px"
            )
        return sides.astype(np.int32)
    shape = layout.height or competition.need("height"), layout.width or competition.need("width")
    return np.full((len(ids), 2), shape, np.int32)


def _inspect(
    name: str,
    data: np.ndarray,
    competition: Competition,
    submission: bool,
    shapes: Shapes | None,
    exact: bool = False,
):
    found, layout = _open(name, data, competition, submission, exact)
    across = competition.need("order") == "across"
    ids, image, label, problems = _identify(found, layout, competition)
    sides = _find_shapes(ids, layout, competition, shapes)
    sizes = np.append(sides[:, 0].astype(np.int64) * sides[:, 1], 2**31 - 1)[
        image
    ]  # -1, no image: the last
    start, length, offsets, code, where = rle.parse(
        found.data,
        found.begin[:, -1],
        found.end[:, -1],
        sizes,
        relative=competition.relative,
        empty=competition.empty,
    )
    sound = (found.problem == 0) & (image >= 0) & (label >= 0)

    def blame(rows, kind, detail):
        for row in np.flatnonzero(rows).tolist():
            problems.append(Problem(kind, row + 2, ids[image[row]], detail))

    for row in np.flatnonzero(sound & (code > 0)).tolist():
        detail = rle.explain(found.text(row, -1), int(code[row]), int(where[row]))
        problems.append(Problem(rle.PROBLEMS[int(code[row])], row + 2, ids[image[row]], detail))
    legal, is_blank = sound & (code == 0), sound & (code == rle.BLANK)
    if competition.row == "object":
        mixed = (
            np.bincount(image[is_blank], minlength=len(ids))
            * np.bincount(image[sound & ~is_blank], minlength=len(ids))
            > 0
        )
        blame(
            is_blank & np.append(mixed, False)[image],
            "blank row beside a mask row",
            "a blank row beside a mask row of the same image",
        )
    else:
        key = image * (label.max(initial=0) + 1) + label
        again = sound.copy()
        again[np.flatnonzero(sound)[np.unique(key[sound], return_index=True)[1]]] = False
        what = f"second row of one {competition.row}"
        blame(again, what, f"a {what}; the masks of one {competition.row} belong into one row")
        legal &= ~again

    rows = np.flatnonzero(legal)
    if (np.diff(image[rows]) < 0).any():
        rows = rows[
            np.argsort(image[rows], kind="stable")
        ]  # objects by image, in the order of their rows
    start, length, runs = table.gather_runs(start, length, offsets, rows)
    if across:
        height, width = sides[image[rows]].T.astype(np.int64)
        start, length, runs = transpose(start, length, runs, width, height)
    objects = np.concatenate([[0], np.cumsum(np.bincount(image[rows], minlength=len(ids)))]).astype(
        np.int64
    )
    masks = Masks(
        np.array(ids, object), sides, objects, label[rows].astype(np.int32), runs, start, length
    )
    if competition.row == "object":
        other = find_overlaps(masks.objects, masks.runs, masks.start, masks.length)
        for place in np.flatnonzero(other >= 0).tolist():
            first, last = sorted((int(rows[place]), int(rows[other[place]])))
            problems.append(
                Problem(
                    "overlapping objects",
                    last + 2,
                    ids[image[last]],
                    f"overlaps the object in row {first + 2}",
                )
            )
        if (
            other >= 0
        ).any():  # without every object that meets one with an earlier first pixel no two are left that meet
            masks = table.select_objects(masks, other < 0)
    return masks, problems


def _quote(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if any(mark in text for mark in ',"\r\n') else text


def format_csv(
    masks: Masks, competition: Competition = AIRBUS, *, submission: bool = False
) -> bytes:
    """The CSV of `masks` as the competition's truth or submission has it: header, then a row an object, a blank one where there is none.

    Raises KitError where the competition leaves open what is needed, or an id cannot be written.

    >>> format_csv(read_csv(b"ImageId,EncodedPixels\\na.jpg,1 3\\nb.jpg,\\n"))
    b'ImageId,EncodedPixels\\na.jpg,1 3\\nb.jpg,\\n'
    """
    layout = lay_out(competition, submission)
    if competition.row != "object":
        masks = table.join(masks)  # there a row, and so all that is in it, is one mask
    start, length, runs = masks.start, masks.length, masks.runs
    if competition.need("order") == "across":
        height, width = masks.shapes[table.owners(masks)].T.astype(np.int64)
        start, length, runs = transpose(start, length, runs, height, width)
    silent = competition.absent_is_empty and not submission
    if layout.label or layout.separator:
        prefixes, listed = _list_labeled(masks, layout, competition, silent)
        prefix, items = np.arange(len(listed)), np.array(listed, np.int64)
    else:
        counts = table.count_objects(masks)
        lines = counts if silent else np.maximum(counts, 1)
        prefix, items = np.repeat(np.arange(len(masks)), lines), np.full(lines.sum(), -1, np.int64)
        items[np.repeat(counts > 0, lines)] = np.arange(len(masks.labels))
        prefixes = [f"{_quote(name)}," for name in masks.ids]
    try:
        encoded = [text.encode() for text in prefixes]
    except UnicodeEncodeError as error:
        raise KitError(f"image id {error.object!r}: cannot be written as UTF-8") from None
    header = ",".join(map(_quote, layout.columns)).encode() + b"\n"
    return header + rle.write(
        encoded,
        prefix,
        items,
        runs,
        start,
        length,
        relative=competition.relative,
        empty=competition.empty,
    )


def _list_labeled(
    masks: Masks, layout: Layout, competition: Competition, silent: bool
) -> tuple[list[str], list[int]]:
    """Text before the runs of every row of a CSV with labels, and its object (-1: blank)."""
    prefixes, items = list[str](), list[int]()
    for wrong in masks.labels[
        (masks.labels < 0) | (masks.labels >= (len(competition.labels) or 2**31))
    ][:1].tolist():
        raise KitError(
            f"label {wrong} is not one of the competition's: {', '.join(competition.labels) or 'whole numbers from 0'}"
        )

    def add(name, label, item):
        tag = competition.labels[label] if competition.labels else str(label)
        prefixes.append(
            f"{_quote(f'{name}{layout.separator}{tag}')},"
            if layout.separator
            else f"{_quote(name)},{_quote(tag)},"
        )
        items.append(item)

    for image, name in enumerate(masks.ids):
        held = range(masks.objects[image], masks.objects[image + 1])
        if silent or competition.row == "object":
            for item in held:
                add(name, int(masks.labels[item]), item)
            if silent or held:
                continue
        by_label = {int(masks.labels[item]): item for item in held}
        for label in range(len(competition.need("labels"))):
            add(name, label, by_label.get(label, -1))
    return prefixes, items


def complete(truth: Masks, ids: Iterable[str], competition: Competition, shapes=None) -> Masks:
    """The truth with a blank row for each image that has none, where that means that it holds no object."""
    if not competition.absent_is_empty:
        return truth
    known = set(truth.ids)
    absent = [name for name in ids if name not in known and (shapes is None or name in shapes)]
    absent = [
        name for name in absent if name.isprintable()
    ]  # a file name that is no text is no image's id
    return table.concatenate(
        [
            truth,
            table.blank(absent, [shapes[name] if shapes else competition.shape for name in absent]),
        ]
    )
