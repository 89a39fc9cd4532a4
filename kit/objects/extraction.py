"""From probability maps to objects, by the cuts."""

from collections.abc import Iterable, Sequence

import numpy as np

from ..cuts import Cuts
from ..errors import KitError
from ..masks import table
from ..masks.stream import visit
from ..masks.table import Masks
from .components import split_map
from .forest import choose, grow_forest, rate
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

    The cuts first choose components. These may then become rectangles, clipped to the image and to
    pixels of no other object. Of a generator, one map is in memory at a time.

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
    if cuts.worth:
        forest = grow_forest(name, pixels, connectivity)
        gain = rate(forest.measures, np.array(cuts.worth)) - cuts.min_worth
        objects, threshold = forest.take(choose(forest.level, forest.parent, gain))
    else:
        objects = split_map(name, pixels, cuts.threshold, connectivity)
        threshold = np.full(len(objects.labels), cuts.threshold)
    if cuts.rectangles and len(objects.labels):
        objects, _ = fit_rectangles(objects, [pixels], threshold=threshold)
    return objects
