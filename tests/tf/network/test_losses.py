import keras
import numpy as np
import pytest
import tensorflow as tf

from kit.errors import KitError
from kit.tf.network.losses import LOSS_CLASSES, Balanced, CrossEntropy, Dice, Focal, make_loss

EPS = 1e-6


@pytest.fixture
def sides():
    rng = np.random.default_rng(0)
    truth, prediction = (
        (rng.random((3, 8, 10)) < 0.4).astype(np.uint8),
        rng.random((3, 8, 10)).astype(np.float32),
    )
    truth[0] = 0
    return truth, prediction


def cross(there, absent, p):
    p = np.clip(p.astype(float), EPS, 1 - EPS)
    return -there * np.log(p) - absent * np.log(1 - p)


def dice(truth, p):
    return [1 - (2 * (t * q).sum() + 1) / (t.sum() + q.sum() + 1) for t, q in zip(truth, p)]


def bce(truth, p):
    return [cross(3 * t, 1 - t, q).mean() for t, q in zip(truth, p)]


def focal(truth, p):
    return [cross(3 * t * (1 - q) ** 2, (1 - t) * q**2, q).mean() for t, q in zip(truth, p)]


def weigh(numbers):
    """Weights of the object-balanced loss, pixel by pixel."""
    raw = np.zeros(numbers.shape)
    for image, values in enumerate(numbers):
        for number in set(values[values > 0].tolist()):
            raw[image][values == number] = np.clip((values == number).sum(), 25, 10_000) ** -0.5
    return raw * 3 * (numbers > 0).sum() / max(raw.sum(), 1e-9)


@pytest.mark.parametrize(
    ("loss", "formula"), [(Dice(), dice), (CrossEntropy(3.0), bce), (Focal(3.0), focal)]
)
def test_losses_agree_with_their_formulas(sides, loss, formula):
    truth, prediction = sides
    values = loss.call(truth, prediction)
    assert values.dtype == tf.float32 and values.shape == (3,)
    assert np.allclose(values, formula(truth.astype(float), prediction), atol=1e-5)


def numbered(side=64):
    numbers = np.zeros((3, side, side), np.uint8)
    numbers[0, :5, :8] = 1  # 40 px
    numbers[0, 20:60, 10:60] = 255  # 2,000 px
    numbers[1, 30:33, 30:33] = 7  # fewer than 25 px
    numbers[1, 40:55, 30:50] = 1  # another object than the first image's
    return numbers


def test_the_balanced_loss_agrees_with_its_formula():
    truth, prediction = numbered(), np.random.default_rng(0).random((3, 64, 64)).astype(np.float32)
    weights = weigh(truth)
    expected = [cross(w, (t == 0) * 1.0, p).mean() for w, t, p in zip(weights, truth, prediction)]
    assert np.allclose(Balanced(3.0).call(truth, prediction), expected, atol=1e-5)
    assert weights[truth > 0].mean() == pytest.approx(3)
    sums = [weights[0][truth[0] == number].sum() for number in (1, 255)]
    assert sums[1] / sums[0] == pytest.approx((2000 / 40) ** 0.5)  # by pixels it would be 50


def test_a_loss_derived_from_the_balanced_one_tells_objects_apart():
    class Twice(Balanced):
        def call(self, y_true, y_pred):
            return 2 * super().call(y_true, y_pred)

    truth, prediction = numbered(), np.random.default_rng(0).random((3, 64, 64)).astype(np.float32)
    assert np.allclose(
        make_loss(Twice(3.0)).call(truth, prediction), 2 * Balanced(3.0).call(truth, prediction)
    )
    assert make_loss(Twice(3.0)).numbered


def test_another_derived_loss_gets_the_covered_share():
    seen = []

    class Mine(Dice):
        def call(self, y_true, y_pred):
            seen.append((y_true.dtype, tuple(y_true.shape), float(tf.reduce_max(y_true))))
            return super().call(y_true, y_pred)

    make_loss([Mine(), "balanced"]).call(numbered(), tf.fill([3, 32, 32], 0.3))
    assert seen == [(tf.float32, (3, 32, 32), 1.0)]


@pytest.mark.parametrize("name", LOSS_CLASSES)
def test_every_loss_is_defined_on_empty_masks_and_at_the_ends(name):
    for value in (0.0, 1.0, 0.5):
        for truth in (np.zeros((2, 16, 16), np.uint8), np.ones((2, 16, 16), np.uint8)):
            found = make_loss(name).call(truth, tf.fill([2, 16, 16], value))
            assert found.shape == (2,) and np.isfinite(found).all() and (found.numpy() >= 0).all()


@pytest.mark.parametrize("name", [name for name in LOSS_CLASSES if name != "dice"])
def test_empty_masks_have_a_gradient(name):
    logits = tf.Variable(tf.fill([1, 64, 64], -1.0))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(
            make_loss(name).call(tf.zeros([1, 64, 64], tf.uint8), tf.sigmoid(logits))
        )
    assert (tape.gradient(loss, logits).numpy() > 1e-6).all()


@pytest.mark.parametrize("name", LOSS_CLASSES)
def test_float16_probabilities_of_a_whole_image_give_numbers(name):
    truth = np.zeros((1, 768, 768), np.uint8)
    truth[0, :600, :600] = 1
    logits = tf.Variable(tf.fill([1, 768, 768], tf.constant(4.0, tf.float16)))
    with tf.GradientTape() as tape:
        loss = make_loss(name).call(truth, tf.sigmoid(logits))
    assert loss.dtype == tf.float32 and np.isfinite(loss).all()
    assert np.isfinite(tape.gradient(loss, logits).numpy()).all()


@pytest.mark.parametrize("shape", [(8, 12), (7, 9)])
@pytest.mark.parametrize("factor", [2, 3])
def test_a_coarse_map_is_compared_with_the_covered_share(shape, factor):
    rng = np.random.default_rng(1)
    truth = (rng.random((2, *shape)) < 0.5).astype(np.uint8)
    high, wide = -(-shape[0] // factor), -(-shape[1] // factor)
    prediction = rng.random((2, high, wide)).astype(np.float32)
    covered = np.array(
        [
            [
                [
                    t[r * factor : (r + 1) * factor, c * factor : (c + 1) * factor].mean()
                    for c in range(wide)
                ]
                for r in range(high)
            ]
            for t in truth.astype(float)
        ]
    )
    assert np.allclose(
        CrossEntropy(1.0).call(truth, prediction),
        [cross(t, 1 - t, p).mean() for t, p in zip(covered, prediction)],
        atol=1e-5,
    )
    assert np.allclose(Dice().call(truth, prediction), dice(covered, prediction), atol=1e-5)


def test_sums_are_added_and_may_hold_losses_of_others(sides):
    truth, prediction = sides
    parts = [
        Dice(),
        keras.losses.BinaryCrossentropy(),
        lambda t, p: tf.reduce_mean((t - p) ** 2, (1, 2)),
    ]
    total = make_loss(parts).call(
        truth * 9, prediction
    )  # numbered masks become 0 and 1 for other makers' losses
    p = np.clip(prediction.astype(float), 1e-7, 1 - 1e-7)
    expected = np.array(dice(truth.astype(float), prediction)) + np.mean(
        cross(truth * 1.0, 1.0 - truth, p), (1, 2)
    )
    assert np.allclose(total, expected + np.mean((truth - p) ** 2, (1, 2)), atol=1e-4)
    assert np.allclose(
        make_loss(["dice", "bce"]).call(truth, prediction),
        np.array(dice(truth * 1.0, prediction)) + bce(truth * 1.0, prediction),
        atol=1e-5,
    )


@pytest.mark.parametrize("name", LOSS_CLASSES)
def test_the_factor_is_of_all_losses_but_dice(name):
    truth, prediction = numbered(), np.random.default_rng(0).random((3, 64, 64)).astype(np.float32)
    once, tenfold = (
        make_loss([name], 3.0, factor).call(truth, prediction).numpy() for factor in (1.0, 10.0)
    )
    assert np.allclose(tenfold, once if name == "dice" else 10 * once)


def test_one_value_for_a_whole_batch_is_refused(sides):
    with pytest.raises(KitError, match="mean_of_all: gives one value per batch"):

        def mean_of_all(truth, prediction):
            return tf.reduce_mean(truth - prediction)

        make_loss([mean_of_all]).call(*sides)


def test_maps_of_several_classes_are_refused():
    with pytest.raises(KitError, match="of one map, and the network gives 3"):
        make_loss("dice")(np.zeros((2, 8, 8, 3)), np.zeros((2, 8, 8, 3)))


def test_an_unknown_name_is_refused():
    with pytest.raises(KitError, match="--loss hinge: choose among dice"):
        make_loss(["dice", "hinge"])


def test_losses_survive_keras_saving():
    loss = make_loss(["dice", "balanced"], 2.0)
    other = keras.losses.deserialize(keras.losses.serialize(loss))
    truth, prediction = numbered(), tf.fill([3, 64, 64], 0.3)
    assert (
        np.array_equal(other.call(truth, prediction), loss.call(truth, prediction))
        and other.numbered
    )
