"""Cuts: which pixels belong to objects, which components are objects, and which images are empty.

To add a cut that drops components, add a field to `Cuts` with `_cut`. The field names the column of
a component that it looks at (see `kit.objects.components.COLUMNS`), the values that the search
tries, and its words. Only `keep` decides what a cut drops.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .errors import KitError
from .fields import Checked, setting


def _cut(default: Any, help: str, *, column: str, tried: tuple[float, ...], **options: Any) -> Any:
    """A field that drops components whose `column` is smaller.

    The search tries the values `tried`. The first of them drops nothing. The plot of a tuning shows
    the cut under its `title` beside the threshold of large components, or of `beside="small"` ones.
    """
    return setting(default, help, low=0, column=column, tried=tried, **options)


@dataclass(frozen=True)
class Cuts(Checked):
    """How a map becomes objects. By default the threshold is 128 and nothing is cut.

    Thresholds are values of uint8 maps, where 255 is certain. If a field is not at its default, its
    `words` describe it to people; {field} stands for the value of a field.

    Raises:
        KitError: if a value is out of range or `small_threshold` is above `threshold`.
    """

    threshold: int = setting(
        128, "a pixel belongs to an object if value >= threshold", low=1, high=255
    )
    small_area: int = setting(
        0,
        "px: components found at small_threshold keep that outline if they are smaller than this, "
        "larger ones use `threshold`; 0: one threshold for all",
        low=0,
        high=2**31,
        words="{small_threshold} for components below {small_area} px",
    )
    small_threshold: int = setting(
        128, "the threshold for small components, at most `threshold`", low=1, high=255
    )
    min_area: int = _cut(
        0,
        "px: smaller components are dropped",
        high=2**31,
        column="area",
        tried=(0, 15, 30, 60, 120),
        words="at least {min_area} px",
        title="least area, px",
        beside="small",
    )
    min_confidence: float = _cut(
        0.0,
        "0 to 1: components with a lower mean probability are dropped",
        high=1,
        column="mean",
        scale=255,
        tried=(0.0, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9),
        words="mean probability at least {min_confidence:g}",
        title="least mean probability",
    )
    rectangles: bool = setting(
        False,
        "each component becomes the rotated rectangle that fits best",
        words="rectangles where their soft IoU is at least {min_fit:g}",
    )
    min_fit: float = setting(0.6, "0 to 1: a rectangle needs at least this soft IoU", low=0, high=1)
    min_presence: float = setting(
        0.0,
        "0 to 1: images with a lower probability of an object are left empty (the gate)",
        low=0,
        high=1,
        words="presence of an object at least {min_presence:.3f}",
    )
    blank: bool = setting(False, "every image is left empty: no other cut scored more")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.small_area and self.small_threshold > self.threshold:
            raise KitError(
                f"small_threshold {self.small_threshold}: must be at most the threshold, "
                f"{self.threshold}"
            )


# The cuts that drop components, by field: column, scale of its values, values tried, axis title.
COMPONENT_CUTS: dict[str, Any] = {
    field.name: field.metadata for field in dataclasses.fields(Cuts) if "column" in field.metadata
}
# What tuning may add to the threshold and these cuts, and what a plot calls the best without it.
OPTIONS = {"size": "one threshold", "rectangles": "no rectangles", "gate": "no gate"}
HELPFUL = ("size",)  # the options that gained out of fold (benchmarks/postprocessing.py)


def keep(column: Callable[[str], Any], **least: float) -> Any:
    """The components that survive some cuts: bool (components,), or True if no cut drops any.

    Args:
        column: gives the values (components,) of a column by its name; called for the columns that
            the cuts look at.
        **least: the values of cuts, by field.
    """
    kept: Any = True
    for name, value in least.items():
        if value > 0:
            cut = COMPONENT_CUTS[name]
            kept = kept & (column(cut["column"]) >= cut.get("scale", 1) * value)
    return kept


def read_least(cuts: Cuts) -> dict[str, float]:
    """The values of COMPONENT_CUTS, as `keep` takes them."""
    return {name: getattr(cuts, name) for name in COMPONENT_CUTS}


def from_json(fields: dict[str, Any]) -> Cuts:
    """The cuts among the fields of tuning.json.

    Raises:
        KeyError: if a field is missing.
        KitError: if a value is out of range.
    """
    return Cuts(**{field.name: fields[field.name] for field in dataclasses.fields(Cuts)})


def describe_cuts(cuts: Cuts) -> str:
    """The cuts in one line for people.

    >>> describe_cuts(Cuts(threshold=140, min_area=20))
    'threshold 140, at least 20 px'
    """
    if cuts.blank:
        return "every image is left empty: no cut scored more"
    values = dataclasses.asdict(cuts)
    words = [
        field.metadata["words"].format(**values)
        for field in dataclasses.fields(Cuts)
        if "words" in field.metadata and values[field.name] != field.default
    ]
    return ", ".join([f"threshold {cuts.threshold}", *words])
