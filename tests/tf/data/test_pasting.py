import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage

from kit.tf.data.pasting import copy_paste
from tests.tf.data.conftest import distinct_for_seeds, noise, run, same_in_tf_data

BOX = np.ones((3, 3), bool)


def batch_of(count, size=24, seed=0):
    """Noise images with rectangles numbered at random: (images, masks)."""
    rng = np.random.default_rng(seed)
    masks = np.zeros((count, size, size), np.uint8)
    for mask in masks:
        for _ in range(3):
            top, left = rng.integers(0, size, 2)
            mask[top : top + rng.integers(1, 8), left : left + rng.integers(1, 8)] = rng.integers(
                1, 256
            )
    return noise(count, size, size, seed=seed), masks


def test_copy_paste_gives_the_same_bytes_in_tf_data_as_eagerly():
    images, masks = batch_of(5)
    assert len(list(same_in_tf_data(copy_paste, images, masks, 8))) == 8


@pytest.mark.parametrize("shape", [(32, 32), (24, 40), (None, 40), (None, None)])
def test_static_shapes_are_kept(shape):
    graph = tf.function(copy_paste).get_concrete_function(
        tf.TensorSpec([4, *shape, 3], tf.uint8),
        tf.TensorSpec([4, *shape], tf.uint8),
        tf.TensorSpec([2], tf.int32),
    )
    assert [out.as_list() for out in graph.output_shapes] == [[4, *shape, 3], [4, *shape]]


def test_the_same_seed_gives_the_same_bytes_and_others_give_others():
    distinct_for_seeds(copy_paste, *batch_of(4))


def paste_slowly(image, mask, donor, numbers):
    """The rule of copy_paste pixel by pixel: (image, mask)."""
    image, before = image.astype(float), mask
    mask = mask.copy()
    free = [number for number in range(1, 256) if number not in before]
    for number in sorted(set(numbers.flat) - {0}):
        if free and not (before[numbers == number] > 0).any():
            mask[numbers == number] = free.pop(0)
    pasted = (mask > 0) & (before == 0)
    ring, outer = ndimage.binary_dilation(pasted, BOX), ndimage.binary_dilation(pasted, BOX, 2)
    weight = np.where(before > 0, 0, (pasted * 1.0 + ring + outer) / 3)[..., None]
    return np.round(image * (1 - weight) + donor * weight), mask


def flips(image):
    return [image, image[::-1], image[:, ::-1], image[::-1, ::-1]]


def test_copy_paste_is_the_slow_rule_for_one_flip_of_the_next_example():
    used = set()
    for seed in range(25):
        images, masks = batch_of(4, seed=seed)
        changed, moved = run(copy_paste, images, masks, seed, share=1.0)
        for place in range(4):
            donor, numbers = images[(place + 1) % 4], masks[(place + 1) % 4]
            expected = [
                paste_slowly(images[place], masks[place], *pair)
                for pair in zip(flips(donor), flips(numbers))
            ]
            fits = [
                np.array_equal(changed[place], image) and np.array_equal(moved[place], mask)
                for image, mask in expected
            ]
            assert any(fits)
            if sum(fits) == 1:  # else nothing was pasted
                used.add(fits.index(True))
    assert used == {0, 1, 2, 3}


def test_copy_paste_keeps_what_is_there_and_gives_new_numbers():
    pasted = 0
    for seed in range(25):
        images, masks = batch_of(4, seed=seed)
        changed, moved = run(copy_paste, images, masks, seed, share=1.0)
        for place in range(4):
            there, new = masks[place] > 0, (moved[place] > 0) & (masks[place] == 0)
            assert np.array_equal(moved[place][there], masks[place][there])
            assert np.array_equal(changed[place][there], images[place][there])
            assert not set(moved[place][new]) & set(masks[place].flat)
            donor = {tuple(color) for color in images[(place + 1) % 4][masks[(place + 1) % 4] > 0]}
            assert all(tuple(color) in donor for color in changed[place][new])
            untouched = ~ndimage.binary_dilation(new, BOX, 2)
            assert np.array_equal(changed[place][untouched], images[place][untouched])
            pasted += new.any()
    assert pasted > 40


def test_copy_paste_blends_two_pixels_around_an_object():
    images = np.stack([np.full((15, 15, 3), 30, np.uint8), np.full((15, 15, 3), 90, np.uint8)])
    masks = np.zeros((2, 15, 15), np.uint8)
    masks[1, 7, 7] = 9
    changed, moved = run(copy_paste, images, masks, share=1.0)
    assert changed[0, 7, 3:12, 1].tolist() == [30, 30, 50, 70, 90, 70, 50, 30, 30] and moved[
        0, 7, 5:10
    ].tolist() == [0, 0, 1, 0, 0]
    assert np.array_equal(changed[1], images[1]) and np.array_equal(moved[1], masks[1])


def test_copy_paste_never_gives_a_number_twice_even_when_few_are_left():
    masks = np.zeros((2, 20, 20), np.uint8)
    masks[0, :9].flat[:180] = np.arange(1, 181)
    masks[0, 11:].flat[:72] = np.arange(181, 253)
    masks[1, 9:11] = np.arange(
        1, 21
    )  # twenty objects of two pixels in the middle rows, where a flip leaves them
    moved = run(copy_paste, noise(2, 20, 20), masks, share=1.0)[1]
    new = (moved[0] > 0) & (masks[0] == 0)
    assert (
        set(moved[0][new]) == {253, 254, 255} and new.sum() == 6
    )  # the other seventeen are left out
    assert np.array_equal(moved[0][~new], masks[0][~new])


def test_copy_paste_takes_a_share_and_leaves_a_batch_of_one():
    images, masks = batch_of(1, seed=3)
    for number in range(10):
        changed, moved = run(copy_paste, images, masks, number, share=1.0)
        assert np.array_equal(changed, images) and np.array_equal(moved, masks)
    images, masks = noise(100, 8, 8), np.zeros((100, 8, 8), np.uint8)
    masks[::2, 4, 4] = 1  # no flip moves a neighbor's pixel here
    masks[1::2, 1, 1] = 1
    changed = (run(copy_paste, images, masks)[1] != masks).any((1, 2)).sum()
    assert 30 < changed < 70
    assert np.array_equal(run(copy_paste, images, masks, share=0.0)[1], masks)
