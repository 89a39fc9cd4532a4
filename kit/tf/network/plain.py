"""The plain U-Net: two convolutions per level with dropout between them.

It has no batch norm, and no encoder that could be pretrained.
"""

import keras

FILTERS = (16, 32, 64, 128, 256)  # per level, from the image's own resolution to a sixteenth
DROPOUT = 0.2


def plain_encoder() -> keras.Model:
    """Builds a model from floats (batch, height, width, 3) to features at strides 1 to 16."""
    images = values = keras.Input((None, None, 3), name="values")
    found = []
    for level, filters in enumerate(FILTERS):
        if level:
            values = keras.layers.MaxPooling2D(name=f"down{level}_pool")(values)
        values = _convolve(values, filters, f"down{level}")
        found.append(values)
    return keras.Model(images, found)


def decode_plain(features: dict, filters: tuple[int, ...], output: int):
    """The plain U-Net's own decoder; it ignores `filters`.

    At output 2 it leaves out the topmost level of the way up, and gives 32 channels instead of 16.
    """
    values = features[max(features)]
    for level in range(len(FILTERS) - 2, output - 2, -1):
        values = keras.layers.Conv2DTranspose(
            FILTERS[level], 2, strides=2, padding="same", name=f"up{level}_transpose"
        )(values)
        values = keras.layers.Concatenate(name=f"up{level}_concat")([values, features[2**level]])
        values = _convolve(values, FILTERS[level], f"up{level}")
    return values


def _convolve(values, filters: int, name: str):
    options = {"padding": "same", "activation": "relu", "kernel_initializer": "he_normal"}
    values = keras.layers.Conv2D(filters, 3, name=f"{name}a_conv", **options)(values)
    values = keras.layers.Dropout(DROPOUT, name=f"{name}_dropout")(values)
    return keras.layers.Conv2D(filters, 3, name=f"{name}b_conv", **options)(values)
