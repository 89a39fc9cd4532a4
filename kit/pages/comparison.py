"""Models side by side on the images that all of them have not seen: what differs, and whether it is more than chance."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..cuts import describe_cuts
from ..errors import KitError
from ..masks import table
from ..models.evaluation import Evaluation, bound
from ..scoring import scores
from ..settings import TrainSettings


@dataclass(frozen=True, eq=False)
class Comparison:
    """Models on their common images; the first is what the others are compared with."""

    names: list[str]
    places: list[
        np.ndarray
    ]  # of each model: where the common images stand in its holdout, int64 (images,)
    f2: np.ndarray  # float64 (models, images)
    iou: np.ndarray  # float64 (models, images), in pixels
    empty: np.ndarray  # bool (images,)
    scenes: np.ndarray  # int64 (images,)
    empty_share: float
    seed: int  # of the intervals

    @property
    def weighted(self) -> bool:
        """Whether means are re-weighted: there are images of both kinds."""
        return bool(self.empty.any() and not self.empty.all())

    def mean(
        self, values: np.ndarray, kind: np.ndarray | None = None
    ) -> tuple[float, tuple[float, float] | None]:
        """Mean of a value an image (images,) with its 95% interval over scenes: re-weighted, or over the images of `kind` (bool)."""
        share = self.empty_share if self.weighted and kind is None else None
        value = float(values.mean() if kind is None else values[kind].mean())
        if share is not None:
            value = scores.f2_weighted(values, self.empty, share)
        return value, bound(values, self.scenes, self.empty, share, kind, self.seed)


def compare(evaluations: Sequence[Evaluation]) -> Comparison:
    """The comparison of several models; KitError where no image was held out by all of them, or not with the same truth."""
    first = evaluations[0]
    common = set(first.index.truth.ids)
    for other in evaluations[1:]:
        common &= set(other.index.truth.ids)
        if not common:
            raise KitError(
                f"{other.name} and {first.name} hold out no image in common, so they cannot be compared; train both with one --fold"
            )
    ids = [name for name in first.index.truth.ids if name in common]
    places = []
    for evaluation in evaluations:
        position = {name: place for place, name in enumerate(evaluation.index.truth.ids)}
        places.append(np.array([position[name] for name in ids], np.int64))
    for evaluation, chosen in zip(evaluations, places):
        if table.select(evaluation.index.truth, chosen) != table.select(
            first.index.truth, places[0]
        ):
            raise KitError(
                f"{evaluation.name} and {first.name} hold out images of one name with other masks, so they cannot be compared"
            )
    return Comparison(
        names=name_apart([evaluation.name for evaluation in evaluations]),
        places=places,
        f2=np.array([evaluation.f2[chosen] for evaluation, chosen in zip(evaluations, places)]),
        iou=np.array(
            [
                scores.iou(evaluation.counts)[chosen]
                for evaluation, chosen in zip(evaluations, places)
            ]
        ),
        empty=first.empty[places[0]],
        scenes=first.groups[places[0]],
        empty_share=first.empty_share,
        seed=first.settings.seed,
    )


def name_apart(names: Sequence[str]) -> list[str]:
    """The names, with a number behind those that stand there twice."""
    return [
        f"{name} ({names[: place + 1].count(name)})" if names.count(name) > 1 else name
        for place, name in enumerate(names)
    ]


def list_differences(evaluations: Sequence[Evaluation]) -> list[tuple[str, list]]:
    """Settings of training and tuning in which models differ, and the value in each."""
    rows = []
    for evaluation in evaluations:
        row = {
            name: evaluation.config[name]
            for name in (*TrainSettings.__dataclass_fields__, "own", "records_sha256")
        }
        row |= {
            f"tuning: {name}": value
            for name, value in dataclasses.asdict(evaluation.settings).items()
        }
        rows.append(
            row | {"cuts": "none" if evaluation.cuts is None else describe_cuts(evaluation.cuts)}
        )
    return [
        (name, [row[name] for row in rows])
        for name in rows[0]
        if any(row[name] != rows[0][name] for row in rows)
    ]


def judge(interval: tuple[float, float] | None) -> str:
    """What an interval of a difference says."""
    if interval is None:
        return "not told apart"
    low, high = interval
    return "better" if low > 0 else "worse" if high < 0 else "not told apart"


def find_changed(comparison: Comparison, number: int = 60) -> np.ndarray:
    """Places (in the common images) of those whose F2 differs most between the models, the most first; none that are equal."""
    spread = comparison.f2.max(axis=0) - comparison.f2.min(axis=0)
    order = np.argsort(-spread, kind="stable")[:number]
    return order[spread[order] > 0]
