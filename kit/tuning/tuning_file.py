"""tuning.json: what kit tune chose, read back and told."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from .. import cuts as cutting
from ..cuts import Cuts, describe_cuts
from ..errors import KitError
from ..fields import fits
from ..settings import TuneSettings
from ..system.files import read_json

FIGURES = (
    "empty_share",
    "f2",
    "f2_low",
    "f2_high",
    "f2_plain",
    "f2_blank",
)  # what the cuts are worth on the holdout


@dataclass(frozen=True)
class SavedTuning:
    """The contents of a tuning.json."""

    cuts: Cuts
    settings: TuneSettings  # by which they were chosen
    figures: dict[str, float | None]  # those of FIGURES that it holds
    models: list[
        dict[str, str]
    ]  # name and weights (SHA-256) of each model whose maps chose them; []: maps made elsewhere


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
        if fields.get("min_peak"):
            raise KitError("min_peak, a cut that gained nothing and is gone")
    except (KeyError, TypeError, KitError) as error:
        raise KitError(f"{path}: not written by kit tune ({error}); tune again") from None
    figures = {name: fields[name] for name in FIGURES if name in fields}
    for name, value in figures.items():
        if value is not None and not (fits(value, float) and 0 <= value <= 1):
            raise KitError(
                f"{path}: {name} is {str(value)[:40]}, expected a number from 0 to 1; tune again"
            )
    return SavedTuning(cuts, settings, figures, models)


def describe_tuning(fields: dict) -> str:
    """The fields of tuning.json in three lines for people."""
    cuts = cutting.from_json(fields)
    lines = [describe_cuts(cuts)]
    share = f"{fields['empty_share']:.1%} empty images"
    if cuts.blank:
        lines.append(
            f"object F2 at {share}: the best cuts reach {fields['f2_tuned']:.3f}, blank {fields['f2_blank']:.3f}"
        )
    else:
        lines.append(
            f"object F2 at {share}: {fields['f2']:.3f} (95% interval {fields['f2_low']:.3f} to {fields['f2_high']:.3f}; cuts chosen on "
            "some scenes, scored on the others)"
        )
    lines.append(
        f"threshold 128 alone {fields['f2_plain']:.3f}, blank submission {fields['f2_blank']:.3f}"
    )
    return "\n".join(lines)
