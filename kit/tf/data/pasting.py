"""Copy and paste: objects of one crop pasted into another crop of the same batch."""

import tensorflow as tf

from .augmentation import keep_shape, to_gray

PASTE_SHARE = 0.5  # of the examples of a batch


def copy_paste(images, masks, seed, share=PASTE_SHARE):
    """Pastes objects of the next example of the batch into a share of the examples.

    The donor is flipped at random as a whole, so objects that its border cuts stay at the border.
    An object that would cover a pixel of an object already there is left out entirely, so no object
    hides another. (If a mask has one number for all its objects, that leaves out all of them.) The
    other objects get the lowest free numbers; those that would get a number above 255 are left out.

    Two px of the donor around each object are blended in at 2/3 and 1/3, except over objects that
    are already there: their pixels never change. Donors are the examples as they come, before any
    pasting. A batch of one stays as it is.

    Args:
        images: uint8 (b, h, w, 3).
        masks: uint8 (b, h, w), 0 is background, any other value is the number of an object.
        seed: integer tensor (2,); equal seeds give equal bytes.
        share: share of the examples that get objects.

    Returns:
        (images, masks) of the same shapes and dtypes.
    """
    seeds, count = tf.random.split(seed, 2), tf.shape(images)[0]
    chosen = (tf.random.stateless_uniform([count], seeds[0]) < share) & (count > 1)
    donors, numbers = _flip_each(tf.roll(images, -1, 0), tf.roll(masks, -1, 0), seeds[1])
    pasted = tf.gather(
        _renumbering(masks, numbers, chosen), tf.cast(numbers, tf.int32), batch_dims=1
    )
    near = _grow(tf.cast(pasted > 0, tf.uint8))
    thirds = tf.cast(pasted > 0, tf.uint8) + near + _grow(near)
    weight = tf.cast(tf.where(masks > 0, tf.zeros_like(thirds), thirds), tf.float32)[..., None] / 3
    below = tf.cast(images, tf.float32)
    mixed = to_gray(below + weight * (tf.cast(donors, tf.float32) - below))
    # An old and a pasted object never share a pixel, so the larger number is the one there.
    return keep_shape(images, mixed), keep_shape(masks, tf.maximum(masks, pasted))


def _flip_each(images, masks, seed):
    """Flips each example at random, upside down and left to right."""
    count = tf.shape(images)[0]
    flips = tf.random.stateless_uniform([2, count], seed, 0, 2, tf.int32)
    for axis, flip in ((1, flips[0]), (2, flips[1])):
        # Gathering whole examples takes a third of the time of tf.where.
        which = tf.range(count) + count * flip
        images = tf.gather(tf.concat([images, tf.reverse(images, [axis])], 0), which)
        masks = tf.gather(tf.concat([masks, tf.reverse(masks, [axis])], 0), which)
    return images, masks


def _renumbering(masks, numbers, chosen):
    """The new number of each object of the donors, uint8 (b, 256), 0 if it is not pasted."""
    every = tf.range(256)
    taken = _occurring(masks) | (every == 0)
    covering = _occurring(tf.where(masks > 0, numbers, tf.zeros_like(numbers)))
    pasted = _occurring(numbers) & ~covering & (every > 0) & chosen[:, None]
    # First the free numbers, ascending; then the taken ones, raised to 256 or more.
    free = tf.sort(every + 256 * tf.cast(taken, tf.int32))
    given = tf.gather(free, tf.cumsum(tf.cast(pasted, tf.int32), 1, exclusive=True), batch_dims=1)
    return tf.cast(tf.where(pasted & (given < 256), given, 0), tf.uint8)


def _occurring(masks):
    """Which numbers each mask holds, bool (b, 256)."""
    flat = tf.reshape(tf.cast(masks, tf.int32), [tf.shape(masks)[0], -1])
    return tf.math.bincount(flat, axis=-1, minlength=256, maxlength=256, binary_output=True) > 0


def _grow(masks):
    """The largest value among each pixel and its eight neighbors.

    Slices took half the time of max-pooling floats.
    """
    rows = tf.pad(masks, [[0, 0], [1, 1], [0, 0]])
    rows = tf.maximum(tf.maximum(rows[:, :-2], rows[:, 1:-1]), rows[:, 2:])
    wide = tf.pad(rows, [[0, 0], [0, 0], [1, 1]])
    return tf.maximum(tf.maximum(wide[:, :, :-2], wide[:, :, 1:-1]), wide[:, :, 2:])
