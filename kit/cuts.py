"""Cuts: what makes a pixel an object pixel, a component an object, and an image empty."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from .errors import KitError
from .fields import fits


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


def from_json(fields: dict) -> Cuts:
    """The cuts among the fields of tuning.json.

    Raises:
        KeyError: if one is missing.
        KitError: if one is out of range.
    """
    return Cuts(**{field.name: fields[field.name] for field in dataclasses.fields(Cuts)})


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
