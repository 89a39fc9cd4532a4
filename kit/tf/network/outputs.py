"""A network's outputs by their meaning (tests: tf/network/test_unet.py)."""

import tensorflow as tf


def take_map(found) -> tf.Tensor:
    """The map among a network's outputs: (batch, height, width)."""
    found = found["map"] if isinstance(found, dict) else found
    return found[..., 0] if found.shape.rank == 4 else found


def take_presence(found) -> tf.Tensor | None:
    """How likely each image holds an object, float32 (batch,), where the network has that output."""
    return found.get("presence") if isinstance(found, dict) else None
