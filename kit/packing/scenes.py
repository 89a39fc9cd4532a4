"""Scenes, found from pixels: tiles that share a block of 256 x 256 px were cut from one scene.

Tiles of 768 px were cut with a stride of 256 px. So each tile holds nine blocks, and overlapping
tiles share whole blocks. JPEG noise differs between the copies of a block, so their bytes do not
match; at 1/8 scale the copies differ by about one gray level.
"""

from dataclasses import dataclass

import numpy as np

from ..errors import KitError
from ..fields import Settings, setting
from ..system.jit import compiled
from .inspection import Thumbnails

THUMBNAIL, BLOCK, SIDE = 96, 32, 3  # px of a tile and of a block at 1/8 scale, blocks along a tile
# Hashes of a block, bits of a key, and how many entries after a block's own are compared with it.
HASHES, BITS, NEIGHBORS = 8, 18, 8
CHUNK = 512  # tiles, or pairs of tiles, at a time, so that memory stays flat


@dataclass(frozen=True)
class SceneSettings(Settings):
    """What counts as evidence that two tiles show the same ground."""

    min_std: float = setting(
        6.0,
        "standard deviation of a block's gray values at 1/8 scale, below which it is faint "
        "(flat sea)",
    )
    min_correlation: float = setting(
        0.98, "least correlation over all blocks that two tiles would share"
    )
    faint_std: float = setting(2.0, "standard deviation below which a block is no evidence")
    faint_correlation: float = setting(0.999, "least correlation if a faint block is the evidence")
    max_difference: float = setting(
        2.5, "largest difference of the mean gray values of two copies of a block"
    )


def find_scenes(
    thumbnails: np.ndarray | Thumbnails, settings: SceneSettings = SceneSettings()
) -> np.ndarray:
    """Scene of each tile, int64 (tiles,), numbered from 0 in order of first appearance.

    A tile that overlaps no other is a scene of its own. Each block with structure gets a few hash
    keys from the signs of its low frequencies. Blocks with a common key and a similar mean make two
    tiles candidates, which are joined if all the ground that they would share agrees.

    thumbnails: uint8 (tiles, 96, 96), gray at 1/8 scale.

    Raises:
        KitError: if the thumbnails have another shape or type.
    """
    if len(thumbnails) == 0:
        return np.zeros(0, np.int64)
    first = thumbnails[:1]
    if first.shape[1:] != (THUMBNAIL, THUMBNAIL) or first.dtype != np.uint8:
        raise KitError(
            f"thumbnails are uint8 of shape (tiles, {THUMBNAIL}, {THUMBNAIL}), "
            f"got {first.dtype} of shape (tiles, *{first.shape[1:]})"
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
            apart = _apart(part, parent)  # pairs that are joined by now need no second look
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
    """By how many blocks of 256 px the tile `other` lies below and to the right of `one`.

    The answer comes from the ground that both show; None if they share none. Ground flatter than
    `faint_std` is no evidence. If several offsets are possible, the one with most ground wins.

    one, other: uint8 (96, 96), gray at 1/8 scale.
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


def _describe(
    thumbnails: np.ndarray | Thumbnails, min_std: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The blocks with structure.

    Returns number (tile * 9 + place), mean and standard deviation of the gray values of each, and
    one key for each hash, uint32 (blocks, HASHES).
    """
    place = np.arange(BLOCK)
    # The lowest frequencies of the DCT.
    cosines = np.cos(np.pi * (place + 0.5) * np.arange(8)[:, None] / BLOCK).astype(np.float32)
    rng = np.random.default_rng(0)  # chooses the signs that make a key; any fixed choice will do
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
def _root(parent: np.ndarray, tile: int) -> int:
    while parent[tile] != tile:
        parent[tile] = parent[parent[tile]]
        tile = parent[tile]
    return tile


@compiled
def _roots(parent: np.ndarray) -> np.ndarray:
    found = np.empty(len(parent), np.int64)
    for tile in range(len(parent)):
        found[tile] = _root(parent, tile)
    return found


@compiled
def _agree(
    one: np.ndarray, other: np.ndarray, down: int, right: int, min_correlation: float
) -> bool:
    """Whether two tiles show the same ground where they would overlap.

    `other` would lie `down` blocks below and `right` blocks to the right of `one`.
    """
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
            a, b, aa, bb, ab = a + x, b + y, aa + x * x, bb + y * y, ab + x * y  # type: ignore
    count = height * width
    common, spread = count * ab - a * b, float(count * aa - a * a) * float(count * bb - b * b)
    return common > 0 and float(common) ** 2 >= min_correlation**2 * spread and spread > 0


@compiled
def _pair(
    block: np.ndarray,
    key: np.ndarray,
    mean: np.ndarray,
    wanted: np.ndarray,
    parent: np.ndarray,
    max_difference: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Candidates, int32 (pairs, 4), and the least correlation of each.

    A candidate is two tiles, and by how many blocks the second lies below and to the right of the
    first. Blocks are sorted by key and mean, so copies of a block are near each other.
    """
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
def _apart(pairs: np.ndarray, parent: np.ndarray) -> np.ndarray:
    """Which pairs are not in one scene yet, bool (pairs,)."""
    found = np.empty(len(pairs), np.bool_)
    for place in range(len(pairs)):
        found[place] = _root(parent, pairs[place, 0]) != _root(parent, pairs[place, 1])
    return found


@compiled
def _join(
    pairs: np.ndarray, least: np.ndarray, ones: np.ndarray, others: np.ndarray, parent: np.ndarray
) -> None:
    """Joins in `parent` the pairs whose common ground agrees."""
    for place in range(len(pairs)):
        a, b = _root(parent, pairs[place, 0]), _root(parent, pairs[place, 1])
        if a != b and _agree(
            ones[place], others[place], pairs[place, 2], pairs[place, 3], least[place]
        ):
            parent[max(a, b)] = min(a, b)


def lay(thumbnails: np.ndarray) -> np.ndarray:
    """Row and column of each tile, int64 (tiles, 2), in blocks of 256 px from the top left corner.

    Groups of tiles that share no ground are placed one below the other.

    thumbnails: uint8 (tiles, 96, 96), gray at 1/8 scale.
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
