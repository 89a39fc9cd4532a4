import keras
import numpy as np
import pytest
import tensorflow as tf

from kit.tf.training.adam import Adam
from kit.tf.training.steps import make_optimizer

SHAPE, FROZEN, RATE, SHARE = (3, 3, 4, 2), 30, 0.01, 0.25
DRAWN = np.random.default_rng(0).normal(0, 1e-2, (FROZEN + 3, 2, *SHAPE)).astype(np.float32)


def thaw(name, mixed) -> tuple[list, list]:
    """The weights of an encoder and of the rest after each step; the encoder thaws after FROZEN.

    In float16 the first step overflows, so it does not count.
    """
    weights = [keras.Variable(np.zeros(SHAPE, np.float32)) for _ in range(2)]
    optimizer = make_optimizer(
        RATE, mixed, name, encoder=weights[:1], encoder_rate=SHARE, freezes=True
    )
    optimizer.build(weights)
    found = []
    for step in range(-1 if mixed else 0, len(DRAWN)):
        first = 1 if step < FROZEN else 0
        gradients = [tf.constant(each) for each in DRAWN[step, first:]]
        if mixed:
            scale = optimizer.dynamic_scale if step >= 0 else np.inf
            gradients = [gradient * scale for gradient in gradients]
        optimizer.apply(gradients, weights[first:])
        found.append([np.array(weight) for weight in weights])
    return [encoder for encoder, _ in found], [rest for _, rest in found]


def train_alone(optimizer, gradients) -> list:
    weight, found = keras.Variable(np.zeros(SHAPE, np.float32)), []
    optimizer.build([weight])
    for gradient in gradients:
        optimizer.apply([tf.constant(gradient)], [weight])
        found.append(np.array(weight))
    return found


@pytest.mark.parametrize("mixed", [None, "float16"])
@pytest.mark.parametrize("name", ["adam", "muon"])
def test_an_encoder_that_thaws_learns_as_if_it_began_then(name, mixed):
    encoder, rest = thaw(name, mixed)
    assert not encoder[-4].any()
    if name == "adam":  # whose first step is a sign
        assert np.allclose(encoder[-3], -RATE * SHARE * np.sign(DRAWN[FROZEN, 0]), rtol=0.05)
    alone = train_alone(make_optimizer(RATE * SHARE, None, name), DRAWN[FROZEN:, 0])
    assert np.allclose(encoder[-3:], alone, rtol=1e-3, atol=1e-6)
    whole = train_alone(make_optimizer(RATE, None, name), DRAWN[:, 1])
    assert np.allclose(rest[-len(whole) :], whole, rtol=1e-3, atol=1e-6)


def test_with_one_rate_it_is_keras_own_to_the_last_bit():
    mine, theirs = Adam(RATE), keras.optimizers.Adam(RATE)
    found = [train_alone(each, DRAWN[:, 0]) for each in (mine, theirs)]
    assert np.array_equal(*found)
    assert len(mine.variables) == len(theirs.variables)
