"""The submission CSV: one set of rules, by which it is written and checked."""

from __future__ import annotations

import csv
import io
from collections import Counter
from pathlib import Path

from . import masks as table
from .competition import AIRBUS, Competition
from .errors import KitError
from .masks import Masks, Problem
from .writing import replacing


def find_problems(path, ids: list[str], competition: Competition = AIRBUS) -> tuple[Masks, list[Problem]]:
    """The masks of a submission and everything for which Kaggle would reject or misread it; `ids` are the sample's."""
    found, problems = table.inspect_csv(path, competition)
    wanted, given = set(ids), set(found.ids)
    problems += [Problem("image missing", 0, name, "the sample names it, the submission does not") for name in ids if name not in given]
    problems += [Problem("image not in the sample", 0, name, "is not among the sample's ids") for name in found.ids if name not in wanted]
    return found, problems


def check_csv(prediction, sample, *, shape: tuple[int, int] | None = None, competition: Competition = AIRBUS) -> tuple[list[Problem], str]:
    """Every problem of a submission against the sample's ids, and a report for people, with counts and the first rows of each kind.

    Raises KitError where a file cannot be read as a CSV with the competition's columns.
    """
    competition = competition.with_shape(shape)
    ids = table.read_ids(sample, competition)
    found, problems = find_problems(prediction, ids, competition)
    if not problems:
        ships = int(table.count_objects(found).sum())
        return (
            [],
            f"{Path(prediction).name}: fine. {len(found)} images, {ships} masks, {(table.count_objects(found) == 0).sum()} images blank.",
        )
    lines = []
    for kind, count in Counter(problem.kind for problem in problems).items():
        lines.append(f"{count} x {kind}")
        for problem in [problem for problem in problems if problem.kind == kind][:3]:
            lines.append(f"    {f'row {problem.row}, ' if problem.row else ''}{problem.image!r}: {problem.detail}")
    return problems, "\n".join([f"{Path(prediction).name}: {len(problems)} problems; Kaggle would reject it or misread it.", *lines])


def write_csv(masks: Masks, path, competition: Competition = AIRBUS, *, sample=None) -> None:
    """Writes `masks` as a CSV that appears whole or not at all, in the sample's order of images where `sample` (a path) is given.

    The file is read back and checked by the rules of `check_csv` before it takes its place: what is written passes by construction.
    """
    ids = list(masks.ids) if sample is None else table.read_ids(sample, competition)
    missing = set(ids) - set(masks.ids)
    if missing:
        raise KitError(f"{path}: no prediction for {len(missing)} images of the sample, the first is {min(missing)}")
    masks = table.select_ids(masks, ids)
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([competition.id_column, competition.runs_column])
    writer.writerows(table.rows(masks))
    with replacing(path) as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8", newline="")
        back, problems = find_problems(temporary, ids, competition)
        if problems:
            raise KitError(f"{path}: not written, {problems[0].kind}: {problems[0].image} {problems[0].detail}")
        if back != masks:
            raise KitError(f"{path}: not written, what was read back differs from the masks; is the disk sound?")
