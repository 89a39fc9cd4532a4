"""Tiles of one scene are laid where they were cut, by the ground that they share."""

import numpy as np

from kit.packing.scenes import lay


def test_tiles_lie_where_they_were_cut():
    rng = np.random.default_rng(0)
    scene = np.kron(rng.integers(0, 255, (24, 32)), np.ones((8, 8))).astype(np.uint8)
    places = np.array(
        [[0, 1], [1, 1], [1, 3], [2, 2], [0, 0], [2, 4]]
    )  # blocks of 32 px at 1/8 scale; the last meets the third alone
    tiles = np.stack([scene[32 * y : 32 * y + 96, 32 * x : 32 * x + 96] for y, x in places])
    noise = rng.integers(-1, 2, tiles.shape)
    assert (
        lay(np.clip(tiles.astype(int) + noise, 0, 255).astype(np.uint8)).tolist() == places.tolist()
    )


def test_a_tile_that_shares_no_ground_stands_below():
    rng = np.random.default_rng(1)
    tiles = rng.integers(0, 255, (3, 96, 96)).astype(np.uint8)
    tiles[1, :, :64] = tiles[0, :, 32:]
    assert lay(tiles).tolist() == [[0, 0], [0, 1], [4, 0]]
    assert lay(tiles[[2, 0, 1]]).tolist() == [[0, 0], [4, 0], [4, 1]]  # whichever comes first
    assert lay(tiles[:1]).tolist() == [[0, 0]] and lay(tiles[:0]).shape == (0, 2)
