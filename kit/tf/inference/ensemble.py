"""From images to uint8 maps: one network over several views, and the mean of several networks."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ...objects.map_files import average
from ...records.index import Index
from ...tuning.calibration import logit
from ..data.crops import average_areas
from ..network.outputs import check_outputs, take_map, take_presence
from .views import VIEWS_BY_TTA, turn, turn_back

BATCH = 2  # whole images per step on a CPU; larger batches need more memory and are not faster

# uint8 maps (batch, height, width), and presence float32 (batch,) if the network has that output
Found = tuple[tf.Tensor, tf.Tensor | None]


def forward(network: keras.Model):
    """Compiles the network in inference mode: uint8 (batch, height, width, 3) -> its outputs."""
    return tf.function(lambda batch: network(batch, training=False), reduce_retracing=True)


def choose_batch(alike: bool) -> int:
    """Whole images per step; one if their sizes differ."""
    if not alike:
        return 1
    return 16 if tf.config.list_physical_devices("GPU") else BATCH


def count_batch(index: Index) -> int:
    """Whole images of an index per step."""
    return choose_batch(index.size is not None)


def quantize(probabilities) -> tf.Tensor:
    """round(255 p) as uint8, the same as kit.objects.maps.to_uint8."""
    values = tf.round(255 * tf.cast(probabilities, tf.float32))
    # saturate_cast would take two passes.
    values = tf.raw_ops.ClipByValue(t=values, clip_value_min=0.0, clip_value_max=255.0)
    return tf.cast(values, tf.uint8)


def make_mapper(
    network: keras.Model, tta: int = 1, scale: int = 1
) -> Callable[[tf.Tensor | np.ndarray], Found]:
    """Makes the function that maps uint8 images (batch, height, width, 3) to `Found`.

    The network is compiled once, and the results stay on the device. The function raises the errors
    of `check_outputs`: rounded, NaN would look like an empty map.

    Args:
        network: the network.
        tta: views (1, 4 or 8) whose float32 probabilities are averaged.
        scale: factor by which images are shrunk; each pixel is the mean of an area. The
            probabilities are enlarged again, bilinearly, before the only rounding to uint8.

    Returns:
        The function.
    """
    run, views = forward(network), VIEWS_BY_TTA[tta]

    @tf.function(reduce_retracing=True)
    def finish(maps, presence, images) -> Found:
        maps, presence = check_outputs(maps, presence, images)
        return quantize(maps), presence

    # One graph halves the time that the calls in `find` spend outside the network.
    @tf.function(reduce_retracing=True)
    def find_once(images) -> Found:
        found = network(images, training=False)
        return finish(take_map(found), take_presence(found), images)

    def find(images) -> Found:
        images = tf.convert_to_tensor(images)
        small = average_areas(images, scale) if scale > 1 else images
        total: Any = None
        presence: Any = None
        # One view at a time: in one graph the activations of all views would need memory at once.
        for view in views:
            found = run(turn(small, view))
            probabilities, likely = turn_back(take_map(found), view), take_presence(found)
            total = probabilities if total is None else total + probabilities
            presence = likely if presence is None else presence + likely
        if len(views) > 1:
            total /= len(views)
            presence = None if presence is None else presence / len(views)
        if scale > 1:  # bilinear, half-pixel centers
            total = tf.image.resize(total[..., None], images.shape[1:3])[..., 0]
        return finish(total, presence, images)

    return find_once if tta == scale == 1 else find


def collect(found: list[Found]) -> tuple[np.ndarray, np.ndarray | None]:
    """Averages what several networks found in the same images; returns uint8 maps and presence.

    Maps are averaged as integers (kit.objects.map_files.average), so that stored maps give the same
    mean. For presence see `average_presence`.
    """
    likely = [None if presence is None else presence.numpy() for _, presence in found]
    return average([maps.numpy() for maps, _ in found]), average_presence(likely)


def average_presence(found: list[np.ndarray | None]) -> np.ndarray | None:
    """Averages the networks' presence, the probability that an image holds an object.

    It averages logits. Averaged probabilities would lie closer to one half, below a gate that was
    chosen on single networks. Networks without that output, None in the list, do not count.

    Returns:
        float32 (images,), or None if no network has that output.
    """
    known = [np.asarray(presence) for presence in found if presence is not None]
    if len(known) < 2:
        return known[0].astype(np.float32) if known else None
    return (1 / (1 + np.exp(-np.mean([logit(presence) for presence in known], axis=0)))).astype(
        np.float32
    )
