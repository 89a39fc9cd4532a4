"""A probability map's objects: what makes a pixel an object pixel, a component an object, and an image empty."""

from collections.abc import Iterable, Sequence

import numpy as np

from ..cuts import Cuts, keep, read_least
from ..errors import KitError
from ..masks import table
from ..masks.table import Masks
from .components import COLUMNS, as_map, find_components
from .rectangles import fit_rectangles


def find_objects(
    ids: Iterable[str],
    maps: Iterable[np.ndarray],
    cuts: Cuts = Cuts(),
    *,
    presence: Sequence[float] | np.ndarray | None = None,
    connectivity: int = 4,
) -> Masks:
    """Objects of probability maps (height, width), one an id: uint8, or floats in 0..1, which count as their `to_uint8`.

    First come 4- or 8-connected components, in the order of their first pixel, column by column; then the cuts; then rectangles, clipped
    to the image and to pixels of no other object. presence: for each image the probability that it holds any object, for the gate.
    """
    names, found = list(ids), []
    given = [None] * len(names) if presence is None else list(presence)
    if cuts.min_presence and presence is None:
        raise KitError(
            "these cuts hold a gate (min_presence), and nothing says how likely an image holds an object; tune without it"
        )
    images = list(maps)
    if not len(images) == len(names) == len(given):
        raise KitError(f"{len(names)} ids for {len(images)} maps")
    for name, image, likely in zip(names, images, given):
        # float(): NumPy would round the cut to a float32's own kind
        if cuts.blank or (likely is not None and float(likely) < cuts.min_presence):
            found.append(table.blank([name], np.shape(image)))
        else:
            found.append(_find(name, image, cuts, connectivity))
    return found[0] if len(found) == 1 else table.concatenate(found)


def _find(name: str, image: np.ndarray, cuts: Cuts, connectivity: int) -> Masks:
    if cuts.small_area:
        objects = _find_by_size(name, image, cuts, connectivity)
    else:
        objects = find_components([name], [image], cuts.threshold, connectivity=connectivity)
    kept = keep(lambda column: COLUMNS[column](objects, image), **read_least(cuts))
    if kept is not True:
        objects = table.select_objects(objects, kept)
    if cuts.rectangles and len(objects.labels):
        objects, _ = fit_rectangles(objects, [image], min_fit=cuts.min_fit)
    return objects


def _find_by_size(name: str, image: np.ndarray, cuts: Cuts, connectivity: int) -> Masks:
    """Components of small_threshold that are small, and those of `threshold` in the others; in order of their first pixel."""
    pixels, _ = as_map(image)
    wide = find_components([name], [pixels], cuts.small_threshold, connectivity=connectivity)
    narrow = find_components([name], [pixels], cuts.threshold, connectivity=connectivity)
    small = table.areas(wide) < cuts.small_area
    parts = [
        table.select_objects(wide, small),
        table.select_objects(narrow, ~small[find_parents(narrow, wide)]),
    ]
    order = np.argsort(
        np.concatenate([part.start[part.runs[:-1]] for part in parts]), kind="stable"
    )
    both = table.concatenate(parts)  # two images of one name, made one
    start, length, runs = table.gather_runs(both.start, both.length, both.runs, order)
    return Masks(
        wide.ids, wide.shapes, np.array([0, len(order)]), both.labels[order], runs, start, length
    )


def find_parents(narrow: Masks, wide: Masks) -> np.ndarray:
    """For each component of a higher threshold the one of a lower threshold (its position) that holds it; both of one image.

    int64 (components of `narrow`,). Both tables are components of one map by the same connectivity.
    """
    order = np.argsort(wide.start)
    owner = np.repeat(np.arange(len(wide.labels)), np.diff(wide.runs))[order]
    first = narrow.start[narrow.runs[:-1]]
    return owner[np.searchsorted(wide.start[order], first, side="right") - 1]
