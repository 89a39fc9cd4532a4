"""Threshold and cuts chosen from maps and truth for the re-weighted object F2, and how far to trust the figure."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path

import numpy as np
from PIL import Image

from . import folds, objects, score
from . import masks as table
from .bootstrap import interval
from .competition import image_path
from .counts import count
from .errors import KitError
from .masks import Masks
from .objects import Cuts
from .settings import TuneSettings

THRESHOLDS = (77, 102, 128, 153, 179, 204)  # 0.3 to 0.8 of 255
AREAS = (0, 15, 30, 60, 120, 240)  # px
CONFIDENCES = (0.0, 0.6, 0.7, 0.8, 0.9, 0.95)  # mean probability of a component


def write_map(folder: Path, name: str, image: np.ndarray) -> None:
    """A uint8 map (height, width) as FOLDER/{ImageId}.png."""
    Image.fromarray(image).save(
        image_path(folder, "{id}.png", name), compress_level=1
    )  # 6, the default, takes five times as long for 10% less


def read_map(folder: Path, name: str, shape) -> np.ndarray:
    """The uint8 map (height, width) of an image; KitError where it is missing, damaged, or of another size than `shape`."""
    path = image_path(folder, "{id}.png", name)
    try:
        with Image.open(path, formats=("PNG",)) as image:
            found = np.array(image)
    except FileNotFoundError:
        raise KitError(f"{path}: the map is missing") from None
    except (OSError, SyntaxError, ValueError) as error:
        raise KitError(f"{path}: cannot be read as a PNG: {error}") from None
    if found.dtype != np.uint8 or found.shape != tuple(shape):
        raise KitError(f"{path}: is {found.dtype} of shape {found.shape}, expected uint8 of shape {tuple(map(int, shape))}")
    return found


def tune_maps(folder: Path, truth: Masks, scenes: np.ndarray, settings: TuneSettings) -> dict:
    """The fields of tuning.json: cuts chosen on all images, and a figure from cuts chosen on one half of the scenes, scored on the other.

    folder: maps of the images of `truth`; scenes: int64 (images,), -1 unknown.
    """
    values, counts = score_grid(folder, truth), table.count_objects(truth)
    empty = counts == 0
    nested = score_nested(values, empty, halve(scenes, counts, settings.seed), settings.empty_share)
    weigh = _weighing(settings.empty_share, empty)
    low, high = interval(
        nested,
        folds.group(scenes),
        empty=empty,
        empty_share=settings.empty_share if 0 < empty.sum() < len(empty) else None,
        seed=settings.seed,
    )
    everything = np.arange(len(truth))
    plain = values[GRID.index(Cuts())]
    best = GRID[choose(values, empty, settings.empty_share)]
    return dataclasses.asdict(best) | {
        "empty_share": settings.empty_share,
        "f2": weigh(nested, everything),
        "f2_low": low,
        "f2_high": high,
        "f2_plain": weigh(plain, everything),
        "f2_blank": weigh(empty.astype(float), everything),
    }


GRID = [Cuts(*point) for point in itertools.product(THRESHOLDS, AREAS, CONFIDENCES)]


def score_grid(folder: Path, truth: Masks) -> np.ndarray:
    """F2 of every image at every point of GRID, float64 (points, images)."""
    values = np.zeros((len(GRID), len(truth)))
    for image, name in enumerate(truth.ids):
        real, found = table.select(truth, [image]), read_map(folder, name, truth.shapes[image])
        for threshold in THRESHOLDS:
            raw = objects.find_objects([name], [found], Cuts(threshold))
            area, confidence = table.areas(raw), objects.mean_values(raw, found) / 255
            known = {}
            for point, cuts in enumerate(GRID):
                if cuts.threshold == threshold:
                    keep = (area >= cuts.min_area) & (confidence >= cuts.min_confidence)
                    key = keep.tobytes()
                    if key not in known:
                        known[key] = score.f2(count(real, table.select_objects(raw, keep)))[0]
                    values[point, image] = known[key]
    return values


def score_nested(values: np.ndarray, empty: np.ndarray, first: np.ndarray, empty_share: float) -> np.ndarray:
    """F2 of every image at the point that the other half chooses; first: True for the images of one half."""
    result = np.empty(values.shape[1])
    for half in (first, ~first):
        result[half] = values[choose(values[:, ~half], empty[~half], empty_share)][half]
    return result


def choose(values: np.ndarray, empty: np.ndarray, empty_share: float) -> int:
    """The point (position in GRID) with the largest re-weighted F2, smoothed over its neighbors so that a lone peak does not win."""
    weigh = _weighing(empty_share, empty)
    everything = np.arange(values.shape[1])
    grid = np.array([weigh(row, everything) for row in values]).reshape(len(THRESHOLDS), len(AREAS), len(CONFIDENCES))
    padded = np.pad(grid, 1, "edge")
    around = [
        padded[tuple(slice(1 + d, 1 + d + n) for d, n in zip(shift, grid.shape))] for shift in itertools.product((-1, 0, 1), repeat=3)
    ]
    smooth = np.mean(around, axis=0).ravel()
    plain = GRID.index(Cuts())
    return plain if smooth[plain] >= smooth.max() - 1e-12 else int(np.argmax(smooth))  # of equals, the one without cuts


def halve(scenes: np.ndarray, counts: np.ndarray, seed: int) -> np.ndarray:
    """True for the images of the first of two halves of the scenes, alike in images with objects; counts: objects of each image.

    Scenes are drawn in pairs of like content, one for each half. Raises KitError where there is only one scene.
    """
    groups = folds.group(scenes)
    number = groups.max(initial=-1) + 1
    if number < 2:
        raise KitError("the holdout has a single scene; tuning needs two, to choose on one and score on the other")
    rng = np.random.default_rng(seed)
    held, size = np.bincount(groups, np.asarray(counts) > 0), np.bincount(groups)
    order = np.lexsort((rng.random(number), size, held))
    first = np.zeros(number, bool)
    for pair in range(0, number, 2):
        first[order[min(pair + rng.integers(2), number - 1)]] = True
    return first[groups]


def _weighing(empty_share: float, empty: np.ndarray):
    """statistic(values, index): the re-weighted mean F2, or the plain one where the images are all of one kind."""

    one_kind = empty.all() or not empty.any()

    def weigh(values, index):
        return float(values[index].mean()) if one_kind else score.f2_weighted(values[index], empty[index], empty_share)

    return weigh


def cuts_from_json(fields: dict, path) -> Cuts:
    """The cuts in the fields of tuning.json; KitError naming `path` where they are missing or out of range."""
    try:
        cuts = Cuts(fields["threshold"], fields["min_area"], float(fields["min_confidence"]))
        if type(cuts.threshold) is not int or type(cuts.min_area) is not int:
            raise ValueError("threshold and min_area are whole numbers")
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise KitError(f"{path}: not the cuts of kit tune ({error!r}); tune again") from None
    if not (1 <= cuts.threshold <= 255 and cuts.min_area >= 0 and 0 <= cuts.min_confidence <= 1):
        raise KitError(f"{path}: cuts out of range ({cuts}); tune again")
    return cuts


def describe(result: dict) -> str:
    """tuning.json in three lines for people."""
    return (
        f"threshold {result['threshold']}, min_area {result['min_area']} px, min_confidence {result['min_confidence']}\n"
        f"object F2 at {result['empty_share']:.1%} empty images: {result['f2']:.3f} (95% interval {result['f2_low']:.3f} to "
        f"{result['f2_high']:.3f}; cuts chosen on one half of the scenes, scored on the other)\n"
        f"threshold 128 alone {result['f2_plain']:.3f}, blank submission {result['f2_blank']:.3f}"
    )
