"""The outputs of a network by their meaning (tests: tf/network/test_unet.py)."""

import tensorflow as tf


def take_map(found) -> tf.Tensor:
    """Takes the maps, (batch, height, width), from a network's outputs."""
    found = found["map"] if isinstance(found, dict) else found
    return found[..., 0] if found.shape.rank == 4 else found


def take_presence(found) -> tf.Tensor | None:
    """Takes the probability that each image holds an object, float32 (batch,).

    None if the network does not have that output.
    """
    return found.get("presence") if isinstance(found, dict) else None
