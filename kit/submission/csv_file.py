"""The submission CSV, written and checked by the same rules."""

from collections import Counter
from pathlib import Path
from typing import Any

from ..competition import csv_masks, csv_text
from ..competition.catalog import find_competition
from ..competition.conventions import AIRBUS, Competition
from ..competition.keys import Problem, read_keys
from ..competition.layout import lay_out
from ..competition.sample import Sample, read_sample
from ..competition.sizes import LARGEST, find_sizes
from ..errors import KitError
from ..masks import table
from ..masks.table import Masks
from ..system.csv_bytes import load_text
from ..system.files import replacing

SHOWN = 3  # rows that the report shows of each kind of problem


def find_problems(
    source: Any,
    sample: Sample | None,
    competition: Competition = AIRBUS,
    shapes: csv_masks.Shapes | None = None,
) -> tuple[Masks, list[Problem]]:
    """Finds everything for which Kaggle would reject or misread a submission.

    Args:
        source: the submission: a path, bytes, (name, bytes), or a DataFrame.
        sample: what its columns and rows must be; None allows any rows.
        competition: its conventions.
        shapes: (height, width) of images by id, if they differ.

    Returns:
        The masks of the legal rows, and the problems.

    Raises:
        KitError: if the source is not a CSV with the competition's columns.
    """
    name, data = load_text(source)
    differences = list[Problem]()
    if sample is not None:
        keys, columns = read_keys((name, data), competition)
        differences = sample.compare(keys, columns)
        if shapes is not None:  # images that the sample does not have need no size
            unknown = {key.image for key in keys} - set(sample.ids)
            shapes = dict.fromkeys(unknown, LARGEST) | dict(shapes)
    found, problems = csv_masks.inspect_submission((name, data), competition, shapes=shapes)
    return found, problems + differences


def check_csv(
    prediction: Any,
    sample: Any,
    *,
    shape: tuple[int, int] | str | None = None,
    images: Any = None,
    competition: Competition | Path | str = AIRBUS,
) -> tuple[list[Problem], str]:
    """Checks a submission against the sample.

    Args:
        prediction: the submission: a path, bytes, (name, bytes), or a DataFrame of pandas or
            polars.
        sample: the sample submission, whose columns and rows count, in the same forms.
        shape: (height, width) of the images in px, or the text HEIGHTxWIDTH, if not the
            competition's.
        images: where the sizes of the images come from if they differ, see `read_sizes`.
        competition: its conventions: a Competition, a name in COMPETITIONS or a .json file.

    Returns:
        Every problem, and a report for people: how many there are of each kind, and the first rows.

    Raises:
        KitError: if a file is not a CSV with the competition's columns, or a size is not known.
    """
    conventions = find_competition(competition).with_shape(shape)
    name, data = load_text(prediction)
    wanted = read_sample(sample, conventions)
    shapes = find_sizes(images, wanted.competition, wanted.ids, (name, data), sample)
    found, problems = find_problems((name, data), wanted, wanted.competition, shapes)
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
    number = f"{len(problems)} problem{'s' * (len(problems) > 1)}"
    lines = [f"{name}: {number}; Kaggle would reject it or misread it."]
    for kind, count in Counter(problem.kind for problem in problems).most_common():
        lines += [f"{count} x {kind}", *shown[kind]]
    return problems, "\n".join(lines)


def write_csv(
    masks: Masks,
    path: Path | str,
    competition: Competition | Path | str = AIRBUS,
    *,
    sample: Any = None,
) -> None:
    """Writes masks as a submission, whole or not at all.

    Before the file takes its place, it is read back and checked by the rules of `check_csv`. So
    what is written passes that check.

    Args:
        masks: the masks of each image.
        path: where the submission goes.
        competition: its conventions: a Competition, a name in COMPETITIONS or a .json file.
        sample: the sample submission (a path, bytes, (name, bytes), or a DataFrame), which gives
            the images, their order and the form; None: as in `masks`.

    Raises:
        KitError: if an image of the sample has no prediction, the check finds a problem, or the
            file cannot be written.
    """
    competition, wanted = find_competition(competition), None
    if sample is not None:
        wanted = read_sample(sample, competition)
        competition = wanted.competition
        missing = set(wanted.ids) - set(masks.ids)
        if missing:
            raise KitError(
                f"{path}: no prediction for {len(missing)} images of the sample, "
                f"the first is {min(missing)}"
            )
        masks = table.select_ids(masks, wanted.ids)
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
        by_object = lay_out(competition, True).row == "object"
        wanted_back = masks if by_object else table.join(masks)
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
