import numpy as np
import pytest
import tensorflow as tf

from kit import settings
from kit.tf.inference.views import VIEWS_BY_TTA, turn, turn_back

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (2, 5, 7, 3), np.uint8)
SQUARE = RNG.integers(0, 256, (1, 6, 6, 3), np.uint8)


def test_the_settings_offer_what_there_is():
    assert tuple(VIEWS_BY_TTA) == settings.VIEWS and [
        len(VIEWS_BY_TTA[number]) for number in VIEWS_BY_TTA
    ] == [1, 4, 8]
    assert np.array_equal(turn(IMAGES, *VIEWS_BY_TTA[1]), IMAGES)


@pytest.mark.parametrize("view", VIEWS_BY_TTA[8])
@pytest.mark.parametrize("compiled", [False, True])
def test_the_way_back_is_the_inverse(view, compiled):
    there, back = (
        tf.function(step, reduce_retracing=True) if compiled else step for step in (turn, turn_back)
    )
    for images in (IMAGES, SQUARE, np.zeros((0, 5, 7, 3), np.uint8)):
        assert np.array_equal(back(there(images, view)[..., 1], view), images[..., 1])


@pytest.mark.parametrize("view", VIEWS_BY_TTA[8])
def test_a_view_moves_pixels_and_keeps_their_colors(view):
    found = np.asarray(turn(IMAGES, view))
    expected = IMAGES[0].transpose(1, 0, 2) if view.transposed else IMAGES[0]
    assert found.shape == (2, *expected.shape)
    assert {tuple(pixel) for pixel in found[0].reshape(-1, 3)} == {
        tuple(pixel) for pixel in expected.reshape(-1, 3)
    }
    assert not np.array_equal(found[0], found[1])  # images stay apart


def test_the_eight_views_are_a_group_of_flips_and_quarter_turns():
    def key(image):
        return np.asarray(image).tobytes()

    found = {key(turn(SQUARE, view)[0]): view for view in VIEWS_BY_TTA[8]}
    expected = {
        key(np.rot90(flipped, times))
        for flipped in (SQUARE[0], SQUARE[0, ::-1])
        for times in range(4)
    }
    assert set(found) == expected and len(expected) == 8
    assert all(
        key(turn(turn(SQUARE, one), other)[0]) in expected
        for one in VIEWS_BY_TTA[8]
        for other in VIEWS_BY_TTA[8]
    )
    flips = {key(turn(SQUARE, view)[0]) for view in VIEWS_BY_TTA[4]}
    assert flips == {key(SQUARE[0, ::a, ::b]) for a in (1, -1) for b in (1, -1)}
