"""The sizes of images that differ in size: from their files, from file names, or from a CSV."""

import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from PIL import Image, UnidentifiedImageError

from ..errors import KitError
from ..system.csv_bytes import load_text, read_header
from . import csv_scan
from .conventions import Competition
from .csv_masks import Shapes
from .layout import lay_out
from .listing import compile_path, list_images
from .sources import Source, find_source, reading

# For images whose size is not known and does not matter: the largest possible.
LARGEST = 2**15, 2**16 - 1


def find_sizes(
    images: Any, competition: Competition, ids: Iterable[str], *csvs: Any
) -> Shapes | None:
    """The size of each image, if the competition's images differ in size.

    Args:
        images: as in `read_sizes`; None: the sizes stand in a CSV's columns, if at all.
        competition: its conventions.
        ids: images to measure.
        csvs: where columns with sizes may stand.

    Returns:
        (height, width) in px by image id; None if all have the competition's size.

    Raises:
        KitError: if the sizes are not known, or as for `read_sizes`.
    """
    if images is not None:
        return read_sizes(images, competition, ids)
    layout = lay_out(competition, True)
    if layout.height is not None and layout.width is not None:
        return None
    for source in csvs:
        found = _read_columns(*load_text(source), competition)
        if found:
            return found
    competition.need("height" if layout.height is None else "width")
    return None


def read_sizes(images: Any, competition: Competition, ids: Iterable[str]) -> Shapes:
    """The size of each image.

    Args:
        images: a mapping of ids to (height, width); the competition's folder or zip, or a folder
            with the images, called by their ids; or a CSV (a path, bytes, (name, bytes), or a
            DataFrame) whose first column or id column names images, with one column that begins
            with height and one that begins with width.
        competition: its conventions.
        ids: images to measure. Others may be missing from the result.

    Raises:
        KitError: if there are no such files or columns, or a file is not an image.
    """
    if isinstance(images, Mapping):
        return images
    if isinstance(images, str | Path) and (
        Path(images).is_dir() or str(images).lower().endswith(".zip")
    ):
        return _measure(find_source(images, competition), competition, ids)
    name, data = load_text(images)
    found = _read_columns(name, data, competition)
    if not found:
        raise KitError(
            f"{name}: has no columns of sizes; give a folder of images, or a CSV with an id, a "
            "column that begins with height and one that begins with width"
        )
    return found


def _read_columns(name: str, data: Any, competition: Competition) -> dict[str, tuple[int, int]]:
    """Sizes from the columns of a CSV; empty if it has no such columns."""
    header, at = read_header(name, data)
    sides = [
        [place for place, title in enumerate(header) if title.lower().startswith(side)]
        for side in ("height", "width")
    ]
    if any(len(places) != 1 for places in sides):
        return {}
    named = (lay_out(competition, side).id for side in (False, True))
    first = next((header.index(title) for title in named if title in header), 0)
    cells = csv_scan.split(data, at, len(header), [first, sides[0][0], sides[1][0]])
    sizes: dict[str, tuple[int, int]] = {}
    for row in range(len(cells.begin)):
        image, height, width = (cells.text(row, place) for place in range(3))
        sides_are_numbers = all(side.isdecimal() and len(side) < 10 for side in (height, width))
        if cells.problem[row] or not sides_are_numbers:
            raise KitError(
                f"{name} row {row + 2} ({image}): height {height[:20]!r} and width {width[:20]!r}: "
                "expected whole numbers of px"
            )
        size = int(height), int(width)
        if sizes.setdefault(image, size) != size:
            raise KitError(f"{name} row {row + 2} ({image}): another size than in an earlier row")
    endings = {image.rpartition(".")[0]: size for image, size in sizes.items() if "." in image}
    return endings | sizes  # an id may stand there with or without the ending of its file


def _measure(source: Source, competition: Competition, ids: Iterable[str]) -> Shapes:
    wanted, sizes = set(ids), dict[str, tuple[int, int]]()
    own = competition.image_id
    places = [(competition.test_images, own), (competition.train_images, own)]
    with reading(source.path) as read:
        for pattern, image_id in (*places, ("{id}", "{id}"), ("{id}.{ending}", "{id}")):
            try:
                listed = list_images(source, pattern, image_id) if pattern else {}
            except KitError:
                continue  # the folder holds no image at this place
            for name in wanted & listed.keys() - sizes.keys():
                file = listed[name]
                match = compile_path(pattern).fullmatch(file.name)
                parts = match.groupdict() if match else {}
                if "height" in parts and "width" in parts:
                    sizes[name] = int(parts["height"]), int(parts["width"])
                else:
                    sizes[name] = _read_size(file.name, read(file))
    return sizes


def _read_size(name: str, data: bytes) -> tuple[int, int]:
    try:
        with Image.open(io.BytesIO(data)) as image:
            return image.height, image.width
    except (Image.DecompressionBombError, UnidentifiedImageError, OSError, ValueError) as error:
        raise KitError(f"{name}: its size cannot be read: {error}; give a CSV of sizes") from None
