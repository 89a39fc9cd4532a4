"""Decoders: from an encoder's features at several strides to features at a small one.

Each entry of DECODER_BUILDERS takes (features by stride, filters, output) and gives features at the
stride `output`, or at the smallest that it reaches. `features` holds tensors (batch, height /
stride, width / stride, channels).
"""

from collections.abc import Callable
from typing import NamedTuple

import keras

from .blocks import convolve
from .plain import decode_plain


def decode_unet(features: dict, filters: tuple[int, ...], output: int, convolutions: int = 2):
    """U-Net (Ronneberger 2015): doubles the size, adds the encoder's features of it, convolves.

    Args:
        features: see the module's docstring; where a stride is missing, nothing is added.
        filters: of each stage, deepest first.
        output: the stride at which it ends.
        convolutions: of each stage.
    """
    stride = max(features)
    values, stage = features[stride], 0
    while stride > output:
        stride //= 2
        name = f"decoder_stage{stage}"
        values = keras.layers.UpSampling2D(2, name=f"{name}_up")(values)
        if stride in features:
            joined = [values, features[stride]]
            values = keras.layers.Concatenate(name=f"{name}_concat")(joined)
        for part in "abc"[:convolutions]:
            values = convolve(values, filters[stage], f"{name}{part}")
        stage += 1
    return values


def decode_slim(features: dict, filters: tuple[int, ...], output: int):
    """U-Net with one convolution a stage instead of two."""
    return decode_unet(features, filters, output, convolutions=1)


class Decoder(NamedTuple):
    """A decoder and the head that makes maps of its features."""

    build: Callable
    head: int = 3  # px: kernel size of the convolution that makes the map
    smallest: int = 1  # the smallest stride that it reaches


DECODER_BUILDERS = {
    "unet": Decoder(decode_unet),
    "slim": Decoder(decode_slim),
    "plain": Decoder(decode_plain, head=1),
}
