"""Where a window lies: around an object or anywhere, always with equal chance."""

import numpy as np
import pytest
import tensorflow as tf

from kit.tf.data.crops import (
    choose_window,
)
from tests.tf.data.conftest import cut, table_of


def windows_of(table, image, count, crop, around=True, seed=0):
    """Windows int32 (count, 4) of one image, as `count` seeds give them."""
    fields = table(image)
    seeds = tf.stack(
        [tf.fill([count], tf.constant(seed, tf.int64)), tf.range(count, dtype=tf.int64)], 1
    )

    @tf.function
    def choose(seeds):
        near = tf.constant(around)
        one = lambda seed: choose_window(fields, crop, near, seed)  # noqa: E731
        return tf.map_fn(one, seeds, fn_output_signature=tf.int32)

    return choose(seeds).numpy()


@pytest.mark.parametrize("place", [(0, 0), (0, 69), (49, 0), (49, 69), (25, 35), (1, 60)])
def test_a_crop_around_an_object_holds_it_wherever_it_lies(tmp_path, place):
    label = np.zeros((50, 70), int)
    label[place] = 1
    table = table_of(tmp_path, label)
    for window in windows_of(table, 0, 60, 16):
        assert (
            window[2:].tolist() == [16, 16]
            and (window[:2] >= 0).all()
            and (window[:2] + 16 <= label.shape).all()
        )
        assert cut(label, window).sum() == 1
    assert np.array_equal(
        choose_window(table(0), 16, tf.constant(True), tf.constant([0, 59], tf.int64)), window
    )  # eagerly too


def test_a_crop_around_any_object_holds_a_pixel_of_one(tmp_path):
    rng = np.random.default_rng(0)
    shapes = [(30, 80), (80, 30), (16, 90), (17, 17)]
    labels = [
        (np.cumsum(rng.random(shape) < 0.01).reshape(shape) * (rng.random(shape) < 0.02))
        for shape in shapes
    ]
    labels += [
        np.pad(np.ones((30, 40), int), 8)
    ]  # runs of 30 px, and the middle far from the border
    table = table_of(tmp_path, *labels)
    for image, label in enumerate(labels):
        assert label.any()
        for window in windows_of(table, image, 40, 16):
            assert window[2:].tolist() == [16, 16] and cut(label, window).any()


def test_an_object_lies_anywhere_in_its_window_with_equal_chance(tmp_path):
    label = np.zeros((60, 90), int)
    label[30, 40] = 1
    windows = windows_of(table_of(tmp_path, label), 0, 2000, 8)
    for axis, pixel in enumerate((30, 40)):
        times = np.bincount(pixel - windows[:, axis], minlength=8)
        assert len(times) == 8 and np.abs(times - 250).max() < 60  # four sigmas


def test_a_crop_anywhere_lies_at_every_place_with_equal_chance(tmp_path):
    label = np.zeros((12, 20), int)
    label[0, 0] = 1
    for windows in (
        windows_of(table_of(tmp_path, label), 0, 2000, 8, around=False),
        windows_of(
            table_of(tmp_path, label * 0), 0, 2000, 8, around=False
        ),  # also where no object is
    ):
        for axis, places in enumerate((5, 13)):
            times = np.bincount(windows[:, axis], minlength=places)
            assert (
                len(times) == places
                and np.abs(times - 2000 / places).max() < 4 * (2000 / places) ** 0.5
            )


def test_every_object_is_drawn_about_equally_often_whatever_its_area(tmp_path):
    label = np.zeros((100, 120), int)
    label[0, 0] = 1
    label[40:90, 20:70] = 2
    label[::2, 100] = 3  # 50 runs of one pixel
    label[97, 5:9] = 4
    numbers = [
        label[window[0], window[1]] for window in windows_of(table_of(tmp_path, label), 0, 2000, 1)
    ]  # a window of the very pixel
    times = np.bincount(numbers, minlength=5)
    assert times[0] == 0 and np.abs(times[1:] - 500).max() < 80


@pytest.mark.parametrize(
    ("shape", "size"),
    [((20, 30), (20, 30)), ((20, 100), (20, 64)), ((100, 20), (64, 20)), ((64, 64), (64, 64))],
)
def test_an_image_smaller_than_the_crop_gives_what_there_is(tmp_path, shape, size):
    label = np.zeros(shape, int)
    label[-1, -1] = 1
    table = table_of(tmp_path, label)
    for around in (True, False):
        windows = windows_of(table, 0, 20, 64, around=around)
        assert (
            (windows[:, 2:] == size).all()
            and (windows[:, :2] >= 0).all()
            and (windows[:, :2] + size <= shape).all()
        )
        if around:
            assert all(cut(label, window).any() for window in windows)


def test_a_window_depends_on_its_seed_alone(tmp_path):
    label = np.pad(np.ones((9, 9), int), 40)
    table = table_of(tmp_path, label)
    one, again, other = (windows_of(table, 0, 30, 16, seed=seed) for seed in (0, 0, 1))
    assert (
        np.array_equal(one, again)
        and not np.array_equal(one, other)
        and len({tuple(window) for window in one}) > 20
    )
