"""The eight views of an image, by flips and transposition, and the way back from a view's map."""

from typing import NamedTuple

import tensorflow as tf


class View(NamedTuple):
    """One element of the dihedral group: flips first, then transposition."""

    axes: tuple[int, ...]  # of (batch, height, width, ...), along which it is flipped
    transposed: bool = False


_FLIPS = tuple(View(axes) for axes in ((), (1,), (2,), (1, 2)))
# How many views are averaged -> which: as it is; with its flips; with those transposed, so with the quarter turns too.
VIEWS_BY_TTA = {1: _FLIPS[:1], 4: _FLIPS, 8: (*_FLIPS, *(View(view.axes, True) for view in _FLIPS))}


def turn(images, view: View) -> tf.Tensor:
    """Images (batch, height, width, channels) as the view shows them."""
    if view.axes:
        images = tf.reverse(images, view.axes)
    return tf.transpose(images, (0, 2, 1, 3)) if view.transposed else images


def turn_back(maps, view: View) -> tf.Tensor:
    """Maps (batch, height, width) of what `turn` gave, as maps of the images themselves."""
    if view.transposed:
        maps = tf.transpose(maps, (0, 2, 1))
    return tf.reverse(maps, view.axes) if view.axes else maps
