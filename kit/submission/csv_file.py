"""The submission CSV, written and checked by the same rules."""

from collections import Counter
from pathlib import Path
from typing import Any

from ..competition import csv_masks, csv_text
from ..competition.conventions import AIRBUS, Competition
from ..competition.csv_masks import Problem
from ..errors import KitError
from ..masks import table
from ..masks.table import Masks
from ..system.files import replacing

SHOWN = 3  # rows that the report shows of each kind of problem


def find_problems(
    path: Any,
    ids: list[str] | None,
    competition: Competition = AIRBUS,
    shapes: csv_masks.Shapes | None = None,
) -> tuple[Masks, list[Problem]]:
    """Finds everything for which Kaggle would reject or misread a submission.

    Args:
        path: the submission: a path, bytes, or (name, bytes).
        ids: the sample's id cells, with a label if the competition writes one there; None allows
            any ids.
        competition: its conventions.
        shapes: (height, width) of images by id, if they differ.

    Returns:
        The masks of the legal rows, and the problems.

    Raises:
        KitError: if the file is not a CSV with the competition's columns.
    """
    found, problems = csv_masks.inspect_submission(path, competition, shapes=shapes)
    if ids is not None:
        what, cells = "image", list(found.ids)
        if competition.label_separator:
            what = "image and label"
            cells = csv_masks.read_ids(path, competition, labels=True, strict=False)
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
    prediction: Any,
    sample: Any,
    *,
    shape: tuple[int, int] | None = None,
    competition: Competition = AIRBUS,
) -> tuple[list[Problem], str]:
    """Checks a submission against the sample.

    Args:
        prediction: path of the submission.
        sample: the sample submission, whose ids count: a path, bytes, or (name, bytes).
        shape: (height, width) of the images in px, if not the competition's.
        competition: its conventions.

    Returns:
        Every problem, and a report for people: how many there are of each kind, and the first rows.

    Raises:
        KitError: if a file is not a CSV with the competition's columns.
    """
    competition = competition.with_shape(shape)
    found, problems = find_problems(
        prediction, csv_masks.read_ids(sample, competition, labels=True), competition
    )
    name = Path(prediction).name
    if not problems:
        ships = table.count_objects(found)
        counts = f"{len(found)} images, {ships.sum()} masks, {(ships == 0).sum()} images blank"
        return [], f"{name}: fine. {counts}."
    shown = dict[str, list[str]]()
    for problem in sorted(problems, key=lambda problem: problem.row):
        first = shown.setdefault(problem.kind, [])
        if len(first) < SHOWN:
            row = f"row {problem.row}, " if problem.row else ""
            first.append(f"    {row}{problem.image!r}: {problem.detail}")
    lines = [f"{name}: {len(problems)} problems; Kaggle would reject it or misread it."]
    for kind, count in Counter(problem.kind for problem in problems).most_common():
        lines += [f"{count} x {kind}", *shown[kind]]
    return problems, "\n".join(lines)


def write_csv(
    masks: Masks, path: Path | str, competition: Competition = AIRBUS, *, sample: Any = None
) -> None:
    """Writes masks as a submission, whole or not at all.

    Before the file takes its place, it is read back and checked by the rules of `check_csv`. So
    what is written passes that check.

    Args:
        masks: the masks of each image.
        path: where the submission goes.
        competition: its conventions.
        sample: the sample submission (a path, bytes, or (name, bytes)), which gives the images and
            their order; None: as in `masks`.

    Raises:
        KitError: if an image of the sample has no prediction, the check finds a problem, or the
            disk is full.
    """
    wanted = None
    if sample is not None:
        wanted = csv_masks.read_ids(sample, competition, labels=True)
        ids = csv_masks.read_ids(sample, competition) if competition.label_separator else wanted
        missing = set(ids) - set(masks.ids)
        if missing:
            raise KitError(
                f"{path}: no prediction for {len(missing)} images of the sample, "
                f"the first is {min(missing)}"
            )
        masks = table.select_ids(masks, ids)
    shapes = None
    if competition.height is None:
        shapes = {name: (int(h), int(w)) for name, (h, w) in zip(masks.ids, masks.shapes)}
    with replacing(path) as temporary:
        data = csv_text.format_csv(masks, competition, submission=True)
        temporary.write_bytes(data)
        back, problems = find_problems(temporary, wanted, competition, shapes)
        if problems:
            first = problems[0]
            raise KitError(f"{path}: not written, {first.kind}: {first.image} {first.detail}")
        wanted_back = masks if competition.row == "object" else table.join(masks)
        # Reading rows that count across may join touching runs; the text is the same then.
        turned = (
            competition.order == "across"
            and csv_text.format_csv(back, competition, submission=True) == data
        )
        if back != wanted_back and not turned:
            raise KitError(
                f"{path}: not written, what was read back differs from the masks; "
                "is the disk sound?"
            )
