"""From images to uint8 maps: one network over some views at some scale, and the mean of several networks."""

import functools
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ...objects.map_files import average
from ...records.index import Index
from ...tuning.calibration import logit
from ..data.crops import average_areas
from ..network.outputs import take_map, take_presence
from .views import VIEWS_BY_TTA, turn, turn_back

BATCH = 2  # whole images a step on a CPU: more are not faster there and need more memory

Found = tuple[
    tf.Tensor, tf.Tensor | None
]  # uint8 maps (batch, height, width), presence float32 (batch,) where there is that output


def forward(network: keras.Model):
    """The network as a compiled function: uint8 (batch, height, width, 3) -> its outputs, by inference statistics."""
    return tf.function(lambda batch: network(batch, training=False), reduce_retracing=True)


def choose_batch(alike: bool) -> int:
    """Whole images a step: one where their sizes differ."""
    if not alike:
        return 1
    return 16 if tf.config.list_physical_devices("GPU") else BATCH


def count_batch(index: Index) -> int:
    """Whole images of an index a step."""
    return choose_batch(index.size is not None)


def quantize(probabilities) -> tf.Tensor:
    """round(255 p) as uint8, the same as kit.objects.components.to_uint8."""
    values = tf.round(255 * tf.cast(probabilities, tf.float32))
    return tf.cast(
        tf.raw_ops.ClipByValue(t=values, clip_value_min=0.0, clip_value_max=255.0), tf.uint8
    )  # one pass; saturate_cast: two


def make_mapper(
    network: keras.Model, tta: int = 1, scale: int = 1
) -> Callable[[tf.Tensor | np.ndarray], Found]:
    """A function from uint8 images (batch, height, width, 3) to `Found`, still on the device; the network is compiled once.

    tta: views (1, 4 or 8) whose float32 probabilities are averaged. scale: images are shrunk by this factor, each pixel the mean of an
    area, and the probabilities are enlarged again, bilinearly. Rounding to uint8 comes last, and once. A probability that is no number is
    an InvalidArgumentError: rounded it would be an empty map.
    """
    run, views = forward(network), VIEWS_BY_TTA[tta]
    check = functools.partial(
        tf.debugging.check_numerics, message="a map of the network; are its weights sound?"
    )

    @tf.function(reduce_retracing=True)
    def find_once(
        images,
    ) -> Found:  # one graph takes half of what the calls below take beside the network
        found = network(images, training=False)
        return quantize(check(take_map(found))), take_presence(found)

    def find(images) -> Found:
        images = tf.convert_to_tensor(images)
        small = average_areas(images, scale) if scale > 1 else images
        total: Any = None
        presence: Any = None
        for view in views:  # one after the other: in one graph the activations of all views would want memory at once
            found = run(turn(small, view))
            probabilities, likely = turn_back(take_map(found), view), take_presence(found)
            total = probabilities if total is None else total + probabilities
            presence = likely if presence is None else presence + likely
        if len(views) > 1:
            total, presence = (
                total / len(views),
                None if presence is None else presence / len(views),
            )
        if scale > 1:
            total = tf.image.resize(total[..., None], images.shape[1:3])[
                ..., 0
            ]  # bilinear, half-pixel centers
        return quantize(check(total)), presence

    return find_once if tta == scale == 1 else find


def collect(found: list[Found]) -> tuple[np.ndarray, np.ndarray | None]:
    """The mean of what several networks found in the same images: uint8 maps and presence, as arrays.

    Maps are averaged as integers (kit.objects.map_files.average), so that stored maps give the same. Presence: see `average_presence`.
    """
    likely = [None if presence is None else presence.numpy() for _, presence in found]
    return average([maps.numpy() for maps, _ in found]), average_presence(likely)


def average_presence(found: list[np.ndarray | None]) -> np.ndarray | None:
    """What the networks say together of how likely an image holds an object, float32 (images,); None: none says.

    It is the mean of their logits: that of probabilities would lie nearer to the middle than any, below a gate chosen on single networks.
    """
    known = [np.asarray(presence) for presence in found if presence is not None]
    if len(known) < 2:
        return known[0].astype(np.float32) if known else None
    return (1 / (1 + np.exp(-np.mean([logit(presence) for presence in known], axis=0)))).astype(
        np.float32
    )
