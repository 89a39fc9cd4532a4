"""Colors, blur and JPEG: the mask stays, no value wraps around, and the formulas are NumPy's."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from scipy import ndimage

from kit.tf.data import augmentation
from kit.tf.data.augmentation import OPERATIONS
from tests.tf.data.conftest import noise, run, scene

COLORS = ("brightness", "contrast", "gamma")


@pytest.mark.parametrize("name", [*COLORS, "blur", "jpeg"])
def test_colors_leave_the_mask_and_do_not_wrap_around(name):
    mask = scene(24, 24)[1]
    limit = {"brightness": 30, "jpeg": 2}.get(name, 0)  # quantization moves a flat gray a little
    for value in (0, 255):
        for number in range(20):
            changed, moved = run(
                OPERATIONS[name], np.full((24, 24, 3), value, np.uint8), mask, number
            )
            assert (
                np.array_equal(moved, mask) and np.abs(changed.astype(int) - value).max() <= limit
            )


@pytest.mark.parametrize(
    "count", [1, 5, 300]
)  # TensorFlow casts whole vectors with saturation, the values left over without
def test_values_out_of_range_become_black_and_white(count):
    assert set(augmentation.to_gray(tf.fill([count], -20.0)).numpy()) == {0}
    assert set(augmentation.to_gray(tf.fill([count], 300.0)).numpy()) == {255}


@pytest.mark.parametrize("amount", [0.75, 1.33])
def test_color_operations_are_their_formulas(amount):
    image, mask = noise(24, 40), np.zeros((24, 40), np.uint8)
    values = image.astype(float)
    shift = 100 * (amount - 1)
    formulas = {
        "brightness": ({"shift": (shift, shift)}, values + shift),
        "contrast": (
            {"factor": (amount, amount)},
            values.mean() + amount * (values - values.mean()),
        ),
        "gamma": ({"exponent": (amount, amount)}, 255 * (values / 255) ** amount),
    }
    for name, (pinned, expected) in formulas.items():
        changed = run(OPERATIONS[name], image, mask, **pinned)[0]
        assert np.abs(changed - np.clip(expected, 0, 255)).max() < 0.51
    means = {
        name: run(OPERATIONS[name], image, mask, **pinned)[0].mean() - values.mean()
        for name, (pinned, _) in formulas.items()
    }
    more = amount > 1
    assert (means["brightness"] > 10) == more and (means["gamma"] < -5) == more
    assert (
        run(OPERATIONS["contrast"], image, mask, **formulas["contrast"][0])[0].std() > values.std()
    ) == more


@pytest.mark.parametrize("sigma", [0.3, 0.6, 1.0])
@pytest.mark.parametrize("shape", [(24, 40), (2, 5)])
def test_blur_is_scipys_gaussian_filter(sigma, shape):
    image = noise(*shape)
    changed = run(
        OPERATIONS["blur"], image, np.zeros(shape, np.uint8), sigma=(sigma, sigma), share=1.0
    )[0]
    expected = ndimage.gaussian_filter(
        image.astype(float), (sigma, sigma, 0), mode="nearest", radius=(3, 3, 0)
    )
    assert np.abs(changed - expected).max() < 0.51


@pytest.mark.parametrize("quality", [50, 95])
def test_jpeg_is_pillows_at_the_same_quality(quality):
    image = ndimage.gaussian_filter(noise(48, 64), (1, 1, 0))
    changed = run(
        OPERATIONS["jpeg"],
        image,
        np.zeros((48, 64), np.uint8),
        quality=(quality, quality),
        share=1.0,
    )[0]
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality)
    expected = np.asarray(Image.open(file)).astype(int)
    apart = np.abs(changed - expected).mean()
    assert apart < 1.5 and apart < 0.7 * np.abs(image - expected).mean()


@pytest.mark.parametrize("name", ["blur", "jpeg"])
def test_blur_and_jpeg_change_a_share_of_the_crops(name):
    image, mask = noise(16, 16), np.zeros((16, 16), np.uint8)
    changed = sum(
        not np.array_equal(run(OPERATIONS[name], image, mask, number)[0], image)
        for number in range(200)
    )
    assert 30 < changed < 90


def test_every_number_of_a_draw_lies_in_its_stated_range():
    image, mask = np.full((4, 4, 3), 128, np.uint8), np.zeros((4, 4), np.uint8)
    values = np.array(
        [
            int(run(OPERATIONS["brightness"], image, mask, number)[0][0, 0, 0]) - 128
            for number in range(80)
        ]
    )
    low, high = augmentation.BRIGHTNESS
    assert low <= values.min() < 0.8 * low and 0.8 * high < values.max() <= high
    values = np.array(
        [int(run(OPERATIONS["gamma"], image, mask, number)[0][0, 0, 0]) for number in range(80)]
    )
    darkest, lightest = (255 * (128 / 255) ** end for end in augmentation.GAMMA[::-1])
    assert darkest - 1 <= values.min() < darkest + 5 and lightest - 5 < values.max() <= lightest + 1
