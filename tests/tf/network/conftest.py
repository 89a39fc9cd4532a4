"""What the tests of networks share."""

import keras
import numpy as np

NARROW = (16, 8, 8, 8, 4)


def noise(*shape) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)


def layers(network: keras.Model, kind: type = keras.layers.Layer) -> list:
    return [layer for layer in network._flatten_layers() if isinstance(layer, kind)]
