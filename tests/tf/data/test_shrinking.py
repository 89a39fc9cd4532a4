"""Shrunk images and masks: each pixel is the mean of the area that it covers."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from kit.records.index import open_index
from kit.tf.data.crops import (
    shrink_image,
    shrink_mask,
)


def area_means(values, factor):
    """Means over equal areas of an image (height, width, ...).

    The sides of the result are those of the image over `factor`, rounded up.
    """
    for axis in (0, 1):
        old = values.shape[axis]
        new = -(-old // factor)
        edges = np.arange(new + 1) * old / new
        share = np.clip(
            np.minimum(edges[1:, None], np.arange(1, old + 1))
            - np.maximum(edges[:-1, None], np.arange(old)),
            0,
            None,
        )
        values = np.moveaxis(
            np.tensordot(share / share.sum(1, keepdims=True), values, (1, axis)), 0, axis
        )
    return values


@pytest.mark.parametrize("factor", [2, 3])
def test_a_shrunk_mask_holds_the_share_of_each_area(factor):
    rng, traced = np.random.default_rng(0), tf.function(shrink_mask)
    for shape in ((6, 6), (12, 30), (48, 6)):
        mask = (rng.integers(0, 256, shape) * (rng.random(shape) < 0.5)).astype(
            np.uint8
        )  # numbered or not
        blocks = (mask > 0).reshape(shape[0] // factor, factor, shape[1] // factor, factor)
        expected = np.round(255 * blocks.mean((1, 3)))
        for found in (shrink_mask(mask, factor), traced(mask, factor)):
            assert found.dtype == tf.uint8 and np.array_equal(found, expected)
    for shape in ((1, 1), (7, 11), (25, 10)):
        mask = (rng.random(shape) < 0.5).astype(np.uint8)
        found = shrink_mask(mask, factor).numpy().astype(int)
        assert found.shape == tuple(-(-side // factor) for side in shape)
        assert np.abs(found - 255 * area_means(mask.astype(float), factor)).max() <= 0.51


@pytest.mark.parametrize("factor", [2, 3, 4, 6, 16])
def test_a_shrunk_jpeg_is_near_the_means_of_the_whole(practice, records, factor):
    traced = tf.function(
        lambda data: shrink_image(data, factor), input_signature=[tf.TensorSpec([], tf.string)]
    )
    for name in open_index(records).truth.ids[:3]:
        data = (practice / "train_v2" / name).read_bytes()
        found = traced(data)
        assert found.dtype == tf.uint8 and found.shape == (768 // factor, 768 // factor, 3)
        off = found.numpy() - area_means(
            tf.io.decode_jpeg(data, channels=3).numpy().astype(float), factor
        )
        assert np.abs(off).mean() < 2 and abs(off.mean()) < 1
        if factor == 3:  # decoded whole, then averaged
            assert np.abs(off).max() < 0.51
        assert np.array_equal(shrink_image(data, factor), found)


@pytest.mark.parametrize("factor", [1, 2, 3, 8])
@pytest.mark.parametrize("shape", [(24, 48), (1, 1), (25, 7)])
def test_a_shrunk_png_holds_the_means_of_the_whole(tmp_path, factor, shape):
    full = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    Image.fromarray(full).save(tmp_path / "a.png")
    data = (tmp_path / "a.png").read_bytes()
    for found in (shrink_image(data, factor), tf.function(shrink_image)(data, factor)):
        assert found.shape == (-(-shape[0] // factor), -(-shape[1] // factor), 3)
        assert np.abs(found.numpy() - area_means(full.astype(float), factor)).max() < 0.51


@pytest.mark.parametrize("factor", [2, 3, 16])
@pytest.mark.parametrize("shape", [(50, 33), (48, 96)])
def test_a_shrunk_jpeg_and_its_mask_have_one_size(tmp_path, factor, shape):
    Image.new("RGB", shape[::-1]).save(tmp_path / "a.jpg")
    image = shrink_image((tmp_path / "a.jpg").read_bytes(), factor)
    assert (
        image.shape[:2]
        == shrink_mask(tf.zeros(shape, tf.uint8), factor).shape
        == tuple(-(-side // factor) for side in shape)
    )
