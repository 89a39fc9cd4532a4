"""The eight views of an image, by flips and transposition, and the way back for their maps."""

from typing import NamedTuple

import tensorflow as tf


class View(NamedTuple):
    """One element of the dihedral group: flips first, then transposition."""

    axes: tuple[int, ...]  # axes of (batch, height, width, ...) that are flipped
    transposed: bool = False


_FLIPS = tuple(View(axes) for axes in ((), (1,), (2,), (1, 2)))
# Number of views -> the views: the image alone; its flips; those transposed, so quarter turns too.
VIEWS_BY_TTA = {1: _FLIPS[:1], 4: _FLIPS, 8: (*_FLIPS, *(View(view.axes, True) for view in _FLIPS))}


def turn(images, view: View) -> tf.Tensor:
    """Turns images (batch, height, width, channels) into a view."""
    if view.axes:
        images = tf.reverse(images, view.axes)
    return tf.transpose(images, (0, 2, 1, 3)) if view.transposed else images


def turn_back(maps, view: View) -> tf.Tensor:
    """Turns maps (batch, height, width) of a view back into maps of the images."""
    if view.transposed:
        maps = tf.transpose(maps, (0, 2, 1))
    return tf.reverse(maps, view.axes) if view.axes else maps
