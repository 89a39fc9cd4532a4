"""What the tests of augmentation and of copy and paste share."""

import numpy as np
import tensorflow as tf


def seeded(number, step=0):
    return tf.constant([number, step], tf.int64)


def run(operation, image, mask, number=0, **pinned):
    image, mask = operation(tf.constant(image), tf.constant(mask), seeded(number), **pinned)
    return image.numpy(), mask.numpy()


def noise(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (*shape, 3), dtype=np.uint8)


def distinct_for_seeds(operation, image, mask):
    """Fails if one seed gives two results, or if too many seeds give the same."""

    def results():
        return [
            b"".join(array.tobytes() for array in run(operation, image, mask, number))
            for number in range(20)
        ]

    first = results()
    assert first == results() and len(set(first)) >= 5
