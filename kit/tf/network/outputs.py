"""The outputs of a network by their meaning (tests: tf/network/test_outputs.py).

Values that are not probabilities are refused by TensorFlow's InvalidArgumentError, since a graph
can raise no other error; `kit.tf.failures.explained` turns it into a KitError.
"""

from typing import Any

import tensorflow as tf

from ...errors import KitError
from ..failures import OUTPUT

TOLERANCE = 1e-3  # the step of float16 and of a sum in it just above 1


def take_map(found) -> tf.Tensor:
    """Takes the maps, (batch, height, width), from a network's outputs.

    Raises:
        KitError: if the outputs hold no maps of that form.
    """
    maps: Any = found.get("map") if isinstance(found, dict) else found
    rank = getattr(getattr(maps, "shape", None), "rank", -1)
    if rank not in (3, 4, None) or (rank == 4 and maps.shape[3] not in (1, None)):
        given = f"a {type(found).__name__}" if rank == -1 else f"an output of shape {maps.shape}"
        raise KitError(
            f"the network gives {given}; give probabilities (batch, height, width), with a channel "
            "of one or without, or a dict that holds them as `map`"
        )
    return maps[..., 0] if rank == 4 else maps


def take_presence(found) -> tf.Tensor | None:
    """Takes the probability that each image holds an object, float32 (batch,).

    None if the network does not have that output.
    """
    return found.get("presence") if isinstance(found, dict) else None


def check_outputs(maps, presence, images) -> tuple[tf.Tensor, tf.Tensor | None]:
    """Returns maps and presence if they are probabilities and the maps as large as the images.

    Raises:
        KitError: if the maps are of another size.
        tf.errors.InvalidArgumentError: if a value is not in 0..1, NaN or infinite.
    """
    for given, wanted in zip(maps.shape[1:3], images.shape[1:3]):
        if given is not None and wanted is not None and given != wanted:
            raise KitError(
                f"the network gives maps of {maps.shape[1]} x {maps.shape[2]} px for images of "
                f"{images.shape[1]} x {images.shape[2]} px; give one probability per pixel"
            )
    likely = None if presence is None else _check_range(presence, "presence")
    return _check_range(maps, "map"), likely


def _check_range(values, name: str) -> tf.Tensor:
    floats = tf.debugging.check_numerics(
        tf.cast(values, tf.float32), OUTPUT.format(name, "holds", "NaN or infinity")
    )
    low, high = tf.reduce_min(floats), tf.reduce_max(floats)
    text = tf.strings.format(OUTPUT.format(name, "goes from", "{} to {}"), (low, high))
    sound = (low >= -TOLERANCE) & (high <= 1 + TOLERANCE)
    with tf.control_dependencies([tf.debugging.Assert(sound, [text])]):
        return tf.identity(values)
