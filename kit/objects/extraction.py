"""A probability map's objects: what makes a pixel an object pixel, a component an object, and an image empty."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import KitError
from ..masks import table
from ..masks.table import Masks
from ..settings import fits
from .components import as_map, find_components, measure
from .rectangles import fit_rectangles


@dataclass(frozen=True)
class Cuts:
    """From a map to objects; the defaults are threshold 128 and no cut. Values are those of uint8 maps, 255 is certain."""

    threshold: int = 128  # 1 to 255: a pixel belongs to an object where value >= threshold
    min_area: int = 0  # px: smaller components are dropped
    min_confidence: float = 0.0  # 0 to 1: components whose mean probability is lower are dropped
    small_area: int = 0  # px: components of small_threshold below this area keep it, the larger ones have `threshold`; 0: one threshold
    small_threshold: int = 128  # 1 to `threshold`
    min_peak: int = 0  # 0 to 255: components without a pixel of this value are dropped (hysteresis)
    rectangles: bool = False  # components become their best rotated rectangles
    min_fit: float = 0.6  # 0 to 1: soft IoU that such a rectangle has to reach
    min_presence: float = 0.0  # 0 to 1: images of which the network says less are left empty (the gate)
    blank: bool = False  # nothing is an object: no other cut scored more

    def __post_init__(self):
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if not fits(value, {"int": int, "float": float, "bool": bool}[field.type]):
                raise KitError(f"{field.name} {value!r}: expected {field.type}")
        for name, low, high in (
            ("threshold", 1, 255),
            ("small_area", 0, 2**31),
            ("small_threshold", 1, 255),
            ("min_area", 0, 2**31),
            ("min_confidence", 0, 1),
            ("min_peak", 0, 255),
            ("min_fit", 0, 1),
            ("min_presence", 0, 1),
        ):
            if not low <= getattr(self, name) <= high:
                raise KitError(f"{name} {getattr(self, name)}: choose a number from {low} to {high}")
        if self.small_area and self.small_threshold > self.threshold:
            raise KitError(f"small_threshold {self.small_threshold}: small objects' threshold is at most the large ones', {self.threshold}")


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
        raise KitError("these cuts hold a gate (min_presence), and nothing says how likely an image holds an object; tune without it")
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
        raw = _find_by_size(name, image, cuts, connectivity)
        means, peaks = measure(raw, image)
        keep = (table.areas(raw) >= cuts.min_area) & (means >= 255 * cuts.min_confidence) & (peaks >= cuts.min_peak)
        objects = table.select_objects(raw, keep)
    else:
        objects = find_components(
            [name],
            [image],
            cuts.threshold,
            connectivity=connectivity,
            min_area=cuts.min_area,
            min_confidence=cuts.min_confidence,
            min_peak=cuts.min_peak,
        )
    if cuts.rectangles and len(objects.labels):
        objects, _ = fit_rectangles(objects, [image], min_fit=cuts.min_fit)
    return objects


def _find_by_size(name: str, image: np.ndarray, cuts: Cuts, connectivity: int) -> Masks:
    """Components of small_threshold that are small, and those of `threshold` in the others; in order of their first pixel."""
    pixels, _ = as_map(image)
    wide = find_components([name], [pixels], cuts.small_threshold, connectivity=connectivity)
    narrow = find_components([name], [pixels], cuts.threshold, connectivity=connectivity)
    small = table.areas(wide) < cuts.small_area
    parts = [table.select_objects(wide, small), table.select_objects(narrow, ~small[find_parents(narrow, wide)])]
    order = np.argsort(np.concatenate([part.start[part.runs[:-1]] for part in parts]), kind="stable")
    both = table.concatenate(parts)  # two images of one name, made one
    start, length, runs = table.gather_runs(both.start, both.length, both.runs, order)
    return Masks(wide.ids, wide.shapes, np.array([0, len(order)]), both.labels[order], runs, start, length)


def find_parents(narrow: Masks, wide: Masks) -> np.ndarray:
    """For each component of a higher threshold the one of a lower threshold (its position) that holds it; both of one image.

    int64 (components of `narrow`,). Both tables are components of one map by the same connectivity.
    """
    order = np.argsort(wide.start)
    owner = np.repeat(np.arange(len(wide.labels)), np.diff(wide.runs))[order]
    first = narrow.start[narrow.runs[:-1]]
    return owner[np.searchsorted(wide.start[order], first, side="right") - 1]


def read_cuts(fields: dict, path) -> Cuts:
    """The cuts in the fields of tuning.json; KitError naming `path` where they are missing or out of range."""
    try:
        return Cuts(**{field.name: fields[field.name] for field in dataclasses.fields(Cuts)})
    except (KeyError, TypeError, KitError) as error:
        raise KitError(f"{path}: not the cuts of kit tune ({error}); tune again") from None


def describe_cuts(cuts: Cuts) -> str:
    """The cuts in one line for people."""
    if cuts.blank:
        return "every image is left empty: no cut scored more"
    parts = [f"threshold {cuts.threshold}"]
    if cuts.small_area:
        parts.append(f"{cuts.small_threshold} for components below {cuts.small_area} px")
    if cuts.min_area:
        parts.append(f"at least {cuts.min_area} px")
    if cuts.min_confidence:
        parts.append(f"mean probability at least {cuts.min_confidence:g}")
    if cuts.min_peak:
        parts.append(f"a pixel of at least {cuts.min_peak}")
    if cuts.rectangles:
        parts.append(f"rectangles where they fit to {cuts.min_fit:g}")
    if cuts.min_presence:
        parts.append(f"images with an object by at least {cuts.min_presence:.3f}")
    return ", ".join(parts)
