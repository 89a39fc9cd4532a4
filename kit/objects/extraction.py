"""From probability maps to objects, by the cuts."""

from collections.abc import Iterable, Sequence

import numpy as np

from ..cuts import Cuts, keep, read_least
from ..errors import KitError
from ..masks import table
from ..masks.stream import visit
from ..masks.table import Masks
from .components import COLUMNS, split_map
from .maps import check_map
from .rectangles import fit_rectangles


def find_objects(
    ids: Iterable[str],
    maps: Iterable[np.ndarray],
    cuts: Cuts = Cuts(),
    *,
    presence: Sequence[float] | np.ndarray | None = None,
    connectivity: int = 4,
) -> Masks:
    """Objects of probability maps, ordered by first pixel, column by column.

    The cuts first drop components. What is left may then become rectangles, clipped to the image
    and to pixels of no other object. Of a generator, one map is in memory at a time.

    Args:
        ids: one id per map.
        maps: arrays (height, width), uint8 or float in 0..1; floats count as their `to_uint8`.
        cuts: thresholds and cuts; the default is threshold 128 and no cut.
        presence: per image the probability that it holds an object, for the gate.
        connectivity: 4 or 8.

    Returns:
        One table of all images.

    Raises:
        KitError: if the cuts have a gate and `presence` is None, if the numbers of ids, maps and
            presences differ, or if a map is not 2-D, is neither uint8 nor float, or holds NaN or
            values outside 0..1 (by more than 1e-6).

    Example:
        >>> found = find_objects(["a"], [np.array([[0.9, 0.2, 0.6]])], Cuts(threshold=200))
        >>> found.start.tolist(), found.length.tolist()
        ([0], [1])
    """
    if cuts.min_presence and presence is None:
        raise KitError(
            "the cuts have a gate (min_presence), but it is not known how likely each image "
            "holds an object; tune without the gate"
        )

    def find(name: str, image: np.ndarray, likely: float | None) -> Masks:
        pixels = check_map(image, where=name)
        # float(): against a float32, NumPy would round the cut to float32
        if cuts.blank or (likely is not None and float(likely) < cuts.min_presence):
            return table.blank([name], pixels.shape)
        return _find(name, pixels, cuts, connectivity)

    return table.concatenate(visit(find, ids, maps, "maps", presences=presence))


def _find(name: str, pixels: np.ndarray, cuts: Cuts, connectivity: int) -> Masks:
    if cuts.small_area:
        objects, threshold = _find_by_size(name, pixels, cuts, connectivity)
    else:
        objects = split_map(name, pixels, cuts.threshold, connectivity)
        threshold = np.full(len(objects.labels), cuts.threshold)
    kept = keep(lambda column: COLUMNS[column](objects, pixels), **read_least(cuts))
    if kept is not True:
        objects, threshold = table.select_objects(objects, kept), threshold[kept]
    if cuts.rectangles and len(objects.labels):
        objects, _ = fit_rectangles(objects, [pixels], min_fit=cuts.min_fit, threshold=threshold)
    return objects


def _find_by_size(
    name: str, pixels: np.ndarray, cuts: Cuts, connectivity: int
) -> tuple[Masks, np.ndarray]:
    """Small components at small_threshold, and the components at `threshold` inside the others.

    They are in the order of their first pixel. The threshold of each comes with them, int64.
    """
    wide = split_map(name, pixels, cuts.small_threshold, connectivity)
    narrow = split_map(name, pixels, cuts.threshold, connectivity)
    small = table.areas(wide) < cuts.small_area
    pair = [
        table.select_objects(wide, small),
        table.select_objects(narrow, ~small[find_parents(narrow, wide)]),
    ]
    first = np.concatenate([masks.start[masks.runs[:-1]] for masks in pair])
    order = np.argsort(first, kind="stable")
    both = table.concatenate(pair)  # two images of one name, merged below
    start, length, runs = table.gather_runs(both.start, both.length, both.runs, order)
    merged = Masks(
        wide.ids, wide.shapes, np.array([0, len(order)]), both.labels[order], runs, start, length
    )
    threshold = np.repeat([cuts.small_threshold, cuts.threshold], [len(one.labels) for one in pair])
    return merged, threshold[order]


def find_parents(narrow: Masks, wide: Masks) -> np.ndarray:
    """Positions in `wide` of the components that hold those of `narrow`, int64 (components,).

    Both tables are components of one map by the same connectivity; `wide` has the lower threshold.
    """
    order = np.argsort(wide.start)
    owner = np.repeat(np.arange(len(wide.labels)), np.diff(wide.runs))[order]
    first = narrow.start[narrow.runs[:-1]]
    return np.asarray(owner[np.searchsorted(wide.start[order], first, side="right") - 1])
