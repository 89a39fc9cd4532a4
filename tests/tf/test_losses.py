import numpy as np
import pytest
import tensorflow as tf

from kit.tf.losses import CrossEntropy, Dice, dice_and_cross_entropy


@pytest.fixture
def sides():
    rng = np.random.default_rng(0)
    truth, prediction = (rng.random((3, 4, 5)) < 0.4).astype(np.uint8), rng.random((3, 4, 5)).astype(np.float32)
    truth[0] = 0
    return truth, prediction


def test_dice_agrees_with_its_formula(sides):
    truth, prediction = sides
    expected = [1 - (2 * (t * p).sum() + 1) / (t.sum() + p.sum() + 1) for t, p in zip(truth, prediction)]
    assert np.allclose(Dice().call(truth, prediction), expected, atol=1e-6)


def test_cross_entropy_agrees_with_its_formula(sides):
    truth, prediction = sides
    expected = [(-2 * t * np.log(p) - (1 - t) * np.log(1 - p)).mean() for t, p in zip(truth.astype(float), prediction.astype(float))]
    assert np.allclose(CrossEntropy(2.0).call(truth, prediction), expected, atol=1e-5)


def test_one_value_a_sample_and_finite_at_the_ends():
    truth = np.array([[[0, 1]], [[1, 0]]], np.uint8)
    values = dice_and_cross_entropy(truth, tf.constant([[[0.0, 1.0]], [[0.0, 1.0]]]))
    assert values.shape == (2,) and np.isfinite(values).all() and values[0] < 1e-3 < values[1]


def test_empty_masks_have_a_gradient():
    logits = tf.Variable(tf.fill([1, 64, 64], -3.0))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(dice_and_cross_entropy(tf.zeros([1, 64, 64], tf.uint8), tf.sigmoid(logits)))
    assert (tape.gradient(loss, logits).numpy() > 1e-6).all()
