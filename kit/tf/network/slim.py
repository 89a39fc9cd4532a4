"""The slim encoder: residual blocks of few filters, for training on a CPU.

There, more steps gain more than more filters.
"""

import keras

from .blocks import convolve

# At a half, a fourth ... a thirty-second of the size; resnet18 has 64, 64, 128, 256, 512.
FILTERS = (16, 32, 64, 128, 192)


def slim_encoder() -> keras.Model:
    """Builds a model from floats (batch, height, width, 3) to features at strides 2, 4, 8, 16, 32.

    A stem of two convolutions comes first, then two residual blocks per level (He 2016, Deep
    Residual Learning).
    """
    images = keras.Input((None, None, 3), name="values")
    found = [convolve(convolve(images, FILTERS[0], "stem_a", stride=2), FILTERS[0], "stem_b")]
    for level, filters in enumerate(FILTERS[1:], 1):
        values = keras.layers.AveragePooling2D(2, name=f"level{level}_pool")(found[-1])
        short = keras.layers.Conv2D(
            filters, 1, kernel_initializer="he_normal", name=f"level{level}_short"
        )(values)
        values = _add(short, found[-1], filters, f"level{level}a", stride=2)
        found.append(_add(values, values, filters, f"level{level}b"))
    return keras.Model(images, found)


def _add(short, values, filters: int, name: str, stride: int = 1):
    """Adds a residual block: two convolutions of `values`, added to `short`."""
    values = convolve(values, filters, f"{name}1", stride=stride)
    values = convolve(values, filters, f"{name}2", active=False)
    return keras.layers.ReLU(name=name)(keras.layers.Add(name=f"{name}_add")([values, short]))
