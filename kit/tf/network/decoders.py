"""Decoders: from an encoder's features at several strides to features at a small one.

Each entry of DECODER_BUILDERS takes (features by stride, filters, output) and gives features at the
stride `output`, or at the smallest that it reaches. `features` holds tensors (batch, height /
stride, width / stride, channels). Where it lacks a stride, nothing is added.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import keras

from ...errors import KitError
from ...fields import fits
from .blocks import convolve
from .plain import decode_plain

FINEST = 4  # the stride at which the feature pyramid ends


def decode_unet(
    features: dict,
    filters: tuple[int, ...],
    output: int,
    *,
    convolutions: int = 2,
    nested: bool = False,
):
    """U-Net (Ronneberger 2015): doubles the size, adds the encoder's features of it, convolves.

    Args:
        features: see the module's docstring.
        filters: of each stage, deepest first.
        output: the stride at which it ends.
        convolutions: of each node.
        nested: U-Net++ (Zhou 2018). Every node of the stage below leads to a node of this stage,
            which also sees this stage's nodes before it. Inner nodes have the channels of the
            encoder's features of their size, as in segmentation_models.pytorch.
    """
    stride, stage = max(features), 0
    below = [features[stride]]  # a stage's nodes; the encoder's features are the first
    while stride > output:
        stride //= 2
        name = f"decoder_stage{stage}"
        nodes = [features[stride]] if stride in features else []
        if nested and nodes:
            for number, values in enumerate(below[:-1], 1):
                inner, channels = f"{name}_node{number}", nodes[0].shape[-1]
                nodes.append(_build_node(values, nodes, channels, inner, convolutions))
        nodes.append(_build_node(below[-1], nodes, filters[stage], name, convolutions))
        below, stage = nodes, stage + 1
    return below[-1]


def _build_node(values, nodes: list, filters: int, name: str, convolutions: int):
    """Doubles the size of values, joins them with nodes of that size, convolves."""
    values = keras.layers.UpSampling2D(2, name=f"{name}_up")(values)
    if nodes:
        values = keras.layers.Concatenate(name=f"{name}_concat")([values, *nodes])
    for part in "abc"[:convolutions]:
        values = convolve(values, filters, f"{name}{part}")
    return values


def decode_fpn(features: dict, filters: tuple[int, ...], output: int):
    """Feature pyramid (Lin 2017) with the segmentation branch of Panoptic FPN (Kirillov 2019).

    A level of the pyramid is the level below it, doubled, plus the encoder's features. Convolutions
    and bilinear doublings bring all levels to the stride FINEST, where they are added up. It is
    that of segmentation_models.pytorch, with batch norms for group norms and without dropout.

    Args:
        features: see the module's docstring.
        filters: channels of the pyramid, then channels of the segmentation branch.
        output: not used: it ends at the stride FINEST.
    """
    stride, level = max(features), None
    found: list = []
    while stride >= FINEST:
        name = f"decoder_level{stride}"
        parts = [keras.layers.UpSampling2D(2, name=f"{name}_up")(level)] if found else []
        if stride in features:
            lateral = keras.layers.Conv2D(filters[0], 1, name=f"{name}_lateral")
            parts.append(lateral(features[stride]))
        level = values = keras.layers.Add(name=f"{name}_add")(parts) if parts[1:] else parts[0]
        doublings = stride.bit_length() - FINEST.bit_length()
        for part in range(max(doublings, 1)):
            values = convolve(values, filters[1], f"{name}_part{part}")
            if doublings:
                values = keras.layers.UpSampling2D(
                    2, interpolation="bilinear", name=f"{name}_part{part}_up"
                )(values)
        found.append(values)
        stride //= 2
    return keras.layers.Add(name="decoder_sum")(found)


class Decoder(NamedTuple):
    """A decoder and the head that makes maps of its features."""

    build: Callable
    head: int = 3  # px: kernel size of the convolution that makes the map
    smallest: int = 1  # the smallest stride that it reaches
    filters: int | None = None  # how many it takes; None: one per stage


DECODER_BUILDERS = {
    "unet": Decoder(decode_unet),
    "slim": Decoder(partial(decode_unet, convolutions=1)),
    "unet++": Decoder(partial(decode_unet, nested=True)),
    "fpn": Decoder(decode_fpn, head=1, smallest=FINEST, filters=2),
    "plain": Decoder(decode_plain, head=1, filters=0),
}


def check_filters(decoder: str, filters, deepest: int, output: int) -> tuple[int, ...]:
    """Returns filters as a tuple if they are enough from the stride `deepest` to `output`.

    Raises:
        KitError: if they are too few, or not whole numbers of at least 1.
    """
    wanted = DECODER_BUILDERS[decoder].filters
    if wanted is None:
        wanted = (deepest // int(output)).bit_length() - 1  # one per stage
    given = tuple(filters) if isinstance(filters, list) else filters
    if wanted and not (fits(given, tuple[int, ...]) and len(given) >= wanted and min(given) > 0):
        raise KitError(
            f"filters {filters!r}: the decoder {decoder} takes {wanted} whole numbers of at least 1"
        )
    return given
