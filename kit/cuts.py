"""Cuts: which pixels belong to objects, which components are, and which images are empty."""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

from .errors import KitError
from .fields import Checked, setting

# Coefficients by which components are rated (kit.objects.forest): a constant, each of five
# measures, and each product of two.
TERMS = 21


@dataclass(frozen=True)
class Cuts(Checked):
    """How a map becomes objects. By default the threshold is 128 and nothing is cut.

    With `worth`, an object may have the outline of any of several thresholds. From the components
    of all of them, those are taken that are expected to be worth the most: the share of the ten IoU
    thresholds that each will pass.

    If a field is not at its default, its `words` describe it to people; {field} stands for the
    value of a field.

    Raises:
        KitError: if a value is out of range or `worth` has another number of coefficients.
    """

    threshold: int = setting(
        128,
        "value of a uint8 map from which on a pixel belongs to an object; 255 is certain",
        low=1,
        high=255,
    )
    worth: tuple[float, ...] = setting(
        (),
        "coefficients by which components of several thresholds are rated; (): `threshold` alone",
    )
    min_worth: float = setting(
        0.0, "0 to 1: components that are expected to be worth less are dropped", low=0, high=1
    )
    rectangles: bool = setting(
        False,
        "each component becomes the rotated rectangle that fits best",
        words="rectangles where they fit",
    )
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
        if len(self.worth) not in (0, TERMS) or not all(map(math.isfinite, self.worth)):
            raise KitError(f"worth {self.worth}: expected {TERMS} finite numbers or none")


def from_json(fields: dict[str, Any]) -> Cuts:
    """The cuts among the fields of tuning.json.

    Raises:
        KeyError: if a field is missing.
        KitError: if a value is out of range.
    """
    return Cuts(**{field.name: fields[field.name] for field in dataclasses.fields(Cuts)})


def describe_cuts(cuts: Cuts) -> str:
    """The cuts in one line for people.

    >>> describe_cuts(Cuts(threshold=140, rectangles=True))
    'threshold 140, rectangles where they fit'
    """
    if cuts.blank:
        return "every image is left empty: no cut scored more"
    values = dataclasses.asdict(cuts)
    words = [
        field.metadata["words"].format(**values)
        for field in dataclasses.fields(Cuts)
        if "words" in field.metadata and values[field.name] != field.default
    ]
    first = (
        f"the outlines worth the most, of at least {cuts.min_worth:g}"
        if cuts.worth
        else f"threshold {cuts.threshold}"
    )
    return ", ".join([first, *words])
