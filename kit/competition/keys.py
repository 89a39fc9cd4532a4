"""What a CSV's rows are about: images, or images and labels (tests: competition/test_sample.py)."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ..errors import KitError
from ..system.csv_bytes import load_text
from . import csv_scan
from .conventions import AIRBUS, Competition
from .csv_scan import Cells
from .layout import Layout, open_cells

UNKNOWN_LABEL = "unknown label"


class Key(NamedTuple):
    """What a row of a submission is about: an image or, with labels, an image and a label."""

    image: str
    label: str = ""

    def spell(self, competition: Competition) -> str:
        """The key as a submission writes it: with the label's separator, or in two columns."""
        between = competition.label_separator or ","
        return f"{self.image}{between}{self.label}" if self.label else self.image


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a CSV of masks."""

    kind: str  # the same words for every row with this problem
    row: int  # of the file, whose header is row 1; 0: no row is to blame
    image: str
    detail: str


def read_ids(source: Any, competition: Competition = AIRBUS) -> list[str]:
    """The distinct image ids of a submission in order of first appearance; its runs are not read.

    Args:
        source: a path, bytes, (name, bytes), or a DataFrame of pandas or polars.
        competition: its conventions.

    Raises:
        KitError: if the source is damaged, holds no row or is not a CSV with the competition's
            columns.
    """
    name, data = load_text(source)
    found, layout, _ = open_cells(name, data, competition, True)
    ids, _, _, problems = identify(found, layout, competition)
    if problems:
        first = problems[0]
        guess = "" if first.kind == UNKNOWN_LABEL else "; is the file truncated or damaged?"
        raise KitError(f"{name} row {first.row}: {first.detail}{guess}")
    if not ids:
        raise KitError(f"{name}: holds no row")
    return ids


def read_keys(source: Any, competition: Competition = AIRBUS) -> tuple[list[Key], list[str]]:
    """What each row of a submission is about, and the names of all its columns.

    A damaged row has the key that could be read.

    Args:
        source: a path, bytes, (name, bytes), or a DataFrame of pandas or polars.
        competition: its conventions.

    Returns:
        The distinct keys in order of first appearance; the columns.

    Raises:
        KitError: if the source is not a CSV with the competition's columns.
    """
    found, layout, header = open_cells(*load_text(source), competition, True)
    texts, codes = _number_cells(found, 0)
    if layout.separator:
        parts = (text.rpartition(layout.separator) for text in texts)
        return [Key(image, label) for image, _, label in parts], header
    if not layout.label:
        return [Key(text) for text in texts], header
    labels, numbers = _number_cells(found, 1)
    pairs = dict.fromkeys(zip(codes.tolist(), numbers.tolist()))
    return [Key(texts[code], labels[number]) for code, number in pairs], header


def tabulate(problems: list[Problem]) -> Any:
    """Problems as a DataFrame with the columns kind, row, image, detail, sorted by row."""
    import pandas as pd

    ordered = sorted(problems, key=lambda problem: problem.row)
    return pd.DataFrame(
        [vars(problem) for problem in ordered], columns=["kind", "row", "image", "detail"]
    )


def _number_cells(found: Cells, column: int) -> tuple[list[str], np.ndarray]:
    """The distinct texts of a column in order of first appearance, and the number of each row."""
    codes, firsts = csv_scan.number(found, column)
    return csv_scan.list_texts(found, firsts, column), codes


def _renumber(texts: list[str], codes: np.ndarray) -> tuple[list[str], np.ndarray]:
    """The same with equal texts under one number, and blank ones under -1."""
    distinct = list(dict.fromkeys(text for text in texts if text.strip()))
    place = {text: number for number, text in enumerate(distinct)}
    return distinct, np.array([place.get(text, -1) for text in texts], np.int64)[codes]


def _may_be_blank(found: Cells) -> bool:
    """Whether an id could be blank: it is empty or begins with no visible ASCII character."""
    begin, end = found.begin[:, 0], found.end[:, 0]
    if not len(begin) or (begin == end).any():
        return True
    first = found.data[begin]
    return bool((first <= 32).any() or (first >= 127).any())


def _label_number(text: str, competition: Competition) -> int:
    """The number of a label's text; -1 if it is not a label."""
    if competition.labels:
        return competition.labels.index(text) if text in competition.labels else -1
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else -1


def identify(
    found: Cells, layout: Layout, competition: Competition
) -> tuple[list[str], np.ndarray, np.ndarray, list[Problem]]:
    """Distinct image ids; image and label of every row; problems of structure, ids and labels.

    image: int64 (rows,), position in the ids, -1: none; label: int64 (rows,), -1: illegal.
    """
    texts, codes = _number_cells(found, 0)
    ids, image = texts, codes
    if layout.separator:
        ids, image = _renumber([text.rpartition(layout.separator)[0] for text in texts], codes)
    elif found.doubled.any() or _may_be_blank(found):
        ids, image = _renumber(texts, codes)
    labels, tags, numbers = np.zeros(len(codes), np.int64), [""], codes * 0  # without labels: 0
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
            kind, detail = UNKNOWN_LABEL, f"unknown label {tags[numbers[row]][:40]!r}"
            if not competition.labels:
                detail += (
                    f"; competition {competition.name} names no labels, so they are whole numbers; "
                    'give a JSON file with {"labels": [...]} by --competition'
                )
        problems.append(Problem(kind, row + 2, name, detail))
    return ids, image, labels, problems
