"""The plain U-Net: two convolutions per level with dropout between them.

It has no batch norm, and no encoder that could be pretrained.
"""

import keras

FILTERS = (16, 32, 64, 128, 256)  # per level, from the image's own resolution to a sixteenth
DROPOUT = 0.2


def plain_unet(output: int = 1) -> keras.Model:
    """Builds a model from floats (batch, height, width, 3) to [features, deepest features].

    The sides must be multiples of 16. The features are (batch, height / output, width / output,
    channels): 16 channels, or 32 at output 2, which leaves out the topmost level of the way up. The
    deepest features are (batch, height / 16, width / 16, 256).
    """
    images = keras.Input((None, None, 3), name="values")
    values, skips = images, []
    for level, filters in enumerate(FILTERS):
        if level:
            values = keras.layers.MaxPooling2D(name=f"down{level}_pool")(values)
        values = _convolve(values, filters, f"down{level}")
        skips.append(values)
    deepest = values
    for level in range(len(FILTERS) - 2, output - 2, -1):
        values = keras.layers.Conv2DTranspose(
            FILTERS[level], 2, strides=2, padding="same", name=f"up{level}_transpose"
        )(values)
        values = keras.layers.Concatenate(name=f"up{level}_concat")([values, skips[level]])
        values = _convolve(values, FILTERS[level], f"up{level}")
    return keras.Model(images, [values, deepest], name="plain")


def _convolve(values, filters: int, name: str):
    options = {"padding": "same", "activation": "relu", "kernel_initializer": "he_normal"}
    values = keras.layers.Conv2D(filters, 3, name=f"{name}a_conv", **options)(values)
    values = keras.layers.Dropout(DROPOUT, name=f"{name}_dropout")(values)
    return keras.layers.Conv2D(filters, 3, name=f"{name}b_conv", **options)(values)
