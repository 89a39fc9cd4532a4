"""What a trained model is worth on its holdout (tests: pages/test_report.py)."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..cuts import Cuts
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
    """One model folder, seen on the images that it was not trained on."""

    name: str
    config: dict  # of config.json
    environment: str  # of environment.txt
    history: list[dict]  # rows of history.csv
    index: Index  # of the holdout
    prediction: (
        Masks  # each image by cuts chosen without its split of the scenes; untuned: threshold 128
    )
    ungated: Masks  # the same without a gate, for the ladder
    cuts: Cuts | None  # those for other images; None: not tuned
    tuning: Tuning | None  # how they were found; None: not tuned, or together with other models
    settings: TuneSettings
    note: str = ""  # what a reader should know of the cuts

    @cached_property
    def counts(self) -> Counts:
        return count(self.index.truth, self.prediction)

    @cached_property
    def f2(self) -> np.ndarray:
        """Object F2 of every image, float64 (images,)."""
        return scores.f2(self.counts)

    @cached_property
    def empty(self) -> np.ndarray:
        """bool (images,): no object in the truth."""
        return table.count_objects(self.index.truth) == 0

    @cached_property
    def mistakes(self) -> Mistakes:
        return find_mistakes(self.index.truth, self.prediction)

    @cached_property
    def kinds(self) -> list[list[str]]:
        """Of each image the kinds of its mistakes, see `kit.scoring.mistakes.name_kinds`."""
        return name_kinds(self.index.truth, self.mistakes)

    @property
    def empty_share(self) -> float:
        return self.settings.empty_share

    @cached_property
    def groups(self) -> np.ndarray:
        """The scene of every image, int64 (images,); an image of unknown scene is one of its own."""
        return folds.group(self.index.scenes)

    @property
    def weighted(self) -> bool:
        """Whether figures are re-weighted to `empty_share`: the holdout has images of both kinds."""
        return bool(self.empty.any() and not self.empty.all())

    @property
    def blank(self) -> float:
        """F2 of the blank submission."""
        return self.empty_share if self.weighted else float(self.empty.mean())

    def mean(self, values: np.ndarray) -> float:
        """Mean of a value an image (images,), re-weighted where that can be."""
        return (
            scores.f2_weighted(values, self.empty, self.empty_share)
            if self.weighted
            else float(values.mean())
        )

    def bound(
        self, values: np.ndarray, chosen: np.ndarray | None = None
    ) -> tuple[float, float] | None:
        """95% interval over scenes of `mean`, or of the plain mean over the images of `chosen` (bool); None where they are of one scene."""
        share = self.empty_share if self.weighted and chosen is None else None
        return bound(values, self.groups, self.empty, share, chosen, self.settings.seed)

    @cached_property
    def ladder(self) -> dict[str, float]:
        """F2 as it is and after each rung of the oracle ladder; the rungs begin from the prediction without its gate."""
        rungs = climb_ladder(self.index.truth, self.ungated)
        return {
            rung: self.mean(self.f2 if rung == RUNGS[0] else scores.f2(rungs[rung]))
            for rung in RUNGS
        }


def bound(
    values, groups, empty, share: float | None, chosen, seed: int = 0
) -> tuple[float, float] | None:
    """95% interval over groups of a mean over images; None where all are of one group, which says nothing of others.

    share: of empty images, to which it is re-weighted (then None where those of one kind are of one group), None: plain; chosen: bool
    (images,), those that count, None: all.
    """
    if chosen is not None:
        values, groups, empty = values[chosen], groups[chosen], empty[chosen]
    kinds = [empty, ~empty] if share is not None else [np.ones(len(values), bool)]
    if any(len(np.unique(groups[kind])) < 2 for kind in kinds):
        return None
    return interval(values, groups, empty=empty, empty_share=share, seed=seed)
