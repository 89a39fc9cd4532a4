"""Competitions' scores, and what `kit score` prints of them (tests: scoring/test_scores.py)."""

import json
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .counts import IOU_TWENTIETHS, Counts
from .scores import dice, f2_blank, f2_by_threshold, jaccard_by_threshold, mean, pooled_dice


class Score(NamedTuple):
    """A competition's score."""

    name: str  # in the summary
    title: str
    values: Callable[[Counts], np.ndarray]  # of images: (images, thresholds), or (images,)
    pooled: Callable[[np.ndarray], float | None] | None = None  # from pixels of all images

    def total(self, counts: Counts, chosen: np.ndarray) -> float | None:
        """The score of the chosen images, pooled or their mean; None if there is none.

        chosen: bool (images,).
        """
        if self.pooled:
            return self.pooled(counts.pixels[chosen])
        return mean(self.of_images(counts)[chosen])

    def of_images(self, counts: Counts) -> np.ndarray:
        """The score of each image, float64 (images,)."""
        values = self.values(counts)
        return np.asarray(values.reshape(len(values), -1).mean(axis=1)) if len(values) else values


# By the name in a competition's field `score`.
SCORES = {
    "object-f2": Score("f2", "object F2", f2_by_threshold),
    "object-jaccard": Score("jaccard", "TP/(TP+FP+FN)", jaccard_by_threshold),
    "dice": Score("dice", "Dice", dice),
    "global-dice": Score("global_dice", "global Dice", dice, pooled_dice),
}


def summarize(counts: Counts, score: str = "object-f2") -> dict[str, Any]:
    """The numbers of `kit score --json`; a mean over no image is None. score: a key of SCORES."""
    wanted, ships = SCORES[score], counts.ships
    name, by_threshold = wanted.name, wanted.values(counts)
    tp, predicted = counts.tp.sum(axis=0), counts.predicted.sum()
    blank = f2_blank(counts)
    if wanted.pooled and blank is not None:
        blank = float(ships.sum() == 0)  # not a pixel in common
    result: dict[str, Any] = {
        name: wanted.total(counts, ships >= 0),
        f"{name}_ships": wanted.total(counts, ships > 0),
        f"{name}_empty": wanted.total(counts, ships == 0),
        f"{name}_blank": blank,
    }
    if by_threshold.ndim == 2:
        result[f"{name}_by_threshold"] = (
            by_threshold.mean(axis=0).tolist() if len(ships) else [None] * 10
        )
    return result | {
        "tp": tp.tolist(),
        "fp": (predicted - tp).tolist(),
        "fn": (ships.sum() - tp).tolist(),
        "images": len(ships),
        "ships": int(ships.sum()),
        "predicted": int(predicted),
    }


def format_per_image(counts: Counts, score: str = "object-f2") -> str:
    """The CSV of `--per-image`: ImageId,ships,predicted,f2,tp_50,fp_50,fn_50,...,fp_95,fn_95."""
    import pandas as pd

    columns = {"ImageId": counts.ids, "ships": counts.ships, "predicted": counts.predicted}
    columns[SCORES[score].name] = SCORES[score].of_images(counts)
    for place, level in enumerate(IOU_TWENTIETHS):
        columns |= {
            f"{kind}_{5 * level}": getattr(counts, kind)[:, place] for kind in ("tp", "fp", "fn")
        }
    return str(pd.DataFrame(columns).to_csv(index=False, lineterminator="\n"))


def format_summary(summary: dict[str, Any]) -> str:
    """The summary in a few lines, as `kit score` prints them."""

    def number(value: float | None) -> str:
        return "-" if value is None else f"{value:.4f}"

    name = next(iter(summary))
    title = {score.name: score.title for score in SCORES.values()}[name]
    overall, ships, empty, blank = (
        number(summary[f"{name}{kind}"]) for kind in ("", "_ships", "_empty", "_blank")
    )
    sizes = ", ".join(f"{key} {summary[key]}" for key in ("images", "ships", "predicted"))
    hits = summary["tp"]
    return "\n".join(
        [
            f"{title:14s} {overall}   (blank submission {blank})",
            f"  with ships   {ships}",
            f"  empty        {empty}",
            f"{sizes}, hits at IoU 0.5: {hits[0]}, at 0.75: {hits[5]}, at 0.95: {hits[9]}",
        ]
    )


def to_json(summary: dict[str, Any]) -> str:
    """The summary as one line of JSON."""
    return json.dumps(summary, allow_nan=False)
