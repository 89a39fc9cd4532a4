"""The slim U-Net: residual blocks of few filters, for training on a CPU.

There, more steps gain more than more filters.
"""

import keras

# At a half, a fourth ... a thirty-second of the size; resnet18 has 64, 64, 128, 256, 512.
FILTERS = (16, 32, 64, 128, 192)


def slim_unet(decoder: tuple[int, ...]) -> keras.Model:
    """Builds a model from floats (batch, height, width, 3) to [features, deepest features].

    The sides must be multiples of 32. A stem of two convolutions comes first, then two residual
    blocks per level (He 2016, Deep Residual Learning). The way up has one convolution per stage,
    with the filters of `decoder`, deepest first. With four stages the features have half the sides
    of the image, with five its own; the deepest have a thirty-second.
    """
    images = keras.Input((None, None, 3), name="values")
    skips = [_convolve(_convolve(images, FILTERS[0], "stem_a", stride=2), FILTERS[0], "stem_b")]
    for level, filters in enumerate(FILTERS[1:], 1):
        values = keras.layers.AveragePooling2D(2, name=f"level{level}_pool")(skips[-1])
        short = keras.layers.Conv2D(
            filters, 1, kernel_initializer="he_normal", name=f"level{level}_short"
        )(values)
        values = _add(short, skips[-1], filters, f"level{level}a", stride=2)
        skips.append(_add(values, values, filters, f"level{level}b"))
    deepest = values = skips.pop()
    for stage, filters in enumerate(decoder):
        values = keras.layers.UpSampling2D(2, name=f"up{stage}")(values)
        if skips:
            values = keras.layers.Concatenate(name=f"up{stage}_concat")([values, skips.pop()])
        values = _convolve(values, filters, f"up{stage}")
    return keras.Model(images, [values, deepest], name="slim")


def _add(short, values, filters: int, name: str, stride: int = 1):
    """Adds a residual block: two convolutions of `values`, added to `short`."""
    values = _convolve(values, filters, f"{name}1", stride)
    values = _convolve(values, filters, f"{name}2", active=False)
    return keras.layers.ReLU(name=name)(keras.layers.Add(name=f"{name}_add")([values, short]))


def _convolve(values, filters: int, name: str, stride: int = 1, active: bool = True):
    options = {"padding": "same", "use_bias": False, "kernel_initializer": "he_normal"}
    values = keras.layers.Conv2D(filters, 3, stride, name=f"{name}_conv", **options)(values)
    values = keras.layers.BatchNormalization(name=f"{name}_norm")(values)
    return keras.layers.ReLU(name=f"{name}_relu")(values) if active else values
