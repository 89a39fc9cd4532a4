"""How good a trained model is on its holdout (tests: pages/test_model.py)."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..cuts import Cuts
from ..fields import abbreviate
from ..masks import table
from ..masks.table import Masks
from ..records import folds
from ..records.index import Index
from ..scoring import scores
from ..scoring.bootstrap import interval
from ..scoring.counts import Counts, count
from ..scoring.ladder import RUNGS, climb_ladder
from ..scoring.mistakes import Mistakes, find_mistakes, name_kinds
from ..settings import TuneSettings
from ..tuning.tuning import Tuning


@dataclass(frozen=True, eq=False)
class Evaluation:
    """A model folder and its predictions of the images that it was not trained on."""

    name: str
    config: dict[str, Any]  # from config.json
    environment: str  # text of environment.txt
    history: list[dict[str, float | None]]  # rows of history.csv
    index: Index  # of the holdout
    # Each image with cuts that were chosen without its split of the scenes; untuned: threshold 128.
    prediction: Masks
    ungated: Masks  # the same without a gate, for the ladder
    cuts: Cuts | None  # for other images; None: not tuned
    tuning: Tuning | None  # how the cuts were found; None: not tuned, or with other models
    settings: TuneSettings
    note: str = ""  # what a reader should know about the cuts

    __repr__ = abbreviate

    @cached_property
    def counts(self) -> Counts:
        """Hits of the prediction against the truth."""
        return count(self.index.truth, self.prediction)

    @cached_property
    def f2(self) -> np.ndarray:
        """Object F2 of each image, float64 (images,)."""
        return scores.f2(self.counts)

    @cached_property
    def empty(self) -> np.ndarray:
        """Whether the truth of each image holds no object, bool (images,)."""
        empty: np.ndarray = table.count_objects(self.index.truth) == 0
        return empty

    @cached_property
    def mistakes(self) -> Mistakes:
        """What is wrong with the prediction, see `kit.scoring.mistakes.find_mistakes`."""
        return find_mistakes(self.index.truth, self.prediction)

    @cached_property
    def kinds(self) -> list[list[str]]:
        """The kinds of each image's mistakes, see `kit.scoring.mistakes.name_kinds`."""
        return name_kinds(self.index.truth, self.mistakes)

    @property
    def empty_share(self) -> float:
        """The share of empty images that figures are re-weighted to."""
        return self.settings.empty_share

    @cached_property
    def groups(self) -> np.ndarray:
        """The scene of each image, int64 (images,); an image of unknown scene has its own."""
        return folds.group(self.index.scenes)

    @property
    def weighted(self) -> bool:
        """Whether figures are re-weighted to `empty_share`: both kinds of images must be there."""
        return bool(self.empty.any() and not self.empty.all())

    @property
    def blank(self) -> float:
        """F2 of the blank submission."""
        return self.empty_share if self.weighted else float(self.empty.mean())

    def mean(self, values: np.ndarray) -> float:
        """Mean of one value per image, float (images,), re-weighted if possible."""
        if self.weighted:
            return scores.f2_weighted(values, self.empty, self.empty_share)
        return float(values.mean())

    def bound(
        self, values: np.ndarray, chosen: np.ndarray | None = None
    ) -> tuple[float, float] | None:
        """95% interval of `mean`, or of the plain mean over the `chosen` images, over scenes.

        Args:
            values: float (images,).
            chosen: bool (images,); None for all.

        Returns:
            (low, high); None if the images come from one scene.
        """
        share = self.empty_share if self.weighted and chosen is None else None
        return bound(values, self.groups, self.empty, share, chosen, self.settings.seed)

    @cached_property
    def ladder(self) -> dict[str, float]:
        """F2 as it is and after each rung of the oracle ladder.

        The rungs start from the prediction without its gate.
        """
        rungs = climb_ladder(self.index.truth, self.ungated)
        return {
            rung: self.mean(self.f2 if rung == RUNGS[0] else scores.f2(rungs[rung]))
            for rung in RUNGS
        }


def bound(
    values: np.ndarray,
    groups: np.ndarray,
    empty: np.ndarray,
    share: float | None,
    chosen: np.ndarray | None,
    seed: int = 0,
) -> tuple[float, float] | None:
    """95% interval of a mean over images, from a bootstrap over groups.

    Args:
        values: float (images,).
        groups: int64 (images,), the group of each image.
        empty: bool (images,), whether the truth holds no object.
        share: share of empty images to re-weight to; None for the plain mean.
        chosen: bool (images,), the images that count; None for all.
        seed: seed of the bootstrap.

    Returns:
        (low, high). None if all images are of one group, which says nothing about others; with
        `share` also if all empty images, or all others, are of one group.
    """
    if chosen is not None:
        values, groups, empty = values[chosen], groups[chosen], empty[chosen]
    kinds = [empty, ~empty] if share is not None else [np.ones(len(values), bool)]
    if any(len(np.unique(groups[kind])) < 2 for kind in kinds):
        return None
    return interval(values, groups, empty=empty, empty_share=share, seed=seed)
