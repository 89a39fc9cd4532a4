"""Synthetic scenes: the same for the same seed, and a truth that is what one sees."""

import dataclasses
import math

import numpy as np
import pytest
import scipy.ndimage
import skimage.draw

from kit.practice import drawing, scenery
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


def test_scene_is_a_function_of_seed_and_index(textures):
    def draw(seed, index):
        fields = scenery.Textures(seed)
        return drawing.draw_scene(scenery.plan(seed, index, fields), fields)

    picture = draw(1, 4)
    assert np.array_equal(picture, draw(1, 4)) and picture.dtype == np.uint8
    assert all((side - 768) % 256 == 0 for side in picture.shape[:2]) and picture.shape[2] == 3
    for other in (draw(2, 4), draw(1, 6)):
        assert other.shape != picture.shape or (other != picture).mean() > 0.5


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
    drawing.draw_ship(picture, ship, np.random.default_rng(0), textures)
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
    heights = [(scene.labels() > 0, scenery.find_ground(scene, textures)) for scene in scenes]
    on_land = [(ships & (height > 6)).sum() for ships, height in heights if height is not None]
    total = sum(ships.sum() for ships, height in heights if height is not None)
    assert total > 1000 and sum(on_land) < 0.01 * total


def test_some_ships_touch_and_none_overlap(scenes):
    touching = 0
    for scene in scenes:
        labels = scene.labels()
        areas = np.bincount(labels.ravel())[1:]
        whole = [dataclasses.replace(scene, ships=(ship,)).labels() > 0 for ship in scene.ships]
        assert [mask.sum() for mask in whole] == areas.tolist() or len(scene.ships) > 1
        for number, mask in enumerate(whole, 1):
            near = scipy.ndimage.binary_dilation(mask) & (labels > 0) & (labels != number)
            touching += bool(near.any())
    assert touching >= 2


@pytest.mark.parametrize("step", [1, 3, 8])
def test_crop_is_periodic_and_the_same_at_any_step(step):
    field = np.arange(scenery.PERIOD**2, dtype=np.float32).reshape(scenery.PERIOD, -1)
    for seed in range(6):
        some = scenery.crop(field, np.random.default_rng(seed), (1536, 1280), step)
        whole = scenery.crop(field, np.random.default_rng(seed), (1536, 1280))
        assert np.array_equal(some, whole[::step, ::step])
        assert np.array_equal(whole[1024:], whole[:512])
        assert np.array_equal(whole[:, 1024:], whole[:, :256])
        assert len(np.unique(whole)) == scenery.PERIOD**2


def test_ships_an_image_are_as_in_the_competition(textures):
    counts = np.array([len(scenery.plan(1, index, textures).ships) for index in range(0, 1000, 2)])
    assert (
        counts.max() <= 15
        and 0.5 < (counts == 1).mean() < 0.75
        and 0.12 < (counts == 2).mean() < 0.3
    )
