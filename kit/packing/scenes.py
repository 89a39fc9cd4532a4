"""Tiles cut from one larger scene, found from their pixels: two tiles that share a block of 256 x 256 px are of one scene.

Tiles of 768 px were cut with a stride of 256 px, so each holds nine blocks, and a shared block lies at whole blocks in both. JPEG noise
differs between copies, so bytes do not tell; at 1/8 scale a shared block differs by about one gray level.
"""

from dataclasses import dataclass

import numpy as np

from ..errors import KitError
from ..fields import Settings, setting
from ..system.jit import compiled

THUMBNAIL, BLOCK, SIDE = 96, 32, 3  # px of a tile and of a block at 1/8 scale, blocks along a tile
HASHES, BITS, NEIGHBORS = (
    8,
    18,
    8,
)  # hashes of a block, bits of a key, entries after a block's own that are looked at
CHUNK = 512  # tiles, or pairs of them, at a time, for flat memory


@dataclass(frozen=True)
class SceneSettings(Settings):
    """What is evidence that two tiles share ground."""

    min_std: float = setting(
        6.0,
        "standard deviation of a block's gray values at 1/8 scale below which it is faint (flat sea)",
    )
    min_correlation: float = setting(0.98, "correlation over all blocks that two tiles would share")
    faint_std: float = setting(2.0, "standard deviation below which a block is no evidence at all")
    faint_correlation: float = setting(
        0.999, "correlation that is wanted where a faint block is the evidence"
    )
    max_difference: float = setting(
        2.5, "largest difference of the mean gray values of two blocks that may be one"
    )


def find_scenes(thumbnails, settings: SceneSettings = SceneSettings()) -> np.ndarray:
    """Scene of each tile, int64 (tiles,), numbered from 0 in order of first appearance; a tile without a neighbor is one of its own.

    thumbnails: uint8 (tiles, 96, 96), gray at 1/8 scale; an array, or whatever has its shape and gives arrays for slices and indices. Each
    structured block gets a few hash keys from the signs of its low frequencies; blocks with a common key and a like mean are candidates; a
    candidate pair of tiles is joined where all the ground that they would share agrees. Raises KitError for another shape.
    """
    if len(thumbnails) == 0:
        return np.zeros(0, np.int64)
    first = thumbnails[:1]
    if first.shape[1:] != (THUMBNAIL, THUMBNAIL) or first.dtype != np.uint8:
        raise KitError(
            f"thumbnails are uint8 of shape (tiles, {THUMBNAIL}, {THUMBNAIL}), got {first.dtype} of shape (tiles, *{first.shape[1:]})"
        )
    block, mean, std, keys = _describe(thumbnails, settings.faint_std)
    wanted = np.where(std < settings.min_std, settings.faint_correlation, settings.min_correlation)
    parent = np.arange(len(thumbnails))
    for place in range(HASHES):
        order = np.lexsort((mean, keys[:, place]))
        pairs, least = _pair(
            block[order],
            keys[order, place],
            mean[order],
            wanted[order],
            parent,
            settings.max_difference,
        )
        for start in range(0, len(pairs), CHUNK):
            part = pairs[start : start + CHUNK]
            apart = _apart(part, parent)  # what is joined by now needs no second look
            part = part[apart]
            _join(
                part,
                least[start : start + CHUNK][apart],
                thumbnails[part[:, 0]],
                thumbnails[part[:, 1]],
                parent,
            )
    return np.unique(_roots(parent), return_inverse=True)[1]  # a root is its scene's first tile


def find_offset(
    one: np.ndarray, other: np.ndarray, settings: SceneSettings = SceneSettings()
) -> tuple[int, int] | None:
    """By how many blocks of 256 px the tile `other` lies below and to the right of `one`, by the ground that they share; None: none.

    one, other: uint8 (96, 96), gray at 1/8 scale. Ground flatter than faint_std is no evidence; of several places the one with most.
    """
    places = [(down, right) for down in range(1 - SIDE, SIDE) for right in range(1 - SIDE, SIDE)]
    for down, right in sorted(places, key=lambda place: abs(place[0]) + abs(place[1])):
        shared = one[max(down, 0) * BLOCK :, max(right, 0) * BLOCK :][
            : THUMBNAIL - abs(down) * BLOCK, : THUMBNAIL - abs(right) * BLOCK
        ]
        std = shared.std()
        wanted = settings.faint_correlation if std < settings.min_std else settings.min_correlation
        if std >= settings.faint_std and _agree(one, other, down, right, wanted):
            return down, right
    return None


def _describe(thumbnails, min_std: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The structured blocks: number (tile * 9 + place), mean and standard deviation of the gray values, and a key for each hash, uint32
    (blocks, HASHES)."""
    place = np.arange(BLOCK)
    cosines = np.cos(np.pi * (place + 0.5) * np.arange(8)[:, None] / BLOCK).astype(
        np.float32
    )  # the lowest frequencies of the DCT
    rng = np.random.default_rng(0)  # which signs make a key: any fixed choice will do
    choice = np.array([rng.permutation(np.arange(1, 36))[:BITS] for _ in range(HASHES)])
    low = np.argsort([u * u + v * v for u in range(8) for v in range(8)], kind="stable")
    blocks, means, stds, keys = [], [], [], []
    for start in range(0, len(thumbnails), CHUNK):
        part = (
            thumbnails[start : start + CHUNK]
            .reshape(-1, SIDE, BLOCK, SIDE, BLOCK)
            .transpose(0, 1, 3, 2, 4)
            .reshape(-1, BLOCK, BLOCK)
        )
        values = part.astype(np.float32)
        std = values.std(axis=(1, 2))
        held = np.flatnonzero(std >= min_std)
        values = values[held]
        waves = (cosines @ values @ cosines.T).reshape(len(held), 64)[:, low] > 0
        blocks.append(held + start * SIDE * SIDE)
        means.append(values.mean(axis=(1, 2)))
        stds.append(std[held])
        keys.append((waves[:, choice] * (1 << np.arange(BITS))).sum(axis=2).astype(np.uint32))
    return np.concatenate(blocks), np.concatenate(means), np.concatenate(stds), np.concatenate(keys)


@compiled
def _root(parent, tile):
    while parent[tile] != tile:
        parent[tile] = parent[parent[tile]]
        tile = parent[tile]
    return tile


@compiled
def _roots(parent):
    found = np.empty(len(parent), np.int64)
    for tile in range(len(parent)):
        found[tile] = _root(parent, tile)
    return found


@compiled
def _agree(one, other, down, right, min_correlation):
    """Whether two tiles show the same ground where they would overlap, `other` lying some blocks below and to the right of `one`."""
    height, width = THUMBNAIL - abs(down) * BLOCK, THUMBNAIL - abs(right) * BLOCK
    row_a, row_b, column_a, column_b = (
        max(down, 0) * BLOCK,
        max(-down, 0) * BLOCK,
        max(right, 0) * BLOCK,
        max(-right, 0) * BLOCK,
    )
    a, b, aa, bb, ab = 0, 0, 0, 0, 0
    for row in range(height):
        for column in range(width):
            x, y = (
                np.int64(one[row_a + row, column_a + column]),
                np.int64(other[row_b + row, column_b + column]),
            )
            a, b, aa, bb, ab = a + x, b + y, aa + x * x, bb + y * y, ab + x * y
    count = height * width
    common, spread = count * ab - a * b, float(count * aa - a * a) * float(count * bb - b * b)
    return common > 0 and float(common) ** 2 >= min_correlation**2 * spread and spread > 0


@compiled
def _pair(block, key, mean, wanted, parent, max_difference):
    """Candidates, int32 (pairs, 4): two tiles, and by how many blocks the second lies below and to the right of the first; and the
    correlation wanted of each. Blocks are sorted by key and mean, so a copy stands among the next few."""
    found, least, size = np.empty((1024, 4), np.int32), np.empty(1024), 0
    for place in range(len(block)):
        for near in range(place + 1, min(place + 1 + NEIGHBORS, len(block))):
            if key[near] != key[place] or mean[near] - mean[place] > max_difference:
                break
            one, other = block[place] // 9, block[near] // 9
            if _root(parent, one) == _root(parent, other):
                continue
            if size == len(found):
                found, least = (
                    np.concatenate((found, np.empty_like(found))),
                    np.concatenate((least, np.empty_like(least))),
                )
            found[size, 0], found[size, 1] = one, other
            found[size, 2] = block[place] % 9 // 3 - block[near] % 9 // 3
            found[size, 3] = block[place] % 3 - block[near] % 3
            least[size] = max(wanted[place], wanted[near])
            size += 1
    return found[:size], least[:size]


@compiled
def _apart(pairs, parent):
    """Which pairs are not yet of one scene."""
    found = np.empty(len(pairs), np.bool_)
    for place in range(len(pairs)):
        found[place] = _root(parent, pairs[place, 0]) != _root(parent, pairs[place, 1])
    return found


@compiled
def _join(pairs, least, ones, others, parent):
    """Joins in `parent` the pairs whose common ground agrees."""
    for place in range(len(pairs)):
        a, b = _root(parent, pairs[place, 0]), _root(parent, pairs[place, 1])
        if a != b and _agree(
            ones[place], others[place], pairs[place, 2], pairs[place, 3], least[place]
        ):
            parent[max(a, b)] = min(a, b)


def lay(thumbnails: np.ndarray) -> np.ndarray:
    """Place of each tile in blocks of 256 px below and to the right of the topmost and leftmost one, int64 (tiles, 2).

    thumbnails: uint8 (tiles, 96, 96), gray at 1/8 scale. Groups of tiles that share no ground stand one below the other.
    """
    number = len(thumbnails)
    known, places, below = np.zeros(number, bool), np.zeros((number, 2), np.int64), 0
    while not known.all():
        waiting = group = [int(np.argmin(known))]
        known[waiting] = True
        while waiting:
            one, *waiting = waiting
            found = {
                other: find_offset(thumbnails[one], thumbnails[other])
                for other in np.flatnonzero(~known).tolist()
            }
            for other, offset in found.items():
                if offset is not None:
                    known[other], places[other] = True, places[one] + offset
                    waiting, group = [*waiting, other], [*group, other]
        places[group] += np.array([below, 0]) - places[group].min(axis=0)
        below = int(places[group, 0].max()) + 4
    return places
