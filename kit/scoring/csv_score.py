"""The score of a prediction CSV against a truth CSV (tests: scoring/test_scores.py)."""

from pathlib import Path
from typing import Any

import numpy as np

from ..competition import csv_masks
from ..competition.catalog import find_competition
from ..competition.conventions import AIRBUS, Competition
from ..competition.keys import Key, read_ids, read_keys
from ..competition.sizes import find_sizes
from ..errors import KitError
from ..masks import table
from ..masks.table import Masks
from ..system.files import check_target, write_text
from .counts import Counts, align, count
from .summary import format_per_image, summarize


def count_csv(
    truth: Any,
    prediction: Any,
    competition: Competition = AIRBUS,
    *,
    shapes: csv_masks.Shapes | None = None,
) -> Counts:
    """Counts of a prediction CSV against a truth CSV.

    Args:
        truth: a path, bytes, (name, bytes), or a DataFrame of pandas or polars.
        prediction: the same.
        competition: how to read the two.
        shapes: (height, width) in px by image id, if the images differ in size.

    Returns:
        Counts of each image; in a competition with labels, of each image and label.

    Raises:
        KitError: if rows are malformed, objects overlap, an image has both a mask and a blank row,
            or one CSV has an image that the other lacks.
    """
    real = csv_masks.read_csv(truth, competition, shapes=shapes)
    found = csv_masks.read_csv(prediction, competition, submission=True, shapes=shapes)
    if competition.absent_is_empty:
        known = set(real.ids)
        absent = [place for place, name in enumerate(found.ids) if name not in known]
        real = table.concatenate([real, table.blank(found.ids[absent], found.shapes[absent])])
    names = [
        Path(side).name if isinstance(side, str | Path) else word
        for side, word in ((truth, "truth"), (prediction, "prediction"))
    ]
    found = align(real, found, names)
    if competition.sample_height and not np.array_equal(real.shapes, found.shapes):
        (height, width), other = real.shapes[0], found.shapes[0]
        raise KitError(
            f"{names[1]}: its masks are {other[0]} x {other[1]} px, the truth's are {height} x "
            f"{width}; give the truth at the submission's size, and --shape {other[0]}x{other[1]}"
        )
    if competition.label_column or competition.label_separator:
        _check_labels(prediction, found, competition)
        number = len(competition.need("labels"))
        real, found = table.split_labels(real, number), table.split_labels(found, number)
    return count(real, found)


def _check_labels(prediction: Any, found: Masks, competition: Competition) -> None:
    """KitError if the prediction needs a row for each image and label and lacks one."""
    if (competition.sample_row or competition.row) != "image and label" or not len(found):
        return
    given = set(read_keys(prediction, competition)[0])
    wanted = (Key(name, tag) for name in found.ids for tag in competition.need("labels"))
    missing = next((key for key in wanted if key not in given), None)
    if missing is not None:
        raise KitError(
            f"the prediction has no row {missing.spell(competition)}; give it at least a blank one"
        )


def score_csv(
    truth: Any,
    prediction: Any,
    *,
    shape: tuple[int, int] | str | None = None,
    images: Any = None,
    per_image: Path | str | None = None,
    competition: Competition | Path | str = AIRBUS,
) -> dict[str, Any]:
    """The competition's score of a prediction CSV against a truth CSV.

    Args:
        truth: a path, bytes, (name, bytes), or a DataFrame of pandas or polars.
        prediction: the same.
        shape: (height, width) in px, or the text HEIGHTxWIDTH; None: the competition's.
        images: where the sizes of the images come from if they differ, see `read_sizes`; None:
            columns of the truth that begin with height and width.
        per_image: path of a CSV to write, with one row per image.
        competition: how to read and score the two: a Competition, a name in COMPETITIONS or a
            .json file.

    Returns:
        The dictionary of `summarize`.

    Raises:
        KitError: as `count_csv` does, if a size is not known, or if `per_image` cannot be written.
    """
    conventions = find_competition(competition).with_shape(shape)
    score = conventions.need("score")
    if per_image is not None:
        check_target(Path(per_image))
    ids = () if images is None else read_ids(truth, conventions)
    shapes = find_sizes(images, conventions, ids, truth, prediction)
    counts = count_csv(truth, prediction, conventions, shapes=shapes)
    if per_image is not None:
        write_text(per_image, format_per_image(counts, score))
    return summarize(counts, score)
