"""Threshold and cuts for the best re-weighted object F2 on maps with a truth, and its interval."""

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ..competition.conventions import Competition
from ..cuts import Cuts
from ..errors import KitError
from ..fields import abbreviate
from ..masks import table
from ..masks.table import Masks
from ..objects.extraction import find_objects
from ..records import folds
from ..scoring.bootstrap import interval
from ..scoring.counts import count
from ..scoring.scores import f2
from ..settings import TuneSettings
from ..system.files import write_json
from . import surface_plot
from .calibration import calibrate
from .candidates import Candidates, ReadMap, find_candidates
from .search import (
    AXES,
    Point,
    fit_worth,
    mean_of_ships,
    place_gate,
    score_cuts,
    search,
    weigh,
)

SPLITS = 5  # of the scenes: cuts are chosen on all but one and scored on that one
# A point is as good as the best if it lies less than NEAR standard errors, or NOTHING of F2, below.
NEAR, NOTHING = 0.5, 0.001


@dataclass(frozen=True, eq=False)
class Evidence:
    """What tuning looks at: a table of candidates, and the images that they come from."""

    candidates: Candidates
    objects: np.ndarray  # int64 (images,): objects in the truth
    presence: np.ndarray | None  # float64 (images,): probability that an image holds an object
    empty_share: float  # that F2 is re-weighted to

    @cached_property
    def empty(self) -> np.ndarray:
        """Whether the truth holds no object, bool (images,)."""
        return np.asarray(self.objects == 0)

    def weights(self, chosen: np.ndarray) -> np.ndarray:
        """See `weigh`; chosen: bool (images,)."""
        return weigh(self.empty, chosen, self.empty_share)

    def line(self, chosen: np.ndarray) -> tuple[float, float, float]:
        """Slope, offset and odds for `place_gate`, from `chosen` images; zeros: no gate."""
        held = float((~self.empty[chosen]).mean())
        if self.presence is None or not 0 < held < 1 or not 0 < self.empty_share < 1:
            return 0.0, 0.0, 0.0
        odds = (1 - self.empty_share) / self.empty_share * (1 - held) / held
        return *calibrate(self.presence[chosen], ~self.empty[chosen]), odds

    def score(self, cuts: Cuts) -> np.ndarray:
        """F2 of each image, float64 (images,)."""
        return score_cuts(self.candidates, self.objects, self.presence, cuts)


@dataclass(frozen=True, eq=False)
class Choice:
    """The search among cuts for some of the images."""

    evidence: Evidence
    chosen: np.ndarray  # bool (images,): those that have a say
    lines: tuple[tuple[float, ...], ...]  # of `fit_worth`, without and with rectangles
    surface: np.ndarray  # float32 search.SHAPE: re-weighted F2 of the chosen images

    def read(self, point: Point) -> Cuts:
        """The cuts at a point of the grid."""
        rectangles, least, times = (values[k] for values, k in zip(AXES.values(), point))
        cuts = Cuts(worth=self.lines[rectangles], min_worth=least, rectangles=rectangles)
        return self.add_gate(cuts, times) if times else cuts

    def add_gate(self, cuts: Cuts, times: float) -> Cuts:
        """Cuts with a gate; times: see `place_gate`."""
        weights = self.evidence.weights(self.chosen)
        ships = mean_of_ships(self.evidence.score(cuts), weights, self.evidence.objects)
        gate = place_gate(ships, times, *self.evidence.line(self.chosen))
        return Cuts(blank=True) if gate > 1 else dataclasses.replace(cuts, min_presence=gate)


def search_cuts(evidence: Evidence, chosen: np.ndarray) -> Choice:
    """Fits how components are rated to the chosen images, bool (images,), and scores all cuts."""
    lines = tuple(fit_worth(evidence.candidates, chosen, kind) for kind in AXES["rectangles"])
    surface = search(
        evidence.candidates,
        evidence.objects,
        evidence.presence,
        evidence.weights(chosen),
        evidence.line(chosen),
        lines,
    )
    return Choice(evidence, chosen, lines, surface)


@dataclass(frozen=True, eq=False)
class Tuning:
    """What tuning finds."""

    fields: dict[str, Any]  # of tuning.json
    prediction: Masks  # each image by its entry in `cuts`, even if blank scores more
    surface: np.ndarray  # float32 search.SHAPE: re-weighted F2 of all images at each point
    point: Point | None  # the chosen one; None: threshold 128 without cuts
    cuts: list[Cuts]  # per image, chosen without its split of the scenes

    __repr__ = abbreviate


def choose_cuts(
    read: ReadMap,
    truth: Masks,
    scenes: np.ndarray,
    presence: np.ndarray | None,
    settings: TuneSettings,
) -> Tuning:
    """Chooses cuts on all images, and estimates their F2 on scenes that had no say in them.

    The cuts take those components of all thresholds that are worth the most, rated by a line that
    is fitted to the hits of this holdout. Where presence is known, they may have a gate.

    For the estimate, cuts are chosen on four splits of the scenes and scored on the fifth, in turn.
    The search scores components of the maps; the estimate scores the masks of `find_objects`, as
    a prediction would. If the estimate is not above the blank submission, the cuts are blank.

    Args:
        read: returns the map of the image at a position of `truth`.
        truth: the true objects of all images.
        scenes: int64 (images,); -1: unknown.
        presence: probability that each image holds an object, float (images,); None: unknown.
        settings: what to tune, and how.

    Returns:
        The cuts, the estimate and the surface.

    Raises:
        KitError: if all images are of one scene, none holds an object, or none is empty although
            F2 is re-weighted to some empty images.
    """
    objects = table.count_objects(truth)
    if not objects.any():
        raise KitError("no image of the holdout holds an object, so there is nothing to tune on")
    if settings.empty_share and objects.all():
        way = "add some, or tune for images with objects alone: --empty-share 0"
        raise KitError(
            "no image of the holdout is empty, so F2 at "
            f"{settings.empty_share:.1%} empty images is unknown; {way}"
        )
    presence = None if presence is None else np.asarray(presence, float)
    evidence = Evidence(find_candidates(read, truth), objects, presence, settings.empty_share)
    split = split_scenes(scenes, evidence.objects, settings.seed)
    everything = np.ones(len(truth), bool)
    chosen = [everything, *(split != number for number in range(split.max() + 1))]
    choices = [search_cuts(evidence, images) for images in chosen]
    points = [choose_point(choice) for choice in choices]
    cuts = [
        Cuts() if point is None else choice.read(point) for choice, point in zip(choices, points)
    ]
    each = [cuts[1 + number] for number in split]
    prediction = find_each(read, truth, presence, each)
    values, weights = f2(count(truth, prediction)), evidence.weights(everything)
    low, high = interval(
        values,
        folds.group(scenes),
        empty=evidence.empty,
        empty_share=settings.empty_share if evidence.empty.any() else None,
        seed=settings.seed,
    )
    blank = float(weights @ evidence.empty)
    found = {
        "f2": float(weights @ values),
        "f2_low": low,
        "f2_high": high,
        "f2_plain": float(weights @ evidence.score(Cuts())),
        "f2_blank": blank,
    }
    best = cuts[0]
    if found["f2"] <= blank or best.blank:
        best = Cuts(blank=True)
        found |= {"f2_tuned": found["f2"], "f2": blank, "f2_low": blank, "f2_high": blank}
    about = {
        "empty_share": settings.empty_share,
        **found,
        "images": len(truth),
        "seed": settings.seed,
    }
    fields = dataclasses.asdict(best) | about | {"worth": list(best.worth)}
    return Tuning(fields, prediction, choices[0].surface, points[0], each)


def check_competition(competition: Competition) -> None:
    """Checks that cuts can be chosen for a competition.

    Raises:
        KitError: if a row of its truth is not one object without a label.
    """
    if competition.row != "object" or competition.label_column or competition.label_separator:
        raise KitError(
            f"competition {competition.name}: cuts are chosen for object F2, which needs one "
            "object per row and no labels"
        )


def find_each(read: ReadMap, truth: Masks, presence: np.ndarray | None, cuts: list[Cuts]) -> Masks:
    """The objects of all images, each image by its own cuts.

    Args:
        read: returns the map of the image at a position of `truth`.
        truth: gives the images' ids.
        presence: probability that each image holds an object, float (images,); None: unknown.
        cuts: of each image.
    """
    given = [None] * len(truth) if presence is None else [[value] for value in presence]
    names = [[name] for name in truth.ids]
    return table.concatenate(
        [find_objects(names[k], [read(k)], cuts[k], presence=given[k]) for k in range(len(truth))]
    )


def choose_point(choice: Choice) -> Point | None:
    """The point in the middle of the plateau: the one closest to the median of all good points.

    A point is good if it lies below the best by less than NEAR standard errors or by less than
    NOTHING. The standard error is that of the difference between the best point and threshold 128
    without cuts, so the plateau is broader if there is less data. None if that is as good.
    """
    evidence, surface, chosen = choice.evidence, choice.surface, choice.chosen
    best = tuple(map(int, np.unravel_index(int(np.argmax(surface)), surface.shape)))
    weights, plain = evidence.weights(chosen), evidence.score(Cuts())
    if weights @ plain >= surface[best]:
        return None
    difference = evidence.score(choice.read(best)) - plain
    error = sum(
        float((weights[kind] ** 2 * (difference[kind] - difference[kind].mean()) ** 2).sum())
        for kind in (chosen & evidence.empty, chosen & ~evidence.empty)
        if kind.any()
    )
    near = np.argwhere(surface >= surface[best] - max(NEAR * np.sqrt(error), NOTHING))
    distance = np.abs(near - np.median(near, axis=0)).sum(axis=1)
    closest = near[np.lexsort((-surface[tuple(near.T)], distance))[0]]
    return tuple(int(place) for place in closest)


def split_scenes(
    scenes: np.ndarray, counts: np.ndarray, seed: int, splits: int = SPLITS
) -> np.ndarray:
    """Draws the split that each image's scene belongs to, int64 (images,).

    Scenes with similar numbers of images with objects are drawn together, one for each split, so
    the splits have about as many such images each. With few scenes there are fewer splits.

    Args:
        scenes: int64 (images,); -1: unknown, a scene of its own.
        counts: objects of each image, (images,).
        seed: of the draw.
        splits: how many, at most.

    Raises:
        KitError: if there is only one scene.
    """
    groups = folds.group(scenes)
    number = groups.max(initial=-1) + 1
    if number < 2:
        raise KitError(
            "the holdout has a single scene; tuning needs two, to choose on one and score on the "
            "other"
        )
    rng, splits = np.random.default_rng(seed), min(splits, number)
    held, size = np.bincount(groups, np.asarray(counts) > 0), np.bincount(groups)
    order = np.lexsort((rng.random(number), size, held))
    split = np.concatenate([rng.permutation(splits) for _ in range(-(-number // splits))])[:number]
    scene_split = np.empty(number, np.int64)
    scene_split[order] = split
    return np.asarray(np.unique(scene_split, return_inverse=True)[1][groups])


def write_tuning(tuned: Tuning, path: Path) -> None:
    """Writes the fields as JSON, and the plot of the surface as a PNG beside it.

    Raises:
        KitError: if a file cannot be written.
    """
    surface_plot.draw_surface(tuned.surface, tuned.point, tuned.fields, path.with_suffix(".png"))
    write_json(path, tuned.fields)
