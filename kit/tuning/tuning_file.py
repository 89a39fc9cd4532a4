"""tuning.json: what kit tune chose, read back and described."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import cuts as cutting
from ..cuts import Cuts, describe_cuts
from ..errors import KitError
from ..fields import fits
from ..settings import TuneSettings
from ..system.files import read_json

# The scores of the cuts on the holdout, and what F2 is re-weighted to.
FIGURES = ("empty_share", "f2", "f2_low", "f2_high", "f2_plain", "f2_blank")


@dataclass(frozen=True)
class SavedTuning:
    """The contents of a tuning.json."""

    cuts: Cuts
    settings: TuneSettings  # by which they were chosen
    figures: dict[str, float | None]  # those of FIGURES that the file holds
    # name and weights (SHA-256) of each model that made the maps; []: maps made elsewhere
    models: list[dict[str, str]]


def read_tuning(path: Path) -> SavedTuning:
    """The contents of a tuning.json.

    Raises:
        KitError: if it is missing, was not written by kit tune, or holds a value out of range.
    """
    fields = read_json(path, "written by kit tune")
    try:
        chosen = {
            field.name: fields[field.name]
            for field in dataclasses.fields(TuneSettings)
            if field.name in fields
        }
        settings = TuneSettings(**chosen)
        models = [
            {name: str(model[name]) for name in ("name", "weights")}
            for model in fields.get("models", [])
        ]
        cuts = cutting.from_json(fields)
    except (KeyError, TypeError, KitError) as error:
        raise KitError(f"{path}: not written by kit tune ({error}); tune again") from None
    figures = {name: fields[name] for name in FIGURES if name in fields}
    for name, value in figures.items():
        if value is not None and not (fits(value, float) and 0 <= value <= 1):
            raise KitError(
                f"{path}: {name} is {str(value)[:40]}, expected a number from 0 to 1; tune again"
            )
    return SavedTuning(cuts, settings, figures, models)


def describe_tuning(fields: dict[str, Any]) -> str:
    """The fields of tuning.json in three lines, as `kit tune` prints them."""
    cuts = cutting.from_json(fields)
    plain, blank = (f"{fields[name]:.3f}" for name in ("f2_plain", "f2_blank"))
    if cuts.blank:
        score = f"the best cuts reach {fields['f2_tuned']:.3f}, blank {blank}"
    else:
        interval = f"95% interval {fields['f2_low']:.3f} to {fields['f2_high']:.3f}"
        way = "cuts chosen on some scenes, scored on the others"
        score = f"{fields['f2']:.3f} ({interval}; {way})"
    lines = [
        describe_cuts(cuts),
        f"object F2 at {fields['empty_share']:.1%} empty images: {score}",
        f"threshold 128 alone {plain}, blank submission {blank}",
    ]
    return "\n".join(lines)
