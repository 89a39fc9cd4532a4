"""Which images are packed: all, or some that are drawn from the whole list."""

import numpy as np

from ..settings import PackSettings


def choose_images(objects: np.ndarray, settings: PackSettings) -> np.ndarray:
    """Positions, ascending, of the images that --per-count, --empty-share and --limit leave, in this order; drawn at random.

    objects: int (images,), objects of each. An empty share that is out of reach by leaving out empty images is reached by leaving out
    images with objects.
    """
    rng = np.random.default_rng((settings.seed, 1))
    kept = np.arange(len(objects))
    if settings.per_count is not None:
        kept = np.concatenate(
            [_draw(rng, kept[objects == count], settings.per_count) for count in np.unique(objects)]
        )
    if settings.empty_share is not None:
        share, empty = settings.empty_share, kept[objects[kept] == 0]
        full = kept[objects[kept] > 0]
        if len(empty) * (1 - share) > len(full) * share:
            empty = _draw(rng, empty, round(len(full) * share / (1 - share)))
        else:
            full = _draw(rng, full, round(len(empty) * (1 - share) / share) if share else len(full))
        kept = np.concatenate([empty, full])
    if settings.limit is not None:
        kept = _draw(rng, kept, settings.limit)
    return np.sort(kept)


def _draw(rng: np.random.Generator, places: np.ndarray, count: int) -> np.ndarray:
    return places if len(places) <= count else rng.permutation(places)[:count]


def fit(
    objects: np.ndarray, scenes: np.ndarray, sizes: np.ndarray, room: int, seed: int
) -> np.ndarray:
    """Positions, ascending, of all images with an object and as many empty ones as `room` bytes hold beside them.

    scenes: int64 (images,); sizes: bytes of each. The empty ones are drawn over scenes: one of every scene in random order, then a second
    of every scene, and so on. Where the images with objects alone need more than there is room for, all of these are given all the same.
    """
    rng = np.random.default_rng((seed, 2))
    empty = rng.permutation(np.flatnonzero(objects == 0))
    order = np.argsort(scenes[empty], kind="stable")
    turn = np.empty(
        len(empty), np.int64
    )  # which of its scene's empty images this is; the order stays random within a turn
    same = scenes[empty[order]]
    turn[order] = np.arange(len(order)) - np.searchsorted(same, same)
    turn[scenes[empty] < 0] = 0  # nothing is known of their scenes
    empty = empty[np.argsort(turn, kind="stable")]
    full = np.flatnonzero(objects > 0)
    held = np.cumsum(sizes[empty]) <= room - sizes[full].sum()
    return np.sort(np.concatenate([full, empty[held]]))
