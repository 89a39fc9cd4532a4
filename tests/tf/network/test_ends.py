import math

import numpy as np
import pytest
import tensorflow as tf

from kit.tf.network.ends import Prepare, Probability
from tests.tf.network.conftest import noise


@pytest.mark.parametrize("static", [True, False])
def test_padding_mirrors_the_image_where_it_is_large_enough(static):
    image = noise(1, 40, 70)
    signature = [tf.TensorSpec(image.shape if static else (None, None, None, 3), tf.uint8)]
    seen = []

    @tf.function(input_signature=signature)
    def run(images):
        seen.append(Prepare((10, 20, 30), (2, 4, 5), 1)(images))
        return seen[-1]

    padded = run(image).numpy()
    assert seen[0].shape[1] == (64 if static else None)
    assert padded.shape == (1, 64, 96, 3)
    mirrored = np.pad(image.astype(np.float32), [(0, 0), (0, 24), (0, 26), (0, 0)], "symmetric")
    assert np.allclose(padded, (mirrored - [10, 20, 30]) / [2, 4, 5])
    small = Prepare((10, 20, 30), (2, 4, 5), 2)(noise(1, 6, 4)).numpy()
    assert small.shape == (1, 32, 32, 3) and not small[:, 3:].any() and not small[:, :, 2:].any()
    assert np.allclose(
        small[0, 0, 0],
        (noise(1, 6, 4)[0, :2, :2].mean((0, 1)) - [10, 20, 30]) / [2, 4, 5],
        atol=1e-5,
    )


def test_probabilities_are_enlarged_not_logits():
    logits = np.zeros((1, 32, 32, 1), np.float32)
    logits[:, :, 1:] = 8
    image = np.zeros((1, 3, 9, 3), np.uint8)
    maps = Probability(2)([logits, image], training=False).numpy()
    low, high = 0.5, 1 / (1 + math.exp(-8))
    row = [
        low,
        0.75 * low + 0.25 * high,
        0.25 * low + 0.75 * high,
        *[high] * 6,
    ]  # half-pixel centers
    assert maps.shape == (1, 3, 9) and np.allclose(maps, row, atol=1e-6)
    assert np.allclose(Probability(2)([logits, image], training=True), [low, *[high] * 4])
