"""The rows of a CSV as `Masks`, by a competition's conventions; every illegal row is named."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import KitError
from ..masks import rle, table
from ..masks.runs import find_overlaps
from ..masks.table import Masks
from ..masks.transposition import transpose
from ..system.csv_bytes import load_text
from .catalog import find_competition
from .conventions import AIRBUS, Competition
from .keys import Problem, identify, tabulate
from .layout import Layout, open_cells

Shapes = Mapping[str, tuple[int, int]]  # image id -> height, width in px


def read_csv(
    source: Any,
    competition: Competition | Path | str = AIRBUS,
    *,
    submission: bool = False,
    strict: bool = True,
    shapes: Shapes | None = None,
) -> Any:
    """Masks of a CSV.

    Args:
        source: a path, bytes, (name, bytes), or a DataFrame of pandas or polars.
        competition: its conventions: a Competition, a name in COMPETITIONS or a .json file.
        submission: the competition's columns and size for submissions are tried first, then those
            of the truth; otherwise the other way round.
        strict: raise an error for an illegal row; otherwise leave out such rows and list them.
        shapes: (height, width) of each image by id, if they differ.

    Returns:
        `Masks`. With strict=False: (Masks of the legal rows, DataFrame of all problems with the
        columns kind, row, image, detail).

    Raises:
        KitError: if a row is illegal (with file, row, image and reason), or the source is not a
            CSV with the competition's columns.

    >>> masks = read_csv(b"ImageId,EncodedPixels\\na.jpg,1 3 10 2\\nb.jpg,\\n")
    >>> masks.ids.tolist(), masks.start.tolist(), masks.length.tolist()
    (['a.jpg', 'b.jpg'], [0, 9], [3, 2])
    """
    name, data = load_text(source)
    masks, problems = _inspect(name, data, find_competition(competition), submission, shapes)
    if not strict:
        return masks, tabulate(problems)
    if problems:
        first = min(problems, key=lambda problem: problem.row)
        image = f" ({first.image})" if first.image else ""
        raise KitError(f"{name} row {first.row}{image}: {first.detail}")
    return masks


def inspect_submission(
    source: Any, competition: Competition = AIRBUS, *, shapes: Shapes | None = None
) -> tuple[Masks, list[Problem]]:
    """Masks of the legal rows of a submission, and every `Problem`; arguments as in `read_csv`.

    Raises:
        KitError: if the source is not a CSV with the submission's columns.
    """
    return _inspect(*load_text(source), competition, True, shapes, exact=True)


def _find_shapes(
    ids: list[str], layout: Layout, competition: Competition, shapes: Shapes | None
) -> np.ndarray:
    """(height, width) of every image, int32 (images, 2)."""
    if shapes is not None:
        missing = next((name for name in ids if name not in shapes), None)
        if missing is not None:
            raise KitError(f"image {missing}: its size is not among those given; give it, too")
        sides = np.array([shapes[name] for name in ids], np.int64).reshape(-1, 2)
        wrong = np.flatnonzero((sides < 0).any(axis=1) | (sides.prod(axis=1) >= 2**31))
        if len(wrong):
            size = " x ".join(map(str, sides[wrong[0]]))
            raise KitError(
                f"image {ids[wrong[0]]}: its size is {size} px; "
                "sides must not be negative, the area must be below 2^31 px"
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
) -> tuple[Masks, list[Problem]]:
    """Masks of the legal rows and all problems; exact: no layout but that of `submission`."""
    found, layout, _ = open_cells(name, data, competition, submission, exact)
    across = competition.need("order") == "across"
    ids, image, label, problems = identify(found, layout, competition)
    sides = _find_shapes(ids, layout, competition, shapes)
    areas = np.append(sides[:, 0].astype(np.int64) * sides[:, 1], 2**31 - 1)  # last: no image, -1
    start, length, offsets, code, where = rle.parse(
        found.data,
        found.begin[:, -1],
        found.end[:, -1],
        areas[image],
        relative=competition.relative,
        empty=competition.empty,
    )
    sound = (found.problem == 0) & (image >= 0) & (label >= 0)

    def blame(rows: np.ndarray, kind: str, detail: str) -> None:
        for row in np.flatnonzero(rows).tolist():
            problems.append(Problem(kind, row + 2, ids[image[row]], detail))

    for row in np.flatnonzero(sound & (code > 0)).tolist():
        detail = rle.explain(found.text(row, -1), int(code[row]), int(where[row]))
        problems.append(Problem(rle.PROBLEMS[int(code[row])], row + 2, ids[image[row]], detail))
    legal, is_blank = sound & (code == 0), sound & (code == rle.BLANK)
    if layout.row == "object":
        blanks = np.bincount(image[is_blank], minlength=len(ids))
        others = np.bincount(image[sound & ~is_blank], minlength=len(ids))
        mixed = is_blank & np.append(blanks * others > 0, False)[image]
        what = "blank row beside a mask row"
        blame(mixed, what, f"a {what} of the same image")
    else:
        key = image * (label.max(initial=0) + 1) + label
        again = sound.copy()
        again[np.flatnonzero(sound)[np.unique(key[sound], return_index=True)[1]]] = False
        what = f"second row of one {layout.row}"
        blame(again, what, f"a {what}; write all masks of one {layout.row} in one row")
        legal &= ~again

    rows = np.flatnonzero(legal)
    if (np.diff(image[rows]) < 0).any():
        rows = rows[np.argsort(image[rows], kind="stable")]  # by image, then by row
    start, length, runs = table.gather_runs(start, length, offsets, rows)
    if across:
        height, width = sides[image[rows]].T.astype(np.int64)
        start, length, runs = transpose(start, length, runs, width, height)
    counts = np.bincount(image[rows], minlength=len(ids))
    objects = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    labels = label[rows].astype(np.int32)
    masks = Masks(np.array(ids, object), sides, objects, labels, runs, start, length)
    if layout.row == "object":
        other = find_overlaps(masks.objects, masks.runs, masks.start, masks.length)
        for place in np.flatnonzero(other >= 0).tolist():
            first, last = sorted((int(rows[place]), int(rows[other[place]])))
            detail = f"overlaps the object in row {first + 2}"
            problems.append(Problem("overlapping objects", last + 2, ids[image[last]], detail))
        # Every pair that overlaps has an object with the later first pixel; all those are left out.
        if (other >= 0).any():
            masks = table.select_objects(masks, other < 0)
    return masks, problems


def complete(
    truth: Masks, ids: Iterable[str], competition: Competition, shapes: Shapes | None = None
) -> Masks:
    """The truth with the images that have no row, if the competition leaves out empty images.

    Args:
        truth: masks of the truth's rows.
        ids: all images.
        competition: its conventions; unless `absent_is_empty`, the truth is returned as it is.
        shapes: (height, width) of each image by id, if they differ; images without one are left
            out.
    """
    if not competition.absent_is_empty:
        return truth
    known = set(truth.ids)
    absent = [name for name in ids if name not in known and (shapes is None or name in shapes)]
    absent = [name for name in absent if name.isprintable()]  # ids are text, file names may not be
    sides = [shapes[name] if shapes else competition.shape for name in absent]
    return table.concatenate([truth, table.blank(absent, sides)])
