"""Synthetic ships in the competition's counts: masks of truth and prediction, and maps."""

import itertools

import numpy as np
from scipy.ndimage import gaussian_filter

from kit.masks import table

SIDE, EMPTY = 768, 150_000
# How many images have 1, 2, 3 ... ships: 81,723 ships and 231,723 rows in all.
WITH = {1: 27_104, 2: 7_674, 3: 2_954, 4: 1_622, 5: 925, 8: 2_277 - 1_080, 9: 1_080}


def outline(rng) -> np.ndarray:
    """Runs (start, length) of one ship: a rotated rectangle somewhere in a tile."""
    area = float(np.clip(np.exp(rng.normal(np.log(300), 1.2)), 6, 20_000))
    length = np.sqrt(area * rng.uniform(2.5, 6))
    angle, row, column = rng.uniform(0, np.pi), *rng.uniform(0, SIDE, 2)
    x = np.arange(max(0, int(column - length)), min(SIDE, int(column + length) + 2))
    cosine, sine = np.cos(angle), np.sin(angle) or 1e-9
    (top_a, bottom_a), (top_b, bottom_b) = (
        _sort_pair(pole, step, size)
        for pole, step, size in (
            ((x - column) * cosine, sine, length / 2),
            (-(x - column) * sine, cosine, area / length / 2),
        )
    )
    top = np.maximum(np.ceil(np.maximum(top_a, top_b) + row), 0).astype(int)
    bottom = np.minimum(np.floor(np.minimum(bottom_a, bottom_b) + row), SIDE - 1).astype(int)
    held = top <= bottom
    if not held.any():
        return np.array([[int(column) * SIDE + int(row), 1]])
    return np.stack([x[held] * SIDE + top[held], bottom[held] - top[held] + 1], axis=1)


def _sort_pair(pole, step, size):
    one, other = (-size - pole) / step, (size - pole) / step
    return np.minimum(one, other), np.maximum(one, other)


def jitter(runs: np.ndarray, rng) -> np.ndarray:
    """The same ship as a network might see it.

    It may lack its first or last column, and all runs together may be a pixel longer, shorter or
    moved.
    """
    runs = runs[rng.integers(0, 2) : len(runs) - rng.integers(0, 2)] if len(runs) > 3 else runs
    top = np.clip(runs[:, 0] % SIDE + rng.integers(-1, 2), 0, SIDE - 1)
    length = np.clip(runs[:, 1] + rng.integers(-1, 2), 1, SIDE - top)
    return np.stack([runs[:, 0] // SIDE * SIDE + top, length], axis=1)


def make_masks(empty: int, ships: dict[int, int]) -> list[table.Masks]:
    """Truth and prediction; with EMPTY and WITH of the competition's size."""
    rng = np.random.default_rng(0)
    numbers = rng.permutation(np.repeat([0, *ships], [empty, *ships.values()]))
    sides: tuple[list, list] = ([], [])
    for image, number in enumerate(numbers):
        taken: set[int] = set()
        found = 0
        while found < number:
            runs = outline(rng)
            other = jitter(runs, rng)
            pixels = {p for s, n in itertools.chain(runs, other) for p in range(s, s + n)}
            if number > 1 and pixels & taken:
                continue
            taken |= pixels
            found += 1
            for side, one in zip(sides, (runs, other)):
                side.append((image, one))
    names = np.array([f"{image * 7919:09x}.jpg" for image in range(len(numbers))], object)
    return [_gather(names, *zip(*side)) for side in sides]


def _gather(names: np.ndarray, images: tuple[int], runs: tuple[np.ndarray]) -> table.Masks:
    """Masks of objects, from the image and the runs of each."""
    flat = np.concatenate(runs).astype(np.int32)
    offsets = np.cumsum([0, *map(len, runs)])
    held = np.concatenate([[0], np.cumsum(np.bincount(images, minlength=len(names)))])
    blank = table.blank(names, (SIDE, SIDE))
    labels = np.zeros(len(runs), np.int32)
    start, length = flat.T.copy()
    return table.Masks(blank.ids, blank.shapes, held, labels, offsets, start, length)


def make_map(rng, ships: int) -> np.ndarray:
    """A float32 probability map: soft ships on faint noise."""
    image = np.zeros(SIDE * SIDE, np.float32)
    for _ in range(ships):
        for start, length in outline(rng):
            image[start : start + length] = 1
    noise = 0.2 * rng.random((SIDE, SIDE), dtype=np.float32)
    image = gaussian_filter(image.reshape(SIDE, SIDE).T, 1) + noise
    return np.ascontiguousarray(np.clip(image, 0, 1))
