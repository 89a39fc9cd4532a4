"""The sample submission is the law: its columns, its rows and its form are the submission's."""

import dataclasses
from collections import Counter
from dataclasses import dataclass
from typing import Any

from ..errors import KitError
from ..system.csv_bytes import load_text
from .conventions import AIRBUS, Competition
from .keys import Key, Problem, read_ids, read_keys
from .layout import lay_out, open_cells, with_label_column

UNKNOWN = "the sample has no such column"
UNNAMED = f"{UNKNOWN}; with pandas write index=False"


@dataclass(frozen=True)
class Sample:
    """What a submission must look like."""

    competition: Competition  # its conventions in the form that the sample has
    columns: list[str]
    keys: list[Key]  # of its rows: images, or images and labels
    ids: list[str]  # of its images

    def compare(self, keys: list[Key], columns: list[str]) -> list[Problem]:
        """Every difference between a submission's rows and columns and the sample's."""
        problems = [
            Problem("column not in the sample", 1, name, UNKNOWN if name else UNNAMED)
            for name in (Counter(columns) - Counter(self.columns)).elements()
        ]
        problems += [
            Problem("column missing", 1, name, "the sample has it, the submission does not")
            for name in (Counter(self.columns) - Counter(columns)).elements()
        ]
        what = "image and label" if self.keys and self.keys[0].label else "image"
        wanted, given = set(self.keys), set(keys)
        problems += [
            Problem(
                f"{what} missing",
                0,
                key.spell(self.competition),
                "the sample names it, the submission does not",
            )
            for key in self.keys
            if key not in given
        ]
        problems += [
            Problem(
                f"{what} not in the sample",
                0,
                key.spell(self.competition),
                "is not among the sample's rows",
            )
            for key in keys
            if key not in wanted
        ]
        return problems


def read_sample(source: Any, competition: Competition = AIRBUS) -> Sample:
    """The sample submission; its runs are placeholders and are not read.

    It decides what the competition leaves open: labels that are not set are those of its rows, and
    where a competition has two forms of submission, the sample's is taken.

    Args:
        source: a path, bytes, (name, bytes), or a DataFrame of pandas or polars.
        competition: its conventions.

    Raises:
        KitError: if the source is not a CSV with the competition's columns, is damaged or holds no
            row.
    """
    name, data = load_text(source)
    _, layout, _ = open_cells(name, data, competition, True)
    if layout == lay_out(with_label_column(competition), submission=True):
        competition = with_label_column(competition)
    keys, columns = read_keys((name, data), competition)
    labels = tuple(dict.fromkeys(key.label for key in keys if key.label))
    if not competition.labels and not all(label.isdecimal() for label in labels):
        try:
            competition = dataclasses.replace(competition, labels=labels)
        except KitError as error:
            raise KitError(f"{name}: its labels cannot be taken: {error}") from None
    return Sample(competition, columns, keys, read_ids((name, data), competition))
