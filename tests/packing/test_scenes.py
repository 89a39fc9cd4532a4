"""Scenes from pixels, on real images and on practice competitions at three JPEG qualities.

The true scenes of a practice competition are known.
"""

import csv
import io
import itertools
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from kit.errors import KitError
from kit.packing import scenes
from kit.practice.folder import write_practice


def shrink(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        image.draft("L", (96, 96))
        return np.asarray(image.convert("L"))


def split_blocks(thumbnails: np.ndarray) -> np.ndarray:
    """(tiles, 9, 1024) float32."""
    parts = thumbnails.reshape(-1, 3, 32, 3, 32).transpose(0, 1, 3, 2, 4)
    return parts.reshape(-1, 9, 1024).astype(np.float32)


@pytest.mark.parametrize("quality", [40, 75, 95])
def test_scenes_of_a_practice_competition_are_found(tmp_path, quality):
    folder = write_practice(
        tmp_path / "competition",
        images=150,
        test_images=1,
        quality=quality,
        empty_share=0.7,
        seed=quality,
    )
    places = {
        row["ImageId"]: row
        for row in csv.DictReader(io.StringIO((folder / "truth/tiles.csv").read_text()))
    }
    names, images = [], []
    for path in sorted((folder / "train_v2").iterdir()):
        try:
            images.append(shrink(path))
            names.append(path.name)
        except OSError:  # the truncated one
            continue
    thumbnails = np.stack(images)
    found, std = scenes.find_scenes(thumbnails), split_blocks(thumbnails).std(-1)
    true = np.array([int(places[name]["scene"]) for name in names])
    at = np.array([[int(places[name][axis]) // 256 for axis in "yx"] for name in names])
    wanted = joined = 0
    for a, b in itertools.combinations(range(len(names)), 2):
        down, right = at[b] - at[a]
        if true[a] != true[b] or max(abs(down), abs(right)) > 2:
            continue
        shared = [
            (r, c) for r in range(3) for c in range(3) if 0 <= r - down < 3 and 0 <= c - right < 3
        ]
        if max(min(std[a, 3 * r + c], std[b, 3 * (r - down) + c - right]) for r, c in shared) >= 6:
            wanted, joined = wanted + 1, joined + (found[a] == found[b])
    assert wanted > 50 and joined >= 0.98 * wanted
    assert all(len(set(true[found == scene])) == 1 for scene in set(found))


def test_the_order_of_tiles_does_not_matter_and_numbers_are_those_of_first_appearance(practice):
    thumbnails = np.stack([shrink(path) for path in sorted((practice / "test_v2").iterdir())])
    rng = np.random.default_rng(0)
    copies = [
        np.roll(image, (-32 * k, 0), (0, 1)) for image in thumbnails for k in (0, 1)
    ]  # two thirds of a tile are seen again
    tiles = np.stack(copies).astype(np.int16) + rng.integers(-1, 2, (len(copies), 96, 96))
    tiles = np.clip(tiles, 0, 255).astype(np.uint8)
    found = scenes.find_scenes(tiles)
    assert list(dict.fromkeys(found.tolist())) == list(range(found.max() + 1))
    order = rng.permutation(len(tiles))
    other = scenes.find_scenes(tiles[order])
    together = found[order][:, None] == found[order][None]
    assert np.array_equal(other[:, None] == other[None], together)
    structured = split_blocks(tiles).std(-1).reshape(-1, 2, 9)[:, 0, 3:].max(1) >= 7
    assert structured.any() and all(
        found[2 * k] == found[2 * k + 1] for k in np.flatnonzero(structured)
    )


def test_flat_sea_is_no_evidence():
    rng = np.random.default_rng(0)
    tiles = (60 + rng.integers(-1, 2, (20, 96, 96))).astype(np.uint8)
    assert scenes.find_scenes(tiles).tolist() == list(range(20))
    assert scenes.find_scenes(tiles[:0]).tolist() == []


def test_one_block_in_common_joins_and_a_like_one_does_not():
    rng = np.random.default_rng(0)
    tiles = np.kron(rng.integers(0, 256, (3, 12, 12), dtype=np.uint8), np.ones((8, 8), np.uint8))
    tiles[1, :32, :32] = tiles[0, 64:, 64:]  # the last block of one is the first of the other
    changed = tiles[0, :32, :32].astype(int)
    changed[:, 16:] = 255 - changed[:, 16:]
    tiles[2, 64:, 64:] = changed
    assert scenes.find_scenes(tiles).tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    ("noise", "light", "joined"), [(1, 0, True), (25, 0, False), (1, 10, False)]
)
def test_likeness_from_afar_is_not_enough(noise, light, joined):
    """Two blocks have the same low frequencies, and so the same keys.

    They are joined only if the other frequencies and the light agree, too.
    """
    rng = np.random.default_rng(0)
    smooth = 120 + 300 * gaussian_filter(rng.normal(0, 1, (32, 32)), 3)
    tiles = rng.integers(0, 256, (2, 96, 96))
    tiles[0, 64:, 64:] = smooth + noise * rng.choice([-1, 1], (32, 32))
    tiles[1, :32, :32] = smooth + noise * rng.choice([-1, 1], (32, 32)) + light
    assert (
        len(set(scenes.find_scenes(np.clip(tiles, 0, 255).astype(np.uint8)).tolist())) == 1
    ) == joined


@pytest.mark.parametrize(("noise", "joined"), [(0.02, True), (0.5, False)])
def test_a_faint_block_joins_only_where_it_agrees_almost_exactly(noise, joined):
    rng = np.random.default_rng(1)
    swell = 80 + 4 * gaussian_filter(rng.normal(0, 1, (32, 32)), 2) / 0.14
    assert 2 < swell.std() < 6
    tiles = rng.integers(0, 256, (2, 96, 96)).astype(float)
    tiles[0, 64:, 64:] = swell + rng.normal(0, noise, (32, 32))
    tiles[1, :32, :32] = swell + rng.normal(0, noise, (32, 32))
    found = scenes.find_scenes(np.clip(tiles.round(), 0, 255).astype(np.uint8))
    assert (found[0] == found[1]) == joined


def test_other_shapes_are_refused():
    with pytest.raises(KitError, match="thumbnails are uint8 of shape"):
        scenes.find_scenes(np.zeros((3, 768, 768), np.uint8))


def test_real_tiles_that_share_a_block_are_joined(airbus):
    """A quick search for structured blocks with a correlation above 0.95 finds 217 pairs of tiles.

    Two of them, at 0.951 and 0.954, show different places.
    """
    thumbnails = np.stack([shrink(path) for path in sorted((airbus / "train_v2").iterdir())])
    blocks = split_blocks(thumbnails)
    centered = blocks - blocks.mean(-1, keepdims=True)
    held = np.flatnonzero(blocks.std(-1).ravel() >= 6)
    vectors = centered.reshape(-1, 1024)[held]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    a, b = np.nonzero(np.triu(vectors @ vectors.T > 0.95, 1))
    pairs = {
        tuple(sorted(pair))
        for pair in zip((held[a] // 9).tolist(), (held[b] // 9).tolist())
        if pair[0] != pair[1]
    }
    found = scenes.find_scenes(thumbnails)
    assert len(pairs) == 217 and sum(found[a] == found[b] for a, b in pairs) >= 0.99 * len(pairs)
    assert np.bincount(found).max() == 10
    strict = scenes.find_scenes(thumbnails, scenes.SceneSettings(faint_std=6.0))
    sizes, fewer = np.bincount(found), np.bincount(strict)
    assert (
        sizes[sizes > 1].sum() == 263 and fewer[fewer > 1].sum() == 230
    )  # faint blocks: all 32 new overlaps were looked at, and true
