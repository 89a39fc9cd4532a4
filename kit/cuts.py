"""Cuts: what makes a pixel an object pixel, a component an object, and an image empty.

A cut that drops components is one field of `Cuts` made by `_cut`: its column of a component (see `kit.objects.components.COLUMNS`),
the values that the search tries, and its words. The rule that keeps or drops is `keep` alone.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .errors import KitError
from .fields import Checked, setting


def _cut(default, help, *, column: str, tried: tuple, **options):
    """A field that drops components whose `column` is below it; tried: the values that the search tries, the first drops none."""
    return setting(default, help, low=0, column=column, tried=tried, **options)


@dataclass(frozen=True)
class Cuts(Checked):
    """From a map to objects; the defaults are threshold 128 and no cut. Values are those of uint8 maps, 255 is certain.

    `words` tell people of a field that is not at its default; {field} stands for a field's value.
    """

    threshold: int = setting(
        128, "a pixel belongs to an object if value >= threshold", low=1, high=255
    )
    small_area: int = setting(
        0,
        "px: components of small_threshold below this area keep it, larger ones have `threshold`; 0: one threshold",
        low=0,
        high=2**31,
        words="{small_threshold} for components below {small_area} px",
    )
    small_threshold: int = setting(128, "at most `threshold`", low=1, high=255)
    min_area: int = _cut(
        0,
        "px: smaller components are dropped",
        high=2**31,
        column="area",
        tried=(0, 15, 30, 60, 120),
        words="at least {min_area} px",
        title="least area, px",
    )
    min_confidence: float = _cut(
        0.0,
        "0 to 1: components whose mean probability is lower are dropped",
        high=1,
        column="mean",
        scale=255,
        tried=(0.0, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9),
        words="mean probability at least {min_confidence:g}",
        title="least mean probability",
    )
    rectangles: bool = setting(
        False,
        "components become their best rotated rectangles",
        words="rectangles where they fit to {min_fit:g}",
    )
    min_fit: float = setting(
        0.6, "0 to 1: soft IoU that such a rectangle has to reach", low=0, high=1
    )
    min_presence: float = setting(
        0.0,
        "0 to 1: images of which the network says less are left empty (the gate)",
        low=0,
        high=1,
        words="images with an object by at least {min_presence:.3f}",
    )
    blank: bool = setting(False, "nothing is an object: no other cut scored more")

    def __post_init__(self):
        super().__post_init__()
        if self.small_area and self.small_threshold > self.threshold:
            raise KitError(
                f"small_threshold {self.small_threshold}: small objects' threshold is at most the large ones', {self.threshold}"
            )


# The cuts that drop components, by field: column, scale of the column's values, values tried, title of an axis.
COMPONENT_CUTS: dict[str, Any] = {
    field.name: field.metadata for field in dataclasses.fields(Cuts) if "column" in field.metadata
}
# What tuning may add to a threshold and these, and what a plot calls the best without it.
OPTIONS = {"size": "one threshold", "rectangles": "no rectangles", "gate": "no gate"}
HELPFUL = ("size",)  # those that gained out of fold (benchmarks/postprocessing.py)


def keep(column: Callable[[str], Any], **least: float) -> Any:
    """Which components some cuts leave, bool (components,), or True if all.

    column: a function from the name of a column to its values (components,), asked for what is needed; least: values of cuts, by field.
    """
    kept: Any = True
    for name, value in least.items():
        if value > 0:
            kept = kept & (
                column(COMPONENT_CUTS[name]["column"])
                >= COMPONENT_CUTS[name].get("scale", 1) * value
            )
    return kept


def read_least(cuts: Cuts) -> dict[str, float]:
    """The values of COMPONENT_CUTS, as `keep` takes them."""
    return {name: getattr(cuts, name) for name in COMPONENT_CUTS}


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
    values = dataclasses.asdict(cuts)
    told = [
        field
        for field in dataclasses.fields(Cuts)
        if "words" in field.metadata and values[field.name] != field.default
    ]
    return ", ".join(
        [
            f"threshold {cuts.threshold}",
            *(field.metadata["words"].format(**values) for field in told),
        ]
    )
