"""The selection of images to pack: all, or some that are drawn at random."""

import numpy as np

from ..settings import PackSettings


def choose_images(objects: np.ndarray, settings: PackSettings) -> np.ndarray:
    """Ascending positions of the images that --per-count, --empty-share and --limit leave.

    These settings apply in this order, and what they leave is drawn at random. To reach the empty
    share, either empty images are left out or images with objects.

    objects: int (images,), number of objects of each image.

    >>> choose_images(np.array([0, 0, 2, 0, 1]), PackSettings(empty_share=0.0)).tolist()
    [2, 4]
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
    """Ascending positions of all images with objects, and of as many empty ones as fit beside them.

    Empty images are drawn evenly from the scenes: first one from every scene, in random order, then
    a second from every scene, and so on.

    Args:
        objects: int (images,), number of objects of each image.
        scenes: int64 (images,), -1 if unknown.
        sizes: int64 (images,), bytes of each image.
        room: bytes that the images may take.
        seed: seed of the draw.

    Returns:
        int64 (chosen,). All images with objects are chosen even if they alone exceed `room`.
    """
    rng = np.random.default_rng((seed, 2))
    empty = rng.permutation(np.flatnonzero(objects == 0))
    order = np.argsort(scenes[empty], kind="stable")
    # Rank of each empty image in its scene; images of one rank stay in random order.
    turn = np.empty(len(empty), np.int64)
    same = scenes[empty[order]]
    turn[order] = np.arange(len(order)) - np.searchsorted(same, same)
    turn[scenes[empty] < 0] = 0  # their scenes are unknown
    empty = empty[np.argsort(turn, kind="stable")]
    full = np.flatnonzero(objects > 0)
    held = np.cumsum(sizes[empty]) <= room - sizes[full].sum()
    return np.sort(np.concatenate([full, empty[held]]))
