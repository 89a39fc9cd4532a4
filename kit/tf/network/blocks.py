"""Blocks that encoders and decoders share (tests: tf/network/test_decoders.py)."""

import keras


def convolve(values, filters: int, name: str, *, stride: int = 1, active: bool = True):
    """A 3x3 convolution without bias, a batch norm and, if `active`, a ReLU."""
    options = {"padding": "same", "use_bias": False, "kernel_initializer": "he_normal"}
    values = keras.layers.Conv2D(filters, 3, stride, name=f"{name}_conv", **options)(values)
    values = keras.layers.BatchNormalization(name=f"{name}_norm")(values)
    return keras.layers.ReLU(name=f"{name}_relu")(values) if active else values
