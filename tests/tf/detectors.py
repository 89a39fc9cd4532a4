"""A network of almost no cost that finds objects: pixels with a bright mean over 9 x 9 px."""

import keras
import numpy as np

from kit.tf.training.training import train

SETTINGS = {"epochs": 1, "steps": 1, "batch": 2, "crop": 32, "learning_rate": 0.0}


def make_detector(level: float = 110.0, presence: bool = True) -> keras.Model:
    """uint8 images to maps, where pixels brighter than `level` are objects.

    The presence is the image's mean red. No view of an image has the map of another view.
    """
    images = keras.Input((None, None, 3), dtype="uint8")
    values = keras.layers.Rescaling(1 / 25)(images)
    kernel = np.random.default_rng(0).uniform(0, 2 / 243, (9, 9, 3, 1))
    options = {
        "padding": "same",
        "activation": "sigmoid",
        "bias_initializer": keras.initializers.Constant(-level / 25),
    }
    found = keras.layers.Conv2D(
        1, 9, kernel_initializer=keras.initializers.Constant(kernel), **options
    )(values)
    if not presence:
        return keras.Model(images, found)
    red = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 255)(images))[:, 0]
    return keras.Model(images, {"map": found, "presence": red})


def train_detector(records, out, fold: int | None = 0, **options):
    """The model folder of a detector, as a training leaves it that changes no weight."""
    train(records, out, model=make_detector(**options), fold=fold, **SETTINGS)
    return out
