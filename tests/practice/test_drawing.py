"""Synthetic scenes: the same for the same seed, and a truth that is what one sees."""

import dataclasses
import math

import numpy as np
import pytest
import scipy.ndimage
import skimage.draw

from kit.practice import drawing, scenery
from kit.practice import ships as vessels
from kit.practice.scenery import Box


@pytest.fixture(scope="module")
def textures():
    return scenery.Textures(1)


@pytest.fixture(scope="module")
def scenes(textures):
    return [scenery.plan(1, index, textures) for index in range(60)]


def corners(box):
    along = np.array([math.cos(box.angle), math.sin(box.angle)]) * box.length / 2
    aside = np.array([-math.sin(box.angle), math.cos(box.angle)]) * box.width / 2
    return np.array([along + aside, along - aside, -along - aside, aside - along]) + np.array(
        [box.x, box.y]
    )


def test_scene_is_a_function_of_seed_and_index():
    picture, labels = drawing.scene(1, 4)
    again, labels_again = drawing.scene(1, 4)
    assert np.array_equal(picture, again) and np.array_equal(labels, labels_again)
    assert picture.dtype == np.uint8 and picture.shape == (*labels.shape, 3)
    assert all((side - 768) % 256 == 0 for side in labels.shape)
    for other in ((2, 4), (1, 6)):
        picture_of_other, _ = drawing.scene(*other)
        assert picture_of_other.shape != picture.shape or (picture_of_other != picture).mean() > 0.5


def test_streams_differ_by_seed_index_and_purpose(scenes):
    others = [
        scenes[0],
        dataclasses.replace(scenes[0], seed=9),
        dataclasses.replace(scenes[0], index=9),
    ]
    assert len({scene.stream(purpose).random() for scene in others for purpose in (1, 2)}) == 6
    assert scenes[0].stream(1).random() == scenes[0].stream(1).random()


def test_even_scenes_have_ships_and_odd_ones_none(scenes):
    assert [bool(scene.ships) for scene in scenes] == [index % 2 == 0 for index in range(60)]


def test_every_ship_has_its_label(scenes):
    for scene in scenes:
        assert np.unique(scene.labels()[scene.labels() > 0]).tolist() == list(
            range(1, len(scene.ships) + 1)
        )


def test_truth_is_the_rotated_rectangle(scenes):
    compared = 0
    for scene in scenes:
        labels = scene.labels()
        for number, ship in enumerate(scene.ships, 1):
            if ship.length * ship.width > 150:
                drawn = skimage.draw.polygon2mask(
                    labels.shape, corners(ship)[:, ::-1]
                )  # a second way to draw it
                truth = labels == number
                assert (drawn & truth).sum() / (drawn | truth).sum() > 0.85
                compared += 1
    assert compared > 20


def test_touching_ships_keep_their_own_pixels(scenes):
    ships = (
        Box(300, 300, 0.3, 60, 12),
        Box(300 - 12 * math.sin(0.3), 300 + 12 * math.cos(0.3), 0.3, 60, 12),
    )
    labels = dataclasses.replace(scenes[1], ships=ships, moving=(False, False)).labels()
    first, second = labels == 1, labels == 2
    assert 0.95 < first.sum() / 720 < 1.05 and 0.95 < second.sum() / 720 < 1.05
    assert (scipy.ndimage.binary_dilation(first) & second).sum() > 30


@pytest.mark.parametrize(
    "ship", [Box(60, 60, 0.7, 50, 11), Box(60.4, 60.2, 2.0, 14, 4), Box(60, 60, 4.0, 90, 20)]
)
def test_hull_fills_its_rectangle_to_a_pixel(ship, textures, scenes):
    water = np.full((3, 120, 120), 90, np.float32)
    picture = water.copy()
    vessels.draw_ship(picture, ship, np.random.default_rng(0), textures)
    seen = np.abs(picture - water).max(0) > 12
    truth = (
        dataclasses.replace(scenes[1], shape=(120, 120), ships=(ship,), moving=(False,)).labels()
        > 0
    )
    assert not (seen & ~scipy.ndimage.binary_dilation(truth, np.ones((3, 3)))).any()
    ahead = (np.arange(120)[None] - ship.x) * math.cos(ship.angle) + (
        np.arange(120)[:, None] - ship.y
    ) * math.sin(ship.angle)
    body = truth & (
        ahead < ship.length / 2 - 1.2 * ship.width
    )  # the bow is pointed, its rectangle is not
    edge = body & ~scipy.ndimage.binary_erosion(truth, np.ones((3, 3)))
    shown = scipy.ndimage.binary_dilation(seen, np.ones((3, 3)))
    assert (shown & edge).sum() > 0.97 * edge.sum()


def test_most_ships_stand_out(scenes, textures):
    contrasts = []
    for scene in scenes[:24:2]:
        picture, labels = drawing.draw_scene(scene, textures), scene.labels()
        for number in range(1, labels.max() + 1):
            ship = labels == number
            if ship.sum() > 30:
                rows, columns, _, _ = scene.ships[number - 1].frame(labels.shape, margin=8)
                part = rows, columns
                ring = scipy.ndimage.binary_dilation(
                    ship[part], iterations=6
                ) & ~scipy.ndimage.binary_dilation(labels[part] > 0, iterations=3)
                contrasts.append(
                    np.abs(
                        np.median(picture[part][ship[part]], 0) - np.median(picture[part][ring], 0)
                    ).max()
                )
    assert len(contrasts) > 10 and np.mean(np.array(contrasts) > 24) > 0.75


def test_ships_lie_on_water(scenes, textures):
    on_land = total = 0
    for scene in scenes:
        for height in (scenery.ground(scene, textures), scenery.dock_height(scene)):
            if height is not None:
                ships = scene.labels() > 0
                on_land += (ships & (height > 6)).sum()
                total += ships.sum()
    assert total > 1000 and on_land < 0.01 * total


@pytest.mark.parametrize("step", [1, 3, 8])
def test_crop_is_periodic_and_the_same_at_any_step(step):
    field = np.arange(scenery.PERIOD**2, dtype=np.float32).reshape(scenery.PERIOD, -1)
    for seed in range(6):
        part = scenery.crop(field, np.random.default_rng(seed), (1536, 1280), step)
        whole = scenery.crop(field, np.random.default_rng(seed), (1536, 1280))
        assert np.array_equal(part, whole[::step, ::step])
        assert np.array_equal(whole[1024:], whole[:512]) and np.array_equal(
            whole[:, 1024:], whole[:, :256]
        )
        assert len(np.unique(whole)) == scenery.PERIOD**2
        moved = scenery.crop(field, np.random.default_rng(seed), (1536, 1280), shift=(30, -7))
        assert np.array_equal(moved[30:, :-7], whole[:-30, 7:])


def test_ships_an_image_are_as_in_the_competition(textures):
    counts = np.array([len(scenery.plan(1, index, textures).ships) for index in range(0, 1000, 2)])
    assert (
        counts.max() <= 15
        and 0.5 < (counts == 1).mean() < 0.75
        and 0.12 < (counts == 2).mean() < 0.3
    )
