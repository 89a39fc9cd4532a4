"""The page that compares models on their common holdout: what differs, and if it may be chance."""

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..cuts import describe_cuts
from ..errors import KitError
from ..fields import write_value
from ..masks import table
from ..models.evaluation import Evaluation, bound
from ..plots import charts
from ..scoring import scores
from ..settings import TrainSettings
from . import gallery, html
from .html import Page, show, span


@dataclass(frozen=True, eq=False)
class Comparison:
    """Models on their common images; the others are compared with the first."""

    names: list[str]
    places: list[np.ndarray]  # per model: places of the common images in its holdout, int64
    f2: np.ndarray  # float64 (models, images)
    iou: np.ndarray  # float64 (models, images), in pixels
    empty: np.ndarray  # bool (images,)
    scenes: np.ndarray  # int64 (images,)
    empty_share: float
    seed: int  # of the intervals

    @property
    def weighted(self) -> bool:
        """Whether means are re-weighted: there are empty images and others."""
        return bool(self.empty.any() and not self.empty.all())

    def mean(
        self, values: np.ndarray, kind: np.ndarray | None = None
    ) -> tuple[float, tuple[float, float] | None]:
        """Mean of one value per image, with its 95% interval over scenes.

        values: float (images,); kind: bool (images,), the images to average; None: all of them,
        re-weighted.
        """
        share = self.empty_share if self.weighted and kind is None else None
        value = float(values.mean() if kind is None else values[kind].mean())
        if share is not None:
            value = scores.f2_weighted(values, self.empty, share)
        return value, bound(values, self.scenes, self.empty, share, kind, self.seed)


def compare(evaluations: Sequence[Evaluation]) -> Comparison:
    """Compares several models.

    Raises:
        KitError: if no image was held out by all of them, or their truths differ.
    """
    first = evaluations[0]
    common = set(first.index.truth.ids)
    for other in evaluations[1:]:
        common &= set(other.index.truth.ids)
        if not common:
            raise KitError(
                f"{other.name} and {first.name} hold out no image in common, so they cannot be "
                "compared; train both with the same --fold"
            )
    ids = [name for name in first.index.truth.ids if name in common]
    places = []
    for evaluation in evaluations:
        position = {name: place for place, name in enumerate(evaluation.index.truth.ids)}
        places.append(np.array([position[name] for name in ids], np.int64))
    truth = table.select(first.index.truth, places[0])
    for evaluation, chosen in zip(evaluations, places):
        if table.select(evaluation.index.truth, chosen) != truth:
            raise KitError(
                f"{evaluation.name} and {first.name} hold out images of the same name with "
                "different masks, so they cannot be compared"
            )
    return Comparison(
        names=name_apart([evaluation.name for evaluation in evaluations]),
        places=places,
        f2=np.array([e.f2[chosen] for e, chosen in zip(evaluations, places)]),
        iou=np.array([scores.iou(e.counts)[chosen] for e, chosen in zip(evaluations, places)]),
        empty=first.empty[places[0]],
        scenes=first.groups[places[0]],
        empty_share=first.empty_share,
        seed=first.settings.seed,
    )


def name_apart(names: Sequence[str]) -> list[str]:
    """The names, with a number after each one that occurs more than once.

    >>> name_apart(["a", "b", "a"])
    ['a (1)', 'b', 'a (2)']
    """
    return [
        f"{name} ({names[: place + 1].count(name)})" if names.count(name) > 1 else name
        for place, name in enumerate(names)
    ]


def list_differences(evaluations: Sequence[Evaluation]) -> list[tuple[str, list[Any]]]:
    """The settings of training and tuning that differ, each with its value in every model."""
    names = (*TrainSettings.__dataclass_fields__, "own", "records_sha256")
    rows = []
    for e in evaluations:
        row = {name: e.config[name] for name in names}
        row |= {f"tuning: {name}": value for name, value in dataclasses.asdict(e.settings).items()}
        rows.append(row | {"cuts": "none" if e.cuts is None else describe_cuts(e.cuts)})
    return [
        (name, [row[name] for row in rows])
        for name in rows[0]
        if any(row[name] != rows[0][name] for row in rows)
    ]


def judge(interval: tuple[float, float] | None) -> str:
    """The verdict that the interval of a difference allows; None: no interval.

    >>> judge((0.01, 0.03)), judge((-0.01, 0.03))
    ('better', 'no clear difference')
    """
    low, high = interval or (0.0, 0.0)
    return "better" if low > 0 else "worse" if high < 0 else "no clear difference"


def find_changed(comparison: Comparison, number: int = 60) -> np.ndarray:
    """Places of the common images whose F2 differs between models, the largest difference first.

    number: how many, at most.
    """
    spread = comparison.f2.max(axis=0) - comparison.f2.min(axis=0)
    order = np.argsort(-spread, kind="stable")[:number]
    return np.asarray(order[spread[order] > 0])


def make_comparison_page(evaluations: Sequence[Evaluation]) -> Page:
    """The page that compares models with the first one, on the images that all of them held out."""
    found = compare(evaluations)
    names, changed = found.names, find_changed(found)
    words = f"object F2 at {found.empty_share:.1%} empty" if found.weighted else "object F2"
    measures: dict[str, tuple[np.ndarray, np.ndarray | None]] = {words: (found.f2, None)}
    if (~found.empty).any():
        measures |= {
            "F2 with objects": (found.f2, ~found.empty),
            "pixel IoU": (found.iou, ~found.empty),
        }
    if found.empty.any():
        measures["F2 on empty images"] = (found.f2, found.empty)
    where = {int(places[0]): places.tolist() for places in np.stack(found.places, 1)[changed]}

    def make(first: int) -> list[gallery.Card]:
        return gallery.frame_alike(
            [gallery.make_card(e.index, place, e) for e, place in zip(evaluations, where[first])]
        )

    histories = {name: e.history for name, e in zip(names, evaluations)}
    empty = int(found.empty.sum())
    return html.render(
        "comparison.html",
        title=" and ".join(names) if len(names) == 2 else f"{len(names)} models",
        subtitle=f"{len(found.empty)} images that all of them held out, {empty} of them empty",
        share=f"Figures are re-weighted to {found.empty_share:.1%} empty images"
        if found.weighted
        else "Figures are plain means",
        names=names,
        measures=list(measures),
        rows=[_compare(found, number, measures.values()) for number in range(len(names))],
        blank=f"{found.empty_share if found.weighted else found.empty.mean():.3f}",
        differences=[
            (name, [write_value(value) for value in values])
            for name, values in list_differences(evaluations)
        ],
        curves=charts.draw_curves(histories),
        changed=gallery.fill(evaluations[0].index, where, gallery.PICTURES, make),
        total=len(found.empty),
    )


def _compare(
    found: Comparison, number: int, measures: Iterable[tuple[np.ndarray, np.ndarray | None]]
) -> dict[str, Any]:
    """The row of the model at position `number`; measures: values and kind of images, of each."""
    cells = []
    for values, kind in measures:
        value, bounds = found.mean(values[number], kind)
        cell = {"value": show(value, bounds), "interval": span(bounds), "difference": ""}
        if number:
            gain, bounds = found.mean(values[number] - values[0], kind)
            cell |= {
                "difference": show(gain, bounds, "+"),
                "between": span(bounds, "+"),
                "verdict": judge(bounds),
            }
        cells.append(cell)
    return {"name": found.names[number], "cells": cells}
