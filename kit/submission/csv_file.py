"""The submission CSV: one set of rules, by which it is written and checked."""

from collections import Counter
from pathlib import Path

from ..competition import csv_masks
from ..competition.conventions import AIRBUS, Competition
from ..competition.csv_masks import Problem
from ..errors import KitError
from ..masks import table
from ..masks.table import Masks
from ..system.files import replacing

SHOWN = 3  # rows of each kind of problem in a report


def find_problems(
    path,
    ids: list[str] | None,
    competition: Competition = AIRBUS,
    shapes: csv_masks.Shapes | None = None,
) -> tuple[Masks, list[Problem]]:
    """The masks of a submission and everything for which Kaggle would reject or misread it.

    ids: the sample's id cells, which name a label too where the competition has one for each row; None: any will do. shapes: sizes of
    images by id, where they differ.
    """
    found, problems = csv_masks.inspect_submission(path, competition, shapes=shapes)
    if ids is not None:
        labeled = bool(competition.label_separator)
        what, cells = (
            ("image and label", csv_masks.read_ids(path, competition, labels=True, strict=False))
            if labeled
            else ("image", list(found.ids))
        )
        wanted, given = set(ids), set(cells)
        problems += [
            Problem(f"{what} missing", 0, cell, "the sample names it, the submission does not")
            for cell in ids
            if cell not in given
        ]
        problems += [
            Problem(f"{what} not in the sample", 0, cell, "is not among the sample's ids")
            for cell in cells
            if cell not in wanted
        ]
    return found, problems


def check_csv(
    prediction, sample, *, shape: tuple[int, int] | None = None, competition: Competition = AIRBUS
) -> tuple[list[Problem], str]:
    """Every problem of a submission against the sample's ids, and a report for people, with counts and the first rows of each kind.

    Raises KitError where a file cannot be read as a CSV with the competition's columns.
    """
    competition = competition.with_shape(shape)
    found, problems = find_problems(
        prediction, csv_masks.read_ids(sample, competition, labels=True), competition
    )
    if not problems:
        ships = table.count_objects(found)
        return (
            [],
            f"{Path(prediction).name}: fine. {len(found)} images, {ships.sum()} masks, {(ships == 0).sum()} images blank.",
        )
    shown, lines = (
        dict[str, list[str]](),
        [
            f"{Path(prediction).name}: {len(problems)} problems; Kaggle would reject it or misread it."
        ],
    )
    for problem in sorted(problems, key=lambda problem: problem.row):
        first = shown.setdefault(problem.kind, [])
        if len(first) < SHOWN:
            first.append(
                f"    {f'row {problem.row}, ' if problem.row else ''}{problem.image!r}: {problem.detail}"
            )
    for kind, count in Counter(problem.kind for problem in problems).most_common():
        lines += [f"{count} x {kind}", *shown[kind]]
    return problems, "\n".join(lines)


def write_csv(masks: Masks, path, competition: Competition = AIRBUS, *, sample=None) -> None:
    """Writes `masks` as a submission that appears whole or not at all, in the sample's order of images where `sample` (a path) is given.

    The file is read back and checked by the rules of `check_csv` before it takes its place: what is written passes by construction.
    """
    wanted = None
    if sample is not None:
        wanted = csv_masks.read_ids(sample, competition, labels=True)
        ids = csv_masks.read_ids(sample, competition) if competition.label_separator else wanted
        missing = set(ids) - set(masks.ids)
        if missing:
            raise KitError(
                f"{path}: no prediction for {len(missing)} images of the sample, the first is {min(missing)}"
            )
        masks = table.select_ids(masks, ids)
    shapes = (
        {name: (int(h), int(w)) for name, (h, w) in zip(masks.ids, masks.shapes)}
        if competition.height is None
        else None
    )
    with replacing(path) as temporary:
        data = csv_masks.format_csv(masks, competition, submission=True)
        temporary.write_bytes(data)
        back, problems = find_problems(temporary, wanted, competition, shapes)
        if problems:
            raise KitError(
                f"{path}: not written, {problems[0].kind}: {problems[0].image} {problems[0].detail}"
            )
        wanted_back = masks if competition.row == "object" else table.join(masks)
        turned = (
            competition.order == "across"
            and csv_masks.format_csv(back, competition, submission=True) == data
        )  # touching runs became one
        if back != wanted_back and not turned:
            raise KitError(
                f"{path}: not written, what was read back differs from the masks; is the disk sound?"
            )
