"""`Masks` as the text of a CSV, by a competition's conventions."""

from pathlib import Path

import numpy as np

from ..errors import KitError
from ..masks import rle, table
from ..masks.table import Masks
from ..masks.transposition import transpose
from .catalog import find_competition
from .conventions import AIRBUS, Competition
from .layout import Layout, lay_out


def format_csv(
    masks: Masks, competition: Competition | Path | str = AIRBUS, *, submission: bool = False
) -> bytes:
    """The CSV of `masks`, as the competition's truth or submission has it.

    It has a header, one row per object, and a blank row for each image without an object.

    Raises:
        KitError: if the competition does not set what is needed, or an id cannot be written.

    >>> from kit.competition.csv_masks import read_csv
    >>> format_csv(read_csv(b"ImageId,EncodedPixels\\na.jpg,1 3\\nb.jpg,\\n"))
    b'ImageId,EncodedPixels\\na.jpg,1 3\\nb.jpg,\\n'
    """
    competition = find_competition(competition)
    layout = lay_out(competition, submission)
    if layout.row != "object":
        masks = table.join(masks)  # such a row is one mask, with everything in it
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
    relative, empty = competition.relative, competition.empty
    return header + rle.write(
        encoded, prefix, items, runs, start, length, relative=relative, empty=empty
    )


def _quote(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if any(mark in text for mark in ',"\r\n') else text


def _list_labeled(
    masks: Masks, layout: Layout, competition: Competition, silent: bool
) -> tuple[list[str], list[int]]:
    """For each row of a CSV with labels, the text before its runs and its object (-1: blank).

    silent: an image without an object has no row.
    """
    prefixes, items = list[str](), list[int]()
    known = len(competition.labels) or 2**31
    wrong = masks.labels[(masks.labels < 0) | (masks.labels >= known)]
    if len(wrong):
        names = ", ".join(competition.labels) or "whole numbers from 0"
        raise KitError(f"label {wrong[0]} is not one of the competition's: {names}")

    def add(name: str, label: int, item: int) -> None:
        tag = competition.labels[label] if competition.labels else str(label)
        cells = [f"{name}{layout.separator}{tag}"] if layout.separator else [name, tag]
        prefixes.append("".join(f"{_quote(cell)}," for cell in cells))
        items.append(item)

    for image, name in enumerate(masks.ids):
        held = range(masks.objects[image], masks.objects[image + 1])
        if silent or layout.row == "object":
            for item in held:
                add(name, int(masks.labels[item]), item)
            if silent or held:
                continue
        by_label = {int(masks.labels[item]): item for item in held}
        for label in range(len(competition.need("labels"))):
            add(name, label, by_label.get(label, -1))
    return prefixes, items
