"""The columns of a competition's CSVs (tests: competition/test_csv_conventions.py)."""

import dataclasses
from dataclasses import dataclass

import numpy as np

from ..errors import KitError
from ..system.csv_bytes import read_header
from . import csv_scan
from .conventions import Competition
from .csv_scan import Cells


@dataclass(frozen=True)
class Layout:
    """The columns of one kind of CSV, the truth or the submission, and the size of its masks."""

    id: str
    label: str  # "": there is none
    runs: str
    separator: str  # between image id and label in the id cell; "": the cell is the image id
    row: str  # what one row holds, one of ROWS
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
        columns = c.id_column, c.label_column, c.runs_column
        return Layout(*columns, separator, c.row, c.height, c.width)
    return Layout(
        id=c.sample_id_column or c.id_column,
        label="" if separator else c.label_column,
        runs=c.sample_runs_column or c.runs_column,
        separator=separator,
        row=c.sample_row or c.row,
        height=c.sample_height or c.height,
        width=c.sample_width or c.width,
    )


def with_label_column(competition: Competition) -> Competition:
    """The conventions if the submission writes labels in a column of their own, as the truth does.

    A competition with a label column and a separator may have both forms: Severstal changed its
    submission from `ImageId_ClassId` to `ImageId,ClassId`.
    """
    if not competition.label_column or not competition.label_separator:
        return competition
    return dataclasses.replace(competition, label_separator="", sample_id_column="")


def open_cells(
    name: str, data: np.ndarray, competition: Competition, submission: bool, exact: bool = False
) -> tuple[Cells, Layout, list[str]]:
    """The cells of a CSV's columns, and the layout that its header has.

    Args:
        name: what errors call the CSV.
        data: uint8 (bytes,), the whole file.
        competition: its conventions.
        submission: whether the submission's layout is tried first; otherwise the truth's is.
        exact: no other layout is tried.

    Returns:
        Cells of the columns id, label (if there is one) and runs; the layout; all column names.

    Raises:
        KitError: if a column is missing or appears twice.
    """
    header, at = read_header(name, data)
    sides = (submission,) if exact else (submission, not submission)
    layouts = [lay_out(competition, side) for side in sides]
    if not exact:
        layouts.append(lay_out(with_label_column(competition), submission=True))
    for layout in layouts:
        if all(header.count(column) == 1 for column in layout.columns):
            picks = [header.index(column) for column in layout.columns]
            return csv_scan.split(data, at, len(header), picks), layout, header
    column = next(column for column in layouts[0].columns if header.count(column) != 1)
    fault = "is missing" if column not in header else "appears twice"
    raise KitError(f"{name}: column {column} {fault}; its header is {','.join(header)[:80]!r}")
