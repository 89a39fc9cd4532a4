"""Threshold and cuts chosen from maps and truth for the re-weighted object F2, and how far to trust the figure."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from ..competition import csv_masks
from ..competition.conventions import AIRBUS, Competition
from ..cuts import OPTIONS, Cuts
from ..errors import KitError
from ..masks import table
from ..masks.table import Masks
from ..objects.extraction import find_objects
from ..objects.map_files import PRESENCE_CSV, find_map_file, read_map, read_presence
from ..records import folds
from ..scoring.bootstrap import interval
from ..scoring.counts import count
from ..scoring.scores import f2
from ..settings import TuneSettings
from ..system.csv_rows import read_rows
from ..system.files import check_target, write_json
from . import surface_plot
from .calibration import calibrate
from .candidates import Candidates, find_candidates
from .search import (
    AXES,
    GATES,
    PLAIN,
    SIZES,
    WITHOUT,
    Point,
    index_at,
    place_gate,
    read_place,
    read_point,
    score_point,
    search,
    weigh,
)

SPLITS = 5  # of the scenes: cuts are chosen on all but one and scored on that one
# Points that are less than so many standard errors below the best, or less than so much F2, are as good as the best.
NEAR, NOTHING = 0.5, 0.001
# The coordinates of a size along which a median makes sense: it is three numbers.
SIZE_STEPS = [np.unique(values, return_inverse=True)[1] for values in zip(*SIZES)]


@dataclass(frozen=True, eq=False)
class Evidence:
    """What is tuned on: a table of candidates, and the images that they come from."""

    candidates: Candidates
    objects: np.ndarray  # int64 (images,): objects in the truth
    presence: np.ndarray | None  # float64 (images,): what the network says of each image
    empty_share: float

    @cached_property
    def empty(self) -> np.ndarray:
        """bool (images,): no object in the truth."""
        return self.objects == 0

    def weights(self, chosen: np.ndarray) -> np.ndarray:
        """See `weigh`; chosen: bool (images,)."""
        return weigh(self.empty, chosen, self.empty_share)

    def line(self, chosen: np.ndarray) -> tuple[float, float, float]:
        """Slope, offset and odds for `place_gate`, from the images of `chosen`; zeros where no gate can be placed."""
        held = float((~self.empty[chosen]).mean())
        if self.presence is None or not 0 < held < 1 or not 0 < self.empty_share < 1:
            return 0.0, 0.0, 0.0
        odds = (1 - self.empty_share) / self.empty_share * (1 - held) / held
        return *calibrate(self.presence[chosen], ~self.empty[chosen]), odds

    def score(self, cuts: Cuts) -> np.ndarray:
        """F2 of every image, float64 (images,)."""
        return score_point(self.candidates, self.objects, self.presence, cuts)

    def read(self, point: Point, chosen: np.ndarray) -> Cuts:
        """The cuts at a point of the grid, with the gate as the images of `chosen` place it."""
        cuts, times = read_point(point), GATES[read_place(point, "gate")]
        if times == 0:
            return cuts
        weights = self.weights(chosen) * ~self.empty
        ships = float(weights @ self.score(cuts)) / max(float(weights.sum()), 1e-12)
        gate = place_gate(ships, times, *self.line(chosen))
        return Cuts(blank=True) if gate > 1 else dataclasses.replace(cuts, min_presence=gate)


@dataclass(frozen=True, eq=False)
class Tuning:
    """What tuning finds."""

    fields: dict  # of tuning.json
    prediction: Masks  # every image by cuts that were chosen without its split of the scenes, also where blank scores more
    surface: np.ndarray  # float32 search.SHAPE: re-weighted F2 of all images at every point
    point: Point  # the chosen one
    cuts: list[Cuts]  # of every image, chosen without its split of the scenes


def choose_cuts(
    read: Callable[[int], np.ndarray],
    truth: Masks,
    scenes: np.ndarray,
    presence: np.ndarray | None,
    settings: TuneSettings,
) -> Tuning:
    """Cuts chosen on all images, and a figure of cuts chosen on four splits of the scenes and scored on the fifth, in turn.

    read: the uint8 map (height, width) of the image at a position of `truth`; scenes: int64 (images,), -1 unknown; presence: float
    (images,), the probability that each image holds an object, None where the network does not say. The search looks at the components of
    the maps; the figure comes from the masks that `find_objects` makes, as a prediction would. Where it is not above
    blank's, the cuts are blank. Raises KitError where all images are of one scene, where none holds an object, where none is empty
    although empty ones shall count, and for the gate without presence.
    """
    if presence is None and "gate" in settings.options:
        way = "train with --presence, or put presence.csv beside maps made elsewhere"
        raise KitError(f"--options gate: nothing says how likely an image holds an object; {way}")
    objects = table.count_objects(truth)
    if not objects.any():
        raise KitError("no image of the holdout holds an object; there is nothing to choose by")
    if settings.empty_share and objects.all():
        way = "give some, or choose for images with objects alone: --empty-share 0"
        raise KitError(
            f"no image of the holdout is empty, so F2 at {settings.empty_share:.1%} empty images cannot be known; {way}"
        )
    presence = None if presence is None else np.asarray(presence, float)
    evidence = Evidence(find_candidates(read, truth), objects, presence, settings.empty_share)
    split = split_scenes(scenes, evidence.objects, settings.seed)
    everything = np.ones(len(truth), bool)
    chosen = [everything, *(split != number for number in range(split.max() + 1))]
    grid = search(
        evidence.candidates,
        evidence.objects,
        presence,
        np.array([evidence.weights(images) for images in chosen]),
        np.array([evidence.line(images) for images in chosen]),
    )
    limit_options(grid, settings.options)
    points = [
        choose_point(evidence, grid[..., place], images) for place, images in enumerate(chosen)
    ]
    cuts = [evidence.read(point, images) for point, images in zip(points, chosen)]
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
        "options": list(settings.options),
    }
    about["seed"] = settings.seed
    return Tuning(dataclasses.asdict(best) | about, prediction, grid[..., 0], points[0], each)


def tune_maps(
    maps, truth, out, *, scenes=None, competition: Competition = AIRBUS, **settings
) -> Tuning:
    """Tunes on maps made elsewhere and writes `out` (tuning.json's fields) and, beside it, a picture of the surface as PNG.

    maps: a folder with {ImageId}.png or {ImageId}.npy (see map_files.read_map), and presence.csv where an image's probability to hold an
    object is known; truth: a CSV, of whose images those with a map count; scenes: a CSV with columns ImageId and scene, such as folds.csv
    of the records, None: each image counts as a scene of its own. Keyword arguments are fields of TuneSettings. KitError: a missing or
    damaged file.
    """
    chosen, maps, out = TuneSettings(**settings), Path(maps), Path(out)
    check_competition(competition)
    if chosen.tta != 1 or chosen.scale != 1:
        raise KitError("--tta and --scale are for models; maps made elsewhere are what they are")
    for target in (out, out.with_suffix(".png")):
        check_target(target)
        if str(target) in (str(truth), str(scenes)) or out.suffix == ".png":
            raise KitError(
                f"{target}: the cuts are written as JSON, and a picture beside them as PNG; choose another name"
            )
    if not maps.is_dir():
        raise KitError(
            f"{maps}: no such folder of maps; it holds one PNG or .npy an image, named by its id"
        )
    listed = csv_masks.read_ids(truth, competition)
    there = (
        {path.stem for path in maps.iterdir() if path.suffix in (".png", ".npy")}
        if competition.absent_is_empty
        else set()
    )
    absent = sorted(there - set(listed))
    ids = [name for name in (*listed, *absent) if find_map_file(maps, name)]
    if not ids:
        raise KitError(
            f"{maps}: holds no map of an image in {truth}; a map is called ImageId.png or ImageId.npy, such as 00ab.jpg.png"
        )
    if competition.height is None:
        competition = competition.with_shape(read_map(maps, ids[0]).shape)
    real = table.concatenate(
        [csv_masks.read_csv(truth, competition), table.blank(absent, competition.shape)]
    )
    real = table.select_ids(real, ids)
    given = read_presence(maps)
    lacking = next((name for name in ids if name not in given), None)
    if (maps / PRESENCE_CSV).exists() and lacking is not None:
        raise KitError(f"{maps / PRESENCE_CSV}: says nothing of {lacking}; give all images or none")
    scene = {} if scenes is None else _read_scenes(scenes)
    lacking = next((name for name in ids if name not in scene), None)
    if scenes is not None and lacking is not None:
        raise KitError(f"{scenes}: has no row for {lacking}, which has a map")
    of = (
        "every image is taken for a scene of its own"
        if scenes is None
        else f"scenes of {Path(scenes).name}"
    )
    print(f"kit tune: {len(ids)} images with a map; {of}")
    tuned = choose_cuts(
        lambda image: read_map(maps, ids[image], real.shapes[image]),
        real,
        np.array([scene.get(name, -1) for name in ids], np.int64),
        np.array([given[name] for name in ids]) if given else None,
        chosen,
    )
    write_tuning(tuned, out)
    return tuned


def check_competition(competition: Competition) -> None:
    """KitError where a row of the truth is not one object, which is what the cuts are chosen by."""
    if competition.row != "object" or competition.label_column or competition.label_separator:
        raise KitError(
            f"competition {competition.name}: cuts are chosen for the F2 of objects without labels, one a row"
        )


def find_each(read, truth: Masks, presence: np.ndarray | None, cuts: list[Cuts]) -> Masks:
    """Every image of `truth` by its own cuts."""
    given = [None] * len(truth) if presence is None else [[value] for value in presence]
    names = [[name] for name in truth.ids]
    return table.concatenate(
        [find_objects(names[k], [read(k)], cuts[k], presence=given[k]) for k in range(len(truth))]
    )


def limit_options(surface: np.ndarray, options) -> None:
    """Leaves of a surface (search.SHAPE, selections) the points that do without the OPTIONS that are not among `options`; in place."""
    for name in set(OPTIONS) - set(options):
        surface[index_at(**{name: slice(WITHOUT[name], None)})] = -np.inf


def choose_point(evidence: Evidence, surface: np.ndarray, chosen: np.ndarray) -> Point:
    """The point in the middle of the plateau: of all points that are as good as the best the one closest to their median.

    surface: float32 search.SHAPE, from the images of `chosen` (bool (images,)). As good: below the best by less than NEAR standard errors
    of the difference between the best and the one without cuts, so the less data the broader; or by less than NOTHING.
    """
    best = tuple(map(int, np.unravel_index(int(np.argmax(surface)), surface.shape)))
    weights = evidence.weights(chosen)
    difference = evidence.score(evidence.read(best, chosen)) - evidence.score(Cuts())
    error = sum(
        float((weights[kind] ** 2 * (difference[kind] - difference[kind].mean()) ** 2).sum())
        for kind in (chosen & evidence.empty, chosen & ~evidence.empty)
        if kind.any()
    )
    near = np.argwhere(surface >= surface[best] - max(NEAR * np.sqrt(error), NOTHING))
    if surface[PLAIN] >= surface[best]:
        return PLAIN  # of equals, the one without cuts
    places = dict(zip(AXES, near.T))
    size = places.pop("size")
    steps = np.stack([*(values[size] for values in SIZE_STEPS), *places.values()], axis=1)
    distance = np.abs(steps - np.median(steps, axis=0)).sum(axis=1)
    closest = near[np.lexsort((-surface[tuple(near.T)], distance))[0]]
    return tuple(int(place) for place in closest)


def split_scenes(
    scenes: np.ndarray, counts: np.ndarray, seed: int, splits: int = SPLITS
) -> np.ndarray:
    """The split of the scenes that each image lies in, int64 (images,); splits are alike in images with objects.

    counts: objects of each image. Scenes of like content are drawn together, one for each split; there are fewer splits where there are
    fewer scenes. Raises KitError where there is only one scene.
    """
    groups = folds.group(scenes)
    number = groups.max(initial=-1) + 1
    if number < 2:
        raise KitError(
            "the holdout has a single scene; tuning needs two, to choose on one and score on the other"
        )
    rng, splits = np.random.default_rng(seed), min(splits, number)
    held, size = np.bincount(groups, np.asarray(counts) > 0), np.bincount(groups)
    order = np.lexsort((rng.random(number), size, held))
    split = np.concatenate([rng.permutation(splits) for _ in range(-(-number // splits))])[:number]
    scene_split = np.empty(number, np.int64)
    scene_split[order] = split
    return np.unique(scene_split, return_inverse=True)[1][groups]


def write_tuning(tuned: Tuning, path: Path) -> None:
    """The fields as JSON, and the surface as PNG beside it."""
    surface_plot.draw_surface(tuned.surface, tuned.point, tuned.fields, path.with_suffix(".png"))
    write_json(path, tuned.fields)


def _read_scenes(path) -> dict[str, int]:
    """Scene by image id, from a CSV with columns ImageId and scene; a scene is any text, -1 or empty: a scene of its own."""
    texts = {
        row["ImageId"]: row["scene"] or "-1"
        for row in read_rows(path, {"ImageId": str, "scene": str}, key="ImageId")
    }
    numbers = {text: place for place, text in enumerate(dict.fromkeys(texts.values()))} | {"-1": -1}
    return {name: numbers[text] for name, text in texts.items()}
