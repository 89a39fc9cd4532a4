import numpy as np
import pytest

from kit.errors import KitError
from kit.records import folds


def test_scenes_are_never_split_and_folds_are_stratified():
    rng = np.random.default_rng(0)
    scenes = np.sort(rng.integers(0, 200, 900))
    objects = rng.choice([0, 0, 0, 1, 2, 4, 9], 900)
    fold = folds.assign(scenes, objects, 5, 0)
    assert set(fold) == set(range(5))
    assert all(len(set(fold[scenes == scene])) == 1 for scene in np.unique(scenes))
    shares = [(objects[fold == number] == 0).mean() for number in range(5)]
    assert max(shares) - min(shares) < 0.08
    assert np.array_equal(fold, folds.assign(scenes, objects, 5, 0))
    assert not np.array_equal(fold, folds.assign(scenes, objects, 5, 1))


def test_images_of_unknown_scene_are_groups_of_their_own():
    assert len(set(folds.group(np.array([-1, -1, 7, 7, -1])))) == 4
    assert set(folds.assign(np.full(10, -1), np.zeros(10, int), 5, 0)) == set(range(5))


def test_a_small_competition_is_not_stratified():
    assert set(folds.assign(np.arange(10), np.array([0, 0, 1, 1, 2, 2, 4, 4, 8, 8]), 5, 0)) == set(
        range(5)
    )


def test_fewer_scenes_than_folds_is_an_error():
    with pytest.raises(KitError, match="only 2 scenes"):
        folds.assign(np.array([0, 0, 1, 1]), np.zeros(4, int), 3, 0)
