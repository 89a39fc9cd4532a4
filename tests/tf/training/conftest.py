"""What the tests of training share."""

import keras
import pytest


@pytest.fixture
def packed(small):
    """Those of images of 48 px, so that the holdout is scored in no time."""
    return small / "records"


def small_network():
    inputs = keras.Input((None, None, 3), dtype="uint8")
    x = keras.layers.Conv2D(4, 3, padding="same", activation="relu")(
        keras.layers.Rescaling(1 / 255)(inputs)
    )
    return keras.Model(
        inputs, keras.layers.Conv2D(1, 1, activation="sigmoid")(x)
    )  # a channel of one, as many networks have
