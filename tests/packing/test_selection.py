"""What --per-count, --empty-share, --limit and --fit leave."""

import numpy as np
import pytest

from kit.packing import selection
from kit.settings import PackSettings

OBJECTS = np.random.default_rng(0).choice([0, 0, 0, 0, 0, 0, 1, 1, 2, 5], 5000)


def choose(**settings):
    found = selection.choose_images(OBJECTS, PackSettings(**settings))
    assert (np.diff(found) > 0).all()
    return found


def test_everything_by_default():
    assert np.array_equal(choose(), np.arange(5000))


def test_images_of_each_count_are_capped_and_drawn_from_the_whole_list():
    found = choose(per_count=200)
    assert all((OBJECTS[found] == count).sum() == 200 for count in (0, 1, 2, 5))
    places = found[OBJECTS[found] == 0]
    assert (
        places.min() < 300 and places.max() > 4700 and np.array_equal(found, choose(per_count=200))
    )
    assert not np.array_equal(found, choose(per_count=200, seed=1))


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.59, 0.9, 1.0])
def test_the_empty_share_is_met_by_leaving_out_what_is_too_many(share):
    found = choose(empty_share=share)
    empty = (OBJECTS[found] == 0).sum()
    assert abs(empty - share * len(found)) <= 1
    assert (
        share in (0, 1)
        or empty == (OBJECTS == 0).sum()
        or len(found) - empty == (OBJECTS > 0).sum()
    )


def test_a_limit_comes_last():
    assert len(choose(limit=100)) == 100 and len(choose(per_count=10, limit=100)) == 40


def test_fit_takes_all_objects_and_empty_ones_over_scenes():
    scenes = np.sort(np.random.default_rng(1).integers(0, 800, 5000))
    sizes = np.random.default_rng(2).integers(50, 150, 5000)
    full = OBJECTS > 0
    room = int(sizes[full].sum() + 600 * 100)
    found = selection.fit(OBJECTS, scenes, sizes, room, 0)
    empty = found[OBJECTS[found] == 0]
    assert set(np.flatnonzero(full)) <= set(found) and room - 150 <= sizes[found].sum() <= room
    per_scene = np.bincount(scenes[empty], minlength=800)
    assert per_scene.max() == 1  # 600 of 800 scenes: none gives a second before each gave one
    more = selection.fit(OBJECTS, scenes, sizes, room + 40_000, 0)
    assert set(found) <= set(more)
    available = np.bincount(scenes[OBJECTS == 0], minlength=800)
    assert (
        np.bincount(scenes[more[OBJECTS[more] == 0]], minlength=800) >= np.minimum(available, 1)
    ).all()
    assert np.array_equal(selection.fit(OBJECTS, scenes, sizes, sizes.sum(), 0), np.arange(5000))
    assert np.array_equal(selection.fit(OBJECTS, scenes, sizes, 0, 0), np.flatnonzero(full))
    unknown = selection.fit(OBJECTS, np.full(5000, -1), sizes, room, 0)
    assert room - 150 <= sizes[unknown].sum() <= room
